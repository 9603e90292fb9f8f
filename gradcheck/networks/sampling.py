"""Numbers for an architecture: parameters, inputs and targets in a regime, from a numpy Generator.

Regimes scale the network; all of them keep every unit a margin away from the kinks, except the two that look for kinks:

ordinary    uniform weights of variance 1/n (LeCun et al. 1998, Efficient BackProp, §4.6), biases and inputs of order one
tiny        parameters and inputs a thousand times smaller
large       inputs a hundred times larger
saturated   weights five times larger: units near their asymptotes
near_kink   one unit of a layer a hair's breadth from a kink
at_kink     one unit exactly on it (zero weights and bias: z = 0 in any order of summation), or the cost: mae with a = y,
            a hinge of margin 0
ill_conditioned  nearly collinear rows, sums that cancel, biases against W a, targets within 1e-9 of the output
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeVar, get_args

import numpy as np

from gradcheck.networks.architecture import Architecture
from gradcheck.networks.case import Case
from gradcheck.networks.forward import forward, forward_once, remember
from gradcheck.networks.namespace import xp_numpy
from gradcheck.numerics import Array

T = TypeVar("T")
Regime = Literal["ordinary", "tiny", "large", "saturated", "near_kink", "at_kink", "ill_conditioned"]
REGIMES: tuple[Regime, ...] = get_args(Regime)
MARGIN = 0.02
"""Distance from a kink that cases keep, relative to max(1, |z|)."""
_WEIGHTS: dict[str, float] = {"tiny": 1e-3, "saturated": 5.0}
_INPUTS: dict[str, float] = {"tiny": 1e-3, "large": 100.0}
_UNIFORM = np.sqrt(12.0)
"""The width of a uniform distribution of variance 1."""
_SHIFTS = tuple(np.round(0.1 * np.arange(1, n), 1)[:, None] for n in (9, 33))
"""Multiples of 0.1 by which a unit is moved off its kinks; the first eight do nearly always."""
_CEILING = 50.0
_LOGIT_CEILING = 12.0


def sample_case(
    architecture: Architecture,
    samples: int,
    generator: np.random.Generator,
    regime: Regime = "ordinary",
    digits: int | None = None,
    hard_targets: bool = False,
) -> Case:
    """A case of the architecture with m = `samples`; `digits`: round every number to so many decimals (short ones).

    Subnormals never occur; a float32 architecture gets values that float32 represents.
    """
    case = _as_dtype(_drawn(architecture, samples, generator, regime, digits, hard_targets))
    if regime == "at_kink":
        return _onto_kink(*_settled(case, generator, clear=False), generator)
    case, passed = _settled(case, generator, spoil=regime == "ill_conditioned")
    return _near_kink(case, passed, generator) if regime == "near_kink" else case


def with_labels(case: Case, generator: np.random.Generator) -> Case:
    """The case with one class a sample as its target, one-hot (0 or 1 for one output that is no distribution)."""
    units, samples = case.targets.shape
    if units == 1 and case.architecture.cost.targets != "simplex":
        return replace(case, targets=generator.integers(0, 2, (1, samples)).astype(float))
    return replace(case, targets=_one_hot(units, samples, generator))


def _drawn(
    architecture: Architecture,
    samples: int,
    generator: np.random.Generator,
    regime: str,
    digits: int | None,
    hard: bool,
) -> Case:
    parameters = _parameters(architecture, generator, regime, digits)
    x = generator.standard_normal((architecture.inputs, samples))
    if regime in _INPUTS:
        x *= _INPUTS[regime]
    x = _short(x, digits)
    return Case(architecture, parameters, x, _targets(architecture, samples, generator, digits, hard))


def kink_distance(case: Case) -> float:
    """The smallest distance of any unit, or of the cost, from a point with two slopes; inf for a smooth network."""
    z, a = forward_once(case)
    distances = [np.inf]
    for l, layer in enumerate(case.architecture.layers, start=1):
        distances += [float(np.min(np.abs(z[l] - k) / np.maximum(1.0, np.abs(z[l])))) for k in layer.activation.kinks]
    if case.architecture.cost.kinks is not None:
        distances.append(float(np.min(np.abs(case.architecture.cost.kinks(a[-1], case.targets)))))
    return min(distances)


def _parameters(
    architecture: Architecture, generator: np.random.Generator, regime: str, digits: int | None
) -> dict[str, Array]:
    """Weights with variance 1/n, biases with variance 1/4, all views of one drawn vector."""
    shapes, scale = architecture.shapes(), _WEIGHTS.get(regime, 1.0) * _UNIFORM
    numbers = generator.random(sum(rows * columns for rows, columns in shapes.values()))
    numbers -= 0.5
    parameters, start = {}, 0
    for name, (rows, columns) in shapes.items():
        parameters[name] = part = numbers[start : start + rows * columns].reshape(rows, columns)
        part *= scale * (columns**-0.5 if name[0] == "W" else 0.5)
        start += rows * columns
    _short(numbers, digits)
    return parameters


def _short(values: Array, digits: int | None) -> Array:
    """The values themselves, rounded in place to `digits` decimals, never to zero."""
    if digits is not None:
        values *= 10.0**digits
        np.rint(values, out=values)
        values += np.copysign(values == 0, values)  # −0 is what a small negative number was rounded to
        values /= 10.0**digits
    return values


def _targets(
    architecture: Architecture, samples: int, generator: np.random.Generator, digits: int | None, hard: bool
) -> Array:
    units, kind = architecture.widths[-1], architecture.cost.targets
    if kind == "one_hot" or (kind == "simplex" and hard):
        return _one_hot(units, samples, generator)
    if kind == "simplex":
        return _simplex(units, samples, generator, digits)
    if kind == "unit_interval":
        if hard:
            return generator.integers(0, 2, (units, samples)).astype(float)
        return np.minimum(_short(generator.random((units, samples)), digits), 1.0)
    return _short(generator.standard_normal((units, samples)), digits)


def _one_hot(units: int, samples: int, generator: np.random.Generator) -> Array:
    """One class a sample."""
    targets = np.zeros((units, samples))
    targets[generator.integers(0, units, samples), np.arange(samples)] = 1.0
    return targets


def _simplex(units: int, samples: int, generator: np.random.Generator, digits: int | None) -> Array:
    """Soft targets: positive columns that sum to one; with short decimals, multiples of a tenth or finer."""
    if digits is None:
        weights = generator.random((units, samples)) + 0.05
        return np.asarray(weights / weights.sum(axis=0))
    steps = 10 ** max(digits, 1 if units < 9 else 2)
    cuts = np.sort(generator.integers(0, steps + 1, (units - 1, samples)), axis=0)
    edges = np.vstack([np.zeros((1, samples)), cuts, np.full((1, samples), steps)])
    return np.asarray(np.round(np.diff(edges, axis=0)) / steps)


def _settled(
    case: Case, generator: np.random.Generator, *, clear: bool = True, spoil: bool = False
) -> tuple[Case, list[Array]]:
    """In one sweep through the layers: none leaves the range in which naive exponentials and logarithms still work, and
    (`clear`) every unit keeps `MARGIN` from the kinks; then the cost. `spoil`: layers are made ill-conditioned on the way.

    With z of each layer and the output, which are remembered as the forward pass of the case. Layers whose |z| is too large are
    scaled down by a power of two; a unit near a kink is shifted by its bias, or by a weight where there are none.
    """
    architecture, changed = case.architecture, dict(case.parameters)
    zs, activations = [np.zeros((0, 0))], [case.inputs]
    ceilings = [_CEILING] * (architecture.depth - 1) + [_top_ceiling(architecture)]
    with np.errstate(all="ignore"):
        for l, layer in enumerate(architecture.layers, start=1):
            W, b, a = changed[f"W{l}"], changed.get(f"b{l}"), activations[-1]
            if spoil:
                W, b = _spoiled(W, b, a, generator, architecture.dtype)
            kinks = layer.activation.kinks if clear else ()
            W, b, z = _settled_layer(W, b, a, ceilings[l - 1], kinks, architecture.dtype)
            changed[f"W{l}"] = W
            if b is not None:
                changed[f"b{l}"] = b
            zs.append(z)
            activations.append(np.asarray(layer.activation(z, xp_numpy)))
    settled, output = Case(architecture, changed, case.inputs, case.targets), activations[-1]
    remember(settled, (zs, activations))
    if spoil:
        settled = _near_its_targets(settled, output, generator)
    if clear and architecture.cost.kinks is not None:
        settled = _clear_cost(settled, output, generator)
    return settled, [*zs[1:], output]


def _settled_layer(
    W: Array, b: Array | None, a: Array, ceiling: float, kinks: tuple[float, ...], dtype: str
) -> tuple[Array, Array | None, Array]:
    """(W, b, z) of a layer with a below it, in range and off these kinks."""
    z = W @ a
    if b is not None:
        z += b
    flat = z.ravel()
    top = float(np.abs(flat).max()) if flat @ flat > ceiling**2 else 0.0
    if top > ceiling:
        factor = 2.0 ** np.floor(np.log2(ceiling / top))
        W, b, z = W * factor, None if b is None else b * factor, z * factor
    if kinks and b is not None:
        cleared, z = _clear(b, z, kinks, dtype)
        b, z = cleared, z if cleared is b else W @ a + cleared
    elif kinks:
        W, z = _clear_by_weight(W, a, kinks, dtype)
    return W, b, z


def _top_ceiling(architecture: Architecture) -> float:
    probability = architecture.layers[-1].activation.range != "real" or architecture.cost.targets != "real"
    return _LOGIT_CEILING if probability else _CEILING


def _clear(b: Array, z: Array, kinks: tuple[float, ...], dtype: str) -> tuple[Array, Array]:
    """The biases, and z in place, with each unit moved by the smallest multiple of 0.1 that clears the kinks at all samples."""
    rows = np.flatnonzero(_close(z, kinks))
    if not rows.size:
        return b, z
    b = b.copy()
    for shifts in _SHIFTS:
        moved = z[rows, None] + shifts  # (units, shifts, samples)
        close = _close(moved, kinks)
        first = close.argmin(axis=1)
        each = np.arange(first.size)
        b[rows, 0] = (b[rows, 0] + shifts[first, 0]).round(9)
        z[rows] = moved[each, first]
        rows = rows[close[each, first]]
        if not rows.size:
            break
    return _rounded(b, dtype), z


def _clear_by_weight(W: Array, a: Array, kinks: tuple[float, ...], dtype: str) -> tuple[Array, Array]:
    """The weights (and z) with one weight of each unit near a kink moved by tenths; a unit that sees only zeros stays."""
    strongest = int(np.argmax(np.abs(a).min(axis=1)))
    for k in range(40):
        z = W @ a
        close = _close(z, kinks)[:, None]
        if not close.any():
            break
        column = np.arange(W.shape[1]) == (strongest + k // 8) % W.shape[1]
        W = _rounded(np.where(close & column, np.round(W + 0.1 * (k + 1), 9), W), dtype)
    return W, W @ a


def _close(z: Array, kinks: tuple[float, ...]) -> Array:
    """Which units come within `MARGIN` of a kink at any sample, which is the last axis."""
    close = np.logical_or.reduce(np.abs(z - kinks[0] if kinks[0] else z) < MARGIN, axis=-1)
    for kink in kinks[1:]:
        close |= np.logical_or.reduce(np.abs(z - kink) < MARGIN, axis=-1)
    return np.asarray(close)


def _as_dtype(case: Case) -> Case:
    if case.dtype == "float64":
        return case
    rounded = {n: _rounded(a, case.dtype) for n, a in case.parameters.items()}
    x, y = (_rounded(a, case.dtype) for a in (case.inputs, case.targets))
    return replace(case, parameters=rounded, inputs=x, targets=y)


def _rounded(a: Array, dtype: str) -> Array:
    return a if dtype == "float64" else a.astype(dtype).astype(np.float64)


def _clear_cost(case: Case, a: Array, generator: np.random.Generator) -> Case:
    """Targets, then the last biases (rows, where there are none), shifted until the cost is `MARGIN` from its kinks.

    a: the output activations. A sample of a class gets another class first: behind a saturated softmax no bias takes the hinge
    of the largest class off its margin.
    """
    cost, depth = case.architecture.cost, case.architecture.depth
    if cost.targets == "real":
        return _clear_targets(case, a)
    for k in range(20 + len(case.targets)):
        close = _close_to_cost(case, a, case.targets)
        if not close.any():
            break
        if k < len(case.targets) - 1:
            turned = np.where(close.any(axis=0), np.vstack([case.targets[-1:], case.targets[:-1]]), case.targets)
            case = replace(case, targets=turned)
            continue
        name = f"b{depth}" if f"b{depth}" in case.parameters else f"W{depth}"
        shift = 0.1 * generator.integers(1, 9, case.parameters[name].shape)
        case = _as_dtype(case.at({name: np.round(case.parameters[name] + shift, 6)}))
        a = forward(case)[1][-1]
    return case


def _clear_targets(case: Case, a: Array) -> Case:
    """Targets moved by tenths until the cost is `MARGIN` from its kinks."""
    y = case.targets
    for _ in range(20):
        close = _close_to_cost(case, a, y)
        if not close.any():
            break
        y = _rounded(np.where(close, y + 0.1, y), case.dtype)
    return case if y is case.targets else replace(case, targets=y)


def _close_to_cost(case: Case, a: Array, y: Array) -> Array:
    cost = case.architecture.cost
    return np.abs(cost.kinks(a, y)) < MARGIN if cost.kinks is not None else np.zeros(1)


def _kinked_layers(case: Case) -> list[int]:
    return [l for l, layer in enumerate(case.architecture.layers, start=1) if layer.activation.kinks]


def _one_of(among: Sequence[T], generator: np.random.Generator) -> T:
    return among[int(generator.integers(len(among)))] if len(among) > 1 else among[0]


def _onto_kink(case: Case, passed: list[Array], generator: np.random.Generator) -> Case:
    layers = _kinked_layers(case)
    if case.architecture.cost.kinks is not None and (not layers or generator.integers(0, 2)):
        return _cost_onto_kink(case, passed[-1], generator)
    if not layers:
        return case
    l = _one_of(layers, generator)
    unit = int(generator.integers(0, case.architecture.widths[l]))
    W, b = case.weight(l).copy(), case.bias(l).copy()
    W[unit], b[unit] = 0.0, _one_of(case.architecture.layers[l - 1].activation.kinks, generator)
    return case.at({f"W{l}": W, **({f"b{l}": b} if f"b{l}" in case.parameters else {})})


def _cost_onto_kink(case: Case, a: Array, generator: np.random.Generator) -> Case:
    """mae: one target is the output a. hinge: one class and the target's get no weights, and biases a margin of exactly 1."""
    cost = case.architecture.cost
    unit, sample = (int(generator.integers(0, n)) for n in a.shape)
    if cost.targets == "real":
        y = case.targets.copy()
        y[unit, sample] = a[unit, sample]
        return _as_dtype(replace(case, targets=y))
    name = f"b{case.architecture.depth}"
    others = np.flatnonzero(case.targets[:, sample] == 0).tolist()
    if cost.kinks is None or name not in case.parameters or case.architecture.activation_names[-1] != "identity":
        return case
    if not others:
        return case
    b, W = case.parameters[name].copy(), case.weight(case.architecture.depth).copy()
    k, t = _one_of(others, generator), int(np.argmax(case.targets[:, sample]))
    W[[k, t]], b[t] = 0.0, np.round(4 * b[t]) / 4
    b[k] = b[t] - 1.0  # quarters: exact in any order
    return _as_dtype(case.at({name: b, f"W{case.architecture.depth}": W}))


