"""From a jaxpr to numpy source: jax's differentiation rules, carried out by numpy without a compilation per shape.

A jaxpr traced with symbolic sizes becomes one Python function; sizes are read off its arguments at each call. This module
handles jaxprs as plain objects and never imports jax. What it cannot transcribe raises `Untranscribable`, and the caller
falls back to compiled jax.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.networks.namespace import xp_numpy
from gradcheck.oracles.lines import Lines
from gradcheck.oracles.restricted import compile_function


class Untranscribable(Exception):
    """The jaxpr holds a primitive or a parameter that has no transcription here."""


def transcribe(closed: Any, name: str, opaque: Sequence[str] = ()) -> Callable[..., Any]:
    """A numpy function with the arguments and results of the closed jaxpr; `opaque` are extra leading arguments.

    An equation of a primitive named ``opaque`` calls the extra argument that its parameter `target` names, with index `k`.
    Raises Untranscribable.
    """
    return assemble(*write(closed, name, opaque), name)


def assemble(source: str, consts: Sequence[Any], name: str) -> Callable[..., Any]:
    """The function of a written transcription. Raises Refused for what is none."""
    return compile_function(source, name, {"erf": xp_numpy.erf, "consts": consts, **_HELPERS})


def write(closed: Any, name: str, opaque: Sequence[str] = ()) -> tuple[str, list[Any]]:
    """The source of `transcribe` and the constants it refers to."""
    writer = _Writer()
    arguments = [writer.argument(v) for v in closed.jaxpr.invars]
    sizes = writer.sizes(closed.jaxpr.invars, arguments)
    writer.constants(closed.jaxpr, closed.consts)
    results = [writer.full(v) for v in writer.equations(closed.jaxpr)]
    lines = [*sizes, *writer.lines.used_by(results, sizes)]
    signature = f"def {name}({', '.join([*opaque, *arguments])}):"
    return "\n    ".join([signature, *lines, f"return ({', '.join(results)},)"]) + "\n", writer.consts


@dataclass(frozen=True)
class _Spread:
    """A value that is the same along some axes, kept small: numpy broadcasts it where another operand has the full shape."""

    small: str
    shape: tuple[Any, ...]


_Value = str | _Spread


class _Writer:
    """Expressions for variables, and one line of source for each new value; nested jaxprs are written in place."""

    def __init__(self) -> None:
        self.lines = Lines()
        self.values: dict[int, _Value] = {}
        self.keep: list[Any] = []  # jaxpr variables are known by identity: keep them alive
        self.consts: list[Any] = []

    def bind(self, var: Any, value: _Value) -> None:
        self.values[id(var)] = value
        self.keep.append(var)

    def argument(self, var: Any) -> str:
        name = self.lines.fresh()
        self.bind(var, name)
        return name

    def sizes(self, invars: Sequence[Any], arguments: Sequence[str]) -> list[str]:
        """Lines that bind every symbolic size that is an argument's dimension of its own."""
        known: dict[str, str] = {}
        for var, argument in zip(invars, arguments, strict=True):
            for axis, size in enumerate(var.aval.shape):
                if not isinstance(size, int) and str(size).isidentifier():
                    known.setdefault(str(size), f"{size} = {argument}.shape[{axis}]")
        return list(known.values())

    def constants(self, jaxpr: Any, consts: Sequence[Any]) -> None:
        for var, value in zip(jaxpr.constvars, consts, strict=True):
            self.bind(var, f"consts[{len(self.consts)}]")
            self.consts.append(np.asarray(value))

    def value(self, atom: Any) -> _Value:
        return _literal(atom.val) if hasattr(atom, "val") else self.values[id(atom)]

    def full(self, value: _Value) -> str:
        if isinstance(value, str):
            return value
        return self.lines.add(f"np.broadcast_to({value.small}, {_tuple(value.shape)})")

    def equations(self, jaxpr: Any) -> list[_Value]:
        for equation in jaxpr.eqns:
            inputs = [self.value(v) for v in equation.invars]
            for var, result in zip(equation.outvars, self.results(equation, inputs), strict=True):
                if type(var).__name__ != "DropVar":
                    self.bind(var, result)
        return [self.value(v) for v in jaxpr.outvars]

    def results(self, equation: Any, inputs: Sequence[_Value]) -> list[_Value]:
        inner = next((equation.params[k] for k in _INNER if k in equation.params), None)
        primitive = equation.primitive.name
        if inner is not None and primitive in _CALLS:
            return self.inline(inner, inputs)
        if primitive in _MOVES or _converts_nothing(primitive, equation):
            return [inputs[0]]
        if primitive == "broadcast_in_dim":
            return [self.broadcast(equation, self.full(inputs[0]))]
        if primitive not in _PRIMITIVES:
            raise Untranscribable(primitive)
        if primitive in _NOT_ELEMENTWISE or not any(isinstance(v, _Spread) for v in inputs):
            return [self.write(equation, [self.full(v) for v in inputs])]
        return [self.elementwise(equation, inputs)]

    def write(self, equation: Any, operands: Sequence[str]) -> str:
        primitive = equation.primitive.name
        known = folded(primitive, operands)
        if known is not None:
            return known
        if primitive == "mul" and "(1.0)" in operands:
            other = 1 - operands.index("(1.0)")
            if getattr(equation.invars[other].aval, "shape", ()) == equation.outvars[0].aval.shape:
                return operands[other]
        ordered = sorted(operands) if primitive in _COMMUTATIVE else operands
        return self.lines.add(_PRIMITIVES[primitive](equation.params, ordered, equation))

    def elementwise(self, equation: Any, inputs: Sequence[_Value]) -> _Value:
        """Spread operands stay small where another one has the full shape; without such a one, so does the result."""
        shape = equation.outvars[0].aval.shape
        small = [v.small if isinstance(v, _Spread) else v for v in inputs]
        shapes = [getattr(v.aval, "shape", ()) for v in equation.invars]
        whole = [v for v, s in zip(inputs, shapes, strict=True) if isinstance(v, str) and s == shape]
        if whole:
            return self.write(equation, small)
        if equation.primitive.name in _SAFE:
            return _Spread(self.write(equation, small), shape)
        return self.write(equation, [self.full(v) for v in inputs])

    def broadcast(self, equation: Any, operand: str) -> _Value:
        shape, before = equation.params["shape"], getattr(equation.invars[0].aval, "shape", ())
        kept = [int(k) for k in equation.params["broadcast_dimensions"]]
        ones: list[Any] = [1] * len(shape)
        for axis, size in zip(kept, before, strict=True):
            ones[axis] = size
        reshaped = (
            operand if not before or ones == list(before) else self.lines.add(f"np.reshape({operand}, {_tuple(ones)})")
        )
        return reshaped if before and ones == list(shape) else _Spread(reshaped, shape)

    def inline(self, inner: Any, inputs: Sequence[_Value]) -> list[_Value]:
        """A jaxpr object may be shared between call sites: its variables have new values at each of them."""
        jaxpr = getattr(inner, "jaxpr", inner)
        self.constants(jaxpr, getattr(inner, "consts", ()))
        for var, value in zip(jaxpr.invars, inputs, strict=True):
            self.bind(var, value)
        return self.equations(jaxpr)


