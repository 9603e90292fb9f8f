"""Batch normalisation with running moments.

    y = γ (x − mean)/√(variance + ε) + β: affine in x, the moments are constants

x (m, d); γ, β, running mean and variance (d,). Ioffe & Szegedy 2015, algorithm 2.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def batchnorm_eval_forward(
    x: Array, gamma: Array, beta: Array, running_mean: Array, running_var: Array, eps: float = 1e-5
) -> tuple[Array, Any]:
    """y and what the backward pass needs."""
    inverse = 1 / np.sqrt(running_var + eps)
    xhat = (x - running_mean) * inverse
    return gamma * xhat + beta, (xhat, gamma, inverse)


def batchnorm_eval_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """dx, dgamma, dbeta."""
    xhat, gamma, inverse = cache
    dx = dout * gamma * inverse
    dgamma = (dout * xhat).sum(axis=0)
    dbeta = dout.sum(axis=0)
    return dx, dgamma, dbeta
