"""Biases and weights of a layer in one matrix [b | W]: the bias gradient written to the wrong row or column of it.

G   (n_l, 1 + n_{l−1}): the bias gradient in column 0, the weight gradient beside it; text by text it is transposed, and then
    rows and columns change their names but not the mistake
"""

from collections.abc import Callable, Iterator

import numpy as np

from gradcheck.faults.backprop import Edit, Slot, Sweep
from gradcheck.faults.fault import Fault
from gradcheck.numerics import Array

Fold = Callable[[Array], Array]
_HINT = "the gradient lies as the parameters do, the bias of a unit beside the weights that lead to it: dbˡ = Σ δˡ in its place"
_FITS = "a layer with one unit; it crashes or has the wrong shape where the matrix does not fit"
_NEVER = "never, but for chance"


def _across(index: int) -> Fold:
    """The bias gradient fills a row instead of its column, over the weights of one unit."""

    def fold(G: Array) -> Array:
        changed = G.copy()
        changed[:, 0] = 0.0
        changed[index, :] = G[:, 0]
        return changed

    return fold


def _over(index: int) -> Fold:
    """The bias gradient fills the column of an input; its own stays zero."""

    def fold(G: Array) -> Array:
        changed = G.copy()
        changed[:, 0] = 0.0
        changed[:, index] = G[:, 0]
        return changed

    return fold


_ROWS: tuple[tuple[str, str, Fold, str], ...] = (
    ("across_first_unit", "is written across the weights of the first unit, and its own place stays zero", _across(0), _FITS),
    ("across_last_unit", "is written across the weights of the last unit, and its own place stays zero", _across(-1), _FITS),
    ("over_first_input", "is written over the weights of the first input, and its own place stays zero", _over(1), _NEVER),
    ("over_last_input", "is written over the weights of the last input, and its own place stays zero", _over(-1), _NEVER),
    ("at_the_other_end", "stands after the weights, the bias before them", lambda G: np.roll(G, -1, axis=1), _NEVER),
    ("beside_reversed_weights", "and the weights come in the reverse order of the inputs", lambda G: G[:, ::-1], _NEVER),
    ("transposed", "is transposed together with the weights", lambda G: G.T, _FITS),
    ("reshaped", "is transposed together with the weights and reshaped to fit", lambda G: G.T.reshape(G.shape), "one unit"),
)  # fmt: skip


def _folded(s: Sweep, l: int) -> Array:
    return np.column_stack([s.db[l], s.dW[l]])


def _biases(fold: Fold) -> Edit:
    return lambda s, l, value: fold(_folded(s, l))[:, :1]


def _weights(fold: Fold) -> Edit:
    return lambda s, l, value: fold(_folded(s, l))[:, 1:]


def _faults() -> Iterator[Fault]:
    for key, text, fold, hidden in _ROWS:
        title = f"in the matrix of biases and weights, the bias gradient {text}"
        others: tuple[tuple[Slot, Edit], ...] = (("weight_result", _weights(fold)),)
        yield Fault(f"bp3_{key}", title, "BP3", "bias_result", _biases(fold), "every", hidden, _HINT, others=others)


FAULTS: tuple[Fault, ...] = tuple(_faults())
