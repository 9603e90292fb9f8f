"""Average pooling.

    y = the mean of each window; every pixel of it gets dy / size²

x (n, c, h, w), y (n, c, h', w'); size and stride of the windows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def average_pool_forward(x: Array, size: int = 2, stride: int = 2) -> tuple[Array, Any]:
    """y and what the backward pass needs."""
    rows, columns = (x.shape[2] - size) // stride + 1, (x.shape[3] - size) // stride + 1
    y = np.zeros((*x.shape[:2], rows, columns), dtype=x.dtype)
    for i in range(rows):
        for j in range(columns):
            y[:, :, i, j] = x[:, :, i * stride : i * stride + size, j * stride : j * stride + size].mean(axis=(2, 3))
    return y, (x.shape, x.dtype, size, stride)


def average_pool_backward(dout: Array, cache: Any) -> Array:
    """dx."""
    shape, dtype, size, stride = cache
    dx = np.zeros(shape, dtype=dtype)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            rows, columns = slice(i * stride, i * stride + size), slice(j * stride, j * stride + size)
            dx[:, :, rows, columns] += dout[:, :, i, j][:, :, None, None] / size**2
    return dx
