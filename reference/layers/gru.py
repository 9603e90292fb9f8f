"""GRU over a sequence, the reset gate after the product.

    r, z = σ(·)     n = tanh(a_n + r u_n)     h_t = (1 − z) n + z h_{t−1}     with a = x_t Wx + b, u = h_{t−1} Wh

x (n, t, d), h0 (n, h), wx (d, 3h), wh (h, 3h), b (3h,), gates in the order r, z, n. Cho et al. 2014.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def sigmoid(z: Array) -> Array:
    """σ(z)."""
    s: Array = 1 / (1 + np.exp(-z))
    return s


def gru_forward(x: Array, h0: Array, wx: Array, wh: Array, b: Array) -> tuple[Array, Any]:
    """Every h_t (n, t, h), and what the backward pass needs."""
    h, steps, out = h0, [], []
    for t in range(x.shape[1]):
        ar, az, an = np.split(x[:, t] @ wx + b, 3, axis=1)
        ur, uz, un = np.split(h @ wh, 3, axis=1)
        r, z = sigmoid(ar + ur), sigmoid(az + uz)
        n = np.tanh(an + r * un)
        steps.append((h, r, z, n, un))
        h = (1 - z) * n + z * h
        out.append(h)
    return np.stack(out, axis=1), (x, wx, wh, steps)


def gru_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array, Array, Array]:
    """dx, dh0, dwx, dwh, db."""
    x, wx, wh, steps = cache
    dx, dwx, dwh, db = np.zeros_like(x), np.zeros_like(wx), np.zeros_like(wh), np.zeros_like(wx[0])
    dh_next = np.zeros_like(steps[0][0])
    for t in reversed(range(x.shape[1])):
        h, r, z, n, un = steps[t]
        dh = dout[:, t] + dh_next
        dan = dh * (1 - z) * (1 - n**2)
        daz = dh * (h - n) * z * (1 - z)
        dar = dan * un * r * (1 - r)
        da, du = np.hstack([dar, daz, dan]), np.hstack([dar, daz, dan * r])
        dx[:, t] = da @ wx.T
        dwx += x[:, t].T @ da
        dwh += h.T @ du
        db += da.sum(axis=0)
        dh_next = dh * z + du @ wh.T
    return dx, dh_next, dwx, dwh, db
