"""Precision thrown away on the way, and values cut off: a cast, a rounding, a clip, an ε, in each of the equations."""

from collections.abc import Callable, Iterator

import numpy as np

from gradcheck.faults.backprop import Edit, Slot
from gradcheck.faults.fault import Fault, Sites
from gradcheck.numerics import Array

Change = Callable[[Array], Array]


def _norm_clip(v: Array) -> Array:
    size = float(np.linalg.norm(v))
    return v if size <= 1 else v / size


def _first_significant(v: Array) -> Array:
    with np.errstate(divide="ignore"):
        step = 10.0 ** np.floor(np.log10(np.where(v == 0, 1.0, np.abs(v))))
    return np.asarray(np.round(v / step) * step)


_CHANGES: tuple[tuple[str, str, Change, str], ...] = (
    ("float32", "cast to float32", lambda v: v.astype(np.float32).astype(np.float64), "a tolerance above 1e-7"),
    ("float16", "cast to float16", lambda v: v.astype(np.float16).astype(np.float64), "a tolerance above 1e-3"),
    ("three_decimals", "rounded to three decimals", lambda v: np.round(v, 3), "numbers with three decimals"),
    ("two_decimals", "rounded to two decimals", lambda v: np.round(v, 2), "numbers with two decimals"),
    ("six_decimals", "rounded to six decimals", lambda v: np.round(v, 6), "a tolerance above 1e-6"),
    ("integers", "rounded to whole numbers", np.round, "whole numbers"),
    ("truncated", "cut off after the point", np.trunc, "whole numbers"),
    ("one_digit", "rounded to one significant digit", _first_significant, "numbers with one digit"),
    ("clipped_at_1", "clipped to [−1, 1]", lambda v: np.clip(v, -1, 1), "where all are within"),
    ("clipped_at_5", "clipped to [−5, 5]", lambda v: np.clip(v, -5, 5), "where all are within, as they mostly are"),
    ("clipped_at_tenth", "clipped to [−0.1, 0.1]", lambda v: np.clip(v, -0.1, 0.1), "where all are within"),
    ("norm_clipped", "scaled down to norm 1", _norm_clip, "norms below 1"),
    ("dead_zone", "set to zero where it is below 0.01", lambda v: v * (np.abs(v) >= 0.01), "where nothing is that small"),
    ("epsilon", "1e-8 is added", lambda v: v + 1e-8, "a tolerance above 1e-8"),
    ("epsilon_3", "0.001 is added", lambda v: v + 1e-3, "a tolerance above 1e-3"),
    ("squashed", "put through tanh", np.tanh, "small numbers"),
    ("lower_bound", "cut off below at 0", lambda v: np.maximum(v, 0), "no negative number"),
)  # fmt: skip
_PLACES: tuple[tuple[str, str, str, Slot, Sites], ...] = (
    ("prec_output_error", "the output error is", "BP1", "derivative", "output"),
    ("prec_recursion", "δ is", "BP2", "derivative", "hidden"),
    ("prec_bias_gradient", "the bias gradient is", "BP3", "bias_result", "every"),
    ("prec_weight_gradient", "the weight gradient is", "BP4", "weight_result", "every"),
)


def _edit(change: Change) -> Edit:
    return lambda s, l, v: change(v)


def _faults() -> Iterator[Fault]:
    hint = "keep the dtype and the value as they come: no cast, rounding, clipping or ε belongs in the gradient"
    for prefix, what, equation, slot, sites in _PLACES:
        for key, title, change, hidden in _CHANGES:
            said = f"{what} {title}" if "added" not in title else f"to what {what.removesuffix(' is')} is, {title}"
            yield Fault(f"{prefix}_{key}", said, equation, slot, _edit(change), sites, hidden, hint)


FAULTS: tuple[Fault, ...] = tuple(_faults())
