"""Multi-head self-attention with a mask.

    q, k, v = x Wq, x Wk, x Wv split into heads     y = concat(softmax(q kᵀ/√d) v) Wo

x (b, n, heads · d), weights square, mask (n, n) with 1 where a query may look. Vaswani et al. 2017, §3.2.2.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def split(a: Array, heads: int) -> Array:
    """(b, n, heads · d) -> (b, heads, n, d)."""
    return a.reshape(*a.shape[:2], heads, -1).swapaxes(1, 2)


def join(a: Array) -> Array:
    """(b, heads, n, d) -> (b, n, heads · d)."""
    return a.swapaxes(1, 2).reshape(a.shape[0], a.shape[2], -1)


def multi_head_attention_forward(
    x: Array, wq: Array, wk: Array, wv: Array, wo: Array, heads: int, mask: Array
) -> tuple[Array, Any]:
    """y and what the backward pass needs."""
    q, k, v = split(x @ wq, heads), split(x @ wk, heads), split(x @ wv, heads)
    scores = np.where(mask > 0, q @ k.swapaxes(2, 3) / np.sqrt(q.shape[-1]), -np.inf)
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    a = e / e.sum(axis=-1, keepdims=True)
    return join(a @ v) @ wo, (x, wq, wk, wv, wo, heads, q, k, v, a)


def multi_head_attention_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array, Array, Array]:
    """dx, dwq, dwk, dwv, dwo."""
    x, wq, wk, wv, wo, heads, q, k, v, a = cache
    root = np.sqrt(q.shape[-1]).astype(q.dtype)
    dwo = np.einsum("bni,bnj->ij", join(a @ v), dout)
    dheads = split(dout @ wo.T, heads)
    dv = a.swapaxes(2, 3) @ dheads
    da = dheads @ v.swapaxes(2, 3)
    ds = a * (da - (da * a).sum(axis=-1, keepdims=True))
    dq = join(ds @ k / root)
    dk = join(ds.swapaxes(2, 3) @ q / root)
    dwq = np.einsum("bni,bnj->ij", x, dq)
    dwk = np.einsum("bni,bnj->ij", x, dk)
    dwv = np.einsum("bni,bnj->ij", x, join(dv))
    dx = dq @ wq.T + dk @ wk.T + join(dv) @ wv.T
    return dx, dwq, dwk, dwv, dwo
