"""Constants of floating-point rounding (Higham, Accuracy and Stability of Numerical Algorithms, 2002, §2.1, §3.1)."""

import numpy as np


def unit_roundoff(dtype: str | np.dtype[np.floating]) -> float:
    """u = ε/2 of a floating-point type: the largest relative error of one rounding to nearest."""
    return float(np.finfo(dtype).eps) / 2


def gamma(n: float, u: float) -> float:
    """γ_n = n u / (1 − n u): bound of the relative error of n roundings in a row (Higham, Lemma 3.1).

    Raises ValueError where n u ≥ 1, where the bound has no meaning.
    """
    if n * u >= 1:
        msg = f"gamma needs n u < 1, got n = {n}, u = {u}: the computation is longer than the precision allows"
        raise ValueError(msg)
    return n * u / (1 - n * u)
