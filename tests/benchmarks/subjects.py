"""Nine correct subjects that compute the same gradient in different ways: none of them may ever be called wrong.

name            how it differs
row-major       reference/row_major.py: samples in rows, δ by pullbacks
einsum          every product an einsum, softmax through its whole Jacobian (n, n, m)
loops           one sample and one unit at a time, in Python floats
slope from z    the textbook's formulas as they stand: log(1 + eᶻ), unshifted softmax, −y/a; overflows far out
slope from a    σ′ from the activation alone: a(1 − a), 1 − a², 1 − e⁻ᵃ (no gelu: it is not monotonic)
logits          sigmoid and softmax fused with their cost: δ = a − y
in place        buffers overwritten with ``out=`` and ``*=``, its arguments left alone
folded bias     biases as the first column of each weight matrix
float32         single precision throughout; always asked for float32 cases

At a kink they differ on purpose (slope 0, 1 or ½ at z = 0): any element of the Clarke interval is right.
"""

import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.networks import Activation, Cost
from gradcheck.numerics import Array
from gradcheck.subjects.functional import Functional
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.local import LocalSubject

ROW_MAJOR = Path(__file__).resolve().parents[2] / "reference" / "row_major.py"
SQRT_HALF, DENSITY, GELU_TANH = math.sqrt(0.5), 1 / math.sqrt(2 * math.pi), math.sqrt(2 / math.pi)
Formulas = Mapping[str, tuple[Callable[..., Any], Callable[..., Any]]]


@dataclass(frozen=True)
class CorrectSubject:
    """A subject, the layout it uses, what it can be asked, and where its formulas are known to break.

    unsupported: activations it has no formula for. halved: costs whose own definition carries a factor ½.
    unstable: overflow or log(0) far out is expected of it (a right formula, badly conditioned).
    """

    name: str
    subject: LocalSubject
    layout: Layout
    unsupported: frozenset[str] = frozenset()
    halved: frozenset[str] = frozenset()
    unstable: bool = False
    single: bool = False

    def takes(self, activation: Activation) -> bool:
        """Whether it has a formula for this activation."""
        return activation.name not in self.unsupported

    def scale(self, cost: Cost) -> str:
        """The scale of its cost (a key of gradcheck.networks.SCALES)."""
        return "1/(2m)" if cost.name in self.halved else "1/m"


@cache
def correct_subjects() -> tuple[CorrectSubject, ...]:
    """All of them, in the order of the table above."""
    reference = _module(ROW_MAJOR)
    columns = Layout("to_from", "columns", "column")
    gelus = frozenset({"gelu", "gelu_tanh"})
    return (
        _subject("row-major", reference, Layout("from_to", "rows", "vector"), halved=frozenset({"mse"})),
        _subject("einsum", Einsum(), columns, unstable=True),
        _subject("loops", Loops(), Layout("to_from", "columns", "vector"), unstable=True),
        _subject("slope from z", Columns(FROM_Z, NAIVE_COSTS, naive_softmax), columns, unstable=True),
        _subject("slope from a", Columns(FROM_A, NAIVE_COSTS, stable_softmax, from_a=True), columns,
                 unsupported=gelus, unstable=True),
        _subject("logits", Columns(STABLE, STABLE_COSTS, stable_softmax, fused=True), Layout("to_from", "columns", "row")),
        _subject("in place", InPlace(), columns),
        _subject("folded bias", Folded(), Layout("to_from", "columns", "first_column")),
        _subject("float32", Columns(STABLE, STABLE_COSTS, stable_softmax, fused=True, slope_at_kink=1), columns, single=True),
    )  # fmt: skip


def subject_named(name: str) -> CorrectSubject:
    """One of `correct_subjects`."""
    return next(s for s in correct_subjects() if s.name == name)


