"""Layer normalisation.

    x̂ = (x − μ)/√(σ² + ε)     y = γ x̂ + β     dx = (dx̂ − mean dx̂ − x̂ mean(dx̂ x̂)) / √(σ² + ε)

x (…, d), γ and β (d,); μ, σ² and mean are over the last axis. Ba, Kiros & Hinton 2016, eq. 3.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def layernorm_forward(x: Array, gamma: Array, beta: Array, eps: float = 1e-5) -> tuple[Array, Any]:
    """y and what the backward pass needs."""
    inverse = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    xhat = (x - x.mean(axis=-1, keepdims=True)) * inverse
    return gamma * xhat + beta, (xhat, gamma, inverse)


def layernorm_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """dx, dgamma, dbeta."""
    xhat, gamma, inverse = cache
    rows = tuple(range(dout.ndim - 1))
    dgamma = (dout * xhat).sum(axis=rows)
    dbeta = dout.sum(axis=rows)
    dxhat = dout * gamma
    mean = dxhat.mean(axis=-1, keepdims=True)
    dx = inverse * (dxhat - mean - xhat * (dxhat * xhat).mean(axis=-1, keepdims=True))
    return dx, dgamma, dbeta
