"""Check Hessian-vector products of a scalar cost of any pytrees, in this process.

H v    the Jacobian-vector product of the gradient; without a gradient, differences of the cost along a fixed w judge ⟨w, H v⟩
H = Hᵀ needs no oracle: ⟨u, H v⟩ = ⟨v, H u⟩                               (Pearlmutter, Neural Computation 6, 1994)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.campaign.forward_mode import TangentClaim, counterexample, name_of, report_on, size_of
from gradcheck.campaign.functions import example_arguments
from gradcheck.campaign.outcome import Options, Outcome
from gradcheck.checks.claim_noise import claim_error
from gradcheck.checks.functions import LEVELS, first_step
from gradcheck.errors import SubjectError, UsageError
from gradcheck.numerics import Array, Arrays
from gradcheck.numerics.trees import leaves
from gradcheck.oracles.finite_difference import directional
from gradcheck.oracles.functions import gradient_of
from gradcheck.report import Code, Finding, Report
from gradcheck.report import Place as Where
from gradcheck.subjects.arrays import differentiable
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.function import ROUNDOFF, Form, read_tree
from gradcheck.subjects.lines import Lines, Place
from gradcheck.subjects.protocol import Malformed

_SYMMETRIES = 4


def verify_hessian_product(
    cost: Callable[..., Any],
    product: Callable[..., Any],
    arguments: Any,
    gradient: Callable[..., Any] | None,
    reference: Callable[..., Any] | None,
    max_examples: int,
    seed: int,
    static: Mapping[str, Any] | None = None,
) -> Report:
    """The report of a Hessian-vector product; see `gradcheck.check_hvp`."""
    options = Options(max_examples, seed)
    examples = example_arguments(arguments, max_examples, seed, cost)
    if any(Form(parts).complex for parts in examples):
        msg = "check_hvp takes real arguments; there are complex ones: write the function of their real and imaginary parts"
        raise UsageError(msg)
    if gradient is not None:
        of_gradient = None if reference is None else gradient_of(reference)
        claim = TangentClaim(name_of(cost), "hvp", gradient, product, of_gradient, static or {})
    else:
        along = _Along(cost, product, seed)
        claim = TangentClaim(name_of(cost), "hvp", along.slope, along.product, None, static or {}, numerical=True)
        if reference is not None:
            claim = replace(claim, reference=along.of_jax(reference))
    return report_on(
        claim, cost, arguments, options, lambda outcome, lines: _with_symmetry(outcome, lines, product, claim)
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Along:
    """A cost along one fixed direction w: its slope there is differentiable again, and the claim is ⟨w, H v⟩."""

    cost: Callable[..., Any]
    claim: Callable[..., Any]
    seed: int

    def slope(self, *arguments: Any, **static: Any) -> Any:
        """⟨w, ∇C⟩ by differences of the cost."""
        form = Form([(f"argument {k}", a) for k, a in enumerate(arguments)])
        values, w = form.named(arguments), self._w(arguments)

        def evaluate(points: Sequence[Arrays]) -> list[float]:
            return [float(np.real(self.cost(*form.trees(form.stored({**values, **p})), **static))) for p in points]

        steps, roundoff = [first_step(values, w)], ROUNDOFF[form.dtype]
        return np.float64(directional(evaluate, values, [w], steps, levels=LEVELS, roundoff=roundoff)[0].value)

    def product(self, v: Any, *arguments: Any, **static: Any) -> Any:
        """⟨w, H v⟩ of the claim."""
        form = Form([(f"argument {k}", a) for k, a in enumerate(arguments)])
        return np.float64(_pairing(self._w(arguments), _read_vectors(form, self.claim(v, *arguments, **static))))

    def of_jax(self, reference: Callable[..., Any]) -> Callable[..., Any]:
        """⟨w, ∇C⟩ by jax.grad."""

        def slope(*arguments: Any, **static: Any) -> Any:
            given = gradient_of(reference)(*arguments, **static)
            several = [given] if len(arguments) == 1 else list(given)
            found = {p: g for k, g in enumerate(several) for p, g in leaves(g, f"argument {k}")}
            return sum((w * found[n]).sum() for n, w in self._w(arguments).items())

        return slope

    def _w(self, arguments: Sequence[Any]) -> dict[str, Array]:
        generator = np.random.default_rng([self.seed, 21])
        moving = [(p, v) for k, a in enumerate(arguments) for p, v in leaves(a, f"argument {k}") if differentiable(v)]
        return {p: generator.standard_normal(np.shape(v)) for p, v in moving}


def _read_vectors(form: Form, raw: Any) -> dict[str, Array]:
    """H v by leaf of the arguments. Raises Malformed."""
    found = read_tree(form, raw)
    out = {}
    for n, leaf in form.leaves.items():
        a = np.asarray(found[n], dtype=np.float64) if n in found else None
        if a is None or a.shape != leaf.shape:
            given = "nothing" if a is None else f"shape {a.shape}"
            raise Malformed("shape", n, f"the product's part for {n} must have shape {leaf.shape}; there is {given}")
        out[n] = a
    return out


def _pairing(u: Arrays, v: Arrays) -> float:
    return float(sum(float(np.vdot(u[n], v[n])) for n in u))


def _with_symmetry(outcome: Outcome, lines: Lines, product: Callable[..., Any], claim: TangentClaim) -> Outcome:
    """The outcome, with what the symmetry of H says: beside a wrong product, or alone where nothing else is known."""
    broken = next((b for p in lines.places[:_SYMMETRIES] if (b := _asymmetry(p, product, claim)) is not None), None)
    if broken is None:
        return outcome
    place, words = broken
    if outcome.findings:
        told = (replace(f, evidence=(*f.evidence, words)) if f.verdict == "fail" else f for f in outcome.findings)
        return replace(outcome, findings=tuple(told))
    finding = Finding(
        Code.GC406, "fail", "law", words, (Where("symmetry"),), counterexample=counterexample(place, claim)
    )
    return replace(outcome, findings=(finding,))


def _asymmetry(place: Place, product: Callable[..., Any], claim: TangentClaim) -> tuple[Place, str] | None:
    """⟨u, H v⟩ − ⟨v, H u⟩ beyond its rounding, in words."""
    form, v = place.form, place.tangent
    generator = np.random.default_rng(3)
    u = form.rounded({n: generator.standard_normal(a.shape) * size_of(a) for n, a in v.items()})

    def applied(at: Arrays, vector: Arrays) -> dict[str, Array] | None:
        trees = form.trees(form.stored(vector), absent=True)
        try:
            with subject_code():
                raw = product(
                    trees[0] if len(trees) == 1 else tuple(trees), *form.trees(form.stored(at)), **claim.static
                )
            return _read_vectors(form, raw)
        except (SubjectError, Malformed):
            return None

    Hv, Hu = applied(place.values, v), applied(place.values, u)
    if Hv is None or Hu is None:
        return None
    bound, roundoff = 0.0, ROUNDOFF[form.dtype]
    for H, against, vector in ((Hv, u, v), (Hu, v, u)):
        error = claim_error(lambda at, x=vector: applied(at, x), place.values, H, roundoff, 7)  # type: ignore[misc]
        bound += _pairing({n: np.abs(a) for n, a in against.items()}, error)
    left, right = _pairing(u, Hv), _pairing(v, Hu)
    if not abs(left - right) > bound:
        return None
    return place, f"it is not symmetric: ⟨u, H v⟩ = {left:.6g}, ⟨v, H u⟩ = {right:.6g}, rounding at most {bound:.2g}"