def _subject(name: str, functions: Any, layout: Layout, **more: Any) -> CorrectSubject:
    return CorrectSubject(name, LocalSubject(Functional(functions.loss, functions.backprop, name)), layout, **more)


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("row_major_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Activations: name -> (value of z, slope of z), for arrays


_erf = np.frompyfunc(math.erf, 1, 1)
_erfc = np.frompyfunc(math.erfc, 1, 1)


def erf(z: Array) -> Array:
    """Error function in the dtype of z."""
    return np.asarray(_erf(z), dtype=z.dtype)


def erfc(z: Array) -> Array:
    """Its complement in the dtype of z."""
    return np.asarray(_erfc(z), dtype=z.dtype)


def sigmoid(z: Array) -> Array:
    """Without overflow."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def density(z: Array) -> Array:
    """φ(z)."""
    return np.exp(-z * z / 2) * DENSITY


def gelu_inner(z: Array) -> Array:
    """√(2/π)(z + 0.044715 z³)."""
    return GELU_TANH * (z + 0.044715 * z**3)


def gelu_tanh_slope(z: Array) -> Array:
    """½(1 + t) + ½ z (1 − t²) u′."""
    t = np.tanh(gelu_inner(z))
    return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * GELU_TANH * (1 + 3 * 0.044715 * z * z)


def stable_softmax(z: Array) -> Array:
    """Shifted by the largest entry."""
    e = np.exp(z - z.max(axis=0, keepdims=True))
    return np.asarray(e / e.sum(axis=0, keepdims=True))


def naive_softmax(z: Array) -> Array:
    """As the textbook writes it: overflows beyond 709."""
    e = np.exp(z)
    return np.asarray(e / e.sum(axis=0, keepdims=True))


FROM_Z: Formulas = {
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: 1 / (1 + np.exp(-z)) * (1 - 1 / (1 + np.exp(-z)))),
    "tanh": (lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)), lambda z: 1 / np.cosh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z >= 0).astype(z.dtype)),
    "softplus": (lambda z: np.log(1 + np.exp(z)), lambda z: 1 / (1 + np.exp(-z))),
    "gelu": (lambda z: z * 0.5 * (1 + erf(z * SQRT_HALF)), lambda z: 0.5 * (1 + erf(z * SQRT_HALF)) + z * density(z)),
    "gelu_tanh": (lambda z: 0.5 * z * (1 + np.tanh(gelu_inner(z))), gelu_tanh_slope),
    "identity": (lambda z: z, np.ones_like),
    "leaky_relu": (lambda z, p: np.where(z >= 0, z, p * z), lambda z, p: np.where(z >= 0, 1, p).astype(z.dtype)),
    "elu": (
        lambda z, p: np.where(z >= 0, z, p * (np.exp(np.minimum(z, 0)) - 1)),
        lambda z, p: np.where(z >= 0, 1, p * np.exp(np.minimum(z, 0))).astype(z.dtype),
    ),
}
"""The textbook's formulas as they stand."""

FROM_A: Formulas = {
    "sigmoid": (sigmoid, lambda a: a * (1 - a)),
    "tanh": (np.tanh, lambda a: 1 - a**2),
    "relu": (lambda z: z * (z > 0), lambda a: np.where(a > 0, 1, 0).astype(a.dtype)),
    "softplus": (lambda z: np.logaddexp(0, z), lambda a: 1 - np.exp(-a)),
    "identity": (lambda z: z, np.ones_like),
    "leaky_relu": (lambda z, p: np.maximum(z, p * z), lambda a, p: np.where(a > 0, 1, p).astype(a.dtype)),
    "elu": (
        lambda z, p: np.where(z > 0, z, p * np.expm1(np.minimum(z, 0))),
        lambda a, p: np.where(a > 0, 1, a + p).astype(a.dtype),
    ),
}
"""The slope as a function of the activation."""

STABLE: Formulas = {
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": (np.tanh, lambda z: 4 * sigmoid(2 * z) * sigmoid(-2 * z)),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype)),
    "softplus": (lambda z: np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))), sigmoid),
    "gelu": (
        lambda z: z * 0.5 * erfc(-z * SQRT_HALF),
        lambda z: 0.5 * erfc(-z * SQRT_HALF) + z * density(z),
    ),
    "gelu_tanh": (
        lambda z: z * sigmoid(2 * gelu_inner(z)),
        lambda z: (
            sigmoid(2 * gelu_inner(z))
            + z * sigmoid(2 * gelu_inner(z)) * sigmoid(-2 * gelu_inner(z)) * 2 * GELU_TANH * (1 + 3 * 0.044715 * z * z)
        ),
    ),
    "identity": (lambda z: z, np.ones_like),
    "leaky_relu": (lambda z, p: np.where(z > 0, z, p * z), lambda z, p: np.where(z > 0, 1, p).astype(z.dtype)),
    "elu": (
        lambda z, p: np.where(z > 0, z, p * np.expm1(np.minimum(z, 0))),
        lambda z, p: np.where(z > 0, 1, p * np.exp(np.minimum(z, 0))).astype(z.dtype),
    ),
}
"""Formulas that neither overflow nor cancel."""


