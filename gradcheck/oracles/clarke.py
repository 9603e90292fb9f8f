"""Where a unit or the cost stands within rounding of a kink: the interval of slopes that are right there.

f′₊, f′₋   slopes a little to the right and to the left: as far as rounding may have carried z, and at least to the next number
[low, high] their hull. At a kink it is the Clarke derivative (Clarke, Optimization and Nonsmooth Analysis, 1983, §2.1); where
           only rounding decides on which side z falls, it is what right code may compute on either side, or on the kink itself
centre, radius   (low + high)/2 and (high − low)/2

A kink is recognised from the slopes themselves, declared or not: they differ by more than curvature and rounding explain. What
jax says exactly at a kink counts only between its neighbours: jax's |z| has the slope 1 at 0, and a sum of such terms may leave
the interval. The trusted gradient is taken at the centres, and a claim is granted the radius, carried through the layers below.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from gradcheck.numerics import Array

TINY = 1e-290
"""Reach of the look to both sides of 0 where z is exact: normal numbers, so that nothing is flushed to zero."""
EXPLAINED = 4.0
"""A spread of slopes up to so many times what curvature and rounding explain is no kink."""


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """Slopes centre ± radius of the elements `at` a kink; elsewhere radius is 0 and centre means nothing.

    follows: elements that have no choice of their own: what the others of their column gain, they lose (the target of a hinge).
    """

    at: Array
    centre: Array
    radius: Array
    follows: Array | None = None

    @property
    def largest(self) -> Array:
        """|slope| at most, at the kinks."""
        largest: Array = np.abs(self.centre) + self.radius
        return largest

    def shifted(self, t: float) -> "Interval":
        """Every slope t radii from its centre: 1 the upper ends, −1 the lower ones."""
        gain = np.where(self.at, t * self.radius, 0.0)
        if self.follows is not None:
            gain = np.where(self.follows, 0.0, gain)
            gain = gain - self.follows * gain.sum(axis=0, keepdims=True)
        return replace(self, centre=self.centre + gain)

    def ends(self) -> Iterator["Interval"]:
        """One kink at a time with its centre at the upper end."""
        follows = np.zeros_like(self.at) if self.follows is None else self.follows
        for index in np.argwhere(self.at & ~follows):
            moved, gain = self.centre.copy(), self.radius[tuple(index)]
            moved[tuple(index)] += gain
            moved[:, index[1]] -= gain * follows[:, index[1]]
            yield replace(self, centre=moved)


@dataclass(frozen=True, slots=True, eq=False)
class Kinks:
    """The intervals at a case: by layer, and of the gradient of the summed cost (before its scale)."""

    layers: Mapping[int, Interval] = field(default_factory=dict)
    cost: Interval | None = None

    def __bool__(self) -> bool:
        return bool(self.layers) or self.cost is not None

    def count(self) -> int:
        """How many slopes are not unique."""
        return sum(int(i.at.sum()) for i in self._intervals())

    def in_one_place(self) -> bool:
        """Whether all are of one layer or of the cost: then the gradient is linear in them."""
        return len(self._intervals()) == 1

    def shifted(self, t: float) -> "Kinks":
        """All of them t radii from their centres."""
        cost = None if self.cost is None else self.cost.shifted(t)
        return Kinks({l: i.shifted(t) for l, i in self.layers.items()}, cost)

    def ends(self) -> Iterator["Kinks"]:
        """The same kinks with one slope at a time moved to the upper end of its interval."""
        for l, i in self.layers.items():
            yield from (replace(self, layers={**self.layers, l: moved}) for moved in i.ends())
        if self.cost is not None:
            yield from (replace(self, cost=moved) for moved in self.cost.ends())

    def _intervals(self) -> list[Interval]:
        return [*self.layers.values(), *([] if self.cost is None else [self.cost])]


def reach_of(z: Array, E_z: Array) -> Array:
    """How far to look to either side: the error of z, and at least to the neighbouring number."""
    reach: Array = np.maximum(E_z, next_number(z))
    return reach


def next_number(z: Array) -> Array:
    """The distance to the neighbouring number; for 0 to a small normal one."""
    distance: Array = np.maximum(np.spacing(np.abs(z)), TINY)
    return distance


def spread(sides: tuple[Array, Array, Array]) -> Array:
    """How far three arrays are apart, element by element."""
    up, down, here = sides
    apart: Array = np.maximum(np.maximum(up, down), here) - np.minimum(np.minimum(up, down), here)
    return apart


def interval(
    neighbours: Callable[[], tuple[Array, Array]], sides: tuple[Array, Array, Array], explained: Array
) -> Interval | None:
    """The slopes at kinks; None where there is no kink within reach.

    neighbours: slopes at the numbers next to z. sides: slopes at z + reach, z − reach and z. explained: how far curvature and
    rounding take them apart.
    """
    up, down, here = sides
    at = spread(sides) > EXPLAINED * explained
    if not at.any():
        return None
    beside = neighbours()
    here = np.clip(here, np.minimum(*beside), np.maximum(*beside))
    low, high = np.minimum(np.minimum(up, down), here), np.maximum(np.maximum(up, down), here)
    return Interval(at, np.where(at, (low + high) / 2, 0.0), np.where(at, (high - low) / 2, 0.0))
