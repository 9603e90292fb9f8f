"""Batch normalisation of images, channel by channel.

    the batch normalisation of the matrix whose rows are all pixels of all samples

x (n, c, h, w), γ and β (c,). Ioffe & Szegedy 2015, §3.2.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


AXES = (0, 2, 3)


def batchnorm_4d_forward(x: Array, gamma: Array, beta: Array, eps: float = 1e-5) -> tuple[Array, Any]:
    """y and what the backward pass needs."""
    inverse = 1 / np.sqrt(x.var(axis=AXES, keepdims=True) + eps)
    xhat = (x - x.mean(axis=AXES, keepdims=True)) * inverse
    return gamma[:, None, None] * xhat + beta[:, None, None], (xhat, gamma, inverse)


def batchnorm_4d_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """dx, dgamma, dbeta."""
    xhat, gamma, inverse = cache
    dgamma = (dout * xhat).sum(axis=AXES)
    dbeta = dout.sum(axis=AXES)
    dxhat = dout * gamma[:, None, None]
    mean = dxhat.mean(axis=AXES, keepdims=True)
    dx = inverse * (dxhat - mean - xhat * (dxhat * xhat).mean(axis=AXES, keepdims=True))
    return dx, dgamma, dbeta
