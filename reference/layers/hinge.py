"""Multi-class hinge cost.

    C = (1/m) Σ_{j ≠ y} max(0, x_j − x_y + 1): one for each margin that is not met, minus their number at the right class

x (m, k), classes y (m,). Weston & Watkins 1999.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def hinge_forward(x: Array, targets: Array) -> tuple[Array, Any]:
    """C and what the backward pass needs."""
    rows = np.arange(x.shape[0])
    margins = np.maximum(0, x - x[rows, targets][:, None] + 1)
    margins[rows, targets] = 0
    return margins.sum() / x.shape[0], (margins, targets)


def hinge_backward(dout: Array, cache: Any) -> Array:
    """dx."""
    margins, targets = cache
    m = margins.shape[0]
    dx: Array = (margins > 0).astype(margins.dtype)
    dx[np.arange(m), targets] = -dx.sum(axis=1)
    dx *= dout / m
    return dx
