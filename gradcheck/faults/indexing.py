"""Results under the wrong index: layers swapped, shifted, left out, or all in one buffer."""

# ruff: noqa: E501 (tables: one row a line)

import numpy as np

from gradcheck.faults.backprop import Edit, Slot, Sweep
from gradcheck.faults.fault import Fault, Sites
from gradcheck.faults.recursion import _like
from gradcheck.numerics import Array

_HINT = "give each layer its own gradient: layer l is made of δˡ and aˡ⁻¹"


def _of_layer(letter: str, which: str) -> Edit:
    """The finished gradient of another layer."""

    def edit(s: Sweep, l: int, value: Array) -> Array:
        other = {"above": l + 1, "below": l - 1, "mirrored": s.L + 1 - l, "last": s.L, "first": 1}[which]
        made = s.dW if letter == "W" else s.db
        return _like(made[other], value) if other in made else value

    return edit


def _zero(s: Sweep, l: int, value: Array) -> Array:
    return np.zeros_like(value)


def _rows(letter: str, slot: Slot) -> tuple[tuple[str, str, Slot, Edit, Sites, str], ...]:
    what = "weight" if letter == "W" else "bias"
    conform = "equal neighbours; it has the wrong shape unless the layers are equally wide"
    return (
        ("layer_above", f"the {what} gradient of the layer above is handed back", slot, _of_layer(letter, "above"), "hidden", conform),
        ("layer_below", f"the {what} gradient of the layer below is handed back", slot, _of_layer(letter, "below"), "upper", conform),
        ("layers_reversed", f"the {what} gradients come in the reverse order of the layers", slot, _of_layer(letter, "mirrored"), "every", conform),
        ("last_layer_for_all", f"the {what} gradient of the last layer is handed back for all", slot, _of_layer(letter, "last"), "hidden", conform),
        ("first_layer_for_all", f"the {what} gradient of the first layer is handed back for all: one buffer", slot, _of_layer(letter, "first"), "upper", conform),
        ("skipped", f"the finished {what} gradient stays zero: the loop skips the layer", slot, _zero, "every", "a zero gradient"),
    )  # fmt: skip


FAULTS: tuple[Fault, ...] = tuple(
    Fault(f"idx_{letter}_{key}", title, equation, slot, edit, sites, hidden, _HINT)
    for letter, equation, rows in (("W", "BP4", _rows("W", "weight_result")), ("b", "BP3", _rows("b", "bias_result")))
    for key, title, slot, edit, sites, hidden in rows
)
