"""Scaled dot-product attention with a mask.

    A = softmax(Q Kᵀ/√d)     y = A V     dS = A (dA − Σ_keys dA A)     dQ = dS K/√d     dK = dSᵀ Q/√d     dV = Aᵀ dy

q (b, n, d), k (b, m, d), v (b, m, e), mask (n, m) with 1 where a query may look. Vaswani et al. 2017, eq. 1.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def attention_forward(q: Array, k: Array, v: Array, mask: Array) -> tuple[Array, Any]:
    """y and what the backward pass needs."""
    scores = np.where(mask > 0, q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1]), -np.inf)
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    a = e / e.sum(axis=-1, keepdims=True)
    return a @ v, (q, k, v, a)


def attention_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """dq, dk, dv."""
    q, k, v, a = cache
    root = np.sqrt(q.shape[-1]).astype(q.dtype)
    dv = a.swapaxes(1, 2) @ dout
    da = dout @ v.swapaxes(1, 2)
    ds = a * (da - (da * a).sum(axis=-1, keepdims=True))
    dq = ds @ k / root
    dk = ds.swapaxes(1, 2) @ q / root
    return dq, dk, dv
