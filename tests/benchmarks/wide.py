"""Wide float32 networks and correct subjects that add up in different orders: where rounding in long sums is judged.

Subjects, all the same formulas (`subjects.Columns`) with another product W a in single precision:

blas            ``W @ a``                        einsum        numpy's own loops
term by term    one after the other              last first    the other way round
shuffled        in a random order                pairs         halves added up recursively
blocks of 8     eight at a time, then the blocks double        summed in float64, rounded once

Strata (widths 30 … 250, one to thirty samples)

wide            weights ~ N(0, 1/n)
wide positive   weights and inputs above 0: sums grow steadily
wide constant   every weight of a layer the same number, so that every term of a sum may be the same
wide repeated   rows, columns and samples repeated: they round together
wide coarse     weights of one decimal, inputs 0 or 1
wide relu       relu family
wide large      weights ×5, saturated hidden layers
wide cancelling sums that cancel to a thousandth of their terms
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np

from gradcheck.checks import Examination, corner, ladder
from gradcheck.networks import Architecture, Case, Dense, Regularisation, activation_named, cost_named
from gradcheck.networks.sampling import sample_case
from gradcheck.numerics import Array
from gradcheck.subjects.functional import Functional
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.local import LocalSubject
from tests.benchmarks.subjects import STABLE, STABLE_COSTS, Columns, CorrectSubject, fused_names, stable_softmax

Generator = np.random.Generator
Product = Callable[[Array, Array], Array]
HEADS = (("identity", "mse"), ("sigmoid", "bce"), ("softmax", "cross_entropy"), ("tanh", "mse"), ("softmax", "mse"),
         ("identity", "mae"), ("identity", "hinge"))  # fmt: skip
SMOOTH = ("tanh", "sigmoid", "softplus", "gelu_tanh", "elu(1.0)")
KINKED = ("relu", "leaky_relu(0.01)", "leaky_relu(0.2)", "elu(0.5)")
LARGEST = 250


def _terms(W: Array, a: Array) -> Array:
    return np.asarray(W.T[:, :, None] * a[:, None, :])


def term_by_term(W: Array, a: Array) -> Array:
    """Strictly one after the other."""
    return np.asarray(np.add.accumulate(_terms(W, a), axis=0)[-1])


def last_first(W: Array, a: Array) -> Array:
    """The other way round."""
    return term_by_term(W[:, ::-1], a[::-1])


def shuffled(W: Array, a: Array) -> Array:
    """In an order that depends on the length alone."""
    order = np.random.default_rng(len(a)).permutation(len(a))
    return term_by_term(W[:, order], a[order])


def pairs(W: Array, a: Array) -> Array:
    """Pairwise summation."""
    t = _terms(W, a)
    while len(t) > 1:
        even = len(t) // 2 * 2
        t = np.concatenate([t[0:even:2] + t[1:even:2], t[even:]])
    return np.asarray(t[0])


def blocks(W: Array, a: Array) -> Array:
    """Eight terms at a time, then the blocks."""
    t = _terms(W, a)
    parts = [np.add.accumulate(t[k : k + 8], axis=0)[-1] for k in range(0, len(t), 8)]
    return np.asarray(np.add.accumulate(np.stack(parts), axis=0)[-1])


def double(W: Array, a: Array) -> Array:
    """Accumulated in float64, rounded once."""
    return np.asarray((W.astype(np.float64) @ a.astype(np.float64)).astype(W.dtype))


PRODUCTS: Mapping[str, Product] = {
    "blas": lambda W, a: W @ a,
    "einsum": lambda W, a: np.einsum("ij,jm->im", W, a),
    "term by term": term_by_term,
    "last first": last_first,
    "shuffled": shuffled,
    "pairs": pairs,
    "blocks of 8": blocks,
    "double": double,
}


class Summed(Columns):
    """`Columns` with every sum over units done by `product`; even ones sum over the samples one after the other."""

    def __init__(self, product: Product, sequential: bool) -> None:
        super().__init__(STABLE, STABLE_COSTS, stable_softmax, fused=True)
        self.product, self.sequential = product, sequential

    def _forward(self, weights, biases, x, names):  # type: ignore[no-untyped-def]
        zs, a = [], [x]
        for W, b, name in zip(weights, biases, names, strict=True):
            zs.append(self.product(W, a[-1]) + b.reshape(-1, 1))
            a.append(self._value(name, zs[-1]))
        return zs, a

    def backprop(self, weights, biases, x, y, *, activations, cost, l2):  # type: ignore[no-untyped-def]
        """The four equations."""
        names, cost = fused_names(activations, cost)
        zs, a = self._forward(weights, biases, x, names)
        m = x.shape[1]
        upstream = self.costs[cost][1](a[-1], y) / (1 if self.sequential else m)
        dW, db = [None] * len(weights), [None] * len(weights)
        for l in range(len(weights) - 1, -1, -1):
            delta = self._delta(names[l], zs[l], a[l + 1], upstream)
            if self.sequential:  # sample by sample, divided by m at the end
                dW[l], db[l] = np.zeros_like(weights[l]), np.zeros_like(delta[:, 0])
                for k in range(m):
                    dW[l] += np.outer(delta[:, k], a[l][:, k])
                    db[l] += delta[:, k]
                dW[l], db[l] = dW[l] / m + l2 * weights[l], (db[l] / m).reshape(biases[l].shape)
            else:
                dW[l], db[l] = delta @ a[l].T + l2 * weights[l], delta.sum(axis=1).reshape(biases[l].shape)
            upstream = self.product(weights[l].T, delta)
        return dW, db


@cache
def wide_subjects() -> tuple[CorrectSubject, ...]:
    """One for each product."""
    layout, out = Layout("to_from", "columns", "column"), []
    for k, (name, product) in enumerate(PRODUCTS.items()):
        functions = Summed(product, bool(k % 2))
        out.append(
            CorrectSubject(
                f"sum: {name}", LocalSubject(Functional(functions.loss, functions.backprop, name)), layout, single=True
            )
        )
    return tuple(out)


def _once(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of a case, run once for subsequent calls with the same case."""
    last: list[Any] = [None, None]

    def run(case: Case, *rest: Any, **more: Any) -> Any:
        key = case.inputs.tobytes(), tuple(a.tobytes() for a in case.parameters.values())
        if last[0] != key:
            last[:] = key, function(case, *rest, **more)
        return last[1]

    return run