def formula(table: Formulas, name: str) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """Value and slope of a configured name such as ``leaky_relu(0.2)``."""
    family, _, rest = name.partition("(")
    value, slope = table[family]
    if not rest:
        return value, slope
    p = float(rest.rstrip(")"))
    return lambda z: value(z, p), lambda t: slope(t, p)


# Costs: name -> (sum over the batch, its gradient in a), samples in columns


def _hinge(a: Array, y: Array) -> Array:
    return (a - (a * y).sum(axis=0) + 1) * (1 - y)


def _hinge_gradient(a: Array, y: Array, inclusive: bool = False) -> Array:
    margin = _hinge(a, y)
    inside = ((margin >= 0 if inclusive else margin > 0) & (y == 0)).astype(a.dtype)
    return np.asarray(inside - y * inside.sum(axis=0))


def _log_sum_exp(a: Array) -> Array:
    top = a.max(axis=0, keepdims=True)
    return np.asarray(top + np.log(np.exp(a - top).sum(axis=0, keepdims=True)))


def _y_log(y: Array, a: Array) -> Array:
    return y * np.log(np.where(y == 0, 1, a))


def _y_over(y: Array, a: Array) -> Array:
    return y / np.where(y == 0, 1, a)


NAIVE_COSTS: Formulas = {
    "mse": (lambda a, y: np.sum((a - y) ** 2), lambda a, y: 2 * (a - y)),
    "mae": (lambda a, y: np.sum(np.abs(a - y)), lambda a, y: np.where(a >= y, 1, -1).astype(a.dtype)),
    "bce": (lambda a, y: -np.sum(y * np.log(a) + (1 - y) * np.log(1 - a)), lambda a, y: (a - y) / (a * (1 - a))),
    "bce_logits": (lambda a, y: np.sum(np.log(1 + np.exp(a)) - y * a), lambda a, y: 1 / (1 + np.exp(-a)) - y),
    "cross_entropy": (lambda a, y: -np.sum(y * np.log(a)), lambda a, y: -y / a),
    "cross_entropy_logits": (
        lambda a, y: -np.sum(y * np.log(naive_softmax(a))),
        lambda a, y: naive_softmax(a) * y.sum(axis=0) - y,
    ),
    "hinge": (lambda a, y: np.sum(np.maximum(0, _hinge(a, y))), lambda a, y: _hinge_gradient(a, y, True)),
}
STABLE_COSTS: Formulas = {
    "mse": (lambda a, y: np.sum((a - y) ** 2), lambda a, y: 2 * (a - y)),
    "mae": (lambda a, y: np.sum(np.abs(a - y)), lambda a, y: np.sign(a - y)),
    "bce": (
        lambda a, y: -np.sum(_y_log(y, a) + _y_log(1 - y, 1 - a)),
        lambda a, y: _y_over(1 - y, 1 - a) - _y_over(y, a),
    ),
    "bce_logits": (lambda a, y: np.sum(np.logaddexp(0, a) - y * a), lambda a, y: sigmoid(a) - y),
    "cross_entropy": (lambda a, y: -np.sum(_y_log(y, a)), lambda a, y: -_y_over(y, a)),
    "cross_entropy_logits": (
        lambda a, y: np.sum(y * (_log_sum_exp(a) - a)),
        lambda a, y: stable_softmax(a) * y.sum(axis=0) - y,
    ),
    "hinge": (lambda a, y: np.sum(np.maximum(0, _hinge(a, y))), _hinge_gradient),
}
FUSED = {("sigmoid", "bce"): "bce_logits", ("softmax", "cross_entropy"): "cross_entropy_logits"}


def fused_names(activations: Sequence[str], cost: str) -> tuple[list[str], str]:
    """The last activation moved into a cost that would take its logarithm."""
    if (activations[-1], cost) in FUSED:
        return [*activations[:-1], "identity"], FUSED[activations[-1], cost]
    return list(activations), cost


