"""Named arrays as a vector space, estimates with their error bounds, and rounding bounds (numpy only)."""

from gradcheck.numerics.arrays import (
    Array,
    Arrays,
    axpy,
    basis,
    dot,
    norm,
    random_direction,
    ravel,
    size,
    unravel,
    zeros_like,
)
from gradcheck.numerics.estimate import Estimate
from gradcheck.numerics.rounding import gamma, rounded_to, smallest_normal, unit_roundoff

__all__ = [
    "Array",
    "Arrays",
    "Estimate",
    "axpy",
    "basis",
    "dot",
    "gamma",
    "norm",
    "random_direction",
    "ravel",
    "rounded_to",
    "size",
    "smallest_normal",
    "unit_roundoff",
    "unravel",
    "zeros_like",
]
