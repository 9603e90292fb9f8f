"""One part of a gradient made by a wrong rule, the rest by the right one: a slip of an index in a condition or a slice.

Composed: {first unit, last unit, first input, last input, diagonal} × {a left out, sign, factor 2, σ′ left out} for the weight
gradient, {first unit, last unit} × {sign, factor 2, σ′ left out} for the bias gradient and for δ.
"""

from collections.abc import Callable, Iterator

import numpy as np

from gradcheck.faults.backprop import Edit, Slot, Sweep
from gradcheck.faults.fault import Fault, Sites
from gradcheck.numerics import Array

Mask = Callable[[Array], Array]
_NEVER = "never, but for chance"


def _row(i: int) -> Mask:
    def mask(v: Array) -> Array:
        return np.asarray((np.arange(v.shape[0]) == i % v.shape[0])[:, None])

    return mask


def _column(i: int) -> Mask:
    def mask(v: Array) -> Array:
        return np.asarray((np.arange(v.shape[1]) == i % v.shape[1])[None, :])

    return mask


_UNITS: tuple[tuple[str, str, Mask], ...] = (
    ("first_unit", "in the first unit", _row(0)),
    ("last_unit", "in the last unit", _row(-1)),
)
_OF_WEIGHTS: tuple[tuple[str, str, Mask], ...] = (
    *_UNITS,
    ("first_input", "for the first input", _column(0)),
    ("last_input", "for the last input", _column(-1)),
    ("diagonal", "on the diagonal", lambda v: np.eye(*v.shape, dtype=bool)),
)
_SIGN: tuple[str, str, Edit] = ("minus", "the sign is wrong", lambda s, l, v: -v)
_TWICE: tuple[str, str, Edit] = ("twice", "a factor 2 is multiplied in", lambda s, l, v: 2 * v)
_WEIGHTS: tuple[tuple[str, str, Edit], ...] = (
    (
        "no_activation",
        "the activation is left out, as if it were that of a bias",
        lambda s, l, v: s.delta[l].sum(axis=1, keepdims=True) + 0 * v,
    ),
    ("no_prime", "σ′(z) is left out", lambda s, l, v: s.above[l] @ s.a[l - 1].T),
    _SIGN,
    _TWICE,
)
_BIASES: tuple[tuple[str, str, Edit], ...] = (
    ("no_prime", "σ′(z) is left out", lambda s, l, v: s.above[l].sum(axis=1, keepdims=True)),
    _SIGN,
    _TWICE,
)
_ERRORS: tuple[tuple[str, str, Edit], ...] = (
    ("no_prime", "σ′(z) is left out", lambda s, l, v: s.above[l]),
    _SIGN,
    _TWICE,
)


def _there(mask: Mask, edit: Edit) -> Edit:
    def partly(s: Sweep, l: int, v: Array) -> Array:
        return np.where(mask(v), edit(s, l, v), v)

    return partly


def _faults() -> Iterator[Fault]:
    families: tuple[
        tuple[str, str, Slot, tuple[tuple[str, str, Mask], ...], tuple[tuple[str, str, Edit], ...]], ...
    ] = (
        ("BP4", "the weight gradient", "weight_gradient", _OF_WEIGHTS, _WEIGHTS),
        ("BP3", "the bias gradient", "bias_gradient", _UNITS, _BIASES),
        ("BP2", "the recursion", "derivative", _UNITS, _ERRORS),
    )
    for equation, what, slot, parts, rules in families:
        for part, where, mask in parts:
            for rule, text, edit in rules:
                hint = f"{where} the same rule holds as everywhere else in {what}: look for an index or a slice that is off"
                title = f"{where} {text}, in {what}"
                sites: Sites = "hidden" if equation == "BP2" else "every"
                name = f"{equation.lower()}_{part}_{rule}"
                yield Fault(name, title, equation, slot, _there(mask, edit), sites, _hidden(rule), hint)


def _hidden(rule: str) -> str:
    return {"no_prime": "σ′ = 1", "no_activation": "activations of 1"}.get(rule, _NEVER)


FAULTS: tuple[Fault, ...] = tuple(_faults())
