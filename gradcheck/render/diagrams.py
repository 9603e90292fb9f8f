"""The network of a counterexample and the four equations, with the mistake marked; coordinates and words alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gradcheck.render import wording
from gradcheck.report import Finding

UNITS = 5
"""Units of a layer that are drawn."""
COLUMN, ROW = 104, 30


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
