"""An L2 term in a gradient whose cost nobody declares: its form where λ is handed over, its strength where the file fixes it.

A gradient that is off by one multiple of the weights, the same in every layer and at every case, holds weight decay: a
convention. It must not judge anything else that differs.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gradcheck.checks.recognition.experiments import Experiments
from gradcheck.checks.recognition.scales import AGREE, close, multiple
from gradcheck.errors import SubjectError
from gradcheck.networks import L2_FORMS, Activation, Case, Regularisation, with_regularisation
from gradcheck.networks.repertoire import Head
from gradcheck.numerics import Arrays
from gradcheck.oracles.autodiff import value_and_gradient
from gradcheck.subjects.layout import Layout

STRENGTH = 0.7
_SHARES = {"lambda/2": 0, "lambda/(2m)": 1, "m lambda/2": -1}
"""Form -> the power of m that its multiple of W must be multiplied by to be λ."""
_VISIBLE = 1e-9


def decay_of_claims(e: Experiments, hidden: Activation, head: Head, layout: Layout) -> tuple[str, bool]:
    """The form of the L2 term, and whether it holds the biases, from the difference that λ makes to the gradient."""
    cases = [e.plain(hidden, head, e.first_depth(), s, layout) for s in e.shapes()]
    claims = [e.claims(_at(c, STRENGTH), layout) for c in cases]
    plain = [e.claims(_at(c, 0.0), layout) for c in cases]
    rests = [{n: a[n] - b[n] for n in b} for a, b in zip(claims, plain, strict=True) if a and b]
    if len(rests) < len(cases) or not any(np.any(r) for rest in rests for r in rest.values()):
        return "none", False
    for form in L2_FORMS:
        factors = [2 * Regularisation(STRENGTH, form).factor(c.samples) for c in cases]
        fits = [
            {n: np.allclose(r, k * c.parameters[n], rtol=AGREE[e.dtype] * 100, atol=_VISIBLE) for n, r in rest.items()}
            for rest, k, c in zip(rests, factors, cases, strict=True)
        ]
        if all(ok for fit in fits for n, ok in fit.items() if n[0] == "W"):
            return form, all(ok for fit in fits for n, ok in fit.items() if n[0] == "b")
    return e.wanted.l2_form or "lambda/2", False


def decay_of_file(e: Experiments, hidden: Activation, head: Head, layout: Layout) -> tuple[str, float]:
    """Form and λ of the L2 term that the file writes into its gradient; λ = 0 where there is none.

    Raises SubjectError of kind "unrecognised" where the layers decay differently: that cannot be told from a mistake.
    """
    depth = e.first_depth()
    cases = [e.case(hidden, (head.activation, head.cost), depth, s, bias=layout.bias != "none") for s in e.shapes()]
    cases = [replace(c, architecture=replace(c.architecture, scale=head.scale)) for c in cases]
    claims = [e.claims(c, layout) for c in cases]
    names = [f"W{l}" for l in range(depth, 0, -1)]
    found: dict[str, tuple[str, float] | None] = {}
    for name in names:
        shares = [_share(c, claim, name) for c, claim in zip(cases, claims, strict=True)]
        found[name] = _form(shares, [c.samples for c in cases])
    first = found[names[0]]
    if first is None or not first[1]:
        return "none", 0.0
    others = {n: k for n, k in found.items() if k is not None and not close(k[1], first[1], 1e-5)}
    if others:
        n, other = next(iter(others.items()))
        msg = f"its gradient holds an L2 term ({first[1]:.6g} times the weights in the last layer, {other[1] if other else 0:.6g} in {n}) and no cost is declared that has one: it cannot be told from a mistake"  # noqa: E501  # fmt: skip
        raise SubjectError("unrecognised", msg)
    return first[0], float(f"{first[1]:.6g}")


def _form(shares: Sequence[float | None], samples: Sequence[int]) -> tuple[str, float] | None:
    """The form and λ whose multiples of the weights these are; λ = 0 where there is no difference at all; None for neither."""
    known = [s for s in shares if s is not None]
    if len(known) < len(shares):
        return None
    if all(abs(s) <= _VISIBLE for s in known):
        return "none", 0.0
    for form, power in _SHARES.items():
        strengths = [s * m**power for s, m in zip(known, samples, strict=True)]
        if strengths[0] > _VISIBLE and all(close(s, strengths[0], 1e-5) for s in strengths):
            return form, strengths[0]
    return None


def _share(case: Case, claim: Arrays | None, name: str) -> float | None:
    """How many times the weights a claim is more than the trusted gradient; None where it is no multiple of them."""
    if claim is None or name not in claim:
        return None
    truth = value_and_gradient(case)[1][name]
    rest = claim[name] - truth
    if float(np.max(np.abs(rest))) <= _VISIBLE * (1 + float(np.max(np.abs(truth)))):
        return 0.0
    share = multiple(rest, case.parameters[name], 1e-6)
    return share if np.isfinite(share) and share else None


def _at(case: Case, strength: float) -> Case:
    return replace(case, architecture=with_regularisation(case.architecture, strength))
