"""Cases by stratum: where the gradient is easy, and where correct code is most easily called wrong.

A case is a function of (seed, stratum, number, subject): the same on every machine with the same numpy. Strata that
`gradcheck.networks.sampling` has no regime for are made here by scaling what it draws.

smooth             twice differentiable activations and costs, numbers of order one
relu family        relu, leaky_relu and elu in the hidden layers, a margin away from every kink
near a kink        one unit within 1e-9 … 1e-4 of its kink
at a kink          a hidden unit exactly on its kink for all samples, mae with a = y, or a hinge margin of exactly 0
weights x5, x30    every parameter scaled (x30 without taming: overflow and log(0) lie on the way)
inputs x1e4, x1e-4 half of the large ones with the first weights scaled down to match
targets x1e4       mse and mae
saturated          the last layer near its asymptotes, 12 < |z| < 40
ill-conditioned    nearly collinear rows, cancelling sums, biases against W a, targets within 1e-9 of the output
float32            single precision, ordinary numbers
wide layers        widths up to 64, up to 32 samples, weights at ×0.001 to ×5: many small terms that cancel
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from gradcheck.networks import COSTS, Architecture, Case, Dense, Regularisation, builtin_activations, forward
from gradcheck.networks.repertoire import Head, heads
from gradcheck.networks.sampling import sample_case
from tests.benchmarks.subjects import CorrectSubject

Generator = np.random.Generator
STRATA = (
    "smooth", "relu family", "near a kink", "at a kink", "weights x5", "weights x30", "inputs x1e4", "inputs x1e-4",
    "targets x1e4", "saturated", "ill-conditioned", "float32", "wide layers",
)  # fmt: skip
WELL_CONDITIONED = ("smooth", "relu family")
"""Strata in which the median relative tolerance has a target."""
LAMBDAS = (0.0, 0.0, 0.1, 1.5)
WIDE = "wide layers"
_KINKED_ONLY = {"relu family", "near a kink"}


def draw(seed: int, stratum: str, number: int, subject: CorrectSubject, dtype: str | None = None) -> Case:
    """Case `number` of a stratum for one subject; float32 where the stratum, the subject or the caller says so."""
    generator = np.random.default_rng([seed, STRATA.index(stratum), number])
    single = stratum == "float32" or subject.single or dtype == "float32"
    for _ in range(50):
        architecture = random_architecture(generator, stratum, subject, "float32" if single else "float64")
        samples = int(generator.integers(1, 33 if stratum == WIDE else 7))
        case = _MAKERS[stratum](architecture, samples, generator)
        case = rounded(case) if single else case
        if ordinary_numbers(case):
            return case
    msg = f"no case with ordinary numbers in stratum {stratum!r}, number {number}"
    raise AssertionError(msg)


def companion(case: Case, generator: Generator) -> Case:
    """Other numbers in the same shapes, for the effects rung."""
    return sample_case(case.architecture, case.samples, generator)


def random_architecture(generator: Generator, stratum: str, subject: CorrectSubject, dtype: str) -> Architecture:
    """Depth 1 … 5, widths 1 … 6 (wide layers: … 64), a head and hidden activations that fit the stratum and the subject."""
    head = _head(generator, stratum, subject)
    depth = int(generator.integers(1, 6)) if stratum not in _KINKED_ONLY else int(generator.integers(2, 6))
    pool = [f for f in builtin_activations() if f.elementwise and subject.takes(f)]
    if stratum == "smooth":
        pool = [f for f in pool if not f.kinks]
    if stratum in _KINKED_ONLY:
        pool = [f for f in pool if f.kinks or f.joints]
    end = 65 if stratum == WIDE else 7
    widths = [int(w) for w in generator.integers(1, end, depth)]
    hidden = [pool[int(k)] for k in generator.integers(0, len(pool), depth - 1)]
    if head.cost.name in ("hinge", "cross_entropy", "cross_entropy_logits"):
        widths[-1] = max(widths[-1], 2)
    layers = tuple(Dense(n, f) for n, f in zip(widths, [*hidden, head.activation], strict=True))
    strength = LAMBDAS[int(generator.integers(0, len(LAMBDAS)))]
    decay = Regularisation(strength, "lambda/2", False)
    return Architecture(int(generator.integers(1, end)), layers, head.cost, head.scale, decay, dtype)  # type: ignore[arg-type]


def _head(generator: Generator, stratum: str, subject: CorrectSubject) -> Head:
    activations = tuple(f for f in builtin_activations() if subject.takes(f))
    costs = tuple(COSTS.values())
    if stratum == "smooth":
        activations = tuple(f for f in activations if not f.kinks)
        costs = tuple(c for c in costs if c.kinks is None)
    if stratum == "targets x1e4":
        costs = tuple(c for c in costs if c.targets == "real")
    every = heads(activations, costs)
    by_cost = [h for h in every if h.cost.name == costs[int(generator.integers(0, len(costs)))].name] or list(every)
    chosen = by_cost[int(generator.integers(0, len(by_cost)))]
    return replace(chosen, scale=subject.scale(chosen.cost))


# One maker a stratum: (architecture, samples, generator) -> case


def _regime(name: str) -> Callable[[Architecture, int, Generator], Case]:
    def make(architecture: Architecture, samples: int, generator: Generator) -> Case:
        hard = bool(generator.integers(0, 2))
        return sample_case(architecture, samples, generator, name, None, hard)  # type: ignore[arg-type]

    return make


_ordinary = _regime("ordinary")


def _weights(factor: float) -> Callable[[Architecture, int, Generator], Case]:
    def make(architecture: Architecture, samples: int, generator: Generator) -> Case:
        case = _ordinary(architecture, samples, generator)
        return case.at({n: factor * a for n, a in case.parameters.items()})

    return make


def _wide(architecture: Architecture, samples: int, generator: Generator) -> Case:
    return _weights(float(generator.choice([1e-3, 0.1, 1.0, 1.0, 5.0])))(architecture, samples, generator)


def _inputs(factor: float) -> Callable[[Architecture, int, Generator], Case]:
    def make(architecture: Architecture, samples: int, generator: Generator) -> Case:
        case = _ordinary(architecture, samples, generator)
        case = replace(case, inputs=factor * case.inputs)
        return case.at({"W1": case.weight(1) / factor}) if generator.integers(0, 2) else case

    return make


def _targets(architecture: Architecture, samples: int, generator: Generator) -> Case:
    case = _ordinary(architecture, samples, generator)
    return replace(case, targets=1e4 * case.targets)


def _saturated(architecture: Architecture, samples: int, generator: Generator) -> Case:
    case = _ordinary(architecture, samples, generator)
    L = architecture.depth
    top = float(np.max(np.abs(forward(case)[0][L])))
    factor = generator.uniform(12.0, 40.0) / top if top > 0 else 1.0
    return case.at({n: factor * case.parameters[n] for n in (f"W{L}", f"b{L}")})


def _ill_conditioned(architecture: Architecture, samples: int, generator: Generator) -> Case:
    case = _ordinary(architecture, samples, generator)
    changed = dict(case.parameters)
    for l in range(1, architecture.depth + 1):
        W = changed[f"W{l}"]
        kind = int(generator.integers(0, 4))
        if kind == 0:  # nearly collinear rows
            changed[f"W{l}"] = W[:1] + 1e-7 * W
        elif kind == 1 and W.shape[1] > 1:  # columns that cancel behind nearly equal units
            changed[f"W{l}"] = 1e3 * np.where(np.arange(W.shape[1]) % 2, -1.0, 1.0) + 1e-6 * W
        elif kind == 2:  # the bias cancels W a of the first sample but for 1e-6
            a = forward(case.at(changed))[1][l - 1]
            changed[f"W{l}"] = 1e2 * W
            changed[f"b{l}"] = 1e-6 * changed[f"b{l}"] - changed[f"W{l}"] @ a[:, :1]
    case = case.at(changed)
    if architecture.cost.targets == "real" and generator.integers(0, 2):
        a = forward(case)[1][-1]
        case = replace(case, targets=a * (1 + 1e-9 * generator.standard_normal(a.shape)))
    return case


def _at_a_kink(architecture: Architecture, samples: int, generator: Generator) -> Case:
    """A unit of some kinked layer, or the cost itself, exactly on its kink."""
    if architecture.cost.kinks is not None and generator.integers(0, 2):
        return _cost_at_kink(architecture, samples, generator)
    kinked = [f for f in builtin_activations() if f.kinks]
    layers = list(architecture.layers)
    if not any(d.activation.kinks for d in layers):
        k = int(generator.integers(0, max(1, len(layers) - 1)))
        if k < len(layers) - 1:
            layers[k] = replace(layers[k], activation=kinked[int(generator.integers(0, len(kinked)))])
        else:
            layers.insert(0, Dense(int(generator.integers(1, 7)), kinked[int(generator.integers(0, len(kinked)))]))
    return _regime("at_kink")(replace(architecture, layers=tuple(layers)), samples, generator)


def _cost_at_kink(architecture: Architecture, samples: int, generator: Generator) -> Case:
    """mae: y = a for one sample. hinge: last layer constant (zero weights), its biases a class apart by exactly 1.

    The identity in the last layer makes both exact in any order of summation.
    """
    L = architecture.depth
    from gradcheck.networks import activation_named

    layers = (*architecture.layers[:-1], replace(architecture.layers[-1], activation=activation_named("identity")))
    case = _ordinary(replace(architecture, layers=layers), samples, generator)
    n, sample = architecture.widths[-1], int(generator.integers(0, samples))
    b = np.round(4 * generator.standard_normal((n, 1))) / 4
    W = case.weight(L).copy()
    unit = int(generator.integers(0, n))
    y = case.targets.copy()
    if architecture.cost.name == "mae":
        W[unit] = 0.0
        y[unit, sample] = b[unit, 0]
        return replace(case.at({f"W{L}": W, f"b{L}": b}), targets=y)
    t = int(np.argmax(y[:, sample]))
    unit = unit if unit != t else (t + 1) % n
    W[[unit, t]] = 0.0
    b[unit] = b[t] - 1.0
    return case.at({f"W{L}": W, f"b{L}": b})


_MAKERS: Mapping[str, Callable[[Architecture, int, Generator], Case]] = {
    WIDE: _wide,
    "smooth": _ordinary,
    "relu family": _ordinary,
    "near a kink": _regime("near_kink"),
    "at a kink": _at_a_kink,
    "weights x5": _weights(5.0),
    "weights x30": _weights(30.0),
    "inputs x1e4": _inputs(1e4),
    "inputs x1e-4": _inputs(1e-4),
    "targets x1e4": _targets,
    "saturated": _saturated,
    "ill-conditioned": _ill_conditioned,
    "float32": _ordinary,
}


def rounded(case: Case) -> Case:
    """Every number one that float32 represents."""
    p = {n: a.astype(np.float32).astype(np.float64) for n, a in case.parameters.items()}
    x, y = (a.astype(np.float32).astype(np.float64) for a in (case.inputs, case.targets))
    if case.architecture.cost.targets in ("simplex", "unit_interval"):
        y = np.clip(y, 0.0, 1.0)
    return replace(case, parameters=p, inputs=x, targets=y)


def ordinary_numbers(case: Case) -> bool:
    """No subnormals and nothing infinite among the numbers handed to the subject."""
    tiny = float(np.finfo(case.dtype).tiny)
    arrays = [*case.parameters.values(), case.inputs, case.targets]
    return all(np.isfinite(a).all() and not np.any((a != 0) & (np.abs(a) < tiny)) for a in arrays)
