"""Error analysis of a whole tensor at once: how far rounding takes T = ⟨M, dC/dθ⟩ of a reasonable implementation.

A worst-case bound per component lets every rounding of a long sum err to the same side. Seen in one number a tensor, most of
that averages out, and so a tensor that is wrong as a whole stands out where none of its components does. Roundings come in two
kinds here, each with the sensitivity of T to the number that is rounded, by a reverse sweep over forward and backward pass:

v̄      ∂T/∂v of an intermediate v: δ̄, dĀ, f̄′ along the tangent of M, then ā and z̄ back down (a Hessian-vector product)
linear  elementary functions, products, scalings, sums over the samples: Σ |v̄| · bound, as if all had the worst sign; with them
        whatever a kink or curvature within reach adds (in one layer: where two have a kink, there is no bound)
chance  sums over the units, z = W a + b and Wᵀ δ, n terms with error √(n + 2) u (|W| |a| + |b|) in any order of summation,
        mean-independent: |error| ≤ LIMIT · √Σ (v̄ · error)² with probability 1 − 2 exp(−LIMIT²/2)
        (Azuma's inequality, as in Connolly, Higham & Mary, SIAM J. Sci. Comput. 43, 2021, doi:10.1137/20M1334796; Higham &
        Mary, the same 41, 2019, doi:10.1137/18M1226312)

The second holds for rounding that drifts neither way. Where numbers repeat it may drift, and so three things are on the safe
side: samples, and units with the same weights, are added up as if they erred together; |W| |a| stands for the partial sums,
which are some √n times smaller where signs are mixed; and drift is measured: `measured_drift` runs the trusted model in the
subject's precision with plain sums, term after term in several orders, and MULTIPLE times the largest error of T that was seen
is added. Short sums, for which the worst case (n + 2) u (|W| |a| + |b|) with the same sensitivities is smaller, take that.

Arrays are (units, samples); with one column block for each probe, (units, probes · samples).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gradcheck.networks import Activation, Case, forward
from gradcheck.networks.namespace import xp_numpy
from gradcheck.numerics import Array, gamma, unit_roundoff
from gradcheck.oracles.autodiff import activation_second, activation_vjp, cost_hvp, cost_vjp
from gradcheck.oracles.clarke import reach_of
from gradcheck.oracles.error_analysis import Cotangent, output_side
from gradcheck.oracles.layer_errors import ELEMENTARY, LayerErrors, activation_errors

LIMIT = 7.0
"""A right claim passes this limit with probability 4.6e-11 a tensor."""
JUMP = 1e-3
"""More than this share beyond first order within reach is a kink, or curvature that is as good as one."""
MULTIPLE = 4.0
"""What is measured of drift counts so many times."""


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """The linear functional T = Σ weights · (gradient of the parameter `name`); weights has the parameter's shape."""

    name: str
    weights: Array

    @property
    def layer(self) -> int:
        """The layer whose weight or bias is meant, 1 … L."""
        return int(self.name[1:])


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """Forward and backward pass: lists over the layers 0 … L (index 0 of all but `a` is unused).

    f1, f2: slope and curvature at z. dA, delta: derivative of the cost by a and by z.
    """

    z: list[Array]
    a: list[Array]
    f1: list[Array]
    f2: list[Array]
    dA: list[Array]
    delta: list[Array]


def aggregate_bounds(case: Case, probes: Sequence[Probe], dtype: str | None = None) -> list[float]:
    """Bound of the rounding error of each T for a computation in `dtype` (default: the case's own); inf: not to be had."""
    layers = case.architecture.layers
    if not probes or not all(d.activation.elementwise for d in layers[:-1]) or not _known_head(layers[-1].activation):
        return [float("inf")] * len(probes)
    u, eta = unit_roundoff(dtype or case.dtype), float(np.finfo(dtype or case.dtype).tiny)
    with np.errstate(all="ignore"):
        run = _pass(case)
        reach = _reach(case, run, u, eta)
        linear, chance, sums = _sensitivities(case, run, probes, reach, (u, eta))
        likely = LIMIT * np.sqrt(chance)
        if np.any(likely < sums):
            likely = likely + MULTIPLE * measured_drift(case, run, probes)
        bounds = linear + np.minimum(sums, likely)
    return [float(b) if np.isfinite(b) else float("inf") for b in bounds]


