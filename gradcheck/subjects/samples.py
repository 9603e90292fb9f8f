"""For conventions with one sample a call: run the samples of a batch one by one, and add up what they return.

It must not look at values: what cannot be added is handed on as it is, and the claim reader names it.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gradcheck.numerics import Array


def columns(a: Array, dtype: str, *, vector: bool = False) -> list[Array]:
    """The samples (columns) of a (units, samples), each a fresh array (units, 1), or (units,) with `vector`."""
    shape = (-1,) if vector else (-1, 1)
    return [np.array(a[:, s].reshape(shape), dtype=dtype) for s in range(a.shape[1])]


def add_up(gradient_of: Callable[[int], Mapping[str, Any]], samples: int) -> Mapping[str, Any]:
    """The sum of the gradients of all samples, name by name; with one sample the subject's own arrays, untouched."""
    total = gradient_of(0)
    if samples == 1:
        return total
    total = copy.deepcopy(dict(total))  # a subject may write into what it returned
    for s in range(1, samples):
        part = gradient_of(s)
        total = {name: plus(total[name], part[name]) if name in part else None for name in total}
    return total


def plus(total: Any, part: Any) -> Any:
    """total + part for arrays of numbers; the one that is none otherwise."""
    for value in (total, part):
        if not numeric(value):
            return value
    try:
        return np.asarray(total) + np.asarray(part)
    except ValueError:
        return part


def numeric(value: Any) -> bool:
    """Whether a value can be read as an array of numbers."""
    try:
        return np.asarray(value).dtype.kind in "fiubc"
    except ValueError:
        return False
