"""Where inside a tensor a gradient is wrong: rows, columns, diagonal, single units; in words.

Rows of W are the units of its layer, columns the units below. A word is said only if it holds on every case that shows the
mistake and says less than "everywhere" on one of them at least.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from gradcheck.faults.matching import Known
from gradcheck.numerics import Array


def _within(inside: Callable[[Array], Array]) -> Callable[[Array], bool]:
    """Whether all wrong components are inside a part."""
    return lambda wrong: not np.any(wrong & ~inside(wrong))


def _rows(which: slice | int) -> Callable[[Array], Array]:
    def inside(wrong: Array) -> Array:
        mask = np.zeros_like(wrong)
        mask[which] = True
        return mask

    return inside


def _columns(which: slice | int) -> Callable[[Array], Array]:
    def inside(wrong: Array) -> Array:
        mask = np.zeros_like(wrong)
        mask[:, which] = True
        return mask

    return inside


def _diagonal(wrong: Array) -> Array:
    return np.eye(*wrong.shape, dtype=bool)


_PARTS: Mapping[str, Callable[[Array], bool]] = {
    "in its first component": lambda wrong: not np.any(wrong.ravel()[1:]),
    "in its last component": lambda wrong: not np.any(wrong.ravel()[:-1]),
    "in its first row, that of the first unit": _within(_rows(0)),
    "in its last row, that of the last unit": _within(_rows(-1)),
    "in its first column, that of the first unit below": _within(_columns(0)),
    "in its last column, that of the last unit below": _within(_columns(-1)),
    "in its second row, that of the second unit": _within(_rows(slice(1, 2))),
    "in its third row, that of the third unit": _within(_rows(slice(2, 3))),
    "in its second column, that of the second unit below": _within(_columns(slice(1, 2))),
    "in its third column, that of the third unit below": _within(_columns(slice(2, 3))),
    "on its diagonal": _within(_diagonal),
    "above its diagonal": _within(lambda wrong: np.triu(np.ones_like(wrong), 1)),
    "below its diagonal": _within(lambda wrong: np.tril(np.ones_like(wrong), -1)),
    "off its diagonal": _within(lambda wrong: ~_diagonal(wrong)),
    "outside its first row": _within(lambda wrong: ~_rows(0)(wrong)),
    "outside its last row": _within(lambda wrong: ~_rows(-1)(wrong)),
    "outside its first column": _within(lambda wrong: ~_columns(0)(wrong)),
    "outside its last column": _within(lambda wrong: ~_columns(-1)(wrong)),
}


def where_wrong(knowns: Sequence[Known]) -> Iterator[str]:
    """One sentence a tensor that is wrong in a part only."""
    for name in knowns[0].gradient if knowns else ():
        masks = [wrong_components(k, name) for k in knowns if not k.right.get(name, True)]
        large = [m for m in masks if m.size > 1 and min(m.shape) > (0 if name[0] == "b" else 1)]
        if len(large) < 2 or all(m.all() for m in large):
            continue
        for words, holds in _PARTS.items():
            if name[0] == "b" and ("column" in words or "diagonal" in words):
                continue
            if all(holds(m) for m in large):
                yield f"the gradient of {name} is wrong only {words}"
                break


def wrong_components(known: Known, name: str) -> Array:
    """Where a claimed tensor differs from the right one by more than rounding."""
    claim, right = known.claim[name], known.gradient[name]
    if claim.shape != right.shape:
        return np.ones_like(right, dtype=bool)
    return np.asarray(np.abs(claim - right) > known.tolerance(name, right))
