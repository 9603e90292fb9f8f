"""How far rounding carries a claim from the derivative that its formula means, measured on the claim itself.

g(t)   the claim along a line through the point, at steps so small that its smooth part is a polynomial of low degree
σ      noise of one component from the differences of order 3 … 6 (ECNoise: Moré & Wild, SIAM J. Sci. Comput. 33, 2011)

It holds for any formula, however ill-conditioned, and needs no model of it. What rounding does in the same way at every point
is not seen; that is a few units in the last place of the largest component, and granted.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gradcheck.errors import FATAL, SubjectError
from gradcheck.networks import Point
from gradcheck.numerics import Array, Arrays, Estimate, unit_roundoff
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Subject

POINTS = 8
SAFETY = 8.0
ROUNDINGS = 32.0

Evaluate = Callable[[Arrays], Arrays | None]


def claims_at(subject: Subject, point: Point, layout: Layout) -> Evaluate:
    """The subject's claim at other arguments, for `claim_error`; None where it raises or its form is broken."""

    def evaluate(arguments: Arrays) -> Arrays | None:
        try:
            claim = subject.vjp(point.at(arguments), layout)[1](point.cotangent)
        except SubjectError as error:
            if error.kind in FATAL:
                raise
            return None
        return None if claim.problems else claim.gradient

    return evaluate


def with_noise(claim: Estimate, subject: Subject, point: Point, layout: Layout) -> Estimate:
    """The claim with the rounding that it shows itself, where that is more than it was granted: its formula may cancel."""
    noise = claim_error(
        claims_at(subject, point, layout), point.arguments, claim.value, unit_roundoff(point.dtype), seed=17
    )
    return replace(claim, error={n: np.maximum(e, noise[n]) for n, e in claim.error.items()})


def claim_error(evaluate: Evaluate, arguments: Arrays, claim: Arrays, u: float, seed: int) -> dict[str, Array]:
    """Per component a bound of the rounding error of the claim; u: unit roundoff of the subject's precision.

    evaluate: the claim at other arguments, None where it cannot be had. At a kink one side may jump: the quieter side counts.
    """
    generator = np.random.default_rng(seed)
    direction = {n: generator.standard_normal(a.shape) * _reach(a, u) for n, a in arguments.items()}
    noise = _noise(evaluate, arguments, direction, claim, 1.0)
    if any(np.max(noise[n], initial=0.0) > 1e3 * u * np.max(np.abs(g), initial=0.0) for n, g in claim.items()):
        other = _noise(evaluate, arguments, direction, claim, -1.0)
        noise = {n: np.minimum(noise[n], other[n]) for n in noise}
    floor = {n: ROUNDINGS * u * float(np.max(np.abs(g), initial=0.0)) for n, g in claim.items()}
    return {n: SAFETY * np.maximum(s, _rms(s)) + floor[n] for n, s in noise.items()}


def _reach(a: Array, u: float) -> float:
    size = _rms(a)
    return 0.25 * float(np.sqrt(u)) * (size if size > 0 else 1.0)


def _noise(evaluate: Evaluate, arguments: Arrays, direction: Arrays, claim: Arrays, sign: float) -> dict[str, Array]:
    found = []  # without the point itself: at a kink the claim there may be neither that of the left nor of the right
    for k in range(1, POINTS + 1):
        values = evaluate({n: a + sign * k * direction[n] for n, a in arguments.items()})
        if values is None or any(n not in values or not np.all(np.isfinite(values[n])) for n in claim):
            return {n: np.zeros(g.shape) for n, g in claim.items()}
        found.append(values)
    return {n: deviation(np.stack([f[n] for f in found])) for n in claim}


def deviation(table: Array) -> Array:
    """Standard deviation of the noise along the first axis: the largest over the orders 3 … 6 (Moré & Wild, eq. 2.3)."""
    factor, largest = 1.0, np.zeros(table.shape[1:])
    for k in range(1, min(7, len(table) - 1)):
        table = np.diff(table, axis=0)
        factor *= k / (4.0 * k - 2.0)
        if k >= 3:
            largest = np.maximum(largest, np.sqrt(factor * np.mean(table**2, axis=0)))
    return largest


def _rms(a: Array) -> float:
    return float(np.sqrt(np.mean(a**2))) if a.size else 0.0