def _spoiled(
    W: Array, b: Array | None, a: Array, generator: np.random.Generator, dtype: str
) -> tuple[Array, Array | None]:
    """A layer left as it is, with nearly collinear rows, with columns that cancel, or with a bias that cancels W a."""
    kind = int(generator.integers(0, 4))
    if kind == 1:
        W = W[:1] + 1e-7 * W
    elif kind == 2 and W.shape[1] > 1:
        W = 1e3 * np.where(np.arange(W.shape[1]) % 2, -1.0, 1.0) + 1e-6 * W
    elif kind == 3 and b is not None:
        W = 1e2 * W
        b = 1e-6 * b - W @ a[:, :1]
    return _rounded(W, dtype), None if b is None else _rounded(b, dtype)


def _near_its_targets(case: Case, a: Array, generator: np.random.Generator) -> Case:
    """Half of the time, targets within 1e-9 of the output a, where they may be any numbers."""
    if case.architecture.cost.targets != "real" or not generator.integers(0, 2):
        return case
    return _as_dtype(replace(case, targets=a * (1 + 1e-9 * generator.standard_normal(a.shape))))


def _near_kink(case: Case, passed: list[Array], generator: np.random.Generator) -> Case:
    """Bring one unit within 1e-9 … 1e-4 of its kink for one sample, through its bias; passed: z of each layer."""
    layers = [l for l in _kinked_layers(case) if f"b{l}" in case.parameters]
    if not layers:
        return case
    l = _one_of(layers, generator)
    unit, sample = int(generator.integers(0, case.architecture.widths[l])), int(generator.integers(0, case.samples))
    b = case.bias(l).copy()
    kink = _one_of(case.architecture.layers[l - 1].activation.kinks, generator)
    gap = 10.0 ** generator.uniform(-9, -4) * _one_of((-1.0, 1.0), generator)
    b[unit] += kink - passed[l - 1][unit, sample] + gap
    return _as_dtype(case.at({f"b{l}": b}))
