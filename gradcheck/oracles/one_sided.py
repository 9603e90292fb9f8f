"""The two one-sided derivatives at a point: what a claim at a kink may lie between, with bounds.

D(h)   (phi(h) − phi(0)) / h = phi′(0+) + O(h), for h > 0 and for h < 0
R, S   one and two Richardson extrapolations over h, h/4, h/16 …: errors O(h²), O(h³)
The Clarke derivative of a function of one variable at a kink is the interval between them (Clarke, Optimization and Nonsmooth
Analysis, 1983, §2.1).
"""

from dataclasses import dataclass

import numpy as np

from gradcheck.numerics import Array
from gradcheck.oracles.finite_difference import RATIO, Derivative


@dataclass(frozen=True, slots=True)
class Sides:
    """phi′(0−) and phi′(0+)."""

    left: Derivative
    right: Derivative

    @property
    def kink(self) -> bool:
        """Whether the two intervals do not meet."""
        return abs(self.left.value - self.right.value) > 2 * (self.left.error + self.right.error)

    @property
    def interval(self) -> tuple[float, float]:
        """From the smaller to the larger slope, each moved outwards by its error."""
        low, high = sorted((self.left, self.right), key=lambda d: d.value)
        return low.value - low.error, high.value + high.error


def sides(values: Array, steps: Array, centre: float, noise: float) -> Sides:
    """From phi(h), phi(−h) for each step (rows), phi(0), and a bound of the noise of one value."""
    phi = np.asarray(values, dtype=float).reshape(-1, 2)
    right = _slope((phi[:, 0] - centre) / steps, 2 * noise / steps)
    left = _slope((centre - phi[:, 1]) / steps, 2 * noise / steps)
    return Sides(left, right)


def _slope(D: Array, E: Array) -> Derivative:
    if not np.all(np.isfinite(D[-4:])):
        return Derivative(float("nan"), float("inf"), "the primal is not finite on one side")
    first = int(np.flatnonzero(~np.isfinite(D))[-1]) + 1 if not np.all(np.isfinite(D)) else 0
    R, E_R = _extrapolated(D[first:], E[first:], RATIO)
    S, E_S = _extrapolated(R, E_R, RATIO**2)
    change = np.abs(np.diff(S))
    bounds = np.maximum(change[1:], change[:-1] / 4) + E_S[2:]
    best = int(np.argmin(bounds)) if bounds.size else 0
    return (
        Derivative(float(S[best + 2]), float(bounds[best])) if bounds.size else Derivative(float("nan"), float("inf"))
    )


def _extrapolated(D: Array, E: Array, factor: float) -> tuple[Array, Array]:
    return (factor * D[1:] - D[:-1]) / (factor - 1), (factor * E[1:] + E[:-1]) / (factor - 1)
