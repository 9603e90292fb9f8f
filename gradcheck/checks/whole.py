"""A float32 tensor judged as a whole: by how much is the claim, over all its components, too large or too small?

s      ⟨claim − g, g⟩ / ‖g‖², g the trusted gradient of one parameter: 0 for a right claim, e for one that is (1 + e) g

Rounding averages out in s, while the worst-case bound of a component grows with the length of the sums, beyond 1 % in wide
float32 layers. How far rounding may take s: `gradcheck.oracles.aggregate_error`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from gradcheck.checks.comparison import MOST, Comparison, Discrepancy
from gradcheck.networks import Case, on_logits
from gradcheck.numerics import Arrays, Estimate
from gradcheck.numerics.estimate import excess
from gradcheck.oracles.aggregate_error import Probe, aggregate_bounds
from gradcheck.oracles.autodiff import value_and_gradient

AS_A_WHOLE = "the tensor as a whole, as a multiple of the expected one"


def whole_bounds(case: Case, expected: Estimate, granted: Arrays, *, at_kinks: bool = False) -> dict[str, float]:
    """Per parameter the bound of |s| of a right float32 claim; none for float64, where the component bounds are as good.

    granted: what else a right claim may be off by, component by component (an update's rounding). at_kinks: whether `expected`
    was taken at the centres of kinks, and not with jax's slopes, from which right claims are bounded here.
    """
    if case.dtype != "float32":
        return {}
    norms = {n: float(np.vdot(g, g)) for n, g in expected.value.items() if n in case.parameters}
    probes = [Probe(n, expected.value[n]) for n, size in norms.items() if np.isfinite(size) and size > 0]
    jax = value_and_gradient(on_logits(case))[1] if at_kinks else expected.value
    found = {}
    for p, bound in zip(probes, aggregate_bounds(case, probes), strict=True):
        more = expected.error[p.name] + granted.get(p.name, 0.0)
        total = bound + float(np.vdot(np.abs(p.weights), np.broadcast_to(more, p.weights.shape)))
        total += abs(float(np.vdot(p.weights, jax[p.name] - p.weights))) if at_kinks else 0.0
        if np.isfinite(total):
            found[p.name] = total / norms[p.name]
    return found


def with_whole(comparison: Comparison, claim: Estimate, oracle: Estimate, whole: Mapping[str, float]) -> Comparison:
    """The comparison of the components, and of the tensors as a whole.

    whole: bounds of s, the error of a tensor as a multiple of the oracle's (see `whole_bounds`).
    """
    bounds = {n: b for n, b in whole.items() if n in comparison.excess}
    ratios, found = dict(comparison.excess), list(comparison.discrepancies)
    for name, s in scale_errors(claim, oracle, bounds).items():
        ratios[name] = max(ratios[name], float(excess(np.asarray(s), np.asarray(bounds[name]))))
        if not abs(s) <= bounds[name] and not any(d.parameter == name for d in found):
            method = f"{oracle.method}, {AS_A_WHOLE}"
            found.append(Discrepancy(name, (), 1 + s, 1.0, bounds[name], method))
    seen = {n: 2 * b for n, b in bounds.items() if 2 * b < comparison.power[n]}
    return replace(comparison, excess=ratios, discrepancies=tuple(found[:MOST]), whole=seen)


def scale_errors(claim: Estimate, oracle: Estimate, names: Iterable[str]) -> dict[str, float]:
    """s = ⟨claim − g, g⟩ / ‖g‖² of each name, g the oracle's tensor: e where the claim is (1 + e) g."""
    out = {}
    for n in names:
        g = oracle.value[n]
        out[n] = float(np.vdot(claim.value[n] - g, g) / np.vdot(g, g))
    return out
