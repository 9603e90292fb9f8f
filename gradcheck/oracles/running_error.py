"""Running error analysis of any jaxpr: numpy carries out jax's equations, and every value drags its rounding bound along.

v     value of a variable, float64
e     bound of its absolute error for a computation in precision u; None for what no argument reaches (exact)

For each equation w = f(v) the bound is |f(v ± e) − f(v)| + c u |w|, with γ_n in place of u for sums of n terms (Higham 2002,
§3.1, §3.3). Elementary functions are granted an absolute error where usual formulas of them cancel (tanh, 1 − σ).
The module knows jaxprs as plain objects and never imports jax.
"""

# ruff: noqa: E501 (tables)

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.networks.namespace import xp_numpy
from gradcheck.numerics import Array, gamma

ELEMENTARY = 8.0
"""Roundings granted to one elementary function."""


class Unknown(Exception):
    """A primitive that has no rule here."""


@dataclass(frozen=True, slots=True, eq=False)
class Rounded:
    """A value and the bound of its error; e is None where the value is exact."""

    v: Array
    e: Array | None = None

    @property
    def error(self) -> Array:
        """The bound as an array."""
        return np.zeros(np.shape(self.v)) if self.e is None else self.e


@dataclass(slots=True)
class Analysis:
    """One run: u, and the smallest distance of two values that a branch compared (0 does not count: it is the same value)."""

    u: float
    nearest: float = float("inf")

    def run(self, closed: Any, inputs: Sequence[Rounded]) -> list[Rounded]:
        """The results of a closed jaxpr. Raises Unknown."""
        consts = [Rounded(np.asarray(c)) for c in closed.consts]
        with np.errstate(all="ignore"):
            return self._jaxpr(closed.jaxpr, consts, inputs)

    def _jaxpr(self, jaxpr: Any, consts: Sequence[Rounded], inputs: Sequence[Rounded]) -> list[Rounded]:
        scope: dict[Any, Rounded] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *inputs], strict=True))

        def read(atom: Any) -> Rounded:
            return Rounded(np.asarray(atom.val)) if hasattr(atom, "val") else scope[atom]

        for equation in jaxpr.eqns:
            results = self._equation(equation, [read(a) for a in equation.invars])
            scope.update(zip(equation.outvars, results, strict=True))
        return [read(a) for a in jaxpr.outvars]

    def _equation(self, equation: Any, inputs: list[Rounded]) -> list[Rounded]:
        name, params = equation.primitive.name, equation.params
        inner = next((params[k] for k in ("jaxpr", "call_jaxpr", "fun_jaxpr") if k in params), None)
        if inner is not None and name in CALLS:
            jaxpr = getattr(inner, "jaxpr", inner)
            return self._jaxpr(jaxpr, [Rounded(np.asarray(c)) for c in getattr(inner, "consts", ())], inputs)
        if name in COMPARISONS:
            self._compare(name, *inputs)
            return [Rounded(COMPARISONS[name](inputs[0].v, inputs[1].v))]
        if name == "select_n":
            return [_selected(*inputs)]
        if name in SHAPES:
            return self._moved(SHAPES[name], params, inputs, equation)
        if name not in RULES:
            raise Unknown(name)
        v, e = RULES[name](self.u, params, *inputs)
        exact = all(i.e is None for i in inputs)
        return [Rounded(np.asarray(v), None if exact else np.asarray(e, dtype=np.float64))]

    def _compare(self, name: str, a: Rounded, b: Rounded) -> None:
        if a.e is None and b.e is None:
            return
        distance = np.abs(np.asarray(a.v, dtype=float) - np.asarray(b.v, dtype=float))
        distance = distance[np.isfinite(distance) & (distance > 0)] if name == "eq" else distance[np.isfinite(distance)]
        self.nearest = min(self.nearest, float(distance.min(initial=np.inf)))

    @staticmethod
    def _moved(move: Callable[..., Any], params: Any, inputs: list[Rounded], equation: Any) -> list[Rounded]:
        """Equations that only move numbers around: the bounds move with them."""
        values = move(params, equation, *[i.v for i in inputs])
        if all(i.e is None for i in inputs):
            errors: Any = None
        else:
            errors = move(params, equation, *[i.error for i in inputs])
        if isinstance(values, list):
            return [Rounded(v, None if errors is None else errors[k]) for k, v in enumerate(values)]
        return [Rounded(values, errors)]