def _known_head(activation: Activation) -> bool:
    return activation.elementwise or (activation.name == "softmax" and activation.source is None)


def _pass(case: Case) -> Pass:
    L, (z, a) = case.architecture.depth, forward(case)
    none = np.zeros((0, 0))
    f1, f2, dA, delta = ([none] * (L + 1) for _ in range(4))
    dA[L] = _cost_gradient(case, a[L])
    for l in range(L, 0, -1):
        f = case.architecture.layers[l - 1].activation
        delta[l] = activation_vjp(f)(z[l], dA[l])
        if f.elementwise:
            f1[l], f2[l] = activation_vjp(f)(z[l], np.ones_like(z[l])), activation_second(f)(z[l])
        dA[l - 1] = case.weight(l).T @ delta[l]
    return Pass(z, a, f1, f2, dA, delta)


def _scale(case: Case) -> float:
    return abs(case.architecture.cost_scale(case.samples))


def _cost_gradient(case: Case, a: Array) -> Array:
    return cost_vjp(case.architecture.cost)(a, case.targets, np.asarray(case.architecture.cost_scale(case.samples)))


def _reach(case: Case, run: Pass, u: float, eta: float) -> list[tuple[Array, Array]]:
    """How far z and a may have moved, layer by layer; root of the sum of squares, and three times that."""
    found, E_a = [(np.zeros((0, 0)), np.zeros_like(run.a[0]))], np.zeros_like(run.a[0])
    for l, dense in enumerate(case.architecture.layers, start=1):
        W, own = case.weight(l), LIMIT * _sum_error(case, run, l, u)
        E_z = 3 * np.sqrt((W * W) @ (E_a * E_a) + own * own) + eta
        E_a = activation_errors(dense.activation, run.z[l], run.a[l], E_z, u).E_a
        found.append((E_z, E_a))
    return found


def _sum_error(case: Case, run: Pass, l: int, u: float) -> Array:
    """√(n + 2) u (|W| |a| + |b|) of z = W a + b."""
    W = np.abs(case.weight(l))
    return np.asarray(np.sqrt(W.shape[1] + 2) * u * (W @ np.abs(run.a[l - 1]) + np.abs(case.bias(l))))


