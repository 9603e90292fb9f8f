"""Where an object keeps the parameters of a network: which of its arrays is W1, b1, … by name, order and shape.

It must not know conventions, nor run anything.
"""

import re
from collections.abc import Mapping
from itertools import pairwise, product
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.numerics import Array
from gradcheck.subjects.spellings import Place, arrays_in, is_gradient, put

_PARAMETER = re.compile(
    r"(?i:^w(\d|_|$|[ihox])|weight|^b(\d|_|$|[ihoy])|bias|^syn|^theta|^l?\d+$|^kernel)|^[WVU]$|^[wv]0$"
)
_BIAS = re.compile(r"(?i)b(\d|_|$|[ihoy])|.*bias")
_NOT = re.compile(
    r"(?i)^(d|delta|grad|nabla|v|m|s|prev|old|last|best|velocity|momentum|init)_?(?=w|b)"
    r"|velocit|moment|_(v|m|upd|updates?|prev|old)$"
)


def parameters_in(net: Any) -> list[tuple[Place, Array]]:
    """The arrays whose names are those of parameters, and not of their gradients or of an optimiser's memory."""
    return [
        (p, a)
        for p, a in arrays_in(net, 5)
        if any(_PARAMETER.search(step.strip("_")) for step in p)
        and not is_gradient(p)
        and not any(_NOT.search(step.strip("_")) for step in p)
    ]


def is_parameter(name: str) -> bool:
    """Whether a name is that of a weight or a bias."""
    return bool(_PARAMETER.search(name.strip("_"))) and not _NOT.search(name.strip("_"))


def widen(thing: Any) -> None:
    """Turn the parameters of narrow floating-point types into float64, so that small differences of them are kept."""
    for place, a in parameters_in(thing):
        if a.dtype.itemsize < 8:
            put(thing, place, a.astype(np.float64))


def is_bias(place: Place) -> bool:
    """Whether a place holds a bias by its name."""
    return any(_BIAS.match(step.strip("_")) for step in place)


def fixed_widths(net: Any) -> tuple[int, ...] | None:
    """The sizes that a file has written into its weight matrices, where those chain; None otherwise."""
    shapes = [a.shape for p, a in parameters_in(net) if a.ndim == 2 and not is_bias(p)]
    wide = [s for s in shapes if 1 not in s]  # a row of biases may have the name of a weight
    for found, turned in product((shapes, wide), (False, True)):
        pairs = [s[::-1] if turned else s for s in found]
        if pairs and all(a[1] == b[0] for a, b in pairwise(pairs)):
            return (pairs[0][0], *(s[1] for s in pairs))
    return None


def placed(net: Any, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Place]:
    """Where each parameter is: the first arrays, in the object's order, with its shape. Raises SubjectError.

    Where no name says what is a bias, shapes that are all different do.
    """
    free = parameters_in(net)
    fitting = [p for p, a in free if a.shape in shapes.values()]
    if len(set(shapes.values())) == len(shapes) == len(free) == len(fitting) and not any(is_bias(p) for p in fitting):
        return {n: next(p for p, a in free if a.shape == shape) for n, shape in shapes.items()}
    places: dict[str, Place] = {}
    for name, shape in shapes.items():
        fit = next((k for k, (p, a) in enumerate(free) if a.shape == shape and (name[0] == "b") == is_bias(p)), None)
        if fit is None:
            raise SubjectError("contract", f"it holds no array of shape {shape} for {name}")
        taken = free.pop(fit)
        free = [(p, a) for p, a in free if a is not taken[1]]
        places[name] = taken[0]
    if free:
        msg = f"{'.'.join(free[0][0])} of shape {free[0][1].shape} is no parameter of this layout"
        raise SubjectError("contract", msg)
    return places
