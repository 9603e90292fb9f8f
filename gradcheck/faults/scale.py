"""Wrong factors: every expression in m, n and L × every equation. Whether ½ or 1/m is a fault, the cost decides first."""

# ruff: noqa: E501 (tables: one row a line)

from collections.abc import Iterator

from gradcheck.faults.backprop import Edit, Slot
from gradcheck.faults.expressions import PLAIN_FACTORS, Factor
from gradcheck.faults.fault import Fault, Sites

_PLACES: tuple[tuple[str, str, Slot, Sites, str], ...] = (
    ("BP1", "the output error", "cost_gradient", "output", "the derivative of the cost as it is computed, factors included: δᴸ = ∇C ⊙ σ′(zᴸ)"),
    ("BP2", "the recursion", "recursion", "hidden", "no factor belongs here: δˡ = (Wˡ⁺¹ᵀ δˡ⁺¹) ⊙ σ′(zˡ)"),
    ("BP3", "the bias gradient", "bias_gradient", "every", "no further factor belongs here, δ holds the scale of the cost already: dbˡ = Σ δˡ"),
    ("BP4", "the weight gradient", "weight_gradient", "every", "no further factor belongs here, δ holds the scale of the cost already: dWˡ = δˡ (aˡ⁻¹)ᵀ"),
)  # fmt: skip
_RESULTS: tuple[tuple[str, str, Slot], ...] = (
    ("BP4", "the finished weight gradient, its decay included,", "weight_result"),
)

_AT_OUTPUT = ("times_n", "over_n", "times_l")
"""Expressions that say at the output what another one says already."""


def _edit(row: Factor) -> Edit:
    return lambda s, l, v: row.value(s, l) * v


def _hidden(row: Factor) -> str:
    return f"where {row.text} is 1" if row.text not in ("−1", "2", "½") else "a zero gradient"


def _faults() -> Iterator[Fault]:
    for equation, where, slot, sites, hint in _PLACES:
        for row in (r for r in PLAIN_FACTORS if equation != "BP1" or r.key not in _AT_OUTPUT):
            name = f"{equation.lower()}_factor_{row.key}"
            yield Fault(
                name, f"{where} is multiplied by {row.text}", equation, slot, _edit(row), sites, _hidden(row), hint
            )
    for equation, where, slot in _RESULTS:
        for row in PLAIN_FACTORS:
            name = f"{equation.lower()}_result_factor_{row.key}"
            hint = "no factor belongs here: the decay and δ hold their factors already"
            yield Fault(
                name, f"{where} is multiplied by {row.text}", equation, slot, _edit(row), "every", _hidden(row), hint
            )


FAULTS: tuple[Fault, ...] = tuple(_faults())
UNIFORM: frozenset[str] = frozenset(f.name for f in FAULTS if f.equation == "BP1")
"""Names of the factors at the output, which all gradients share where nothing is penalised."""
