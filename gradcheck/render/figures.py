"""Pictures of a finding as plain numbers and words, for formats that can draw: coordinates are computed here, markup elsewhere.

curve     the effective derivative, measured and right, against z
network   the layers as columns of units, with the place of the mistake marked
matrices  claimed and expected components of each gradient
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, isfinite, log10
from typing import Any

from gradcheck.render import wording
from gradcheck.report import Curve, Finding, Tensor

WIDTH, HEIGHT = 520, 250
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 12, 36
UNITS = 5
COLUMN, ROW = 104, 30
CELLS = 10
"""Rows and columns of a matrix that are shown."""
LARGEST = 1e100
"""Numbers beyond, and what is no number, are not drawn."""
LEVELS = 4
"""Shades of a wrong cell."""


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


# -- network --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unit:
    """A circle."""

    x: float
    y: float
    marked: bool


@dataclass(frozen=True, slots=True)
class Edge:
    """A weight."""

    x1: float
    y1: float
    x2: float
    y2: float
    marked: bool


@dataclass(frozen=True, slots=True)
class Column:
    """A layer: where its labels stand, and how many units are not drawn."""

    x: float
    name: str
    activation: str
    more: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Diagram:
    """A network; width and height of the view; words: the same for who cannot see it."""

    width: int
    height: int
    units: tuple[Unit, ...]
    edges: tuple[Edge, ...]
    columns: tuple[Column, ...]
    words: str


def diagram(finding: Finding) -> Diagram | None:
    """The network of the counterexample with the places of the finding marked; None where there is none."""
    try:
        architecture = (finding.counterexample or {})["architecture"]
        widths = [int(architecture["inputs"]), *(int(layer["units"]) for layer in architecture["layers"])]
        names = ["", *(wording.one_line(str(layer["activation"]), 16) for layer in architecture["layers"])]
    except (KeyError, TypeError, ValueError):
        return None
    if not 2 <= len(widths) <= 12 or min(widths) < 1:
        return None
    return _diagram(widths, names, *_marks(finding, len(widths) - 1), wording.places(finding))


def _marks(finding: Finding, depth: int) -> tuple[set[int], set[int]]:
    """Layers whose units, and layers whose weights are marked: BP2 at l stands at the weights of l + 1 too."""
    units: set[int] = set()
    weights: set[int] = set()
    for place in finding.places:
        layer = depth if place.layer is None and place.equation == "BP1" else place.layer
        if layer is None:
            continue
        if place.equation in ("BP4", "regularisation"):
            weights.add(layer)
        else:
            units.add(layer)
        if place.equation == "BP2":
            weights.add(layer + 1)
    return units, weights


def _diagram(
    widths: Sequence[int], names: Sequence[str], at_units: set[int], at_weights: set[int], where: str
) -> Diagram:
    shown = [min(w, UNITS) for w in widths]
    tallest = max(shown)
    xs = [COLUMN // 2 + COLUMN * k for k in range(len(widths))]
    ys = [[16 + ROW * (i + (tallest - n) / 2) for i in range(n)] for n in shown]
    edges = [
        Edge(xs[k], y1, xs[k + 1], y2, k + 1 in at_weights)
        for k, (before, after) in enumerate(pairwise(ys))
        for y1 in before
        for y2 in after
    ]
    units = [Unit(xs[k], y, k in at_units) for k, column in enumerate(ys) for y in column]
    columns = [
        Column(
            xs[k],
            "input" if k == 0 else f"layer {k}",
            names[k],
            f"{w - n} more" if w > n else "",
            k in at_units or k in at_weights,
        )
        for k, (w, n) in enumerate(zip(widths, shown, strict=True))
    ]
    words = f"a network of {len(widths) - 1} layers{f'; marked: {where}' if where else ''}"
    return Diagram(COLUMN * len(widths), 16 + ROW * tallest + 46, tuple(units), tuple(edges), tuple(columns), words)


# -- equations ------------------------------------------------------------------------------------------------------------

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Equation:
    """One of the four, at a layer; wrong: whether the finding stands there."""

    name: str
    words: str
    formula: str
    wrong: bool


def equations(finding: Finding) -> list[Equation]:
    """The four equations with the wrong ones marked, at the layer of the finding; empty where it is about something else."""
    wrong = {p.equation: p.layer for p in finding.places if p.equation in wording.EQUATIONS}
    if not wrong:
        return []
    layers = (finding.counterexample or {}).get("architecture")
    depth = len(layers["layers"]) if isinstance(layers, Mapping) and isinstance(layers.get("layers"), list) else None
    formulas = {
        "BP1": "δ{L} = ∇C ⊙ σ′(z{L})",
        "BP2": "δ{l} = (W{above}ᵀ δ{above}) ⊙ σ′(z{l})",
        "BP3": "db{l} = Σ δ{l}  (over the samples)",
        "BP4": "dW{l} = δ{l} (a{below})ᵀ",
    }
    found = []
    for name, formula in formulas.items():
        signs = _signs(wrong.get(name), depth)
        found.append(Equation(name, wording.EQUATIONS[name], formula.format(**signs), name in wrong))
    return found


def _signs(layer: int | None, depth: int | None) -> dict[str, str]:
    signs = {"l": "ˡ", "above": "ˡ⁺¹", "below": "ˡ⁻¹", "L": "ᴸ"}
    if layer is not None:
        signs |= {"l": _raised(layer), "above": _raised(layer + 1), "below": _raised(layer - 1)}
        signs |= {"L": _raised(layer if depth is None else depth)}
    return signs


def _raised(number: int) -> str:
    return str(number).translate(_SUPERSCRIPTS)


# -- matrices -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cell:
    """One component; level 0 agrees, 1 … LEVELS: how far off it is, relative to the largest expected or claimed one."""

    claimed: str
    expected: str
    level: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """A gradient, or a part of it; wrong: number of components that differ, of `size`."""

    name: str
    rows: tuple[tuple[Cell, ...], ...]
    wrong: int
    size: int
    part: str


def matrices(tensors: Sequence[Tensor]) -> list[Matrix]:
    """Every tensor as a matrix, those with differences first; of more than two axes the slice with the largest one."""
    drawn = [m for t in tensors if (m := _matrix(t)) is not None]
    return sorted(drawn, key=lambda m: not m.wrong)


def _matrix(tensor: Tensor) -> Matrix | None:
    claimed, expected, bound = (dict(_flat(v)) for v in (tensor.claimed, tensor.expected, tensor.bound))
    ragged = len({len(i) for i in claimed}) != 1
    if ragged or claimed.keys() != expected.keys() or claimed.keys() != bound.keys():
        return None
    off = {i: _off(claimed[i], expected[i], bound[i]) for i in claimed}
    largest = max((abs(v) for v in (*expected.values(), *claimed.values()) if isfinite(v)), default=0.0)
    worst = max(off, key=lambda i: off[i])
    axes = len(worst)
    front = worst[:-2] if axes > 2 else ()
    shown = [i for i in claimed if i[: len(front)] == front]
    rows: dict[int, list[Cell]] = {}
    for i in shown:
        row, column = (i[-2] if axes > 1 else 0), (i[-1] if axes else 0)
        if row < CELLS and column < CELLS:
            cell = Cell(wording.number(claimed[i]), wording.number(expected[i]), _level(off[i], largest))
            rows.setdefault(row, []).append(cell)
    count = sum(len(row) for row in rows.values())
    slices = f"[{', '.join([*map(str, front), ':', ':'])}]" if front else ""
    part = f"{count} of {len(claimed)} components are shown" if count < len(claimed) else ""
    name = f"{wording.one_line(tensor.parameter, 60)}{slices}"
    return Matrix(name, tuple(map(tuple, rows.values())), sum(o > 0 for o in off.values()), len(claimed), part)


def _flat(value: Any, index: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], float]]:
    if isinstance(value, (list, tuple)):
        for k, item in enumerate(value):
            yield from _flat(item, (*index, k))
    else:
        yield index, float(value)


def _off(claimed: float, expected: float, bound: float) -> float:
    """The distance, where it is more than the bound; inf where one of them is no number."""
    distance = abs(claimed - expected)
    if not isfinite(distance):
        return float("inf")
    return 0.0 if distance <= bound else distance


def _level(off: float, largest: float) -> int:
    if not off:
        return 0
    share = off / largest if isfinite(off) and largest else 1.0
    return min(LEVELS, 1 + sum(share >= threshold for threshold in (0.03, 0.3, 0.8)))
