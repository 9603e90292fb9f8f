"""Two-dimensional convolution (cross-correlation) with stride, padding, dilation and groups.

    y[n, f, i, j] = b[f] + Σ_{c, u, v} x[n, c, i s + u d − p, j s + v d − p] w[f, c, u, v]
    every product of the sum hands dy w to its x, and dy x to its w

x (n, c, h, w), w (f, c/groups, kh, kw), b (f,), y (n, f, h', w'). LeCun, Bottou, Bengio & Haffner 1998, §II.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def conv2d_forward(
    x: Array, w: Array, b: Array, stride: int = 1, pad: int = 0, dilation: int = 1, groups: int = 1
) -> tuple[Array, Any]:
    """y and what the backward pass needs."""
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    rows = (padded.shape[2] - dilation * (w.shape[2] - 1) - 1) // stride + 1
    columns = (padded.shape[3] - dilation * (w.shape[3] - 1) - 1) // stride + 1
    y = np.zeros((x.shape[0], w.shape[0], rows, columns), dtype=x.dtype) + b[:, None, None]
    f, c = w.shape[0] // groups, w.shape[1]
    for g in range(groups):
        for u in range(w.shape[2]):
            for v in range(w.shape[3]):
                window = view(padded[:, g * c : (g + 1) * c], u * dilation, v * dilation, stride, (rows, columns))
                y[:, g * f : (g + 1) * f] += np.einsum("ncij,fc->nfij", window, w[g * f : (g + 1) * f, :, u, v])
    return y, (padded, w, stride, pad, dilation, groups)


def view(a: Array, row: int, column: int, stride: int, size: tuple[int, int]) -> Array:
    """The pixels that one weight meets, one for each output pixel; writing to it writes to `a`."""
    return a[
        :, :, row : row + stride * (size[0] - 1) + 1 : stride, column : column + stride * (size[1] - 1) + 1 : stride
    ]


def conv2d_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """dx, dw, db."""
    padded, w, stride, pad, dilation, groups = cache
    size = dout.shape[2:]
    dpadded, dw = np.zeros_like(padded), np.zeros_like(w)
    f, c = w.shape[0] // groups, w.shape[1]
    for g in range(groups):
        dy, x, dx = dout[:, g * f : (g + 1) * f], padded[:, g * c : (g + 1) * c], dpadded[:, g * c : (g + 1) * c]
        for u in range(w.shape[2]):
            for v in range(w.shape[3]):
                window = view(x, u * dilation, v * dilation, stride, size)
                dw[g * f : (g + 1) * f, :, u, v] = np.einsum("nfij,ncij->fc", dy, window)
                to = view(dx, u * dilation, v * dilation, stride, size)
                to += np.einsum("nfij,fc->ncij", dy, w[g * f : (g + 1) * f, :, u, v])
    db = dout.sum(axis=(0, 2, 3))
    return dpadded[:, :, pad : dpadded.shape[2] - pad, pad : dpadded.shape[3] - pad].copy(), dw, db
