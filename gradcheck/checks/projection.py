"""Projections of a gradient on random directions: what a few of them say about millions of components.

e      error of a claimed tensor, claim − truth, with P components
v_i    k independent standard Gaussian directions over the tensor, so that ⟨e, v_i⟩ ~ N(0, ‖e‖²) whatever the pattern of e
b_i    bound of the rounding and truncation of ⟨claim, v_i⟩ − (derivative of the cost along v_i)

An error is missed when every |⟨e, v_i⟩ + r_i| ≤ b_i, r_i a right claim's own residual. By Anderson's inequality (1955) that is
likeliest for r_i = 0, and so

    P(miss) ≤ Π erf(b_i / √2‖e‖) ≤ Π √(2/π) b_i / ‖e‖

Seen the other way, S = Σ ⟨e, v_i⟩² ~ ‖e‖² χ²_k: with confidence 1 − α, ‖e‖ ≤ √(S / q), q the α-quantile of χ²_k.

It must not know where claims, derivatives and their bounds come from.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gradcheck.numerics import Array

DIRECTIONS = 6
"""k: even, for the closed form of the χ² distribution. Smaller tensors are taken component by component."""
CONFIDENCE = 0.999
ATTEMPTS = 3
"""What rests on differences is reported when it is seen along so many sets of fresh directions."""
MOST = 6
"""Wrong entries that are followed in a bisection."""


@dataclass(frozen=True, slots=True)
class Projection:
    """The claim along one direction, the derivative of the cost along it, and the bound of their distance."""

    claimed: float
    expected: float
    bound: float

    @property
    def excess(self) -> float:
        """|claimed − expected| / bound: more than 1 says that the claim is wrong."""
        distance = abs(self.claimed - self.expected)
        return distance / self.bound if self.bound > 0 else math.inf if distance else 0.0


def miss_probability(bounds: Sequence[float], error_norm: float) -> float:
    """Largest probability that an error of this norm passes all projections with these bounds."""
    if not error_norm > 0:
        return 1.0
    return math.prod(math.erf(b / (math.sqrt(2) * error_norm)) for b in bounds)


def visible_error(bounds: Sequence[float], confidence: float = CONFIDENCE) -> float:
    """The smallest ‖e‖ that is seen with this confidence; inf without projections.

    Solves Π √(2/π) b_i / ‖e‖ = 1 − confidence, which is on the safe side of the error functions.
    """
    if not bounds or not all(map(math.isfinite, bounds)):
        return math.inf
    if min(bounds) <= 0:
        return 0.0
    k = len(bounds)
    mean = math.exp(sum(map(math.log, bounds)) / k)
    return math.sqrt(2 / math.pi) * mean * math.pow(1 - confidence, -1 / k)


def miss_scale(bounds: Sequence[float], norm: float) -> float:
    """κ: an error of relative norm ρ is seen along each of these independent directions but with probability κ/ρ at most.

    bounds: of one direction for each attempt, all of which must show it. norm: of the gradient; without one κ is inf.
    """
    return math.sqrt(2 / math.pi) * sum(bounds) / norm if norm > 0 else math.inf


def error_norm_bound(projections: Sequence[Projection], confidence: float = CONFIDENCE) -> float:
    """Upper confidence bound of ‖e‖ from the residuals that were seen, each widened by its bound; inf without projections."""
    if not projections:
        return math.inf
    total = sum((abs(p.claimed - p.expected) + p.bound) ** 2 for p in projections)
    return math.sqrt(total / chi_square_quantile(len(projections), 1 - confidence))


def chi_square_quantile(k: int, p: float) -> float:
    """x with P(χ²_k ≤ x) = p, by bisection of the distribution function (Abramowitz & Stegun 26.4.4, 26.4.5)."""
    low, high = 0.0, float(k + 10 * math.sqrt(2 * k) + 10 - 2 * math.log1p(-p))
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if _chi_square_cdf(k, middle) >= p else (middle, high)
    return high


def _chi_square_cdf(k: int, x: float) -> float:
    """P(χ²_k ≤ x) by the power series of the incomplete gamma function, whose terms are all positive."""
    if x <= 0:
        return 0.0
    a, h = k / 2, x / 2
    term = math.exp(a * math.log(h) - h - math.lgamma(a + 1))
    total, n = 0.0, 0
    while term > 1e-17 * total:
        total, n = total + term, n + 1
        term *= h / (a + n)
    return min(total, 1.0)


def directions_of(shape: tuple[int, ...], generator: np.random.Generator, count: int = DIRECTIONS) -> list[Array]:
    """`count` Gaussian directions, or the unit directions of a tensor that has no more components than that."""
    size = math.prod(shape)
    if size <= count:
        return [row.reshape(shape) for row in np.eye(size)]
    return [generator.standard_normal(shape) for _ in range(count)]


def visible_in_tensor(size: int, bounds: Sequence[float]) -> tuple[float, float]:
    """(smallest visible ‖e‖, confidence) of the projections of a tensor of so many components.

    An error counts when it is seen in each of `ATTEMPTS` attempts. Component by component there is no chance in it: an error
    of norm 2√Σb² exceeds twice its bound somewhere.
    """
    if 0 < size <= DIRECTIONS:
        complete = len(bounds) == size
        return (2 * math.sqrt(sum(b * b for b in bounds)) if complete else math.inf), 1.0
    return visible_error(bounds, 1 - (1 - CONFIDENCE) / ATTEMPTS), CONFIDENCE


def wrong_entries(check: Callable[[list[Array]], list[float]], size: int, most: int = MOST) -> list[int]:
    """Flat indices of wrong entries by bisection: s of them cost about 2 s log₂(size) directional checks.

    check: for index sets, the excess of a claim along a random direction over each (more than 1: wrong). At most `most` sets
    are followed at a time, the worst first; empty when an error is too small to be seen in either half.
    """
    groups = [np.arange(size)]
    while groups and max(map(len, groups)) > 1:
        halves = list(_halves(groups))
        ranked = sorted(zip(check(halves), halves, strict=True), key=lambda pair: -pair[0])
        groups = [g for excess, g in ranked if excess > 1][:most]
    return [int(g[0]) for g in groups]


def _halves(groups: Sequence[Array]) -> Iterator[Array]:
    for g in groups:
        yield from (h for h in (g[: len(g) // 2], g[len(g) // 2 :]) if len(h))
