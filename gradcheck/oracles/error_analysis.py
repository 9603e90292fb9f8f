"""Running error analysis of backprop: how far rounding alone can take any reasonable implementation from the truth.

Vocabulary (arrays (units, samples); E_q bounds the absolute error of q, in units of q)

u       unit roundoff of the precision in which the subject computes
f′, f″  derivatives of the activation at z, by jax;  κ  its `cancellation`
G       gradient of the scaled cost with respect to a_L;  H  its Hessian

    E_z  = |W| E_a + γ_{n+2} (|W||a| + |b|)                     z = W a + b
    E_a  = |f(z ± E_z) − f(z)| + c u (|a| + |z f′| + κ)          a = f(z)
    E_f′ = |f′(z ± E_z) − f′(z)| + c u (|f′| + |z f″| + |a| + κ)  also where f′ is computed from a, as in a(1 − a)
    E_G  = |H| E_a + c u (|G| + s|y|) + jump
    E_δ  = |f′| E + E_f′ |G| + c u |δ|                           and so on through BP2, BP3 and BP4

To each of them comes η, the smallest normal number: what is smaller may be flushed to zero. Where a bound cannot be had (the
trusted definition overflows) it is infinite, and nothing is concluded.

Within rounding of a kink the second line holds the whole jump of f′: either slope is right there, and exactly at a kink any
element of the Clarke interval; `jump` is the same for the cost. The bound is first order in u (Higham 2002, §3.3), with c for
the few roundings of an elementary function; it holds for every order of summation and for the usual ways to write an
activation's derivative.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradcheck.networks import Activation, Architecture, Case, forward, penalty
from gradcheck.networks.namespace import xp_numpy
from gradcheck.numerics import Array, gamma, unit_roundoff
from gradcheck.oracles.autodiff import activation_second, activation_vjp, cost_hvp, cost_vjp

ELEMENTARY = 8.0
"""c: roundings granted to one elementary function (numpy's own stay under 4 ulp) and the scaling around it."""

OWN_ROUNDING = 1 + 1e-9
"""The bound is computed in float64 itself."""
TINY = 1e-290
"""Reach of the look to both sides of a kink where z is exact: normal numbers, so that nothing is flushed to zero."""


@dataclass(frozen=True, slots=True, eq=False)
class RoundingBounds:
    """Error bounds of a case for one precision: of the cost value, and of its gradient by name (x included)."""

    value: float
    gradient: dict[str, Array]
    output: Array


@dataclass(frozen=True, slots=True, eq=False)
class LayerErrors:
    """What the backward sweep needs of one layer: values, their error bounds, slopes."""

    a: Array
    E_a: Array
    f1: Array
    E_f1: Array

    def floored(self, eta: float) -> "LayerErrors":
        """With room for underflow in a and f′."""
        return LayerErrors(self.a, self.E_a + eta, self.f1, self.E_f1 + eta)


def rounding_bounds(case: Case, dtype: str | None = None) -> RoundingBounds:
    """Bounds at a case for a computation in `dtype` (default: the case's own)."""
    precision = dtype or case.dtype
    with np.errstate(all="ignore"):
        found = _analyse(case, unit_roundoff(precision), float(np.finfo(precision).tiny))
    known = {n: np.where(np.isnan(g), np.inf, g * OWN_ROUNDING) for n, g in found.gradient.items()}
    value = float("inf") if np.isnan(found.value) else found.value * OWN_ROUNDING
    return RoundingBounds(value, known, found.output * OWN_ROUNDING)


def _analyse(case: Case, u: float, eta: float) -> RoundingBounds:
    architecture = case.architecture
    z, a = forward(case)
    layers = [LayerErrors(a[0], np.zeros_like(a[0]), np.ones_like(a[0]), np.zeros_like(a[0]))]
    for l, dense in enumerate(architecture.layers, start=1):
        W, b = np.abs(case.weight(l)), np.abs(case.bias(l))
        E_z = W @ layers[-1].E_a + gamma(W.shape[1] + 2, u) * (W @ np.abs(a[l - 1]) + b)
        layers.append(activation_errors(dense.activation, z[l], a[l], E_z + eta, u).floored(eta))
    G, E_G = _cost_gradient_errors(case, a[-1], layers[-1].E_a, u)
    value = _value_error(case, a[-1], layers[-1].E_a, G, u)
    gradient = _backward_errors(case, architecture, z, layers, (G, E_G + eta), (u, eta))
    return RoundingBounds(value, gradient, layers[-1].E_a)


def activation_errors(activation: Activation, z: Array, a: Array, E_z: Array, u: float) -> LayerErrors:
    """Error bounds of a = f(z) and of f′(z), given that of z (see the head of the module)."""
    c = ELEMENTARY * u
    if not activation.elementwise:
        E_a = _absolute_jacobian(activation, z, E_z + c * np.abs(z)) + c * z.shape[0] * np.abs(a)
        return LayerErrors(a, E_a, np.abs(a), E_a)
    one = np.ones_like(z)
    slope = activation_vjp(activation)
    f1, f2 = np.abs(slope(z, one)), np.abs(activation_second(activation)(z))
    kappa = _cancellation(activation, z, slope, one)
    piecewise_linear = activation.cancellation == 0 and activation.range == "real"
    reach = np.maximum(E_z, TINY)
    moved_a, moved_f1 = _moved(activation, z, reach, a), _moved_slope(activation, z, reach)
    E_a = np.maximum(f1 * E_z, moved_a) + c * (np.abs(a) + np.abs(z) * f1 + kappa)
    rounding = 0.0 if piecewise_linear else c * (f1 + np.abs(z) * f2 + np.abs(a) + kappa)
    E_f1 = np.maximum(f2 * E_z, moved_f1) + rounding
    return LayerErrors(a, E_a, f1, E_f1)


def _moved(activation: Activation, z: Array, reach: Array, a: Array) -> Array:
    """How far a = f(z) moves when z moves by its error to either side: exact where f is monotone, also across a kink."""
    up, down = (np.asarray(activation(z + d, xp_numpy)) for d in (reach, -reach))
    moved: Array = np.maximum(np.abs(up - a), np.abs(down - a))
    return moved


def _moved_slope(activation: Activation, z: Array, reach: Array) -> Array:
    """How far f′(z) moves: the whole jump where a kink is within reach, so that either slope is right."""
    slope, one = activation_vjp(activation), np.ones_like(z)
    up, down, here = slope(z + reach, one), slope(z - reach, one), slope(z, one)
    moved: Array = np.maximum(np.abs(up - down), np.maximum(np.abs(up - here), np.abs(down - here)))
    return moved


def _cancellation(
    activation: Activation, z: Array, slope: Callable[[Array, Array], Array], one: Array
) -> Array | float:
    """κ: declared by the activation, or else measured as the noise of f′ over neighbouring floating-point numbers."""
    if callable(activation.cancellation):
        return activation.cancellation(z)
    if activation.cancellation is not None:
        return activation.cancellation
    eps = float(np.finfo(np.float64).eps)
    values = np.stack([slope(z * (1 + k * eps), one) for k in (-3, -2, -1, 1, 2, 3)])
    return np.asarray(1.0 + (values.max(axis=0) - values.min(axis=0)) / eps)


def _absolute_jacobian(activation: Activation, z: Array, E: Array) -> Array:
    """|J| E of an activation whose outputs depend on several inputs: row by row, one vjp a unit."""
    vjp = activation_vjp(activation)
    total = np.zeros_like(z)
    for i in range(z.shape[0]):
        row = np.zeros_like(z)
        row[i] = 1.0
        total[i] = (np.abs(vjp(z, row)) * E).sum(axis=0)
    return total


def _cost_gradient_errors(case: Case, a: Array, E_a: Array, u: float) -> tuple[Array, Array]:
    cost, y = case.architecture.cost, case.targets
    scale = abs(case.architecture.cost_scale(case.samples))
    gradient = cost_vjp(cost)
    G = gradient(a, y, np.asarray(scale))
    E_G = scale * _absolute_hessian(case, a, E_a) + ELEMENTARY * u * (np.abs(G) + scale * np.abs(y))
    if cost.kinks is not None:
        side = np.where((y > 0) & (cost.targets == "one_hot"), -1.0, 1.0) * np.maximum(E_a, np.spacing(np.abs(a)))
        E_G = E_G + np.abs(gradient(a + side, y, np.asarray(scale)) - gradient(a - side, y, np.asarray(scale)))
    return G, E_G


def _absolute_hessian(case: Case, a: Array, E: Array) -> Array:
    """|H| E of the summed cost: the diagonal at once where the cost is separable, else column by column."""
    cost, y = case.architecture.cost, case.targets
    product = cost_hvp(cost)
    if cost.separable:
        return np.abs(product(a, y, E))
    total = np.zeros_like(a)
    for j in range(a.shape[0]):
        column = np.zeros_like(a)
        column[j] = E[j]
        total = total + np.abs(product(a, y, column))
    return total


def _value_error(case: Case, a: Array, E_a: Array, G: Array, u: float) -> float:
    scale = abs(case.architecture.cost_scale(case.samples))
    data = scale * abs(float(case.architecture.cost(a, case.targets, xp_numpy)))
    terms = data + scale * float(np.sum(np.abs(case.targets) * np.minimum(np.abs(a), 1e300)))
    decay = abs(penalty(case.architecture, case.parameters, case.samples))
    count = a.size + sum(w.size for w in case.parameters.values()) ** 0.5 + ELEMENTARY
    return float(np.sum(np.abs(G) * E_a)) + gamma(count, u) * (terms + decay)


def _backward_errors(
    case: Case,
    architecture: Architecture,
    z: list[Array],
    layers: list[LayerErrors],
    output: tuple[Array, Array],
    precision: tuple[float, float],
) -> dict[str, Array]:
    """From (dC/da_L, its error) down: bounds of every gradient."""
    dA, E_dA = output
    u, eta = precision
    m, decay = case.samples, 2.0 * abs(architecture.regularisation.factor(case.samples))
    bounds: dict[str, Array] = {}
    for l in range(architecture.depth, 0, -1):
        dense, layer, before = architecture.layers[l - 1], layers[l], layers[l - 1]
        delta, E_delta = _output_side(dense.activation, z[l], layer, dA, E_dA, u)
        E_delta = E_delta + eta
        W, delta_abs, a_abs = np.abs(case.weight(l)), np.abs(delta), np.abs(before.a)
        outer = delta_abs @ a_abs.T
        bounds[f"W{l}"] = (m + 2) * eta + (
            E_delta @ (a_abs + before.E_a).T + delta_abs @ before.E_a.T + gamma(m + 4, u) * outer + 4 * u * decay * W
        )  # fmt: skip
        if architecture.bias:
            penalised = decay * np.abs(case.bias(l)) if architecture.regularisation.biases else 0.0
            sums = E_delta.sum(axis=1, keepdims=True) + gamma(m + 4, u) * delta_abs.sum(axis=1, keepdims=True)
            bounds[f"b{l}"] = sums + 4 * u * penalised
        dA = case.weight(l).T @ delta
        E_dA = eta + W.T @ E_delta + gamma(W.shape[0] + 2, u) * (W.T @ delta_abs)
    return {**{n: bounds[n] for n in architecture.shapes()}, "x": E_dA}


def _output_side(
    activation: Activation, z: Array, layer: LayerErrors, dA: Array, E_dA: Array, u: float
) -> tuple[Array, Array]:
    """δ = f′ ⊙ dA (or Jᵀ dA) and its error bound."""
    delta = activation_vjp(activation)(z, dA)
    c = ELEMENTARY * u
    if activation.elementwise:
        return delta, layer.f1 * E_dA + layer.E_f1 * np.abs(dA) + layer.E_f1 * E_dA + c * np.abs(delta)
    weighted = (layer.E_a * np.abs(dA)).sum(axis=0, keepdims=True)
    total = (np.abs(layer.a) * np.abs(dA)).sum(axis=0, keepdims=True)
    from_jacobian = layer.E_a * np.abs(dA) + np.abs(layer.a) * weighted
    rounding = c * z.shape[0] * (np.abs(layer.a * dA) + np.abs(layer.a) * total)
    return delta, _absolute_jacobian_transposed(activation, z, E_dA) + from_jacobian + rounding


def _absolute_jacobian_transposed(activation: Activation, z: Array, E: Array) -> Array:
    vjp: Callable[[Array, Array], Array] = activation_vjp(activation)
    total = np.zeros_like(z)
    for i in range(z.shape[0]):
        row = np.zeros_like(z)
        row[i] = E[i]
        total = total + np.abs(vjp(z, row))
    return total