# The networks


class Columns:
    """Samples in columns; the formulas are handed in."""

    def __init__(
        self,
        formulas: Formulas,
        costs: Formulas,
        softmax: Callable[[Array], Array],
        *,
        from_a: bool = False,
        fused: bool = False,
        slope_at_kink: int = 0,
    ) -> None:
        self.formulas, self.costs, self.softmax = formulas, costs, softmax
        self.from_a, self.fused, self.slope_at_kink = from_a, fused, slope_at_kink

    def _names(self, activations: Sequence[str], cost: str) -> tuple[list[str], str]:
        return fused_names(activations, cost) if self.fused else (list(activations), cost)

    def _value(self, name: str, z: Array) -> Array:
        return self.softmax(z) if name == "softmax" else formula(self.formulas, name)[0](z)

    def _forward(
        self, weights: Sequence[Array], biases: Sequence[Array], x: Array, names: Sequence[str]
    ) -> tuple[list[Array], list[Array]]:
        zs, activations = [], [x]
        for W, b, name in zip(weights, biases, names, strict=True):
            z = W @ activations[-1] + b.reshape(-1, 1)
            zs.append(z)
            activations.append(self._value(name, z))
        return zs, activations

    def loss(self, weights, biases, x, y, *, activations, cost, l2):  # type: ignore[no-untyped-def]
        """Mean cost and (λ/2) ΣW²."""
        names, cost = self._names(activations, cost)
        a = self._forward(weights, biases, x, names)[1][-1]
        return float(self.costs[cost][0](a, y)) / x.shape[1] + l2 / 2 * sum(float(np.sum(W * W)) for W in weights)

    def backprop(self, weights, biases, x, y, *, activations, cost, l2):  # type: ignore[no-untyped-def]
        """The four equations."""
        names, cost = self._names(activations, cost)
        zs, a = self._forward(weights, biases, x, names)
        upstream = self.costs[cost][1](a[-1], y) / x.shape[1]
        dW, db = [None] * len(weights), [None] * len(weights)
        for l in range(len(weights) - 1, -1, -1):
            delta = self._delta(names[l], zs[l], a[l + 1], upstream)
            dW[l] = delta @ a[l].T + l2 * weights[l]
            db[l] = delta.sum(axis=1).reshape(biases[l].shape)
            upstream = weights[l].T @ delta
        return dW, db

    def _delta(self, name: str, z: Array, a: Array, upstream: Array) -> Array:
        if name == "softmax":
            return np.asarray(a * (upstream - (a * upstream).sum(axis=0, keepdims=True)))
        slope = formula(self.formulas, name)[1](a if self.from_a else z)
        if self.slope_at_kink and name.partition("(")[0] in ("relu", "leaky_relu", "elu"):
            slope = np.where(z == 0, 1, slope).astype(z.dtype)
        return np.asarray(slope * upstream)


class Einsum:
    """Every product an einsum; each layer's Jacobian written out for softmax."""

    def _forward(self, weights, biases, x, names):  # type: ignore[no-untyped-def]
        zs, a = [], [x]
        for W, b, name in zip(weights, biases, names, strict=True):
            zs.append(np.einsum("ij,jm->im", W, a[-1]) + b)
            a.append(stable_softmax(zs[-1]) if name == "softmax" else formula(STABLE, name)[0](zs[-1]))
        return zs, a

    def loss(self, weights, biases, x, y, *, activations, cost, l2):  # type: ignore[no-untyped-def]
        """Mean cost and (λ/2) ΣW²."""
        a = self._forward(weights, biases, x, activations)[1][-1]
        decay = sum(float(np.einsum("ij,ij->", W, W)) for W in weights)
        return float(STABLE_COSTS[cost][0](a, y)) / x.shape[1] + 0.5 * l2 * decay

    def backprop(self, weights, biases, x, y, *, activations, cost, l2):  # type: ignore[no-untyped-def]
        """δ through full Jacobians."""
        zs, a = self._forward(weights, biases, x, activations)
        g = STABLE_COSTS[cost][1](a[-1], y)
        dW, db = [], []
        for l in reversed(range(len(weights))):
            if activations[l] == "softmax":
                s = a[l + 1]
                J = np.einsum("im,ij->ijm", s, np.eye(len(s), dtype=s.dtype)) - np.einsum("im,jm->ijm", s, s)
                delta = np.einsum("ijm,im->jm", J, g)
            else:
                delta = np.einsum("im,im->im", formula(STABLE, activations[l])[1](zs[l]), g)
            dW.append(np.einsum("im,jm->ij", delta, a[l]) / x.shape[1] + l2 * weights[l])
            db.append(np.einsum("im->i", delta).reshape(-1, 1) / x.shape[1])
            g = np.einsum("ij,im->jm", weights[l], delta)
        return dW[::-1], db[::-1]