def _converts_nothing(primitive: str, equation: Any) -> bool:
    """A conversion to the dtype that it has: jax writes them for weak types."""
    before = getattr(equation.invars[0].aval, "dtype", None) if equation.invars else None
    return primitive == "convert_element_type" and before == equation.params["new_dtype"]


_INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")
_CALLS = frozenset(
    {"jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "remat", "checkpoint"}
)


def _literal(value: Any) -> str:
    scalar = np.asarray(value).item()  # jax has subclasses of float with a repr of their own
    if isinstance(scalar, float) and not math.isfinite(scalar):
        return "np.nan" if math.isnan(scalar) else ("np.inf" if scalar > 0 else "(-np.inf)")
    return f"({scalar!r})"


def folded(primitive: str, operands: Sequence[str]) -> str | None:
    """The literal that an operation on literals comes to; None where it is on anything else."""
    numbers = [float(o[1:-1]) if _NUMBER.fullmatch(o) else None for o in operands]
    match primitive, numbers:
        case "neg", [float(a)]:
            return _literal(-a)
        case "mul", [float(a), float(b)]:
            return _literal(a * b)
        case "add" | "add_any", [float(a), float(b)]:
            return _literal(a + b)
        case "sub", [float(a), float(b)]:
            return _literal(a - b)
    return None


_NUMBER = re.compile(r"\(-?\d+\.\d*(e[-+]?\d+)?\)")
"""A float literal as `_literal` writes it; whole numbers are left alone, their arithmetic is not float64's."""


def _size(size: Any) -> str:
    return str(size)


def _tuple(values: Sequence[Any]) -> str:
    return f"({''.join(f'{_size(v)}, ' for v in values)})"


Emitter = Callable[[Mapping[str, Any], Sequence[str], Any], str]


def _infix(operator: str) -> Emitter:
    return lambda params, a, eqn: f"{a[0]} {operator} {a[1]}"


def _call(function: str) -> Emitter:
    return lambda params, a, eqn: f"{function}({', '.join(a)})"


def _reduce(function: str) -> Emitter:
    return lambda params, a, eqn: f"{function}({a[0]}, axis={_tuple(params['axes'])})"


def _integer_power(params: Mapping[str, Any], a: Sequence[str], eqn: Any) -> str:
    """Products, as jax itself lowers it: numpy's power is many times slower."""
    y = int(params["y"])
    product = " * ".join([a[0]] * abs(y))
    if 1 <= y <= 4:
        return product
    return f"1.0 / ({product})" if -4 <= y <= -1 else f"{a[0]} ** {float(y)}"


def _dot_general(params: Mapping[str, Any], a: Sequence[str], eqn: Any) -> str:
    (left, right), (batch_left, _) = params["dimension_numbers"]
    ranks = [len(v.aval.shape) for v in eqn.invars]
    plain = {
        ((1,), (0,)): "{0} @ {1}",
        ((0,), (0,)): "{0}.T @ {1}",
        ((1,), (1,)): "{0} @ {1}.T",
        ((0,), (1,)): "({1} @ {0}).T",
    }
    key = (tuple(int(k) for k in left), tuple(int(k) for k in right))
    if ranks == [2, 2] and not batch_left and key in plain:
        return plain[key].format(*a)
    return _einsum(params["dimension_numbers"], ranks, a)


def _einsum(numbers: Any, ranks: Sequence[int], a: Sequence[str]) -> str:
    (left, right), (batch_left, batch_right) = numbers
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    first = [next(letters) for _ in range(ranks[0])]
    second = [""] * ranks[1]
    for i, j in [*zip(left, right, strict=True), *zip(batch_left, batch_right, strict=True)]:
        second[j] = first[i]
    second = [s or next(letters) for s in second]
    batch = [first[i] for i in batch_left]
    contracted = {first[i] for i in left}
    free = [s for s in first if s not in contracted and s not in batch]
    free += [s for s in second if s not in contracted and s not in batch]
    return f"np.einsum('{''.join(first)},{''.join(second)}->{''.join(batch + free)}', {a[0]}, {a[1]})"


def _select_n(params: Mapping[str, Any], a: Sequence[str], eqn: Any) -> str:
    if len(a) != 3:
        raise Untranscribable("select_n with more than two cases")
    return f"np.where({a[0]}, {a[2]}, {a[1]})"


def _iota(params: Mapping[str, Any], a: Sequence[str], eqn: Any) -> str:
    rank, axis = len(params["shape"]), int(params["dimension"])
    shape = ["1"] * rank
    shape[axis] = "-1"
    line = f"np.arange({_size(params['shape'][axis])}, dtype='{np.dtype(params['dtype']).name}')"
    return f"np.broadcast_to({line}.reshape({_tuple(shape)}), {_tuple(params['shape'])})"


def _opaque(params: Mapping[str, Any], a: Sequence[str], eqn: Any) -> str:
    index = f"[{params['k']}]" if params["k"] is not None else ""
    return f"{params['target']}{index}({', '.join(a)})"


def _slice(params: Mapping[str, Any], a: Sequence[str], eqn: Any) -> str:
    strides = params["strides"] or [1] * len(params["start_indices"])
    limits = zip(params["start_indices"], params["limit_indices"], strides, strict=True)
    return f"{a[0]}[{', '.join(f'{_size(i)}:{_size(j)}:{_size(k)}' for i, j, k in limits)}]"


_PRIMITIVES: Mapping[str, Emitter] = {
    "add": _infix("+"), "add_any": _infix("+"), "sub": _infix("-"), "mul": _infix("*"), "div": _infix("/"),
    "gt": _infix(">"), "lt": _infix("<"), "ge": _infix(">="), "le": _infix("<="), "eq": _infix("=="), "ne": _infix("!="),
    "and": _infix("&"), "or": _infix("|"), "pow": _infix("**"),
    "neg": _call("np.negative"), "not": _call("np.logical_not"), "abs": _call("np.abs"), "sign": _call("np.sign"),
    "exp": _call("np.exp"), "exp2": _call("np.exp2"), "log": _call("np.log"), "log1p": _call("np.log1p"),
    "expm1": _call("np.expm1"), "tanh": _call("np.tanh"), "sinh": _call("np.sinh"), "cosh": _call("np.cosh"),
    "sin": _call("np.sin"), "cos": _call("np.cos"), "tan": _call("np.tan"), "atan": _call("np.arctan"),
    "asinh": _call("np.arcsinh"), "atan2": _call("np.arctan2"), "sqrt": _call("np.sqrt"), "cbrt": _call("np.cbrt"),
    "rsqrt": lambda p, a, e: f"1.0 / np.sqrt({a[0]})", "logistic": _call("logistic"), "erf": _call("erf"),
    "square": lambda p, a, e: f"{a[0]} * {a[0]}", "integer_pow": _integer_power,
    "max": _call("np.maximum"), "min": _call("np.minimum"), "is_finite": _call("np.isfinite"),
    "clamp": lambda p, a, e: f"np.clip({a[1]}, {a[0]}, {a[2]})", "floor": _call("np.floor"), "ceil": _call("np.ceil"),
    "reduce_sum": _reduce("total"), "reduce_max": _reduce("largest"), "reduce_min": _reduce("smallest"),
    "reduce_prod": _reduce("np.prod"), "reduce_and": _reduce("np.all"), "reduce_or": _reduce("np.any"),
    "reshape": lambda p, a, e: f"np.reshape({a[0]}, {_tuple(p['new_sizes'])})",
    "squeeze": lambda p, a, e: f"np.reshape({a[0]}, {_tuple(e.outvars[0].aval.shape)})",
    "expand_dims": lambda p, a, e: f"np.reshape({a[0]}, {_tuple(e.outvars[0].aval.shape)})",
    "transpose": lambda p, a, e: f"np.transpose({a[0]}, {_tuple([int(k) for k in p['permutation']])})",
    "convert_element_type": lambda p, a, e: f"np.asarray({a[0]}).astype('{np.dtype(p['new_dtype']).name}')",
    "concatenate": lambda p, a, e: f"np.concatenate([{', '.join(a)}], axis={int(p['dimension'])})",
    "cumsum": lambda p, a, e: f"cumsum({a[0]}, {int(p['axis'])}, {bool(p['reverse'])})",
    "dot_general": _dot_general, "select_n": _select_n, "iota": _iota, "slice": _slice,
    "opaque": _opaque,
}  # fmt: skip
_MOVES = frozenset({"copy", "copy_p", "stop_gradient"})
_COMMUTATIVE = frozenset({"add", "add_any", "mul", "max", "min", "and", "or", "eq", "ne"})
_SAFE = frozenset({"add", "add_any", "sub", "mul", "neg", "convert_element_type"})
"""Carried out on Python's own numbers they raise nothing that numpy would not."""
_NOT_ELEMENTWISE = frozenset(
    {
        "reshape",
        "squeeze",
        "expand_dims",
        "transpose",
        "concatenate",
        "cumsum",
        "dot_general",
        "iota",
        "slice",
        "opaque",
    }
    | {name for name in _PRIMITIVES if name.startswith("reduce_")}
)


def _logistic(z: Any) -> Any:
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0 / (1.0 + e), e / (1.0 + e))


def _cumsum(x: Any, axis: int, reverse: bool) -> Any:
    return np.flip(np.cumsum(np.flip(x, axis), axis), axis) if reverse else np.cumsum(x, axis)


_HELPERS: Mapping[str, Any] = {
    "total": np.add.reduce,
    "largest": np.maximum.reduce,
    "smallest": np.minimum.reduce,
    "logistic": _logistic,
    "cumsum": _cumsum,
    "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
}