_SHARED = [
    (ladder, "rounding_bounds", _once(ladder.rounding_bounds)),
    (ladder, "whole_bounds", _once(ladder.whole_bounds)),
    (corner, "trusted_estimate", _once(corner.trusted_estimate)),
]


def examine_together(*arguments: Any, **more: Any) -> Examination:
    """`examine`, with bounds and trusted gradient computed once where the subjects take turns at the same case."""
    with ExitStack() as stack:
        for module, name, shared in _SHARED:
            stack.enter_context(patch.object(module, name, shared))
        return ladder.examine(*arguments, **more)


def draw_wide(seed: int, stratum: str, number: int) -> Case:
    """Case `number` of a stratum of `WIDE`."""
    generator = np.random.default_rng([seed, 100 + WIDE.index(stratum), number])
    return _single(_MAKERS[stratum](_ordinary(generator, stratum), generator))


def _ordinary(generator: Generator, stratum: str) -> Case:
    head = HEADS[int(generator.integers(0, len(HEADS)))]
    depth = int(generator.integers(2, 5))
    widths = [int(30 * (LARGEST / 30) ** generator.random()) for _ in range(depth)]
    widths[0] = widths[0] if generator.integers(0, 2) else int(generator.integers(1, 20))
    pool = KINKED if stratum == "wide relu" else SMOOTH
    hidden = [pool[int(generator.integers(0, len(pool)))] for _ in range(depth - 1)]
    outputs = int(generator.integers(2, 12))
    layers = tuple(
        Dense(n, activation_named(f)) for n, f in zip([*widths[1:], outputs], (*hidden, head[0]), strict=True)
    )
    strength = 0.1 if generator.integers(0, 4) == 0 else 0.0
    decay = Regularisation(strength, "lambda/2", False)
    architecture = Architecture(widths[0], layers, cost_named(head[1]), "1/m", decay, "float32")
    samples = int(30 ** generator.random())
    return sample_case(architecture, samples, generator, "ordinary", None, bool(generator.integers(0, 2)))


