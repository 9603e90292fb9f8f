"""Activations: one JAX-traceable function each, written once against the namespace `xp`.

z   weighted input, shape (units, samples)
a   activation a = f(z), the same shape
xp  array namespace: numpy or jax.numpy, both with `erf`

A user's own activation is the same thing: ``Activation("swish", lambda z, xp: z / (1 + xp.exp(-z)))`` or a plain
``jax.numpy`` function of z. Derivatives are never written here: they come from jax.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from gradcheck.errors import UsageError
from gradcheck.numerics import Array

Range = Literal["real", "unit_interval", "simplex"]


@dataclass(frozen=True, slots=True)
class Activation:
    """A differentiable map of one layer's weighted input.

    name: the configured name, parameters included (``leaky_relu(0.1)``); a subject is asked for it by this name.
    function: f(z) in jax.numpy, or f(z, xp); shape (units, samples) in and out.
    elementwise: each output depends on its own input only (softmax: False, over axis 0, the units).
    kinks: the values of z where f has two slopes; cases keep away from them, or stand exactly on them.
    joints: the values of z where only a higher derivative jumps (elu with alpha 1): finite differences stay on one side.
    range: which costs are legal behind it: values in (0, 1), columns that sum to one, or any real number.
    cancellation: size of the terms that usual formulas of f and f′ subtract, a number or a function of z (1 for
        (eᶻ−e⁻ᶻ)/(eᶻ+e⁻ᶻ) and ½(1 + tanh(z/2)), 0 where nothing cancels): the bound grants an absolute error of a few
        roundings of it.
        None: unknown, to be measured on the definition itself.
    source: where a user's own definition stands, ``file.py:name``, kept in reports so that they can be replayed.
    """

    name: str
    function: Callable[..., Any]
    elementwise: bool = True
    kinks: tuple[float, ...] = ()
    joints: tuple[float, ...] = ()
    range: Range = "real"
    cancellation: float | Callable[[Array], Array] | None = None
    source: str | None = None

    def __call__(self, z: Array, xp: Any) -> Any:
        return self.function(z, xp) if wants_namespace(self.function) else self.function(z)


def _gelu_tanh_terms(z: Array) -> Array:
    """½ z (1 − tanh²) u′(z) multiplies the rounding of 1 − tanh² by z u′ ~ z³; beyond |z| = 10 nothing is left of it."""
    r = np.minimum(np.abs(z), 10.0)
    return np.asarray(1.0 + r + 0.15 * r**3)


@lru_cache(maxsize=1024)
def wants_namespace(function: Callable[..., Any]) -> bool:
    """Whether a definition takes the array namespace as its argument `xp` (built-in ones all do)."""
    try:
        return "xp" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def sigmoid(z: Array, xp: Any) -> Any:
    """Logistic function 1/(1 + e⁻ᶻ), without overflow on either side."""
    e = xp.exp(-xp.abs(z))
    return xp.where(z >= 0, 1.0 / (1.0 + e), e / (1.0 + e))


def tanh(z: Array, xp: Any) -> Any:
    """Hyperbolic tangent."""
    return xp.tanh(z)


def relu(z: Array, xp: Any) -> Any:
    """max(z, 0); the slope at 0 is 0."""
    return xp.where(z > 0, z, 0.0)


def identity(z: Array, xp: Any) -> Any:
    """f(z) = z."""
    return z * 1.0


def softplus(z: Array, xp: Any) -> Any:
    """ln(1 + eᶻ), without overflow; `>=` because jax gives |z| the slope 1 at 0, and the sum must have the slope ½."""
    return xp.where(z >= 0, z, 0.0) + xp.log1p(xp.exp(-xp.abs(z)))


def gelu(z: Array, xp: Any) -> Any:
    """z Φ(z) with the exact normal distribution function (Hendrycks & Gimpel, arXiv:1606.08415)."""
    return 0.5 * z * (1.0 + xp.erf(z * 0.7071067811865476))


def gelu_tanh(z: Array, xp: Any) -> Any:
    """The tanh approximation of gelu (the same paper, §2)."""
    return 0.5 * z * (1.0 + xp.tanh(0.7978845608028654 * (z + 0.044715 * z * z * z)))


def softmax(z: Array, xp: Any) -> Any:
    """exp(z_i)/Σ_k exp(z_k) over the units (axis 0), shifted by the largest entry; the shift has no derivative."""
    e = xp.exp(z - xp.stop_gradient(xp.max(z, axis=0, keepdims=True)))
    return e / xp.sum(e, axis=0, keepdims=True)


def leaky_relu(slope: float) -> Callable[..., Any]:
    """z for z > 0, slope·z elsewhere."""

    def function(z: Array, xp: Any) -> Any:
        return xp.where(z > 0, z, slope * z)

    return function


def elu(alpha: float) -> Callable[..., Any]:
    """z for z > 0, alpha (eᶻ − 1) elsewhere (Clevert et al., arXiv:1511.07289)."""

    def function(z: Array, xp: Any) -> Any:
        return xp.where(z > 0, z, alpha * xp.expm1(xp.where(z > 0, 0.0, z)))

    return function


def _leaky_relu(name: str, slope: float) -> Activation:
    return Activation(name, leaky_relu(slope), kinks=() if slope == 1 else (0.0,), cancellation=0.0)


def _elu(name: str, alpha: float) -> Activation:
    kinks, joints = ((), (0.0,)) if alpha == 1 else ((0.0,), ())
    return Activation(name, elu(alpha), kinks=kinks, joints=joints, cancellation=max(1.0, abs(alpha)))


PLAIN: Mapping[str, Activation] = {
    "sigmoid": Activation("sigmoid", sigmoid, range="unit_interval", cancellation=1.0),
    "tanh": Activation("tanh", tanh, cancellation=1.0),
    "relu": Activation("relu", relu, kinks=(0.0,), cancellation=0.0),
    "softplus": Activation("softplus", softplus, cancellation=1.0),
    "gelu": Activation("gelu", gelu, cancellation=1.0),
    "gelu_tanh": Activation("gelu_tanh", gelu_tanh, cancellation=_gelu_tanh_terms),
    "identity": Activation("identity", identity, cancellation=0.0),
    "softmax": Activation("softmax", softmax, elementwise=False, range="simplex", cancellation=0.0),
}
PARAMETRIC: Mapping[str, tuple[Callable[[str, float], Activation], float]] = {
    "leaky_relu": (_leaky_relu, 0.01),
    "elu": (_elu, 1.0),
}
ALIASES: Mapping[str, str] = {"linear": "identity", "logistic": "sigmoid", "none": "identity"}
_CALL = re.compile(r"^\s*([A-Za-z_]\w*)\s*(?:\(\s*([-+.\deE]*)\s*\))?\s*$")


def _parameter(text: str | None, default: float) -> float | None:
    """The number in the parentheses, the default without one, None for what is no number."""
    try:
        return float(text or default)
    except ValueError:
        return None


@lru_cache(maxsize=1024)
def activation_named(name: str) -> Activation:
    """The built-in activation of a configured name such as ``tanh`` or ``leaky_relu(0.1)``.

    Raises UsageError that lists the names there are.
    """
    match = _CALL.match(name)
    base, parameter = match.groups() if match else (name, None)
    base = ALIASES.get(base, base)
    if base in PLAIN and not parameter:
        return PLAIN[base]
    value = _parameter(parameter, PARAMETRIC[base][1]) if base in PARAMETRIC else None
    if value is not None:
        return PARAMETRIC[base][0](f"{base}({value!r})", value)
    msg = f"unknown activation {name!r}; expected one of {', '.join([*PLAIN, *(f'{p}(x)' for p in PARAMETRIC)])}"
    raise UsageError(msg)


@lru_cache(maxsize=1024)
def is_builtin(activation: Activation) -> bool:
    """Whether it is the built-in activation of its name: what it declares of itself is known to be true."""
    try:
        return activation.source is None and activation_named(activation.name) == activation
    except UsageError:
        return False


def builtin_activations() -> tuple[Activation, ...]:
    """Every built-in activation once, the parametric ones with a slope or alpha that is not the customary one too."""
    names = [*PLAIN, "leaky_relu(0.01)", "leaky_relu(0.2)", "elu(1.0)", "elu(0.5)"]
    return tuple(activation_named(name) for name in names)
