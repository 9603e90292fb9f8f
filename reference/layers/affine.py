"""Affine layer on samples in rows.

    y = x W + b        dx = dy Wᵀ        dW = xᵀ dy        db = Σ_samples dy

x (m, from), w (from, to), b (to,); dy, the cotangent of y (m, to). Rumelhart, Hinton & Williams 1986.
"""

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


def affine_forward(x: Array, w: Array, b: Array) -> tuple[Array, Any]:
    """y and what the backward pass needs."""
    return x @ w + b, (x, w)


def affine_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """dx, dw, db."""
    x, w = cache
    dx = dout @ w.T
    dw = x.T @ dout
    db = dout.sum(axis=0)
    return dx, dw, db
