"""Numbers for an architecture: parameters, inputs and targets in a regime, from a numpy Generator.

Regimes scale the network; all of them keep every unit a margin away from the kinks, except the two that look for kinks:

ordinary    weights ~ N(0, 1/n), biases and inputs of order one
tiny        parameters and inputs a thousand times smaller
large       inputs a hundred times larger
saturated   weights five times larger: units near their asymptotes
near_kink   one unit of a layer a hair's breadth from a kink
at_kink     one unit exactly on it (zero weights and bias: z = 0 in any order of summation), or the cost: mae with a = y,
            a hinge of margin 0
ill_conditioned  nearly collinear rows, sums that cancel, biases against W a, targets within 1e-9 of the output
"""

from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from gradcheck.networks.architecture import Architecture
from gradcheck.networks.case import Case
from gradcheck.networks.forward import forward, forward_once
from gradcheck.networks.namespace import xp_numpy
from gradcheck.numerics import Array, Arrays

Regime = Literal["ordinary", "tiny", "large", "saturated", "near_kink", "at_kink", "ill_conditioned"]
REGIMES: tuple[Regime, ...] = get_args(Regime)
MARGIN = 0.02
"""Distance from a kink that cases keep, relative to max(1, |z|)."""
_WEIGHTS: dict[str, float] = {"tiny": 1e-3, "saturated": 5.0}
_INPUTS: dict[str, float] = {"tiny": 1e-3, "large": 100.0}
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
        return _onto_kink(_settled(case, generator, clear=False), generator)
    if regime == "ill_conditioned":
        case = _as_dtype(_ill_conditioned(_settled(case, generator, clear=False), generator))
    case = _settled(case, generator)
    return _near_kink(case, generator) if regime == "near_kink" else case


def with_labels(case: Case, generator: np.random.Generator) -> Case:
    """The case with one class a sample as its target, one-hot (0 or 1 for one output that is no distribution)."""
    units, samples = case.targets.shape
    if units == 1 and case.architecture.cost.targets != "simplex":
        return replace(case, targets=generator.integers(0, 2, (1, samples)).astype(float))
    return replace(case, targets=np.eye(units)[generator.integers(0, units, samples)].T.copy())


def _drawn(
    architecture: Architecture,
    samples: int,
    generator: np.random.Generator,
    regime: str,
    digits: int | None,
    hard: bool,
) -> Case:
    parameters = _parameters(architecture, generator, regime, digits)
    x = _short(generator.standard_normal((architecture.inputs, samples)) * _INPUTS.get(regime, 1.0), digits)
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
    """Weights ~ N(0, 1/n), biases ~ N(0, 1/4), all views of one drawn vector."""
    shapes = architecture.shapes()
    numbers = generator.standard_normal(sum(rows * columns for rows, columns in shapes.values()))
    parameters, start = {}, 0
    for name, (rows, columns) in shapes.items():
        spread = 1.0 / np.sqrt(columns) if name[0] == "W" else 0.5
        part = numbers[start : start + rows * columns].reshape(rows, columns)
        part *= spread * _WEIGHTS.get(regime, 1.0)
        parameters[name] = _short(part, digits)
        start += rows * columns
    return parameters


def _short(values: Array, digits: int | None) -> Array:
    """Rounded to `digits` decimals, never to zero."""
    if digits is None:
        return values
    rounded = np.round(values, digits)
    return np.where(rounded == 0, np.copysign(10.0**-digits, values), rounded)


def _targets(
    architecture: Architecture, samples: int, generator: np.random.Generator, digits: int | None, hard: bool
) -> Array:
    units, kind = architecture.widths[-1], architecture.cost.targets
    if kind == "one_hot" or (kind == "simplex" and hard):
        return np.eye(units)[generator.integers(0, units, samples)].T.copy()
    if kind == "simplex":
        return _simplex(units, samples, generator, digits)
    if kind == "unit_interval":
        if hard:
            return generator.integers(0, 2, (units, samples)).astype(float)
        return np.clip(_short(generator.random((units, samples)), digits), 0.0, 1.0)
    return _short(generator.standard_normal((units, samples)), digits)


