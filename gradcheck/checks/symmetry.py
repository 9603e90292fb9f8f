"""Is a claim the gradient of anything? The Jacobian J of a gradient g is symmetric: ⟨u, J v⟩ = ⟨v, J u⟩ (Schwarz).

For subjects that declare no cost and show none that is known. J v is measured with differences of the claim along v. The law
is blind to a factor or a sign of the whole gradient and to a network of a single number, so that keeping it is no pass.
"""

from collections.abc import Sequence

import numpy as np

from gradcheck.checks.comparison import Discrepancy
from gradcheck.checks.differences import smooth_step
from gradcheck.checks.examination import Examination, Fault
from gradcheck.errors import SubjectError
from gradcheck.networks import Case
from gradcheck.numerics import Arrays, dot, random_direction, unit_roundoff
from gradcheck.oracles.finite_difference import Derivative, directional
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Claim, Subject

SOMETHING = (
    "no cost is declared and none was recognised: the claim is the gradient of something (its Jacobian is symmetric), "
    "up to a factor and a sign"
)
_USABLE = 1e-4
"""Differences whose bounds are larger than this share of ⟨u, J v⟩ say nothing: broken code is off by 0.3 and more."""


def gradient_of_anything(subject: Subject, case: Case, layout: Layout, claim: Claim, attempt: int = 0) -> Examination:
    """A fault where the Jacobian of the claim is not symmetric, else why the case is no evidence for the gradient itself."""
    names = [n for n in claim.gradient if n in case.parameters]
    if not all(np.all(np.isfinite(claim.gradient[n])) for n in names):
        return Examination(None, "laws", silent="the gradient is not finite")
    pair = _both_ways(subject, case, layout, names, attempt)
    if pair is None:
        return Examination(None, "laws", silent="differences of the gradient gave no usable bound")
    if not _apart(pair):
        return Examination(None, "laws", silent=SOMETHING)
    layer = _topmost(subject, case, layout, names, attempt)
    above = "" if layer is None else f": it shows from layer {layer} downwards"
    message = f"the claim is the gradient of nothing, whatever the cost: its Jacobian is not symmetric{above}"
    first, second = pair
    shown = Discrepancy("⟨u, J v⟩", (), first.value, second.value, first.error + second.error, "⟨v, J u⟩")
    parameter = None if layer is None else f"W{layer}"
    return Examination(Fault.NO_GRADIENT, "laws", message, parameter, (shown,), wrong=tuple(names))


def _both_ways(
    subject: Subject, case: Case, layout: Layout, names: Sequence[str], attempt: int
) -> tuple[Derivative, Derivative] | None:
    """⟨u, J v⟩ and ⟨v, J u⟩ for random u and v over these tensors; None where a bound says too little."""
    generator = np.random.default_rng([int(np.abs(case.inputs).sum() * 1e6) % 2**32, 17, attempt])
    u, v = (random_direction(case.parameters, generator, names) for _ in range(2))
    first, second = (_along(subject, case, layout, a, b, attempt) for a, b in ((u, v), (v, u)))
    size = abs(first.value) + abs(second.value)
    usable = np.isfinite(first.error) and np.isfinite(second.error) and first.error + second.error <= _USABLE * size
    return (first, second) if usable else None


def _along(subject: Subject, case: Case, layout: Layout, u: Arrays, v: Arrays, attempt: int) -> Derivative:
    """⟨u, J v⟩: the derivative of ⟨u, claim⟩ along v."""

    def evaluate(points: Sequence[Arrays]) -> list[float]:
        return [_contracted(subject, case.at(p), layout, u) for p in points]

    step = smooth_step(case, v) / 10**attempt
    return directional(evaluate, case.parameters, [v], [step], roundoff=unit_roundoff(case.dtype))[0]


def _contracted(subject: Subject, case: Case, layout: Layout, u: Arrays) -> float:
    claim = subject.vjp(case, layout)[1](case.cotangent)
    if claim.problems:
        raise SubjectError("contract", claim.problems[0].message)
    return dot(u, claim.gradient)


def _apart(pair: tuple[Derivative, Derivative]) -> bool:
    first, second = pair
    return abs(first.value - second.value) > first.error + second.error


def _topmost(subject: Subject, case: Case, layout: Layout, names: Sequence[str], attempt: int) -> int | None:
    """The first layer, from the output down, at which the claim of it and those above is the gradient of nothing."""
    for l in range(case.architecture.depth, 0, -1):
        upper = [n for n in names if int(n[1:]) >= l]
        pair = _both_ways(subject, case, layout, upper, attempt)
        if pair is not None and _apart(pair):
            return l
    return None
