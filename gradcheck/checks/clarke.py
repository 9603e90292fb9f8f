"""Whether a claim at a kink is a gradient for any choice of slopes: the zonotope of right gradients, and a direction out of it.

c      the gradient with every slope at a kink at the centre of its interval
A      its generators, one a column: what the gradient gains when one slope goes from its centre to the upper end
e      rounding bounds of claim and c together
right  claim = c + A t + r with t in [−1, 1]ᴺ and |r| ≤ e

Component by component, such a claim lies within Σ |A| of c; but slopes of 1.01 for all samples may lie there too. A claim is
outside for certain when some y has yᵀ(claim − c) > ‖Aᵀy‖₁ + |y|ᵀe (a separating hyperplane; any y is proof). The residual of
the least squares for t in the box, in units of e, is such a y wherever the claim is far out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.checks.comparison import Comparison, Discrepancy, relative_power
from gradcheck.numerics import Array, Arrays, Estimate

MOST = 64
"""Generators at most; more kinks at once are judged component by component."""
MOST_COMPONENTS = 1500
"""Beyond, the power is that of the intervals."""
ORACLE = "jax.grad for any slope at the kink"
_SWEEPS = 100
_SLACK = 1e-9
"""Relative: rounding of the certificate itself."""
_RANK = 1e-13


@dataclass(frozen=True, slots=True, eq=False)
class Zonotope:
    """The right gradients at a case, over the components that are known.

    names: the tensors. known: which of their components, flattened. centre, generators, error: c, A and e (with a rounding of
    the largest generator, so that the units of least squares are of one size).
    """

    names: Sequence[str]
    known: Array
    centre: Array
    generators: Array
    error: Array


def among_right_gradients(
    comparison: Comparison, claim: Estimate, expected: Estimate, generators: Sequence[Arrays]
) -> tuple[Comparison, Estimate | None]:
    """The comparison by intervals, sharpened: refuted where no choice of slopes gives the claim, else with its true power.

    With the right gradient nearest to a claim that is refuted. claim.error, expected.error: rounding alone.
    """
    names = [n for n in expected.value if n in claim.value]
    c, given = _flat(expected.value, names), _flat(claim.value, names)
    e = _flat(claim.error, names) + _flat(expected.error, names)
    A = np.stack([_flat(g, names) for g in generators], axis=1)
    known = np.isfinite(c) & np.isfinite(given) & np.isfinite(e) & np.isfinite(A).all(axis=1)
    floor = np.finfo(float).eps * float(np.max(np.abs(A[known]), initial=0.0))
    if not floor > 0:
        return comparison, None
    right = Zonotope(names, known, c[known], A[known], e[known] + floor)
    nearest = outside(right, given[known])
    if nearest is not None:
        return _refuted(comparison, claim, right, nearest), replace(expected, value=_filled(expected, right, nearest))
    return (_with_power(comparison, expected, right) if len(e) <= MOST_COMPONENTS else comparison), None


def _filled(expected: Estimate, right: Zonotope, nearest: Array) -> dict[str, Array]:
    """`nearest` as tensors, with the expected values where components are not known."""
    flat = _flat(expected.value, right.names)
    flat[right.known] = nearest
    sizes = np.cumsum([expected.value[n].size for n in right.names])[:-1]
    parts = zip(right.names, np.split(flat, sizes), strict=True)
    return {n: p.reshape(expected.value[n].shape) for n, p in parts}


def outside(right: Zonotope, claim: Array) -> Array | None:
    """The right gradient nearest to a claim that is certainly none; None where nothing proves it."""
    r, A, e = claim - right.centre, right.generators, right.error
    one_sided = A.sum(axis=1)
    if any(bool(np.all(np.abs(r - t * one_sided) <= e)) for t in (-1.0, 0.0, 1.0)):
        return None  # all slopes at the same end, as most code has them
    t = _nearest(A / e[:, None], r / e)
    y = (r - A @ t) / e**2
    margin = y @ r - np.abs(A.T @ y).sum() - np.abs(y) @ e
    rounding = _SLACK * (np.abs(y) @ (np.abs(r) + np.abs(A).sum(axis=1)))
    return right.centre + A @ t if margin > rounding else None


def visible(right: Zonotope) -> Array:
    """Per component the error that no choice of slopes explains, half of it: y = (I − Q Qᵀ) e_i, Q spanning A, proves it."""
    B = right.generators / right.error[:, None]
    U, s, _ = np.linalg.svd(B / np.maximum(np.linalg.norm(B, axis=0), np.finfo(float).tiny), full_matrices=False)
    Q = U[:, s > _RANK * s.max(initial=0.0)]
    Y = np.eye(len(B)) - Q @ Q.T
    along = np.diag(Y)
    size = np.abs(Y).sum(axis=0) + np.abs(B.T @ Y).sum(axis=0)
    return right.error * np.where(along > _RANK, size / np.maximum(along, _RANK), np.inf)


def _refuted(comparison: Comparison, claim: Estimate, right: Zonotope, nearest: Array) -> Comparison:
    given = _flat(claim.value, right.names)[right.known]
    worst = int(np.argmax(np.abs(given - nearest) / right.error))
    name, index = place(claim.value, right.names, int(np.flatnonzero(right.known)[worst]))
    shown = Discrepancy(name, index, float(given[worst]), float(nearest[worst]), float(right.error[worst]), ORACLE)
    return replace(comparison, excess={**comparison.excess, name: float("inf")}, discrepancies=(shown,))


def _with_power(comparison: Comparison, expected: Estimate, right: Zonotope) -> Comparison:
    half = np.full(right.known.shape, np.inf)
    half[right.known] = visible(right)
    power, typical, start = dict(comparison.power), dict(comparison.typical), 0
    for n in right.names:
        seen = half[start : start + expected.value[n].size]
        start += seen.size
        power[n] = min(power[n], relative_power(expected.value[n], seen))
        typical[n] = min(typical[n], relative_power(expected.value[n], np.median(seen)) if seen.size else np.inf)
    return replace(comparison, power=power, typical=typical)


def _nearest(B: Array, s: Array) -> Array:
    """t in [−1, 1]ᴺ of the smallest ‖B t − s‖: unconstrained least squares, then coordinate descent in the box."""
    t: Array = np.clip(np.linalg.lstsq(B, s, rcond=None)[0], -1.0, 1.0)
    H, g = B.T @ B, B.T @ s
    for _ in range(_SWEEPS):
        before = t.copy()
        for j in np.flatnonzero(np.diag(H) > 0):
            t[j] = np.clip(t[j] + (g[j] - H[j] @ t) / H[j, j], -1.0, 1.0)
        if np.max(np.abs(t - before), initial=0.0) < 1e-12:
            break
    return t


def _flat(arrays: Mapping[str, Array], names: Sequence[str]) -> Array:
    return np.concatenate([np.ravel(arrays[n]) for n in names])


def place(arrays: Arrays, names: Sequence[str], k: int) -> tuple[str, tuple[int, ...]]:
    """Name and index of component k of the flattened arrays."""
    for n in names:
        if k < arrays[n].size:
            return n, tuple(int(i) for i in np.unravel_index(k, arrays[n].shape))
        k -= arrays[n].size
    raise IndexError(k)
