"""The slope of the L2 term: what stands where 2 λ factor(m) W should.

decay   2 λ factor(m)
"""

# ruff: noqa: E501 (tables: one row a line)

from collections.abc import Iterator

import numpy as np

from gradcheck.faults.backprop import Edit, Slot, Sweep
from gradcheck.faults.expressions import FACTORS, Factor
from gradcheck.faults.fault import Fault, Sites
from gradcheck.faults.recursion import _diagonal, _like, _zeroed
from gradcheck.numerics import Array

HINT = "differentiate the penalty as it stands in the cost: (λ/2) ΣW² gives λ W, (λ/2m) ΣW² gives (λ/m) W, nothing for biases"


def _other(offset: int) -> Edit:
    def edit(s: Sweep, l: int, value: Array) -> Array:
        k = l + offset
        return s.decay * _like(s.W(k), value) if 1 <= k <= s.L else value

    return edit


def _strength(s: Sweep) -> float:
    return s.case.architecture.regularisation.strength


_ROWS: tuple[tuple[str, str, Slot, Edit, Sites, str], ...] = (
    ("l1", "the sign of W stands for W: the slope of Σ|W|", "weight_decay", lambda s, l, v: s.decay * np.sign(s.W(l)), "every", "λ = 0; weights of ±1"),
    ("absolute", "|W| stands for W", "weight_decay", lambda s, l, v: np.abs(v), "every", "λ = 0; no negative weight"),
    ("squared", "W² stands for W: the penalty itself, not its derivative", "weight_decay", lambda s, l, v: s.decay * s.W(l) ** 2, "every", "λ = 0; weights of 0 or 1"),
    ("half_squared", "½W² stands for W: the penalty itself, not its derivative", "weight_decay", lambda s, l, v: s.decay / 2 * s.W(l) ** 2, "every", "λ = 0"),
    ("constant", "λ is added, without W", "weight_decay", lambda s, l, v: s.decay + 0 * v, "every", "λ = 0; weights of 1"),
    ("total", "ΣW² is added to every component", "weight_decay", lambda s, l, v: s.decay / 2 * float(np.sum(s.W(l) ** 2)) + 0 * v, "every", "λ = 0"),
    ("sum_of_weights", "ΣW is added to every component", "weight_decay", lambda s, l, v: s.decay * float(np.sum(s.W(l))) + 0 * v, "every", "λ = 0; one weight"),
    ("mean_of_weights", "the mean of W is added to every component", "weight_decay", lambda s, l, v: s.decay * float(np.mean(s.W(l))) + 0 * v, "every", "λ = 0; one weight"),
    ("normalised", "W/‖W‖ stands for W: the slope of the norm, not of its square", "weight_decay", lambda s, l, v: v / np.linalg.norm(s.W(l)), "every", "λ = 0; weights of norm 1"),
    ("transposed", "Wᵀ stands for W", "weight_decay", lambda s, l, v: _like(v.T, v), "every", "λ = 0; a symmetric W; it crashes unless W is square"),
    ("without_lambda", "W is added without λ", "weight_decay", lambda s, l, v: s.W(l) * 1.0, "every", "λ = 1"),
    ("root_of_lambda", "√λ stands for λ", "weight_decay", lambda s, l, v: v / np.sqrt(_strength(s)) if _strength(s) else v, "every", "λ = 0 or 1"),
    ("weights_above", "the weights of the layer above are used", "weight_decay", _other(1), "hidden", "λ = 0; it crashes unless shapes agree"),
    ("weights_below", "the weights of the layer below are used", "weight_decay", _other(-1), "upper", "λ = 0; it crashes unless shapes agree"),
    ("no_first_column", "the first column of W is exempt, as if it held the biases", "weight_decay", _zeroed(slice(None), 0), "every", "λ = 0"),
    ("no_last_column", "the last column of W is exempt, as if it held the biases", "weight_decay", _zeroed(slice(None), -1), "every", "λ = 0"),
    ("no_first_row", "the first row of W is exempt, as if it held the biases", "weight_decay", _zeroed(0), "every", "λ = 0"),
    ("no_last_row", "the last row of W is exempt, as if it held the biases", "weight_decay", _zeroed(-1), "every", "λ = 0"),
    ("no_diagonal", "the diagonal of W is exempt", "weight_decay", lambda s, l, v: v - _diagonal(s, l, v), "every", "λ = 0"),
    ("gradient", "the gradient stands for W", "weight_decay", lambda s, l, v: s.decay * (s.delta[l] @ s.a[l - 1].T), "every", "λ = 0"),
    ("rounded", "W is rounded to whole numbers", "weight_decay", lambda s, l, v: s.decay * np.round(s.W(l)), "every", "λ = 0; whole weights"),
    ("biases_too", "the biases are decayed too", "bias_decay", lambda s, l, v: s.decay * s.b(l), "every", "λ = 0; biases of 0; a cost that penalises them"),
    ("biases_half", "the biases are decayed too, with half the factor", "bias_decay", lambda s, l, v: s.decay / 2 * s.b(l), "every", "λ = 0; biases of 0"),
    ("biases_minus", "the biases are decayed too, with the wrong sign", "bias_decay", lambda s, l, v: -s.decay * s.b(l), "every", "λ = 0; biases of 0"),
    ("biases_constant", "λ is added to the bias gradient", "bias_decay", lambda s, l, v: s.decay + 0 * v, "every", "λ = 0"),
    ("biases_by_weights", "the row sums of W are added to the bias gradient", "bias_decay", lambda s, l, v: s.decay * s.W(l).sum(axis=1, keepdims=True), "every", "λ = 0"),
    ("biases_exempt", "the biases are not decayed, although the cost penalises them", "bias_decay", lambda s, l, v: 0 * v, "every", "λ = 0; a cost that does not penalise them"),
)  # fmt: skip


def _factor(row: Factor) -> Edit:
    return lambda s, l, v: row.value(s, l) * v


def _faults() -> Iterator[Fault]:
    for key, title, slot, edit, sites, hidden in _ROWS:
        yield Fault(f"reg_{key}", f"in the decay, {title}", "regularisation", slot, edit, sites, hidden, HINT)
    for row in FACTORS:
        key = "missing" if row.key == "zero" else f"factor_{row.key}"
        title = "the decay is left out" if row.key == "zero" else f"the decay is multiplied by {row.text}"
        yield Fault(f"reg_{key}", title, "regularisation", "weight_decay", _factor(row), "every", "λ = 0", HINT)


FAULTS: tuple[Fault, ...] = tuple(_faults())
