"""The curve of the effective derivative as coordinates and words; markup stands elsewhere."""

from dataclasses import dataclass
from math import ceil, floor, log10

from gradcheck.report import Curve

WIDTH, HEIGHT = 520, 250
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 12, 36
LARGEST = 1e100
"""Numbers beyond, and what is no number, are not drawn."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis, and its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """right: corners of the right curve; measured: dots; words: the same for who cannot see it."""

    right: tuple[tuple[float, float], ...]
    measured: tuple[tuple[float, float], ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    words: str


def chart(curve: Curve) -> Chart | None:
    """The curve in a view of WIDTH × HEIGHT; None with fewer than two points that can be drawn."""
    points = [p for p in curve.points if all(abs(v) < LARGEST for v in p)]
    if len(points) < 2:
        return None
    zs, values = [p[0] for p in points], [v for p in points for v in p[1:]]
    x_low, x_high = _padded(min(zs), max(zs))
    y_low, y_high = _padded(min(values), max(values))

    def x(z: float) -> float:
        return round(LEFT + (z - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT), 1)

    def y(v: float) -> float:
        return round(HEIGHT - BOTTOM - (v - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM), 1)

    few = [points[round(k * (len(points) - 1) / 4)] for k in range(5)]
    told = "; ".join(f"at z = {z:.3g} it is {m:.4g}, right is {r:.4g}" for z, m, r in few)
    return Chart(
        tuple((x(z), y(r)) for z, _, r in points),
        tuple((x(z), y(m)) for z, m, _ in points),
        tuple(Tick(x(t), f"{t:g}") for t in ticks(x_low, x_high)),
        tuple(Tick(y(t), f"{t:g}") for t in ticks(y_low, y_high)),
        told,
    )


def ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers between two bounds, low < high."""
    rough = (high - low) / 5
    power = 10.0 ** floor(log10(rough))
    step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= rough * 0.999)
    return [round(k * step, 12) for k in range(ceil(low / step), floor(high / step) + 1)]


def _padded(low: float, high: float) -> tuple[float, float]:
    margin = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
    return low - margin, high + margin
