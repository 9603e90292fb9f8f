"""Compare a claim with an oracle: two intervals that do not meet are a discrepancy; the power is how small one could be.

It must not know where the estimates come from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gradcheck.numerics import Array, Arrays, Estimate
from gradcheck.numerics.estimate import excess

NO_POWER = 1e-3
"""A case that would not have shown an error of this relative size in any tensor is no evidence."""
MOST = 6
"""Discrepancies that a comparison keeps, worst first."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One component: claimed and expected value, and the bound that their distance exceeds."""

    parameter: str
    index: tuple[int, ...]
    claimed: float
    expected: float
    bound: float
    oracle: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Outcome per tensor: the largest |difference| / bound (more than 1: they differ), and the power of the comparison.

    power: the smallest error that would have been seen in any component, relative to the tensor's largest; inf without power.
    typical: the same for the median component: one unit that stands on its kink takes no power from the others. Where the
    power is below `NO_POWER` already it is given for both.
    whole: where a tensor was judged as a whole too, the smallest factor, less 1, that would have been seen on all of it.
    """

    excess: Mapping[str, float]
    power: Mapping[str, float]
    typical: Mapping[str, float]
    discrepancies: tuple[Discrepancy, ...]
    components: int
    whole: Mapping[str, float] = field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        """Whether every component's intervals meet."""
        return all(r <= 1.0 for r in self.excess.values())

    def wrong(self) -> list[str]:
        """Names of the tensors that differ."""
        return [name for name, r in self.excess.items() if not r <= 1.0]


def compare(claim: Estimate, oracle: Estimate) -> Comparison:
    """Component by component over the names that both have."""
    ratios: dict[str, float] = {}
    power: dict[str, float] = {}
    typical: dict[str, float] = {}
    found: list[tuple[float, Discrepancy]] = []
    count = 0
    with np.errstate(all="ignore"):
        for name in (n for n in oracle.value if n in claim.value):
            g, e = oracle.value[name], oracle.error[name]
            seen = _agreement(claim.value[name], claim.error[name], g, e)
            if seen is None:
                bound = claim.error[name] + e
                known = np.isfinite(g) & np.isfinite(bound)  # elsewhere the oracle says nothing
                ratio = np.where(known, excess(claim.value[name] - g, bound), 0.0)
                bound = np.where(known, bound, np.inf)
                seen = float(ratio.max(initial=0.0)), relative_power(g, bound), bound
                found += _worst(name, ratio, claim.value[name], oracle, bound)
            ratios[name], power[name], bound = seen
            clear = power[name] < NO_POWER or not bound.size
            typical[name] = power[name] if clear else relative_power(g, np.median(bound))
            count += g.size
    found.sort(key=lambda pair: -pair[0])
    return Comparison(ratios, power, typical, tuple(d for _, d in found[:MOST]), count)


def _agreement(value: Array, error: Array, g: Array, e: Array) -> tuple[float, float, Array] | None:
    """(excess, power, bounds) of a tensor that agrees, all of it finite: by far the most; None for any other."""
    if not g.size:
        return None
    bound = error + e
    worst = float((np.abs(value - g) / bound).max())
    largest, widest = float(np.abs(g).max()), float(bound.max())
    if not (worst <= 1.0 and 0.0 < largest < np.inf and widest < np.inf):
        return None
    return worst, 2 * widest / largest, bound


def relative_power(expected: Array, bound: Array) -> float:
    """The error that is seen in any one component, over the tensor's largest component; inf where the tensor is zero.

    Twice the bound: a right claim may be off by the bound itself, to the other side.
    """
    largest = float(np.max(np.abs(expected), initial=0.0))
    smallest = 2 * float(np.max(bound, initial=0.0))
    return smallest / largest if largest > 0 and np.isfinite(smallest) else float("inf")


def constant_ratio(claim: Arrays, oracle: Estimate) -> float | None:
    """r when claim = r · oracle in every component to within the bounds (and r ≠ 1 is distinguishable); else None."""
    g = np.concatenate([oracle.value[n].ravel() for n in claim if n in oracle.value])
    c = np.concatenate([claim[n].ravel() for n in claim if n in oracle.value])
    e = np.concatenate([oracle.error[n].ravel() for n in claim if n in oracle.value])
    if g.size < 2 or not np.any(g) or not np.all(np.isfinite(c)) or not np.all(np.isfinite(e)):
        return None
    square = float(np.vdot(g, g))
    if square == 0.0:  # of numbers below 1e-162 it underflows
        return None
    r = float(np.vdot(g, c)) / square
    tolerance = 4 * (1 + abs(r)) * e + 64 * np.finfo(float).eps * np.abs(c)
    return r if np.all(np.abs(c - r * g) <= tolerance) and r != 0 else None


def _worst(name: str, ratio: Array, claimed: Array, oracle: Estimate, bound: Array) -> list[tuple[float, Discrepancy]]:
    flat = ratio.ravel()
    beyond = np.flatnonzero(flat > 1.0)  # none in a right claim: a million components are not to be sorted
    out = []
    for k in beyond[np.argsort(-flat[beyond], kind="stable")[:MOST]]:
        index = tuple(int(i) for i in np.unravel_index(int(k), ratio.shape))
        given, expected = float(claimed[index]), float(oracle.value[name][index])
        out.append((float(flat[k]), Discrepancy(name, index, given, expected, float(bound[index]), oracle.method)))
    return out