CALLS = frozenset(
    {"jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "remat", "checkpoint"}
)
COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "gt": np.greater, "lt": np.less, "ge": np.greater_equal, "le": np.less_equal, "eq": np.equal, "ne": np.not_equal,
}  # fmt: skip

Pair = tuple[Any, Any]


def _add(u: float, p: Any, a: Rounded, b: Rounded) -> Pair:
    v = a.v + b.v
    return v, a.error + b.error + u * np.abs(v)


def _sub(u: float, p: Any, a: Rounded, b: Rounded) -> Pair:
    v = a.v - b.v
    return v, a.error + b.error + u * np.abs(v)


def _mul(u: float, p: Any, a: Rounded, b: Rounded) -> Pair:
    v = a.v * b.v
    return v, np.abs(a.v) * b.error + np.abs(b.v) * a.error + a.error * b.error + u * np.abs(v)


def _div(u: float, p: Any, a: Rounded, b: Rounded) -> Pair:
    v = a.v / b.v
    room = np.abs(b.v) - b.error
    return v, np.where(room > 0, (a.error + np.abs(v) * b.error) / np.where(room > 0, room, 1.0), np.inf) + u * np.abs(
        v
    )


def _neg(u: float, p: Any, a: Rounded) -> Pair:
    return -a.v, a.error


def _extreme(function: Any) -> Callable[..., Pair]:
    return lambda u, p, a, b: (function(a.v, b.v), np.maximum(a.error, b.error))


def _exp(u: float, p: Any, a: Rounded) -> Pair:
    v = np.exp(a.v)
    moved = np.where(
        a.error < 1, v * np.expm1(np.minimum(a.error, 1.0)), np.exp(a.v + a.error)
    )  # exp(−1e30 ± 1e14) is 0
    return v, moved + ELEMENTARY * u * v * (1 + np.abs(a.v))


def _log(u: float, p: Any, a: Rounded) -> Pair:
    v, room = np.log(a.v), np.abs(a.v) - a.error
    return v, np.where(room > 0, a.error / np.where(room > 0, room, 1.0), np.inf) + ELEMENTARY * u * (1 + np.abs(v))


def _smooth(function: Any, slope: Any) -> Callable[..., Pair]:
    """Functions with |f″| ≤ 2 and an absolute error of a few roundings; the slope is known from the argument or the value."""

    def rule(u: float, p: Any, a: Rounded) -> Pair:
        v = function(a.v)
        e = a.error
        return v, (np.abs(slope(a.v, v)) + 2 * e) * e + ELEMENTARY * u * (1 + np.abs(v))

    return rule


def _sqrt(u: float, p: Any, a: Rounded) -> Pair:
    v = np.sqrt(a.v)
    reach = v + np.sqrt(np.maximum(a.v - a.error, 0.0))
    return v, np.where(reach > 0, a.error / np.where(reach > 0, reach, 1.0), np.sqrt(a.error)) + u * v


def _rsqrt(u: float, p: Any, a: Rounded) -> Pair:
    v, room = 1 / np.sqrt(a.v), a.v - a.error
    return v, np.where(room > 0, v * a.error / np.where(room > 0, room, 1.0), np.inf) + 4 * u * v


def _power(a: Rounded, y: float, u: float) -> Pair:
    v = a.v**y
    size = np.abs(a.v) + a.error if y >= 1 else np.abs(a.v) - a.error
    slope = np.abs(y) * np.where(size > 0, size, 0.0) ** (y - 1)
    return v, slope * a.error + (2 + np.abs(y)) * u * np.abs(v)


