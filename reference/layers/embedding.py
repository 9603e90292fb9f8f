"""Embedding: rows of a table.

    y[n, t] = w[indices[n, t]]     dw[k] = Σ over all places that hold k of dy there

w (vocabulary, d), indices (n, t), y (n, t, d).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def embedding_forward(w: Array, indices: Array) -> tuple[Array, Any]:
    """y and what the backward pass needs."""
    return w[indices], (w, indices)


def embedding_backward(dout: Array, cache: Any) -> Array:
    """dw."""
    w, indices = cache
    dw: Array = np.zeros_like(w)
    np.add.at(dw, indices, dout)
    return dw