class Loops:
    """One sample and one unit at a time, in Python floats; ½ is the slope at a kink."""

    def _forward(self, weights, biases, x, names):  # type: ignore[no-untyped-def]
        zs, a = [], [[float(v) for v in x]]
        for W, b, name in zip(weights, biases, names, strict=True):
            z = [sum(float(W[i, j]) * a[-1][j] for j in range(W.shape[1])) + float(b[i]) for i in range(W.shape[0])]
            zs.append(z)
            a.append(_softmax_list(z) if name == "softmax" else [_scalar_value(name, v) for v in z])
        return zs, a

    def loss(self, weights, biases, x, y, *, activations, cost, l2):  # type: ignore[no-untyped-def]
        """Mean cost and (λ/2) ΣW²."""
        total = 0.0
        for k in range(x.shape[1]):
            a = np.array(self._forward(weights, biases, x[:, k], activations)[1][-1]).reshape(-1, 1)
            total += float(STABLE_COSTS[cost][0](a, y[:, k : k + 1].astype(float)))
        return total / x.shape[1] + l2 / 2 * math.fsum(float(w) ** 2 for W in weights for w in W.flat)

    def backprop(self, weights, biases, x, y, *, activations, cost, l2):  # type: ignore[no-untyped-def]
        """Sums over samples of one-sample gradients."""
        dW, db = [l2 * W for W in weights], [np.zeros_like(b) for b in biases]
        m = x.shape[1]
        for k in range(m):
            zs, a = self._forward(weights, biases, x[:, k], activations)
            output, target = np.array(a[-1]).reshape(-1, 1), y[:, k : k + 1].astype(float)
            upstream = [float(v) for v in STABLE_COSTS[cost][1](output, target)[:, 0]]
            for l in reversed(range(len(weights))):
                delta = _delta_list(activations[l], zs[l], a[l + 1], upstream)
                for i, d in enumerate(delta):
                    db[l][i] += d / m
                    for j, aj in enumerate(a[l]):
                        dW[l][i, j] += d * aj / m
                W = weights[l]
                upstream = [sum(float(W[i, j]) * d for i, d in enumerate(delta)) for j in range(W.shape[1])]
        return dW, db


def _softmax_list(z: list[float]) -> list[float]:
    e = [math.exp(v - max(z)) for v in z]
    return [v / sum(e) for v in e]


def _scalar_value(name: str, v: float) -> float:
    return float(formula(STABLE, name)[0](np.array([v]))[0])


def _delta_list(name: str, z: list[float], a: list[float], upstream: list[float]) -> list[float]:
    if name == "softmax":
        return [sum(a[i] * ((i == j) - a[j]) * u for i, u in enumerate(upstream)) for j in range(len(a))]
    slope = formula(STABLE, name)[1]
    family = name.partition("(")[0]
    if family not in ("relu", "leaky_relu", "elu"):
        return [float(slope(np.array([v]))[0]) * u for v, u in zip(z, upstream, strict=True)]
    below = {"relu": 0.0}.get(family, float(name.partition("(")[2].rstrip(")") or 0))
    return [
        (0.5 * (1 + below) if v == 0 else float(slope(np.array([v]))[0])) * u for v, u in zip(z, upstream, strict=True)
    ]