def _erf(u: float, p: Any, a: Rounded) -> Pair:
    v = xp_numpy.erf(np.asarray(a.v, dtype=float))
    return v, 1.13 * a.error + ELEMENTARY * u


def _logistic(z: Any) -> Any:
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def _dot(u: float, p: Any, a: Rounded, b: Rounded) -> Pair:
    subscripts, count = _einsum(p["dimension_numbers"], a.v.shape, b.v.shape)

    def product(x: Any, y: Any) -> Any:
        return np.einsum(subscripts, x, y, optimize=False)

    A, B = np.abs(a.v), np.abs(b.v)
    e = gamma(count + 2, u) * product(A, B)
    if a.e is not None:
        e = e + product(a.e, B + b.error)
    if b.e is not None:
        e = e + product(A, b.e)
    return product(a.v, b.v), e


def _einsum(numbers: Any, left_shape: Sequence[int], right_shape: Sequence[int]) -> tuple[str, int]:
    (left, right), (batch_left, batch_right) = numbers
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    first = [next(letters) for _ in left_shape]
    second = [""] * len(right_shape)
    for i, j in [*zip(left, right, strict=True), *zip(batch_left, batch_right, strict=True)]:
        second[j] = first[i]
    second = [s or next(letters) for s in second]
    batch = [first[i] for i in batch_left]
    contracted = {first[i] for i in left}
    free = [s for s in [*first, *second] if s not in contracted and s not in batch]
    count = int(np.prod([left_shape[i] for i in left]))
    return f"{''.join(first)},{''.join(second)}->{''.join(batch + free)}", count


def _sum(u: float, p: Any, a: Rounded) -> Pair:
    axes = tuple(p["axes"])
    count = int(np.prod([a.v.shape[k] for k in axes]))
    return a.v.sum(axis=axes), a.error.sum(axis=axes) + gamma(count, u) * np.abs(a.v).sum(axis=axes)


def _reduced(function: Any) -> Callable[..., Pair]:
    """Largest or smallest: never further off than the worst of its candidates."""
    return lambda u, p, a: (function(a.v, axis=tuple(p["axes"])), a.error.max(axis=tuple(p["axes"]), initial=0.0))


def _cumsum(u: float, p: Any, a: Rounded) -> Pair:
    axis, n = int(p["axis"]), a.v.shape[int(p["axis"])]

    def total(x: Any) -> Any:
        return np.flip(np.cumsum(np.flip(x, axis), axis), axis) if p["reverse"] else np.cumsum(x, axis)

    return total(a.v), total(a.error) + gamma(n, u) * total(np.abs(a.v))


def _clamp(u: float, p: Any, low: Rounded, a: Rounded, high: Rounded) -> Pair:
    return np.clip(a.v, low.v, high.v), a.error


def _convert(u: float, p: Any, a: Rounded) -> Pair:
    return a.v.astype(p["new_dtype"]), a.error


def _square(u: float, p: Any, a: Rounded) -> Pair:
    return _power(a, 2, u)


