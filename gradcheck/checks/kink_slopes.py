"""Which slope a wrong claim has at a kink: solved for, where slopes at kinks of one layer or of the cost explain all of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.checks.clarke import MOST
from gradcheck.checks.corner import corner
from gradcheck.networks import Case
from gradcheck.numerics import Array, Arrays
from gradcheck.oracles.clarke import Interval, Kinks
from gradcheck.oracles.error_analysis import rounding_bounds
from gradcheck.oracles.trusted import generators, trusted_estimate

_OFF = 0.25
"""How far a unit or a target is moved off its kink, to see that the claim is right there."""
_ROUNDINGS = 4.0
Claims = Callable[[Case], Arrays | None]


@dataclass(frozen=True, slots=True)
class WrongSlope:
    """The slope of the activation of a layer (None: of the cost) at a kink; right is anything from low to high."""

    layer: int | None
    slope: float
    low: float
    high: float


def wrong_slope(case: Case, claims: Claims) -> WrongSlope | None:
    """The slope furthest outside its interval, where slopes explain the claim, and it is right on both sides of the kink."""
    bounds = rounding_bounds(case)
    kinks = bounds.kinks
    if not kinks.in_one_place() or kinks.count() > MOST or case.dtype != "float64":
        return None
    claim = claims(case)
    if claim is None or not all(np.all(np.isfinite(g)) for g in claim.values()):
        return None
    centre = trusted_estimate(case, "x" in claim, bounds=bounds, kinks=kinks)
    columns = generators(case, "x" in claim, kinks, centre)
    names = [n for n in centre.value if n in claim]
    r = _flat({n: claim[n] - centre.value[n] for n in names}, names)
    A = np.stack([_flat(c, names) for c in columns], axis=1)
    e = _flat({n: centre.error[n] + bounds.rounding[n] for n in names}, names) + np.finfo(float).eps * np.abs(r).max()
    t = np.linalg.lstsq(A / e[:, None], r / e, rcond=None)[0]
    worst = int(np.argmax(np.abs(t)))
    beyond = np.abs(A[:, worst]) * (abs(float(t[worst])) - 1)
    if not np.all(np.abs(r - A @ t) <= _ROUNDINGS * e) or not np.any(beyond > _ROUNDINGS * e):
        return None
    if not all(_agrees(beside, claims) for beside in _beside(case, kinks)):
        return None
    layer, at = next(iter(kinks.layers.items())) if kinks.layers else (None, kinks.cost)
    assert at is not None, "in one place"
    index = tuple(np.argwhere(_free(at))[worst])
    middle, half = float(at.centre[index]), float(at.radius[index])
    return WrongSlope(layer, middle + float(t[worst]) * half, middle - half, middle + half)


def _free(at: Interval) -> Array:
    free: Array = at.at if at.follows is None else at.at & ~at.follows
    return free


def _agrees(case: Case, claims: Claims) -> bool:
    claim = claims(case)
    return claim is not None and corner(case, claim, rounding_bounds(case)).comparison.agrees


def _beside(case: Case, kinks: Kinks) -> Iterator[Case]:
    """The case with what stands on the kink moved off it, to either side."""
    layer, at = next(iter(kinks.layers.items())) if kinks.layers else (case.architecture.depth, kinks.cost)
    assert at is not None, "in one place"
    moved = _free(at).astype(float)
    for off in (_OFF, -_OFF):
        if not kinks.layers and case.architecture.cost.targets == "real":
            yield replace(case, targets=case.targets + off * moved)
        elif f"b{layer}" in case.parameters:
            yield case.at({f"b{layer}": case.bias(layer) + off * moved.max(axis=1, keepdims=True)})


def _flat(arrays: Arrays, names: list[str]) -> Array:
    return np.concatenate([np.ravel(arrays[n]) for n in names])
