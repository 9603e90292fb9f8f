"""Constants of floating-point rounding (Higham, Accuracy and Stability of Numerical Algorithms, 2002, §2.1, §3.1)."""

import numpy as np

from gradcheck.numerics.arrays import Array

BFLOAT16 = "bfloat16"
"""float32 cut off after eight significant bits; numpy has no such type."""


def unit_roundoff(dtype: str | np.dtype[np.floating]) -> float:
    """u = ε/2 of a floating-point type: the largest relative error of one rounding to nearest."""
    return 2.0**-8 if dtype == BFLOAT16 else float(np.finfo(dtype).eps) / 2


def smallest_normal(dtype: str | np.dtype[np.floating]) -> float:
    """η: what is smaller may be flushed to zero; in float16, which no library flushes, what rounds to zero."""
    if dtype == "float16":
        return 2.0**-24
    return float(np.finfo(np.float32 if dtype == BFLOAT16 else dtype).tiny)


def rounded_to(a: Array, dtype: str) -> Array:
    """Every number rounded to nearest in a floating-point type (ties to even), as float64; any shape."""
    if dtype != BFLOAT16:
        return np.asarray(a.astype(dtype).astype(np.float64))
    bits = np.asarray(a, dtype=np.float32).view(np.uint32).astype(np.uint64)
    kept = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16) << 16
    return np.asarray(kept.astype(np.uint32).view(np.float32).astype(np.float64))


def gamma(n: float, u: float) -> float:
    """γ_n = n u / (1 − n u): bound of the relative error of n roundings in a row (Higham, Lemma 3.1).

    Raises ValueError where n u ≥ 1, where the bound has no meaning.
    """
    if n * u >= 1:
        msg = f"gamma needs n u < 1, got n = {n}, u = {u}: the computation is longer than the precision allows"
        raise ValueError(msg)
    return n * u / (1 - n * u)