RULES: Mapping[str, Callable[..., Pair]] = {
    "add": _add, "add_any": _add, "sub": _sub, "mul": _mul, "div": _div, "neg": _neg, "abs": lambda u, p, a: (np.abs(a.v), a.error),
    "sign": lambda u, p, a: (np.sign(a.v), np.zeros(a.v.shape)), "max": _extreme(np.maximum), "min": _extreme(np.minimum),
    "exp": _exp, "log": _log, "expm1": _smooth(np.expm1, lambda z, v: np.exp(z)), "log1p": _smooth(np.log1p, lambda z, v: 1 / (1 + z)),
    "tanh": _smooth(np.tanh, lambda z, v: 1 - v * v), "logistic": _smooth(_logistic, lambda z, v: v * (1 - v)),
    "sin": _smooth(np.sin, lambda z, v: np.cos(z)), "cos": _smooth(np.cos, lambda z, v: np.sin(z)),
    "atan": _smooth(np.arctan, lambda z, v: 1 / (1 + z * z)), "erf": _erf, "sqrt": _sqrt, "rsqrt": _rsqrt,
    "square": _square, "integer_pow": lambda u, p, a: _power(a, float(p["y"]), u),
    "pow": lambda u, p, a, b: _power(a, b.v, u), "dot_general": _dot, "reduce_sum": _sum,
    "reduce_max": _reduced(np.max), "reduce_min": _reduced(np.min), "cumsum": _cumsum, "clamp": _clamp,
    "convert_element_type": _convert, "stop_gradient": lambda u, p, a: (a.v, a.error), "copy": lambda u, p, a: (a.v, a.error),
    "not": lambda u, p, a: (~a.v, None), "and": lambda u, p, a, b: (a.v & b.v, None), "or": lambda u, p, a, b: (a.v | b.v, None),
}  # fmt: skip


def _broadcast(p: Any, eqn: Any, a: Any, *sizes: Any) -> Any:
    shape = [1] * len(p["shape"])
    for axis, size in zip(p["broadcast_dimensions"], a.shape, strict=True):
        shape[axis] = size
    return np.broadcast_to(np.reshape(a, shape), p["shape"])


def _pad(p: Any, eqn: Any, a: Any, value: Any) -> Any:
    out = np.full(eqn.outvars[0].aval.shape, value, dtype=np.asarray(a).dtype)
    target, source = [], []
    for (low, high, inner), size in zip(p["padding_config"], a.shape, strict=True):
        cut = max(0, -low)
        kept = max(0, size - cut - max(0, -high)) if inner == 0 else size
        source.append(slice(cut, cut + kept))
        start = max(0, low)
        target.append(slice(start, start + (kept - 1) * (inner + 1) + 1 if kept else start, inner + 1))
    out[tuple(target)] = a[tuple(source)]
    return out


def _slice(p: Any, eqn: Any, a: Any) -> Any:
    strides = p["strides"] or [1] * a.ndim
    return a[tuple(slice(i, j, k) for i, j, k in zip(p["start_indices"], p["limit_indices"], strides, strict=True))]


def _selected(which: Rounded, no: Rounded, yes: Rounded) -> Rounded:
    v = np.where(which.v, yes.v, no.v)
    return Rounded(v, None if no.e is None and yes.e is None else np.where(which.v, yes.error, no.error))


def _stack(p: Any, eqn: Any, *parts: Any) -> Any:
    return np.stack(parts, axis=int(p.get("axis", 0)))


def _unstack(p: Any, eqn: Any, a: Any) -> Any:
    axis = int(p.get("axis", 0))
    return [np.take(a, k, axis=axis) for k in range(a.shape[axis])]


def _split(p: Any, eqn: Any, a: Any) -> Any:
    return np.split(a, np.cumsum(p["sizes"])[:-1], axis=int(p["axis"]))


def _to_output(p: Any, eqn: Any, a: Any) -> Any:
    return np.reshape(a, eqn.outvars[0].aval.shape)


SHAPES: Mapping[str, Callable[..., Any]] = {
    "reshape": _to_output, "squeeze": _to_output, "expand_dims": _to_output, "broadcast_in_dim": _broadcast, "pad": _pad,
    "transpose": lambda p, e, a: np.transpose(a, p["permutation"]), "slice": _slice, "rev": lambda p, e, a: np.flip(a, p["dimensions"]),
    "concatenate": lambda p, e, *a: np.concatenate(a, axis=int(p["dimension"])), "stack": _stack, "unstack": _unstack, "split": _split,
    "iota": lambda p, e: np.broadcast_to(np.arange(p["shape"][p["dimension"]]).reshape([-1 if k == p["dimension"] else 1 for k in range(len(p["shape"]))]), p["shape"]),
}  # fmt: skip
