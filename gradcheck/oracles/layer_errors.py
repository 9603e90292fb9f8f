"""How far rounding takes one layer's activation and its slope: f(z) and f′(z), given the error of z.

z, a      weighted input and activation f(z), (units, samples);  E_q bounds the absolute error of q
f′, f″    derivatives at z, by jax;  κ  the activation's `cancellation`;  u  unit roundoff;  c  roundings granted

    E_a  = |f(z ± E_z) − f(z)| + c u (|a| + |z f′| + κ)
    E_f′ = |f′(z ± E_z) − f′(z)| + c u (|f′| + |z f″| + |a| + κ)  also where f′ is computed from a, as in a(1 − a)

A built-in activation is smooth away from its declared kinks, with |f″|, |f‴| ≤ M, so that Taylor's theorem gives both
differences without evaluating f and f′ to either side: |f′| E_z + ½ M E_z² and |f″| E_z + ½ M E_z². Any other is looked at
on both sides of z, whether it declares kinks or not.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradcheck.networks import Activation, activation_named
from gradcheck.networks.activations import is_builtin
from gradcheck.networks.namespace import xp_numpy
from gradcheck.numerics import Array
from gradcheck.oracles.autodiff import activation_second, activation_slopes, activation_vjp
from gradcheck.oracles.clarke import EXPLAINED, TINY, Interval, interval, next_number, reach_of, spread

SOFTMAX = activation_named("softmax")
ELEMENTARY = 8.0
"""c: roundings granted to one elementary function (numpy's own stay under 4 ulp) and the scaling around it."""

_JUMP = 100.0
"""Noise of f′ across a point that so exceeds that on either side of it is a kink, and no noise."""
_CURVED = 4.0
"""M of the built-in activations, times their scale: the third derivative of tanh, 2 at 0, is the largest."""
_SHORT = 1e-3
"""E_z up to which Taylor's remainder is small beside the first order."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerErrors:
    """What the backward sweep needs of one layer: values, their error bounds, slopes (the largest of those at a kink)."""

    a: Array
    E_a: Array
    f1: Array
    E_f1: Array
    kinks: Interval | None = None

    def floored(self, eta: float) -> "LayerErrors":
        """With room for underflow in a and f′; in place, the bounds belong to nobody else."""
        bounds = (self.E_a,) if self.E_f1 is self.E_a else (self.E_a, self.E_f1)
        for bound in bounds:
            bound += eta
        return self


def activation_errors(activation: Activation, z: Array, a: Array, E_z: Array, u: float) -> LayerErrors:
    """Error bounds of a = f(z) and of f′(z), given that of z (see the head of the module)."""
    if not activation.elementwise:
        c = ELEMENTARY * u
        E_a = absolute_jacobian(activation, z, E_z + c * np.abs(z)) + c * z.shape[0] * np.abs(a)
        return LayerErrors(a, E_a, np.abs(a), E_a)
    magnitude = np.abs(z)
    if _is_smooth_there(activation, z, E_z, magnitude):
        return _by_taylor(activation, (z, magnitude, a), E_z, u)
    return _by_both_sides(activation, z, a, E_z, u)


def _is_smooth_there(activation: Activation, z: Array, E_z: Array, magnitude: Array) -> bool:
    """Whether the built-in activation is three times differentiable within the error of every z."""
    if not z.size or not is_builtin(activation):
        return False
    largest, widest = float(magnitude.max()), float(E_z.max())
    if not (widest < _SHORT and largest < np.inf):
        return False
    reach = 2 * max(widest, float(np.spacing(largest)), TINY)
    return all(
        float((np.abs(z - k) if k else magnitude).min()) > reach for k in (*activation.kinks, *activation.joints)
    )


def _by_taylor(activation: Activation, at: tuple[Array, Array, Array], E_z: Array, u: float) -> LayerErrors:
    """at: z, |z| and a."""
    z, magnitude, a = at
    c, size = ELEMENTARY * u, np.abs(a)
    f1, f2 = map(np.abs, activation_slopes(activation).bare(z))
    E_a = f1 * E_z
    if _is_piecewise_linear(activation):
        return LayerErrors(a, E_a + c * (size + magnitude * f1), f1, np.zeros(z.shape))
    remainder = (_CURVED / 2 * _scale(activation)) * E_z
    remainder *= E_z
    size += _declared(activation, z)
    E_a += remainder
    E_a += c * (size + magnitude * f1)
    size += f1
    size += magnitude * f2
    size *= c
    size += remainder
    size += f2 * E_z
    return LayerErrors(a, E_a, f1, size)


def _is_piecewise_linear(activation: Activation) -> bool:
    return activation.cancellation == 0 and activation.range == "real"


def _scale(activation: Activation) -> float:
    return max(1.0, activation.cancellation) if isinstance(activation.cancellation, float) else 1.0


def _by_both_sides(activation: Activation, z: Array, a: Array, E_z: Array, u: float) -> LayerErrors:
    c, one, vjp = ELEMENTARY * u, np.ones_like(z), activation_vjp(activation)
    second, reach = activation_second(activation), reach_of(z, E_z)
    around = np.concatenate(
        (z + reach, z - reach, z), axis=1
    )  # the three in one call: an elementwise function sees no columns
    sides = _thirds(vjp(around, np.ones_like(around)))
    f1, f2 = np.abs(sides[2]), np.abs(second(z))
    kappa = _cancellation(activation, z, vjp, one)
    linear = _is_piecewise_linear(activation)
    rounding = np.zeros_like(z) if linear else c * (f1 + np.abs(z) * f2 + np.abs(a) + kappa)
    kinks, moved = None, spread(sides)
    if np.any(moved > EXPLAINED * (2 * f2 * reach + rounding)):  # the curvature on either side may explain it yet
        f2 = np.maximum(f2, np.maximum(np.abs(second(z + reach)), np.abs(second(z - reach))))
        step = next_number(z)
        kinks = interval(lambda: (vjp(z + step, one), vjp(z - step, one)), sides, 2 * f2 * reach + rounding)
    E_f1 = np.maximum(f2 * E_z, moved) + rounding
    if kinks is not None:
        f1 = np.where(kinks.at, kinks.largest, f1)
        E_f1 = np.where(kinks.at, f2 * reach + rounding, E_f1)
    E_a = np.maximum(f1 * E_z, _moved(activation, around, a)) + c * (np.abs(a) + np.abs(z) * f1 + kappa)
    return LayerErrors(a, E_a, f1, E_f1, kinks)


def _thirds(values: Array) -> tuple[Array, Array, Array]:
    m = values.shape[1] // 3
    return values[:, :m], values[:, m : 2 * m], values[:, 2 * m :]


def _moved(activation: Activation, around: Array, a: Array) -> Array:
    """How far a = f(z) moves when z moves by its error to either side: exact where f is monotone, also across a kink."""
    values = np.asarray(activation(around[:, : 2 * a.shape[1]], xp_numpy))
    up, down = values[:, : a.shape[1]], values[:, a.shape[1] :]
    moved: Array = np.maximum(np.abs(up - a), np.abs(down - a))
    return moved


def _declared(activation: Activation, z: Array) -> Array | float:
    known = activation.cancellation
    return known(z) if callable(known) else known or 0.0


def _cancellation(
    activation: Activation, z: Array, slope: Callable[[Array, Array], Array], one: Array
) -> Array | float:
    """κ: declared by the activation, or else measured as the noise of f′ over neighbouring floating-point numbers."""
    if activation.cancellation is not None:
        return _declared(activation, z)
    eps = float(np.finfo(np.float64).eps)
    values = np.stack([slope(z * (1 + k * eps), one) for k in (-3, -2, -1, 1, 2, 3)])
    noise, left, right = (np.ptp(v, axis=0) for v in (values, values[:3], values[3:]))
    beside = 2 * np.maximum(left, right)
    return np.asarray(1.0 + np.where(noise > _JUMP * beside, beside, noise) / eps)


def absolute_jacobian(activation: Activation, z: Array, E: Array) -> Array:
    """|J| E of an activation whose outputs depend on several inputs: row by row, one vjp a unit, or known for softmax."""
    if activation is SOFTMAX:
        return softmax_jacobian(np.asarray(activation(z, xp_numpy)), E)
    vjp = activation_vjp(activation)
    total = np.zeros_like(z)
    for i in range(z.shape[0]):
        row = np.zeros_like(z)
        row[i] = 1.0
        total[i] = (np.abs(vjp(z, row)) * E).sum(axis=0)
    return total


def softmax_jacobian(a: Array, E: Array) -> Array:
    """|J| E for J = diag(a) − a aᵀ, column by column: a_i (1 − a_i) E_i + Σ_{j≠i} a_i a_j E_j."""
    product = a * E
    everything: Array = product.sum(axis=0, keepdims=True)
    return np.asarray(a * ((1.0 - a) * E + np.maximum(everything - product, 0.0)))


def absolute_jacobian_transposed(activation: Activation, z: Array, E: Array) -> Array:
    if activation is SOFTMAX:  # its Jacobian is symmetric
        return softmax_jacobian(np.asarray(activation(z, xp_numpy)), E)
    vjp: Callable[[Array, Array], Array] = activation_vjp(activation)
    total = np.zeros_like(z)
    for i in range(z.shape[0]):
        row = np.zeros_like(z)
        row[i] = E[i]
        total = total + np.abs(vjp(z, row))
    return total
