"""Recurrent layer over a sequence.

    h_t = tanh(a_t),  a_t = x_t Wx + h_{t−1} Wh + b     da_t = (1 − h_t²) (dy_t + da_{t+1} Whᵀ)

x (n, t, d), h0 (n, h), wx (d, h), wh (h, h), b (h,); y holds every h_t. Elman 1990; Werbos 1990.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def rnn_forward(x: Array, h0: Array, wx: Array, wh: Array, b: Array) -> tuple[Array, Any]:
    """Every h_t (n, t, h), and what the backward pass needs."""
    h = np.zeros((x.shape[0], x.shape[1] + 1, h0.shape[1]), dtype=x.dtype)
    h[:, 0] = h0
    for t in range(x.shape[1]):
        h[:, t + 1] = np.tanh(x[:, t] @ wx + h[:, t] @ wh + b)
    return h[:, 1:].copy(), (x, h, wx, wh)


def rnn_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array, Array, Array]:
    """dx, dh0, dwx, dwh, db."""
    x, h, wx, wh = cache
    dx, dwx, dwh, db = np.zeros_like(x), np.zeros_like(wx), np.zeros_like(wh), np.zeros_like(wh[0])
    dh_next = np.zeros_like(h[:, 0])
    for t in reversed(range(x.shape[1])):
        dh = dout[:, t] + dh_next
        da = dh * (1 - h[:, t + 1] ** 2)
        dx[:, t] = da @ wx.T
        dwx += x[:, t].T @ da
        dwh += h[:, t].T @ da
        db += da.sum(axis=0)
        dh_next = da @ wh.T
    return dx, dh_next, dwx, dwh, db
