"""LSTM over a sequence.

    i, f, o = σ(a_i), σ(a_f), σ(a_o), g = tanh(a_g) with a = x_t Wx + h_{t−1} Wh + b
    c_t = f c_{t−1} + i g     h_t = o tanh(c_t)

x (n, t, d), h0 and c0 (n, h), wx (d, 4h), wh (h, 4h), b (4h,), gates in the order i, f, o, g. Gers, Schmidhuber & Cummins 2000.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def sigmoid(z: Array) -> Array:
    """σ(z)."""
    s: Array = 1 / (1 + np.exp(-z))
    return s


def lstm_forward(x: Array, h0: Array, wx: Array, wh: Array, b: Array, c0: Array) -> tuple[Array, Any]:
    """Every h_t (n, t, h), and what the backward pass needs."""
    h, c, steps = h0, c0, []
    for t in range(x.shape[1]):
        ai, af, ao, ag = np.split(x[:, t] @ wx + h @ wh + b, 4, axis=1)
        i, f, o, g = sigmoid(ai), sigmoid(af), sigmoid(ao), np.tanh(ag)
        c_new = f * c + i * g
        steps.append((h, c, i, f, o, g, c_new))
        c, h = c_new, o * np.tanh(c_new)
    y = np.stack([s[4] * np.tanh(s[6]) for s in steps], axis=1)
    return y, (x, wx, wh, steps)


def lstm_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array, Array, Array, Array]:
    """dx, dh0, dwx, dwh, db, dc0."""
    x, wx, wh, steps = cache
    dx, dwx, dwh, db = np.zeros_like(x), np.zeros_like(wx), np.zeros_like(wh), np.zeros_like(wx[0])
    dh_next, dc_next = np.zeros_like(steps[0][0]), np.zeros_like(steps[0][1])
    for t in reversed(range(x.shape[1])):
        h, c, i, f, o, g, c_new = steps[t]
        dh = dout[:, t] + dh_next
        dc = dc_next + dh * o * (1 - np.tanh(c_new) ** 2)
        dai = dc * g * i * (1 - i)
        daf = dc * c * f * (1 - f)
        dao = dh * np.tanh(c_new) * o * (1 - o)
        dag = dc * i * (1 - g**2)
        da = np.hstack([dai, daf, dao, dag])
        dx[:, t] = da @ wx.T
        dwx += x[:, t].T @ da
        dwh += h.T @ da
        db += da.sum(axis=0)
        dh_next = da @ wh.T
        dc_next = dc * f
    return dx, dh_next, dwx, dwh, db, dc_next
