"""Activation functions, elementwise on z (m, n), and softmax over the last axis.

    y = σ(z)     dz = σ′(z) ⊙ dy          softmax: dz = y ⊙ (dy − Σ y dy)

σ′ from whatever is cheapest: from y for sigmoid, tanh and softplus's own exponential, from z for the rest. At a kink the
derivative is that from the left. Glorot, Bordes & Bengio 2011 (relu); Maas et al. 2013 (leaky relu); Clevert et al. 2016 (elu);
Hendrycks & Gimpel 2016 (gelu, here with erf).
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_erf = np.vectorize(math.erf, otypes=[float])


def relu_forward(z: Array) -> tuple[Array, Array]:
    """max(z, 0)."""
    return np.maximum(z, 0), z


def relu_backward(dout: Array, z: Array) -> Array:
    """dz."""
    return np.where(z > 0, dout, 0)


def leaky_relu_forward(z: Array, alpha: float = 0.01) -> tuple[Array, Any]:
    """z where z > 0, else α z."""
    return np.where(z > 0, z, alpha * z), (z, alpha)


def leaky_relu_backward(dout: Array, cache: Any) -> Array:
    """dz."""
    z, alpha = cache
    return np.where(z > 0, dout, alpha * dout)


def elu_forward(z: Array, alpha: float = 1.0) -> tuple[Array, Any]:
    """z where z > 0, else α (eᶻ − 1)."""
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0))), (z, alpha)


def elu_backward(dout: Array, cache: Any) -> Array:
    """dz."""
    z, alpha = cache
    return dout * np.where(z > 0, 1, alpha * np.exp(np.minimum(z, 0)))


def sigmoid_forward(z: Array) -> tuple[Array, Array]:
    """1 / (1 + e⁻ᶻ) without overflow: ½ (1 + tanh(z/2))."""
    y = 0.5 * (1 + np.tanh(0.5 * z))
    return y, z


def sigmoid_backward(dout: Array, z: Array) -> Array:
    """dz; σ′ = σ(z) σ(−z) cancels nowhere."""
    e = np.exp(-np.abs(z))
    dz: Array = dout * e / (1 + e) ** 2
    return dz


def tanh_forward(z: Array) -> tuple[Array, Array]:
    """tanh z."""
    y = np.tanh(z)
    return y, y


def tanh_backward(dout: Array, y: Array) -> Array:
    """dz."""
    dz: Array = dout * (1 - y) * (1 + y)
    return dz


def softplus_forward(z: Array) -> tuple[Array, Array]:
    """ln(1 + eᶻ) without overflow."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))), z


def softplus_backward(dout: Array, z: Array) -> Array:
    """dz; the derivative is the sigmoid."""
    e = np.exp(-np.abs(z))
    dz: Array = dout * np.where(z >= 0, 1, e) / (1 + e)
    return dz


def gelu_forward(z: Array) -> tuple[Array, Array]:
    """z Φ(z), Φ the normal distribution."""
    return 0.5 * z * (1 + _erf(z / math.sqrt(2))), z


def gelu_backward(dout: Array, z: Array) -> Array:
    """dz; Φ(z) + z φ(z)."""
    density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    dz: Array = dout * (0.5 * (1 + _erf(z / math.sqrt(2))) + z * density)
    return dz


def identity_forward(z: Array) -> tuple[Array, None]:
    """z."""
    return z.copy(), None


def identity_backward(dout: Array, cache: None) -> Array:
    """dz."""
    return dout.copy()


def softmax_forward(z: Array) -> tuple[Array, Array]:
    """eᶻ / Σ eᶻ, shifted by the largest of each row."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    y = e / e.sum(axis=-1, keepdims=True)
    return y, y


def softmax_backward(dout: Array, y: Array) -> Array:
    """dz."""
    dz: Array = y * (dout - (y * dout).sum(axis=-1, keepdims=True))
    return dz
