"""Max pooling.

    y = the largest of each window; its cotangent goes to the position of the largest, and adds up where windows overlap

x (n, c, h, w), y (n, c, h', w'); size and stride of the windows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def max_pool_forward(x: Array, size: int = 2, stride: int = 2) -> tuple[Array, Any]:
    """y and what the backward pass needs."""
    rows, columns = (x.shape[2] - size) // stride + 1, (x.shape[3] - size) // stride + 1
    y = np.zeros((*x.shape[:2], rows, columns), dtype=x.dtype)
    for i in range(rows):
        for j in range(columns):
            y[:, :, i, j] = x[:, :, i * stride : i * stride + size, j * stride : j * stride + size].max(axis=(2, 3))
    return y, (x, y, size, stride)


def max_pool_backward(dout: Array, cache: Any) -> Array:
    """dx."""
    x, y, size, stride = cache
    dx: Array = np.zeros_like(x)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            rows, columns = slice(i * stride, i * stride + size), slice(j * stride, j * stride + size)
            largest = first_of(x[:, :, rows, columns] == y[:, :, i, j][:, :, None, None])
            dx[:, :, rows, columns] += largest * dout[:, :, i, j][:, :, None, None]
    return dx


def first_of(largest: Array) -> Array:
    """Of equally large pixels of a window the first alone: each of them would get the whole cotangent."""
    flat = largest.reshape(*largest.shape[:2], -1)
    first: Array = flat & (flat.cumsum(axis=2) == 1)
    return first.reshape(largest.shape)
