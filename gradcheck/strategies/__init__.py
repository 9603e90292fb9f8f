"""Hypothesis strategies for architectures, cases, regimes and directions (public)."""

from gradcheck.strategies.networks import (
    architectures,
    cases,
    corner_cases,
    directions,
    extreme_cases,
    regimes,
    repertoires,
)

__all__ = ["architectures", "cases", "corner_cases", "directions", "extreme_cases", "regimes", "repertoires"]