def _simplex(units: int, samples: int, generator: np.random.Generator, digits: int | None) -> Array:
    """Soft targets: positive columns that sum to one; with short decimals, multiples of a tenth or finer."""
    if digits is None:
        weights = generator.random((units, samples)) + 0.05
        return np.asarray(weights / weights.sum(axis=0))
    steps = 10 ** max(digits, 1 if units < 9 else 2)
    cuts = np.sort(generator.integers(0, steps + 1, (units - 1, samples)), axis=0)
    edges = np.vstack([np.zeros((1, samples)), cuts, np.full((1, samples), steps)])
    return np.asarray(np.round(np.diff(edges, axis=0)) / steps)


def _settled(case: Case, generator: np.random.Generator, *, clear: bool = True) -> Case:
    """In one sweep through the layers: none leaves the range in which naive exponentials and logarithms still work, and
    (`clear`) every unit keeps `MARGIN` from the kinks; then the cost.

    Layers whose |z| is too large are scaled down by a power of two; a unit near a kink is shifted by its bias, or by a weight
    where there are none.
    """
    architecture, changed = case.architecture, dict(case.parameters)
    a = case.inputs
    with np.errstate(all="ignore"):
        for l, layer in enumerate(architecture.layers, start=1):
            names = [n for n in (f"W{l}", f"b{l}") if n in changed]
            z = _weighted(changed, l, a)
            top, ceiling = float(np.abs(z).max()), _ceiling(architecture, l)
            if top > ceiling:
                factor = 2.0 ** np.floor(np.log2(ceiling / top))
                changed.update({n: changed[n] * factor for n in names})
                z = z * factor
            if clear and layer.activation.kinks and f"b{l}" in changed:
                changed[f"b{l}"], z = _clear(changed[f"b{l}"], z, layer.activation.kinks, architecture.dtype)
            elif clear and layer.activation.kinks:
                changed[f"W{l}"], z = _clear_by_weight(changed[f"W{l}"], a, layer.activation.kinks, architecture.dtype)
            a = np.asarray(layer.activation(z, xp_numpy))
    settled = replace(case, parameters=changed)
    return _clear_cost(settled, a, generator) if clear and architecture.cost.kinks is not None else settled


def _weighted(parameters: Arrays, l: int, a: Array) -> Array:
    """z = W a + b of layer l, without the b that a network without biases has not."""
    z: Array = parameters[f"W{l}"] @ a
    return z + parameters[f"b{l}"] if f"b{l}" in parameters else z


def _ceiling(architecture: Architecture, l: int) -> float:
    probability = architecture.layers[-1].activation.range != "real" or architecture.cost.targets != "real"
    return _LOGIT_CEILING if l == architecture.depth and probability else _CEILING


def _clear(b: Array, z: Array, kinks: tuple[float, ...], dtype: str) -> tuple[Array, Array]:
    """The biases (and z) with each unit moved by the smallest multiple of 0.1 that clears the kinks for all samples."""
    start = b
    for _ in range(40):
        moved = z + (b - start)
        close = _close(moved, kinks)
        if not close.any():
            break
        b = _rounded(np.where(close, np.round(b + 0.1, 9), b), dtype)
    return b, z if b is start else moved


