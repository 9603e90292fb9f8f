"""L2 normalisation of rows.

    y = x/‖x‖     dx = (dy − y ⟨dy, y⟩)/‖x‖

x (m, d): the projection of dy on the tangent of the sphere.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def l2_normalise_forward(x: Array) -> tuple[Array, Any]:
    """y and what the backward pass needs."""
    length = np.sqrt((x * x).sum(axis=-1, keepdims=True))
    return x / length, (x, length)


def l2_normalise_backward(dout: Array, cache: Any) -> Array:
    """dx."""
    x, length = cache
    y = x / length
    dx: Array = (dout - y * (dout * y).sum(axis=-1, keepdims=True)) / length
    return dx
