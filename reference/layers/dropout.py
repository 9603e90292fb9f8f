"""Inverted dropout with a given mask.

    y = x mask / keep     dx = dy mask / keep

mask: zeros and ones like x; keep: the probability of a one. Srivastava et al. 2014.
"""

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


def dropout_forward(x: Array, mask: Array, keep: float) -> tuple[Array, Any]:
    """y and what the backward pass needs."""
    return x * mask / keep, (mask, keep)


def dropout_backward(dout: Array, cache: Any) -> Array:
    """dx."""
    mask, keep = cache
    dx: Array = dout * mask / keep
    return dx
