"""Residual block.

    z = x W1 + b1     y = x + relu(z) W2 + b2     dz = (dy W2ᵀ) 1[z > 0]     dx = dy + dz W1ᵀ

x (m, d), w1 (d, h), b1 (h,), w2 (h, d), b2 (d,). He, Zhang, Ren & Sun 2016, eq. 1.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def residual_forward(x: Array, w1: Array, b1: Array, w2: Array, b2: Array) -> tuple[Array, Any]:
    """y and what the backward pass needs."""
    z = x @ w1 + b1
    return x + np.maximum(z, 0) @ w2 + b2, (x, z, w1, w2)


def residual_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array, Array, Array]:
    """dx, dw1, db1, dw2, db2."""
    x, z, w1, w2 = cache
    dw2 = np.maximum(z, 0).T @ dout
    db2 = dout.sum(axis=0)
    dz = (dout @ w2.T) * (z > 0)
    dw1 = x.T @ dz
    db1 = dz.sum(axis=0)
    dx = dout + dz @ w1.T
    return dx, dw1, db1, dw2, db2
