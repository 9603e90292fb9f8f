"""Softmax and cross-entropy in one, soft targets.

    C = −(1/m) Σ t ln softmax(x)     dx = dC (softmax(x) Σt − t)/m

x and t (m, k); rows of t sum to one. Bridle 1990.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def softmax_cross_entropy_forward(x: Array, targets: Array) -> tuple[Array, Any]:
    """C and what the backward pass needs."""
    shifted = x - x.max(axis=1, keepdims=True)
    total = np.exp(shifted).sum(axis=1, keepdims=True)
    p = np.exp(shifted) / total
    return -(targets * (shifted - np.log(total))).sum() / x.shape[0], (p, targets)


def softmax_cross_entropy_backward(dout: Array, cache: Any) -> Array:
    """dx."""
    p, targets = cache
    m = p.shape[0]
    dx: Array = dout * (p - targets) / m
    return dx