class InPlace:
    """Buffers of its own, overwritten at every step; the arguments are never written to."""

    def _forward(self, weights, biases, x, names):  # type: ignore[no-untyped-def]
        zs, a = [], [x]
        for W, b, name in zip(weights, biases, names, strict=True):
            z = W @ a[-1]
            z += b
            zs.append(z)
            out = z.copy()
            if name == "softmax":
                out -= out.max(axis=0)
                np.exp(out, out=out)
                out /= out.sum(axis=0)
            elif name == "relu":
                np.maximum(out, 0, out=out)
            elif name == "tanh":
                np.tanh(out, out=out)
            elif name == "sigmoid":
                np.negative(out, out=out)
                with np.errstate(over="ignore"):
                    np.exp(out, out=out)
                out += 1
                np.reciprocal(out, out=out)
            else:
                out[...] = formula(STABLE, name)[0](z)
            a.append(out)
        return zs, a

    def loss(self, weights, biases, x, y, *, activations, cost, l2):  # type: ignore[no-untyped-def]
        """Mean cost and (λ/2) ΣW²."""
        names, cost = fused_names(activations, cost)
        total = float(STABLE_COSTS[cost][0](self._forward(weights, biases, x, names)[1][-1], y))
        total /= x.shape[1]
        for W in weights:
            total += l2 / 2 * float(np.vdot(W, W))
        return total

    def backprop(self, weights, biases, x, y, *, activations, cost, l2):  # type: ignore[no-untyped-def]
        """One buffer for δ, written over from layer to layer."""
        names, cost = fused_names(activations, cost)
        zs, a = self._forward(weights, biases, x, names)
        delta = np.array(STABLE_COSTS[cost][1](a[-1], y))
        delta /= x.shape[1]
        dW, db = [np.array(W) for W in weights], [np.empty_like(b) for b in biases]
        for l in reversed(range(len(weights))):
            if names[l] == "softmax":
                s = a[l + 1]
                delta -= (s * delta).sum(axis=0)
                delta *= s
            elif names[l] == "tanh":
                np.square(a[l + 1], out=a[l + 1])
                np.subtract(1, a[l + 1], out=a[l + 1])
                delta *= a[l + 1]
            elif names[l] == "relu":
                delta[zs[l] <= 0] = 0
            else:
                delta *= formula(STABLE, names[l])[1](zs[l])
            dW[l] *= l2
            dW[l] += np.dot(delta, a[l].T)
            np.sum(delta, axis=1, keepdims=True, out=db[l])
            delta = np.dot(weights[l].T, delta)
        return dW, db


class Folded:
    """W of shape (n_l, 1 + n_{l−1}): the first column is the bias, exempt from the penalty; a row of ones joins each a."""

    def _forward(self, weights, x, names):  # type: ignore[no-untyped-def]
        zs, a = [], [x]
        for W, name in zip(weights, names, strict=True):
            zs.append(W @ self._with_ones(a[-1]))
            a.append(stable_softmax(zs[-1]) if name == "softmax" else formula(STABLE, name)[0](zs[-1]))
        return zs, a

    @staticmethod
    def _with_ones(a: Array) -> Array:
        return np.vstack([np.ones((1, a.shape[1]), dtype=a.dtype), a])

    def loss(self, weights, biases, x, y, *, activations, cost, l2):  # type: ignore[no-untyped-def]
        """Mean cost and (λ/2) ΣW² without the bias column."""
        names, cost = fused_names(activations, cost)
        a = self._forward(weights, x, names)[1][-1]
        return float(STABLE_COSTS[cost][0](a, y)) / x.shape[1] + l2 / 2 * sum(
            float((W[:, 1:] ** 2).sum()) for W in weights
        )

    def backprop(self, weights, biases, x, y, *, activations, cost, l2):  # type: ignore[no-untyped-def]
        """One gradient a layer, the bias column included."""
        names, cost = fused_names(activations, cost)
        zs, a = self._forward(weights, x, names)
        delta, gradients = STABLE_COSTS[cost][1](a[-1], y) / x.shape[1], []
        for l in reversed(range(len(weights))):
            if names[l] == "softmax":
                s = a[l + 1]
                delta = s * (delta - (s * delta).sum(axis=0))
            else:
                delta = delta * formula(STABLE, names[l])[1](zs[l])
            dW = delta @ self._with_ones(a[l]).T
            dW[:, 1:] += l2 * weights[l][:, 1:]
            gradients.append(dW)
            delta = weights[l][:, 1:].T @ delta
        return gradients[::-1]