def _clear_by_weight(W: Array, a: Array, kinks: tuple[float, ...], dtype: str) -> tuple[Array, Array]:
    """The weights (and z) with one weight of each unit near a kink moved by tenths; a unit that sees only zeros stays."""
    strongest = int(np.argmax(np.abs(a).min(axis=1)))
    for k in range(40):
        z = W @ a
        close = _close(z, kinks)
        if not close.any():
            break
        column = np.arange(W.shape[1]) == (strongest + k // 8) % W.shape[1]
        W = _rounded(np.where(close & column, np.round(W + 0.1 * (k + 1), 9), W), dtype)
    return W, W @ a


def _close(z: Array, kinks: tuple[float, ...]) -> Array:
    """Which units (a column) come within `MARGIN` of a kink at any sample."""
    close = np.zeros((len(z), 1), dtype=bool)
    for kink in kinks:
        near = np.abs(z - kink) < MARGIN * np.maximum(1.0, np.abs(z - kink))
        close |= near.any(axis=1, keepdims=True)
    return close


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
    for k in range(20 + len(case.targets)):
        close = np.abs(cost.kinks(a, case.targets)) < MARGIN if cost.kinks is not None else np.zeros(1)
        if not close.any():
            break
        if cost.targets == "real":
            case = _as_dtype(replace(case, targets=np.where(close, case.targets + 0.1, case.targets)))
            continue
        if k < len(case.targets) - 1:
            turned = np.where(close.any(axis=0), np.roll(case.targets, 1, axis=0), case.targets)
            case = replace(case, targets=turned)
            continue
        name = f"b{depth}" if f"b{depth}" in case.parameters else f"W{depth}"
        shift = 0.1 * generator.integers(1, 9, case.parameters[name].shape)
        case = _as_dtype(case.at({name: np.round(case.parameters[name] + shift, 6)}))
        a = forward(case)[1][-1]
    return case


def _kinked_layers(case: Case) -> list[int]:
    return [l for l, layer in enumerate(case.architecture.layers, start=1) if layer.activation.kinks]


def _one_of(kinks: tuple[float, ...], generator: np.random.Generator) -> float:
    return kinks[0] if len(kinks) == 1 else float(generator.choice(kinks))


def _onto_kink(case: Case, generator: np.random.Generator) -> Case:
    layers = _kinked_layers(case)
    if case.architecture.cost.kinks is not None and (not layers or generator.integers(0, 2)):
        return _cost_onto_kink(case, generator)
    if not layers:
        return case
    l = int(generator.choice(layers))
    unit = int(generator.integers(0, case.architecture.widths[l]))
    W, b = case.weight(l).copy(), case.bias(l).copy()
    W[unit], b[unit] = 0.0, _one_of(case.architecture.layers[l - 1].activation.kinks, generator)
    return case.at({f"W{l}": W, **({f"b{l}": b} if f"b{l}" in case.parameters else {})})


def _cost_onto_kink(case: Case, generator: np.random.Generator) -> Case:
    """mae: one target is the output. hinge: a bias puts one class a margin of 1 below the target's, but for rounding."""
    cost, a = case.architecture.cost, forward(case)[1][-1]
    unit, sample = (int(generator.integers(0, n)) for n in a.shape)
    if cost.targets == "real":
        y = case.targets.copy()
        y[unit, sample] = a[unit, sample]
        return _as_dtype(replace(case, targets=y))
    name = f"b{case.architecture.depth}"
    others = np.flatnonzero(case.targets[:, sample] == 0)
    if cost.kinks is None or name not in case.parameters or case.architecture.activation_names[-1] != "identity":
        return case
    b, k = case.parameters[name].copy(), int(generator.choice(others)) if len(others) else 0
    b[k] -= cost.kinks(a, case.targets)[k, sample]
    return _as_dtype(case.at({name: b})) if len(others) else case


def _ill_conditioned(case: Case, generator: np.random.Generator) -> Case:
    """Each layer left as it is, with nearly collinear rows, with columns that cancel, or with a bias that cancels W a."""
    changed = dict(case.parameters)
    for l in range(1, case.architecture.depth + 1):
        W, kind = changed[f"W{l}"], int(generator.integers(0, 4))
        if kind == 1:
            changed[f"W{l}"] = W[:1] + 1e-7 * W
        elif kind == 2 and W.shape[1] > 1:
            changed[f"W{l}"] = 1e3 * np.where(np.arange(W.shape[1]) % 2, -1.0, 1.0) + 1e-6 * W
        elif kind == 3 and f"b{l}" in changed:
            a = forward(case.at(changed))[1][l - 1]
            changed[f"W{l}"] = 1e2 * W
            changed[f"b{l}"] = 1e-6 * changed[f"b{l}"] - changed[f"W{l}"] @ a[:, :1]
    case = case.at(changed)
    if case.architecture.cost.targets == "real" and generator.integers(0, 2):
        a = forward(case)[1][-1]
        case = replace(case, targets=a * (1 + 1e-9 * generator.standard_normal(a.shape)))
    return case


def _near_kink(case: Case, generator: np.random.Generator) -> Case:
    """Bring one unit within 1e-9 … 1e-4 of its kink for one sample, through its bias."""
    layers = [l for l in _kinked_layers(case) if f"b{l}" in case.parameters]
    if not layers:
        return case
    l = int(generator.choice(layers))
    unit, sample = int(generator.integers(0, case.architecture.widths[l])), int(generator.integers(0, case.samples))
    b = case.bias(l).copy()
    kink = _one_of(case.architecture.layers[l - 1].activation.kinks, generator)
    gap = 10.0 ** generator.uniform(-9, -4) * generator.choice([-1.0, 1.0])
    b[unit] += kink - forward(case)[0][l][unit, sample] + gap
    return _as_dtype(case.at({f"b{l}": b}))
