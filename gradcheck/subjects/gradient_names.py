"""Which parameter a gradient belongs to, read off how people spell it: dW1, dJ_dW1, weights[0], layer1.dW, nabla_b …

A result is flattened to leaves with a path; a path has a letter (W or b) and a number where its spelling shows them. It must
not know conventions, nor look at values.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import pairwise
from typing import Any

import numpy as np

Path = tuple[str | int, ...]
Leaf = tuple[Path, Any]
Name = tuple[str, int | None]
"""The letter W or b, and the number of the layer as it is spelled."""

_WEIGHT = r"w(?:eights?|gt|ts?)?|kernels?|theta|syn(?:apses?|aptic)?|omega|matrix"
_BIAS = r"b(?:ias(?:es)?|s)?|intercepts?|offsets?"
_BEFORE = r"(?:d[jlce]_?d_?|dloss_?d_?|d_|d|grads?_?|gradients?_?|nabla_?|delta_?|g_|gradient_of_)?"
_AFTER = r"(?:_?(?:grads?|gradients?|diff|delta|d|update|gradient))?"
_NAME = re.compile(rf"{_BEFORE}(?:(?P<w>{_WEIGHT})|(?P<b>{_BIAS}))s?_?(?P<n>\d*){_AFTER}(?P<m>\d*)")
_LAYER = re.compile(r"(?:layers?|l|fc|dense|linear|affine|hidden|h)_?(\d+)")


def leaves_of(value: Any, path: Path = ()) -> Iterator[Leaf]:
    """Arrays and numbers in nested mappings, sequences and dataclasses, by path."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves_of(item, (*path, key if isinstance(key, int) else str(key)))
    elif isinstance(value, (list, tuple)):
        names = getattr(value, "_fields", range(len(value)))
        for key, item in zip(names, value, strict=True):
            yield from leaves_of(item, (*path, key))
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from leaves_of(getattr(value, field.name), (*path, field.name))
    elif value is not None:
        yield path, value


def name_of(path: Path) -> Name | None:
    """The letter and the number that a path spells; None where it spells no parameter."""
    letter: str | None = None
    number: int | None = None
    for step in path:
        if isinstance(step, int):
            number = step if number is None else number
            continue
        low = step.lower().strip("_")
        if (layer := _LAYER.fullmatch(low)) is not None:
            number = int(layer[1])
        elif (match := _NAME.fullmatch(low)) is not None:
            letter = "W" if match["w"] else "b"
            digits = match["n"] or match["m"]
            number = int(digits) if digits else number
        elif low.isdigit():
            number = int(low)
    return None if letter is None else (letter, number)


def by_name(paths: Sequence[Path], depth: int) -> dict[str, Path] | None:
    """Paths by the names W1, b1, …; None unless the spellings give each name one path. Numbers may begin at 0."""
    named = {path: n for path in paths if (n := name_of(path)) is not None}
    numbers = {n for _, n in named.values()}
    if depth == 1 and numbers == {None}:
        found = {f"{letter}1": path for path, (letter, _) in named.items()}
        return found if len(found) == len(named) else None
    if None in numbers or not numbers:
        return None
    first = min(n for n in numbers if n is not None)
    if first not in (0, 1) or max(n for n in numbers if n is not None) - first >= depth:
        return None
    found = {f"{letter}{(n or 0) - first + 1}": path for path, (letter, n) in named.items()}
    return found if len(found) == len(named) else None


def orders(depth: int, biases: bool) -> dict[str, list[str]]:
    """The names of all parameters in the customary orders."""
    layers = range(1, depth + 1)
    W, b = [f"W{k}" for k in layers], [f"b{k}" for k in layers]
    if not biases:
        return {"layers": W, "layers, the last one first": W[::-1]}
    turns = {
        "layers": [n for pair in zip(W, b, strict=True) for n in pair],
        "weights first": [*W, *b],
        "biases first": [*b, *W],
        "layers, biases first": [n for pair in zip(b, W, strict=True) for n in pair],
    }
    turns["layers, the last one first"] = [n for pair in zip(W[::-1], b[::-1], strict=True) for n in pair]
    turns["weights first, the last layer first"] = [*W[::-1], *b[::-1]]
    turns["layers, the last one first, biases first"] = [n for pair in zip(b[::-1], W[::-1], strict=True) for n in pair]
    return turns


def order_of(shapes: Sequence[tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]) -> str | None:
    """The order in which arrays of these shapes come, where there are as many as parameters; the first that fits."""
    depth = sum(n.startswith("W") for n in expected)
    for how, names in orders(depth, len(expected) > depth).items():
        if [expected[n] for n in names] == list(shapes):
            return how
    return None


def is_array(value: Any) -> bool:
    """Whether a leaf is an array (a vector at least) of numbers."""
    return isinstance(value, np.ndarray) and value.ndim > 0 and value.dtype.kind in "fiuc"


def is_number(value: Any) -> bool:
    """Whether a leaf is one real number."""
    if isinstance(value, (bool, str)):
        return False
    return isinstance(value, (int, float, np.generic)) or (isinstance(value, np.ndarray) and value.ndim == 0)


def chain(shapes: Sequence[tuple[int, ...]]) -> bool:
    """Whether matrices of these shapes can follow one another."""
    return all(a[1] == b[0] for a, b in pairwise(shapes)) or all(a[0] == b[1] for a, b in pairwise(shapes))