@dataclass(slots=True, eq=False)
class _Totals:
    """Sums over the roundings, one number a probe: linear, squares of the chance part, and that part in the worst case.

    jumps: layers, and the cost, with a kink within reach. The gradient is linear in the slopes of one place, not of several.
    """

    probes: int
    linear: Array
    chance: Array
    worst: Array
    jumps: int = 0

    def blocks(self, adjoint: Array) -> Array:
        """(units, probes · samples) -> (units, probes, samples), absolute values."""
        return np.abs(adjoint).reshape(adjoint.shape[0], self.probes, -1)

    def add_linear(self, adjoint: Array, bound: Array | float) -> None:
        """Σ |v̄| · bound over units and samples."""
        sized = np.broadcast_to(bound, (adjoint.shape[0], adjoint.shape[1] // self.probes))
        self.linear += np.einsum("ibm,im->b", self.blocks(adjoint), sized)

    def add_chance(self, adjoint: Array, error: Array, terms: int, together: int) -> None:
        """Σ over units of (Σ over samples |v̄| · error)²; `together` units may err as one. error: of a sum of so many terms."""
        each = np.einsum("ibm,im->ib", self.blocks(adjoint), error)
        self.chance += together * np.sum(each * each, axis=0)
        self.worst += np.sqrt(terms + 2.0) * np.sum(each, axis=0)  # (n + 2) u in place of √(n + 2) u


def _sensitivities(
    case: Case, run: Pass, probes: Sequence[Probe], reach: list[tuple[Array, Array]], precision: tuple[float, float]
) -> tuple[Array, Array, Array]:
    """(linear, chance, worst) of each probe: the tangent of the probe up, then the reverse sweep down."""
    u, eta = precision
    L, m, B = case.architecture.depth, case.samples, len(probes)
    totals = _Totals(B, np.zeros(B), np.zeros(B), np.zeros(B))
    tangents, slopes = _tangents(case, run, probes, totals, precision)
    a_bar, z_bar, z_size = _head(case, run, tangents[L], reach[L], totals, u)
    for l in range(L, 0, -1):
        if l < L:
            z_bar, z_size = _through_activation(case, run, l, (a_bar, slopes[l]), reach[l][0], totals, precision)
        W = case.weight(l)
        totals.add_linear(z_bar, eta)
        totals.add_chance(z_size, _sum_error(case, run, l, u), W.shape[1], _largest_group(W))
        a_bar = W.T @ z_bar
        for k, p in enumerate(probes):
            if p.name == f"W{l}":
                a_bar[:, k * m : (k + 1) * m] += p.weights.T @ run.delta[l]
    totals.linear += [_own(case, run, p, u, eta) for p in probes] if totals.jumps < 2 else float("inf")
    return totals.linear, totals.chance, totals.worst


def _tangents(
    case: Case, run: Pass, probes: Sequence[Probe], totals: _Totals, precision: tuple[float, float]
) -> tuple[list[Array], list[Array]]:
    """δ̄ of each layer and f̄′ of the hidden ones: what moves along the probe, W ← M."""
    u, eta = precision
    L, m = case.architecture.depth, case.samples
    deltas, slopes = [np.zeros((0, 0))] * (L + 1), [np.zeros((0, 0))] * (L + 1)
    before = np.zeros((case.architecture.widths[0], len(probes) * m))
    for l in range(1, L + 1):
        W = case.weight(l)
        delta_bar = W @ before
        for k, p in enumerate(probes):
            if p.layer == l:
                delta_bar[:, k * m : (k + 1) * m] = p.weights @ run.a[l - 1] if p.name[0] == "W" else p.weights
        if l > 1:
            error = np.sqrt(W.shape[0] + 2) * u * (np.abs(W).T @ np.abs(run.delta[l]))
            totals.add_chance(before, error, W.shape[0], _largest_group(W.T))
            totals.add_linear(before, (W.shape[0] + 2) * eta)
        totals.add_linear(delta_bar, ELEMENTARY * u * np.abs(run.delta[l]) + eta)
        deltas[l] = delta_bar
        if l < L:
            slopes[l] = _times(delta_bar, run.dA[l])
            before = _times(delta_bar, run.f1[l])
    return deltas, slopes


def _times(blocks: Array, each: Array) -> Array:
    """Every probe's block times the same (units, samples)."""
    n, m = each.shape
    return np.asarray((blocks.reshape(n, -1, m) * each[:, None, :]).reshape(n, -1))


def _through_activation(
    case: Case,
    run: Pass,
    l: int,
    adjoints: tuple[Array, Array],
    E_z: Array,
    totals: _Totals,
    precision: tuple[float, float],
) -> tuple[Array, Array]:
    """z̄ = f′ ā + f″ f̄′ of an elementwise layer, and |f′ ā| + |f″ f̄′|; books the roundings of a and f′."""
    u, eta = precision
    a_bar, slope_bar = adjoints
    activation = case.architecture.layers[l - 1].activation
    E_a, E_f1, jump = _local(activation, run, l, E_z, u)
    totals.jumps += jump
    totals.add_linear(a_bar, E_a + eta)
    totals.add_linear(slope_bar, E_f1 + eta)
    one, two = _times(a_bar, run.f1[l]), _times(slope_bar, run.f2[l])
    return one + two, np.abs(one) + np.abs(two)


def _local(activation: Activation, run: Pass, l: int, E_z: Array, u: float) -> tuple[Array, Array, bool]:
    """Roundings of a and f′ themselves, and what a kink or curvature within reach adds to the first-order terms in z.

    Third: whether that is a jump.
    """
    z, a, f1, f2 = run.z[l], run.a[l], run.f1[l], run.f2[l]
    own = activation_errors(activation, z, a, np.zeros_like(z), u)
    slope, one, reach = activation_vjp(activation), np.ones_like(z), reach_of(z, E_z)
    E_a, E_f1, more = own.E_a, own.E_f1, np.zeros_like(z)
    for moved in (z + reach, z - reach):
        E_a = np.maximum(E_a, own.E_a + np.abs(activation(moved, xp_numpy) - a) - np.abs(f1) * reach)
        more = np.maximum(more, np.abs(slope(moved, one) - f1) - np.abs(f2) * reach)
    return E_a, E_f1 + more, bool(np.any(more > JUMP * (1 + np.abs(f1))))


def _head(
    case: Case, run: Pass, delta_bar: Array, reach: tuple[Array, Array], totals: _Totals, u: float
) -> tuple[Array, Array, Array]:
    """(ā, z̄, its size) of the output layer, from δ̄; books the roundings of δ_L and of the cost's gradient."""
    L, m, B = case.architecture.depth, case.samples, totals.probes
    activation, cost = case.architecture.layers[-1].activation, case.architecture.cost
    a, y, G = np.tile(run.a[L], B), np.tile(case.targets, B), run.dA[L]
    more = _beyond_first_order(case, run, reach[1])
    totals.jumps += _is_jump(more, G)
    E_G = ELEMENTARY * u * (np.abs(G) + _scale(case) * np.abs(case.targets)) + more
    s = case.architecture.cost_scale(m)
    if not activation.elementwise:
        E_a = activation_errors(activation, run.z[L], run.a[L], np.zeros_like(run.z[L]), u).E_a + reach[1] ** 2
        E_G = E_G + _scale(case) * np.abs(cost_hvp(cost)(run.a[L], case.targets, E_a))
        layer = LayerErrors(run.a[L], E_a, np.abs(run.a[L]), E_a)
        totals.add_linear(delta_bar, output_side(activation, run.z[L], layer, Cotangent(G, E_G), u).error)
        z_bar = _softmax_curvature(case, run, delta_bar, B, s)
        return z_bar, z_bar, np.abs(z_bar)
    G_bar = _times(delta_bar, run.f1[L])
    totals.add_linear(G_bar, E_G)
    a_bar = s * cost_hvp(cost)(a, y, G_bar)
    z_bar, size = _through_activation(case, run, L, (a_bar, _times(delta_bar, G)), reach[0], totals, (u, 0.0))
    return a_bar, z_bar, size


def _beyond_first_order(case: Case, run: Pass, E_a: Array) -> Array:
    """What the cost's gradient does within reach that its Hessian does not say: a kink, curvature."""
    cost, y, a, G = case.architecture.cost, case.targets, run.a[-1], run.dA[-1]
    towards = np.where((y > 0) & (cost.targets == "one_hot"), -1.0, 1.0) * np.maximum(E_a, np.spacing(np.abs(a)))
    first = case.architecture.cost_scale(case.samples) * cost_hvp(cost)(a, y, towards)
    rest = [np.abs(_cost_gradient(case, a + t) - G - d) for t, d in ((towards, first), (-towards, -first))]
    together = 0.0 if cost.separable or cost.kinks is not None else 2 * _scale(case) * E_a.max(axis=0) ** 2
    return np.asarray(np.maximum(*rest) + together)


def _is_jump(more: Array, G: Array) -> bool:
    return bool(np.any(more > JUMP * np.max(np.abs(G), initial=0.0)))


def _softmax_curvature(case: Case, run: Pass, v: Array, B: int, scale: float) -> Array:
    """∂δ/∂z applied to v, δ_j = s_j (G_j − Σ s_k G_k) with G the cost's gradient at s: symmetric, so the adjoint too."""
    s, G = np.tile(run.a[-1], B), np.tile(run.dA[-1], B)
    moved = s * (v - (s * v).sum(axis=0))
    G_moved = scale * cost_hvp(case.architecture.cost)(s, np.tile(case.targets, B), moved)
    mean = (s * G).sum(axis=0)
    return np.asarray(moved * (G - mean) + s * (G_moved - (moved * G).sum(axis=0) - (s * G_moved).sum(axis=0)))


def _own(case: Case, run: Pass, probe: Probe, u: float, eta: float) -> float:
    """BP3 and BP4 of the probe's own tensor, and the L2 term: sums over the samples in the worst case, scaling."""
    l, m, M = probe.layer, case.samples, np.abs(probe.weights)
    decay = 2.0 * abs(case.architecture.regularisation.factor(m))
    delta, sums = np.abs(run.delta[l]), gamma(m + 4, u) + ELEMENTARY * u
    if probe.name[0] == "b":
        penalised = decay * np.abs(case.bias(l)) if case.architecture.regularisation.biases else 0.0
        return float(
            sums * np.vdot(M, delta.sum(axis=1, keepdims=True))
            + np.sum(M * (gamma(m + 4, u) * penalised + (m + 2) * eta))
        )
    total = float(np.einsum("im,im->", delta, M @ np.abs(run.a[l - 1])))
    return (
        sums * total
        + gamma(m + 4, u) * decay * float(np.vdot(M, np.abs(case.weight(l))))
        + (m + 2) * eta * float(M.sum())
    )


def _largest_group(W: Array) -> int:
    """How many rows of W are, up to sign and a power of two, the same: their sums round in the same way."""
    r = np.random.default_rng(0).standard_normal(W.shape[1])
    mantissa = np.sort(np.frexp(np.abs(W @ r))[0])
    new = np.diff(mantissa, prepend=-1.0) > 1e-12
    return int(np.bincount(np.cumsum(new)).max()) if mantissa.size else 1


def measured_drift(case: Case, run: Pass, probes: Sequence[Probe]) -> Array:
    """The largest |error of T| over runs of the trusted model in the case's precision with plain sums in several orders."""
    exact = np.array([_aggregate(p, run.delta, run.a) for p in probes])
    found = [np.array([_aggregate(p, *low) for p in probes]) - exact for low in _low_precision_runs(case)]
    return np.asarray(np.max(np.abs(found), axis=0))


def _aggregate(probe: Probe, delta: Sequence[Array], a: Sequence[Array]) -> float:
    """T without the L2 term."""
    l = probe.layer
    if probe.name[0] == "b":
        return float(np.vdot(probe.weights, delta[l].sum(axis=1, keepdims=True)))
    return float(np.einsum("im,im->", delta[l], probe.weights @ a[l - 1]))


ORDERS = 4
LARGE = 300_000


def _low_precision_runs(case: Case) -> Iterator[tuple[list[Array], list[Array]]]:
    """(δ, a) with every intermediate rounded to the case's precision: first to last, last to first, at random."""
    generator = np.random.default_rng(0)
    large = max(W.size for W in case.parameters.values()) * case.samples > LARGE
    for k in range(2 if large else ORDERS):
        orders = {
            n: np.arange(n)[:: 1 - 2 * k] if k < 2 else generator.permutation(n) for n in case.architecture.widths
        }
        yield _low_precision_run(case, orders)


def _low_precision_run(case: Case, orders: dict[int, Array]) -> tuple[list[Array], list[Array]]:
    low = np.dtype(case.dtype).type
    layers, L = case.architecture.layers, case.architecture.depth

    def rounded(x: Array) -> Array:
        return x.astype(low).astype(np.float64)

    z, a = [np.zeros((0, 0))], [case.inputs]
    for l, dense in enumerate(layers, start=1):
        z.append(rounded(_plain_sums(case.weight(l), a[-1], orders, low) + case.bias(l)))
        a.append(rounded(np.asarray(dense.activation(z[l], xp_numpy))))
    delta = [np.zeros((0, 0))] * (L + 1)
    upstream = rounded(_cost_gradient(case, a[L]))
    for l in range(L, 0, -1):
        delta[l] = rounded(activation_vjp(layers[l - 1].activation)(z[l], upstream))
        upstream = _plain_sums(case.weight(l).T, delta[l], orders, low) if l > 1 else upstream
    return delta, a


CHUNK = 4_000_000


def _plain_sums(W: Array, a: Array, orders: dict[int, Array], low: type) -> Array:
    """W a in low precision, one term after the other: numpy adds slices along the first axis in turn."""
    order = orders[W.shape[1]]
    columns: Array = W.T[order].astype(low)
    terms: Array = a[order].astype(low)
    if W.shape[0] * a.shape[1] == 1:  # numpy would add a single column in pairs
        return np.add.accumulate(columns * terms, axis=0)[-1:].astype(np.float64)
    rows = max(1, CHUNK // max(1, terms.size))
    parts = [
        np.add.reduce(columns[:, k : k + rows, None] * terms[:, None, :], axis=0) for k in range(0, W.shape[0], rows)
    ]
    return np.concatenate(parts).astype(np.float64)
