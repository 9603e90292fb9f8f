"""One-dimensional convolution (cross-correlation).

    y[n, f, i] = b[f] + Σ_{c, u} x[n, c, i s + u − p] w[f, c, u]

x (n, c, t), w (f, c, k), b (f,). Waibel et al. 1989.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def conv1d_forward(x: Array, w: Array, b: Array, stride: int = 1, pad: int = 0) -> tuple[Array, Any]:
    """y and what the backward pass needs."""
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad)))
    steps = (padded.shape[2] - w.shape[2]) // stride + 1
    y = np.zeros((x.shape[0], w.shape[0], steps), dtype=x.dtype)
    for i in range(steps):
        y[:, :, i] = np.einsum("nck,fck->nf", padded[:, :, i * stride : i * stride + w.shape[2]], w) + b
    return y, (padded, w, stride, pad)


def conv1d_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """dx, dw, db."""
    padded, w, stride, pad = cache
    dpadded, dw = np.zeros_like(padded), np.zeros_like(w)
    for i in range(dout.shape[2]):
        window = slice(i * stride, i * stride + w.shape[2])
        dpadded[:, :, window] += np.einsum("nf,fck->nck", dout[:, :, i], w)
        dw += np.einsum("nf,nck->fck", dout[:, :, i], padded[:, :, window])
    db = dout.sum(axis=(0, 2))
    return dpadded[:, :, pad : dpadded.shape[2] - pad].copy(), dw, db
