"""Claimed and expected components of each gradient as the cells of a matrix; markup stands elsewhere."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from gradcheck.render import wording
from gradcheck.report import Tensor

CELLS = 10
"""Rows and columns that are shown."""
LEVELS = 4
"""Shades of a wrong cell."""


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
