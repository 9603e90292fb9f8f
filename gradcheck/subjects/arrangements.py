"""The same numbers in other memory: Fortran order, strides, reversed, broadcast (stride 0) and read-only arrays.

Values decide an answer, their place in memory must not. An array that a subject refuses with an exception is an honest
answer and no finding; another result is one. It must not know conventions: a call's arrays are replaced where they lie.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from gradcheck.numerics import Array

Rearrange = Callable[[Array], Array]


def fortran(a: Array) -> Array:
    """Column after column."""
    return np.asfortranarray(a)


def strided(a: Array) -> Array:
    """Every other element of an array twice as long in each axis; what lies in between is not a number."""
    between = np.nan if a.dtype.kind in "fc" else 0
    wide = np.full([2 * n for n in a.shape], between, dtype=a.dtype)
    view: Array = wide[tuple(slice(None, None, 2) for _ in a.shape)]
    view[...] = a
    return view


def backwards(a: Array) -> Array:
    """A reversed view of a reversed copy: negative strides."""
    turn = tuple(slice(None, None, -1) for _ in a.shape)
    view: Array = a[turn].copy()[turn]
    return view


def read_only(a: Array) -> Array:
    """A copy that may not be written to."""
    kept = a.copy()
    kept.flags.writeable = False
    return kept


def repeated(a: Array) -> Array:
    """The first row in every row, each in memory of its own."""
    return np.array(np.broadcast_to(a[:1], a.shape))


def broadcast(a: Array) -> Array:
    """The first row in every row, all of them the same memory (stride 0); it can be written to."""
    row = a[:1].copy()
    return as_strided(row, a.shape, (0, *row.strides[1:]))


ARRANGEMENTS: Mapping[str, Rearrange] = {
    "in Fortran order": fortran,
    "a strided view": strided,
    "a reversed view": backwards,
    "read-only": read_only,
}
"""Those that keep every value."""


def names_of(arrays: Mapping[str, Any]) -> list[str]:
    """The handed arguments that hold arrays with an axis, by their top-level name."""
    return [n for n, value in arrays.items() if any(a.ndim for a in _arrays(value))]


def rearrange(arrays: dict[str, Any], how: Rearrange, names: list[str]) -> None:
    """Replace the arrays under these names where they lie: lists and dicts stay the same objects."""
    for name in names:
        arrays[name] = _rearranged(arrays[name], how)


def _rearranged(value: Any, how: Rearrange) -> Any:
    if isinstance(value, np.ndarray):
        return how(value) if value.ndim else value
    if isinstance(value, list):
        value[:] = [_rearranged(v, how) for v in value]
    elif isinstance(value, dict):
        value.update({k: _rearranged(v, how) for k, v in value.items()})
    return value


def _arrays(value: Any) -> list[Array]:
    if isinstance(value, np.ndarray):
        return [value]
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return [a for item in inner for a in _arrays(item)]


def jittered(a: Array, generator: np.random.Generator) -> Array:
    """Every number moved by up to two units in the last place: what rounding makes of the answer."""
    if a.dtype.kind != "f":
        return a
    moved: Array = a * (1 + np.finfo(a.dtype).eps * generator.integers(-2, 3, a.shape)).astype(a.dtype)
    return moved
