"""Batch normalisation in training.

    x̂ = (x − μ)/√(σ² + ε)     y = γ x̂ + β     dx = (dx̂ − mean dx̂ − x̂ mean(dx̂ x̂)) / √(σ² + ε)

x (m, d), γ and β (d,); μ and σ² are the batch's own, mean is over samples. Ioffe & Szegedy 2015, algorithm 1.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def batchnorm_forward(x: Array, gamma: Array, beta: Array, eps: float = 1e-5) -> tuple[Array, Any]:
    """y and what the backward pass needs."""
    inverse = 1 / np.sqrt(x.var(axis=0) + eps)
    xhat = (x - x.mean(axis=0)) * inverse
    return gamma * xhat + beta, (xhat, gamma, inverse)


def batchnorm_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """dx, dgamma, dbeta."""
    xhat, gamma, inverse = cache
    dgamma = (dout * xhat).sum(axis=0)
    dbeta = dout.sum(axis=0)
    dxhat = dout * gamma
    dx = inverse * (dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).mean(axis=0))
    return dx, dgamma, dbeta
