"""Running error analysis of backprop: how far rounding alone can take any reasonable implementation from the truth.

Vocabulary (arrays (units, samples); E_q bounds the absolute error of q, in units of q)

u       unit roundoff of the precision in which the subject computes
f′, f″  derivatives of the activation at z, by jax;  κ  its `cancellation`
G       gradient of the scaled cost with respect to a_L;  H  its Hessian

    E_z  = |W| E_a + γ_{n+2} (|W||a| + |b|)                     z = W a + b
    E_a  = |f(z ± E_z) − f(z)| + c u (|a| + |z f′| + κ)          a = f(z)
    E_f′ = |f′(z ± E_z) − f′(z)| + c u (|f′| + |z f″| + |a| + κ)  also where f′ is computed from a, as in a(1 − a)
    E_G  = |H| E_a + c u (|G| + s|y|)
    E_δ  = |f′| E + E_f′ |G| + c u |δ|                           and so on through BP2, BP3 and BP4

To each of them comes η, the smallest normal number: what is smaller may be flushed to zero. Where a bound cannot be had (the
trusted definition overflows) it is infinite, and nothing is concluded.

Within rounding of a kink (`oracles/clarke.py`) f′ and G are centre ± R instead, and J is what R makes of the gradients:

    J_δ  = |f′| J + R |G|, |f′| and |G| at their largest         and so on, by interval arithmetic

so that a gradient with any element of the Clarke interval is within J and its rounding of the one with the centres. The bound
is first order in u (Higham 2002, §3.3), with c for the few roundings of an elementary function; it holds for every order of
summation and for the usual ways to write an activation's derivative.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from gradcheck.networks import COSTS, Activation, Case, Cost, data_term, forward_once, penalty
from gradcheck.networks.namespace import xp_numpy
from gradcheck.numerics import Array, gamma, smallest_normal, unit_roundoff
from gradcheck.oracles.autodiff import activation_vjp, cost_hvp, cost_vjp
from gradcheck.oracles.clarke import Interval, Kinks, interval, next_number, reach_of
from gradcheck.oracles.layer_errors import (
    ELEMENTARY,
    SOFTMAX,
    LayerErrors,
    absolute_jacobian_transposed,
    activation_errors,
    softmax_jacobian,
)

PIECEWISE_LINEAR = (COSTS["mae"], COSTS["hinge"])
"""Costs without curvature."""
OWN_ROUNDING = 1 + 1e-9
"""The bound is computed in float64 itself, and grows with the unit roundoff that it is computed for."""


@dataclass(frozen=True, slots=True, eq=False)
class RoundingBounds:
    """Error bounds of a case for one precision: of the cost value, and of its gradient by name (x included).

    gradient: how far two right gradients may be apart, rounding and whichever slopes they take at `kinks`.
    rounding: how far rounding takes one from the truth for its own slopes. jump: how far from the centres of `kinks` its slopes
    may take it, by name; empty away from kinks.
    """

    value: float
    gradient: dict[str, Array]
    output: Array
    rounding: dict[str, Array]
    jump: dict[str, Array] = field(default_factory=dict)
    kinks: Kinks = field(default_factory=Kinks)


def rounding_bounds(case: Case, dtype: str | None = None) -> RoundingBounds:
    """Bounds at a case for a computation in `dtype` (default: the case's own)."""
    precision = dtype or case.dtype
    with np.errstate(all="ignore"):
        found = _analyse(case, unit_roundoff(precision) * OWN_ROUNDING, smallest_normal(precision) * OWN_ROUNDING)
    rounding, jump = _known(found.rounding), _known({n: j * OWN_ROUNDING for n, j in found.jump.items()})
    value = float("inf") if np.isnan(found.value) else found.value
    apart = {n: e + 2 * jump[n] if n in jump else e for n, e in rounding.items()}
    return RoundingBounds(value, apart, found.output, rounding, jump, found.kinks)


def underflow_bounds(case: Case, dtype: str) -> dict[str, Array]:
    """Bounds of the gradient where everything below the smallest normal number of `dtype` may be flushed to zero."""
    with np.errstate(all="ignore"):
        return _known(_analyse(case, unit_roundoff("float64") * OWN_ROUNDING, smallest_normal(dtype)).rounding)


def _known(bounds: dict[str, Array]) -> dict[str, Array]:
    """Infinite, in place, where nothing is known."""
    for e in bounds.values():
        if np.isnan(e.max(initial=0.0)):
            e[np.isnan(e)] = np.inf
    return bounds


def _analyse(case: Case, u: float, eta: float) -> RoundingBounds:
    architecture = case.architecture
    z, a = forward_once(case)
    exact = np.zeros(a[0].shape)
    layers = [LayerErrors(a[0], exact, exact, exact)]
    for l, dense in enumerate(architecture.layers, start=1):
        W = np.abs(case.weight(l))
        g = gamma(W.shape[1] + 2, u)
        E_z = W @ (layers[-1].E_a + g * np.abs(a[l - 1]))
        E_z += g * np.abs(case.bias(l)) + eta
        layers.append(activation_errors(dense.activation, z[l], a[l], E_z, u).floored(eta))
    output = _cost_gradient_errors(case, a[-1], layers[-1].E_a, u)
    value = _value_error(case, a[-1], layers[-1].E_a, output.size, u)
    kinks = Kinks({l: e.kinks for l, e in enumerate(layers) if e.kinks is not None}, output.kinks)
    dA = Cotangent(output.value, output.error + eta, output.jump, output.kinks)
    rounding, jump = _backward_errors(case, (z, layers), dA, (u, eta))
    return RoundingBounds(value, {}, layers[-1].E_a, rounding, jump, kinks)


@dataclass(frozen=True, eq=False)
class Cotangent:
    """A gradient with respect to some activations: its value for the centres, its rounding bound, and what kinks make of it.

    jump: None above the first kink.
    """

    value: Array
    error: Array
    jump: Array | None = None
    kinks: Interval | None = None

    @cached_property
    def size(self) -> Array:
        """|value| at most."""
        return np.abs(self.value) if self.jump is None else np.abs(self.value) + self.jump


def _cost_gradient_errors(case: Case, a: Array, E_a: Array, u: float) -> Cotangent:
    cost, y = case.architecture.cost, case.targets
    scale = abs(case.architecture.cost_scale(case.samples))
    vjp, one = cost_vjp(cost), np.ones(())
    G = vjp(a, y, one)
    moved, rounding = _absolute_hessian(case, a, E_a), ELEMENTARY * u * (np.abs(G) + np.abs(y))
    kinks = None
    if not _is_smooth_there(cost, a, y, E_a):
        kinks = _cost_kinks(cost, (a, y, G), reach_of(a, E_a), 2 * moved + rounding)
    if kinks is None:
        return Cotangent(scale * G, scale * (moved + rounding))
    G, size = np.where(kinks.at, kinks.centre, G), np.where(kinks.at, kinks.largest, np.abs(G))
    rounding = ELEMENTARY * u * (size + np.abs(y))
    return Cotangent(scale * G, scale * (moved + rounding), scale * kinks.radius, kinks)


def _is_smooth_there(cost: Cost, a: Array, y: Array, E_a: Array) -> bool:
    """Whether it is built in, without a kink within rounding of these outputs; those of others are looked for at every case."""
    built_in = COSTS.get(cost.name)
    if built_in is None or not (cost.guard or cost.function is built_in.function):
        return False
    if built_in.kinks is None:
        return True
    largest, widest = float(np.abs(a).max(initial=1.0)), float(E_a.max(initial=0.0))
    apart = float(np.abs(built_in.kinks(a, y)).min(initial=np.inf))
    return apart > 4 * max(widest, float(np.spacing(largest)))  # of a margin both outputs may move


def _cost_kinks(cost: Cost, at: tuple[Array, Array, Array], reach: Array, explained: Array) -> Interval | None:
    """Where the gradient jumps when the outputs move: all together (a target's own against the others), or one unit alone.

    at: outputs, targets and the gradient there.
    """
    (a, y, G), vjp, one = at, cost_vjp(cost), np.ones(())
    ways = [np.where((y > 0) & (cost.targets == "one_hot"), -1.0, 1.0)]
    ways += [] if cost.kinks is not None else [np.eye(len(a))[:, [k]] * np.ones_like(a) for k in range(len(a))]

    def hull(distance: Array) -> tuple[Array, Array]:
        found = np.stack([vjp(a + sign * way * distance, y, one) for way in ways for sign in (1.0, -1.0)])
        return found.max(axis=0), found.min(axis=0)

    found = interval(lambda: hull(next_number(a)), (*hull(reach), G), explained)
    return replace(found, follows=y > 0) if found is not None and cost.function is COSTS["hinge"].function else found


def _absolute_hessian(case: Case, a: Array, E: Array) -> Array:
    """|H| E of the summed cost: the diagonal at once where the cost is separable, else column by column."""
    cost, y = case.architecture.cost, case.targets
    if cost in PIECEWISE_LINEAR:
        return np.zeros_like(a)
    product = cost_hvp(cost)
    if cost.separable:
        return np.abs(product(a, y, E))
    if cost is COSTS["cross_entropy_logits"]:  # the Hessian of one sample is the Jacobian of softmax, times Σ y
        return np.asarray(softmax_jacobian(np.asarray(SOFTMAX(a, xp_numpy)), E) * y.sum(axis=0, keepdims=True))
    total = np.zeros_like(a)
    for j in range(a.shape[0]):
        column = np.zeros_like(a)
        column[j] = E[j]
        total = total + np.abs(product(a, y, column))
    return total


def _value_error(case: Case, a: Array, E_a: Array, G: Array, u: float) -> float:
    scale = abs(case.architecture.cost_scale(case.samples))
    data = scale * abs(data_term(case))
    terms = data + scale * float(np.sum(np.abs(case.targets) * np.minimum(np.abs(a), 1e300)))
    decay = abs(penalty(case.architecture, case.parameters, case.samples))
    count = a.size + sum(w.size for w in case.parameters.values()) ** 0.5 + ELEMENTARY
    return float(np.sum(np.abs(G) * E_a)) + gamma(count, u) * (terms + decay)


def _backward_errors(
    case: Case, forward_: tuple[list[Array], list[LayerErrors]], dA: Cotangent, precision: tuple[float, float]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """From dC/da_L down: rounding bounds of every gradient, and how far kinks take it from the one with the centres."""
    architecture, (z, layers), (u, eta) = case.architecture, forward_, precision
    m, decay = case.samples, 2.0 * abs(architecture.regularisation.factor(case.samples))
    bounds: dict[str, Array] = {}
    jump: dict[str, Array] = {}
    for l in range(architecture.depth, 0, -1):
        before = layers[l - 1]
        delta = output_side(architecture.layers[l - 1].activation, z[l], layers[l], dA, u)
        E_delta, size = delta.error, delta.size
        E_delta += eta
        W, a_abs = np.abs(case.weight(l)), np.abs(before.a)
        left, right = (E_delta, size), (a_abs + before.E_a, before.E_a + gamma(m + 4, u) * a_abs)
        outer = (
            np.concatenate(left, axis=1) @ np.concatenate(right, axis=1).T
        )  # both products in one: no more than P numbers
        outer += (m + 2) * eta
        if decay:
            outer += gamma(m + 4, u) * decay * W  # whoever begins with it carries it through all m additions
        bounds[f"W{l}"] = outer
        if delta.jump is not None:
            jump[f"W{l}"], jump[f"b{l}"] = delta.jump @ a_abs.T, delta.jump.sum(axis=1, keepdims=True)
        if architecture.bias:
            penalised = decay * np.abs(case.bias(l)) if architecture.regularisation.biases else 0.0
            sums = E_delta.sum(axis=1, keepdims=True) + gamma(m + 4, u) * size.sum(axis=1, keepdims=True)
            bounds[f"b{l}"] = sums + gamma(m + 4, u) * penalised
        E_dA = eta + W.T @ (E_delta + gamma(W.shape[0] + 2, u) * size)
        dA = Cotangent(case.weight(l).T @ delta.value, E_dA, None if delta.jump is None else W.T @ delta.jump)
    if dA.jump is not None:
        jump["x"] = dA.jump
    return {**{n: bounds[n] for n in architecture.shapes()}, "x": dA.error}, jump


def output_side(activation: Activation, z: Array, layer: LayerErrors, dA: Cotangent, u: float) -> Cotangent:
    """δ = f′ ⊙ dA (or Jᵀ dA) with its bounds."""
    delta = activation_vjp(activation)(z, dA.value)
    c, size = ELEMENTARY * u, dA.size
    if activation.elementwise:
        jump = None if dA.jump is None else layer.f1 * dA.jump
        if layer.kinks is not None:
            delta = np.where(layer.kinks.at, layer.kinks.centre * dA.value, delta)
            jump = layer.kinks.radius * np.abs(dA.value) + (0.0 if jump is None else jump)
        found = Cotangent(delta, layer.f1 * dA.error, jump)
        error = found.error
        error += layer.E_f1 * (size + dA.error)
        error += c * found.size
        return found
    weighted = (layer.E_a * size).sum(axis=0, keepdims=True)
    total = (np.abs(layer.a) * size).sum(axis=0, keepdims=True)
    from_jacobian = layer.E_a * size + np.abs(layer.a) * weighted
    rounding = c * z.shape[0] * (np.abs(layer.a) * size + np.abs(layer.a) * total)
    jump = None if dA.jump is None else absolute_jacobian_transposed(activation, z, dA.jump)
    return Cotangent(delta, absolute_jacobian_transposed(activation, z, dA.error) + from_jacobian + rounding, jump)
