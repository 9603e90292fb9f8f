"""Root mean square normalisation.

    r = 1/√(mean x² + ε)     y = γ x r     dx = r (dx̂ − x̂ mean(dx̂ x̂)),  x̂ = x r

x (…, d), γ (d,); mean is over the last axis. Zhang & Sennrich 2019, eq. 4.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def rmsnorm_forward(x: Array, gamma: Array, eps: float = 1e-5) -> tuple[Array, Any]:
    """y and what the backward pass needs."""
    r = 1 / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps)
    return gamma * x * r, (x, gamma, r)


def rmsnorm_backward(dout: Array, cache: Any) -> tuple[Array, Array]:
    """dx, dgamma."""
    x, gamma, r = cache
    xhat = x * r
    dgamma = (dout * xhat).sum(axis=tuple(range(dout.ndim - 1)))
    dxhat = dout * gamma
    dx = r * (dxhat - xhat * (dxhat * xhat).mean(axis=-1, keepdims=True))
    return dx, dgamma
