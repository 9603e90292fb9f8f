"""Hypothesis strategies for architectures, cases, regimes and directions (public)."""

from gradcheck.strategies.balanced import Balance
from gradcheck.strategies.encoded import decoded, encoded_cases
from gradcheck.strategies.layers import layer_inputs
from gradcheck.strategies.networks import (
    architectures,
    cases,
    corner_cases,
    directions,
    extreme_cases,
    regimes,
    repertoires,
)

__all__ = [
    "Balance",
    "architectures",
    "cases",
    "corner_cases",
    "decoded",
    "directions",
    "encoded_cases",
    "extreme_cases",
    "layer_inputs",
    "regimes",
    "repertoires",
]