def _weights(case: Case, change: Callable[[Array], Array]) -> Case:
    return case.at({n: change(a) for n, a in case.parameters.items() if n[0] == "W"})


def _positive(case: Case, generator: Generator) -> Case:
    case = _weights(case, lambda W: np.abs(W) * generator.uniform(0.5, 3) / np.sqrt(W.shape[1]))
    return replace(case, inputs=np.abs(case.inputs))


def _constant(case: Case, generator: Generator) -> Case:
    case = _weights(
        case, lambda W: np.full(W.shape, generator.choice([-1, 1]) * generator.uniform(0.3, 3) / W.shape[1])
    )
    if generator.integers(0, 2):
        case = case.at({n: np.full(a.shape, 0.1) for n, a in case.parameters.items() if n[0] == "b"})
    if generator.integers(0, 2):
        return replace(case, inputs=np.full(case.inputs.shape, generator.uniform(0.1, 1)))
    return case


def _repeated(case: Case, generator: Generator) -> Case:
    def repeat(W: Array) -> Array:
        rows = generator.integers(0, max(1, W.shape[0] // 10), W.shape[0])
        columns = generator.integers(0, max(1, W.shape[1] // 10), W.shape[1])
        return np.asarray(W[rows][:, columns] * generator.choice([1.0, -1.0, 0.5], (W.shape[0], 1)))

    samples = generator.integers(0, max(1, case.samples // 4), case.samples)
    case = _weights(case, repeat)
    case = case.at({n: a[:1] + 0 * a for n, a in case.parameters.items() if n[0] == "b"})
    return replace(case, inputs=case.inputs[:, samples], targets=case.targets[:, samples])


def _coarse(case: Case, generator: Generator) -> Case:
    case = _weights(case, lambda W: np.round(generator.uniform(-0.35, 0.35, W.shape), 1))
    return replace(case, inputs=generator.integers(0, 2, case.inputs.shape).astype(float))


def _large(case: Case, generator: Generator) -> Case:
    last = f"W{case.architecture.depth}"
    return case.at({n: 5 * a for n, a in case.parameters.items() if n[0] == "W" and n != last})


def _cancelling(case: Case, generator: Generator) -> Case:
    def cancel(W: Array) -> Array:
        half = W.shape[1] // 2
        W = W.copy()
        W[:, half : 2 * half] = -W[:, :half] * (1 + 1e-3 * generator.standard_normal((W.shape[0], half)))
        return W

    inputs = case.inputs.copy()
    half = len(inputs) // 2
    inputs[half : 2 * half] = inputs[:half]
    return replace(_weights(case, cancel), inputs=inputs)


def _single(case: Case) -> Case:
    """Every number one that float32 represents."""
    p = {n: a.astype(np.float32).astype(np.float64) for n, a in case.parameters.items()}
    return replace(case, parameters=p, inputs=case.inputs.astype(np.float32).astype(np.float64))


def _same(case: Case, generator: Generator) -> Case:
    return case


_MAKERS: Mapping[str, Callable[[Case, Generator], Case]] = {
    "wide": _same,
    "wide positive": _positive,
    "wide constant": _constant,
    "wide repeated": _repeated,
    "wide coarse": _coarse,
    "wide relu": _same,
    "wide large": _large,
    "wide cancelling": _cancelling,
}
WIDE = tuple(_MAKERS)
