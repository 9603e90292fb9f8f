"""From a jaxpr to numpy source: jax's differentiation rules, carried out by numpy without a compilation per shape.

A jaxpr traced with symbolic sizes becomes one Python function; sizes are read off its arguments at each call. This module
handles jaxprs as plain objects and never imports jax. What it cannot transcribe raises `Untranscribable`, and the caller
falls back to compiled jax.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gradcheck.networks.namespace import xp_numpy
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
    arguments = [writer.name(v) for v in closed.jaxpr.invars]
    writer.sizes(closed.jaxpr.invars, arguments)
    for var, _ in zip(closed.jaxpr.constvars, closed.consts, strict=True):
        writer.names[id(var)] = f"consts[{len(writer.consts)}]"
        writer.keep.append(var)
        writer.consts.append(np.asarray(_))
    results = writer.equations(closed.jaxpr)
    lines = [f"def {name}({', '.join([*opaque, *arguments])}):", *writer.lines, f"return ({', '.join(results)},)"]
    return "\n    ".join(lines) + "\n", writer.consts


class _Writer:
    """Names for variables, and one line of source an equation; nested jaxprs are written in place."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.keep: list[Any] = []  # jaxpr variables are named by identity: keep them alive
        self.consts: list[Any] = []

    def name(self, var: Any) -> str:
        if type(var).__name__ == "DropVar":
            return "_"
        if id(var) not in self.names:
            self.names[id(var)] = f"v{len(self.names)}"
            self.keep.append(var)
        return self.names[id(var)]

    def sizes(self, invars: Sequence[Any], arguments: Sequence[str]) -> None:
        """Bind every symbolic size that is an argument's dimension of its own."""
        known: set[str] = set()
        for var, argument in zip(invars, arguments, strict=True):
            for axis, size in enumerate(var.aval.shape):
                if not isinstance(size, int) and str(size).isidentifier() and str(size) not in known:
                    known.add(str(size))
                    self.lines.append(f"{size} = {argument}.shape[{axis}]")

    def atom(self, atom: Any) -> str:
        if hasattr(atom, "val"):
            return _literal(atom.val)
        return self.name(atom)

    def equations(self, jaxpr: Any) -> list[str]:
        for equation in jaxpr.eqns:
            self.equation(equation)
        return [self.atom(v) for v in jaxpr.outvars]

    def equation(self, equation: Any) -> None:
        inputs = [self.atom(v) for v in equation.invars]
        inner = next((equation.params[k] for k in _INNER if k in equation.params), None)
        primitive = equation.primitive.name
        if inner is not None and primitive in _CALLS:
            results = self.inline(inner, inputs)
        elif primitive in _PRIMITIVES:
            results = [_PRIMITIVES[primitive](equation.params, inputs, equation)]
        else:
            raise Untranscribable(primitive)
        for var, result in zip(equation.outvars, results, strict=True):
            if type(var).__name__ != "DropVar":
                self.lines.append(f"{self.name(var)} = {result}")

    def inline(self, inner: Any, inputs: Sequence[str]) -> list[str]:
        jaxpr = getattr(inner, "jaxpr", inner)
        for var, value in zip(jaxpr.constvars, getattr(inner, "consts", ()), strict=True):
            self.names[id(var)] = f"consts[{len(self.consts)}]"
            self.keep.append(var)
            self.consts.append(np.asarray(value))
        # a jaxpr object may be shared between call sites: its variables get new names at each of them
        for var in jaxpr.invars:
            self.names.pop(id(var), None)
        fresh = [f"{self.name(var)}" for var in jaxpr.invars]
        for local, value in zip(fresh, inputs, strict=True):
            if local != value:
                self.lines.append(f"{local} = {value}")
        for equation in jaxpr.eqns:
            for var in equation.outvars:
                self.names.pop(id(var), None)
        return self.equations(jaxpr)


_INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")
_CALLS = frozenset(
    {"jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "remat", "checkpoint"}
)


def _literal(value: Any) -> str:
    scalar = np.asarray(value).item()  # jax has subclasses of float with a repr of their own
    if isinstance(scalar, float) and not math.isfinite(scalar):
        return "np.nan" if math.isnan(scalar) else ("np.inf" if scalar > 0 else "(-np.inf)")
    return f"({scalar!r})"


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


def _broadcast(params: Mapping[str, Any], a: Sequence[str], eqn: Any) -> str:
    rank = len(params["shape"])
    kept = [int(k) for k in params["broadcast_dimensions"]]
    operand = getattr(eqn.invars[0].aval, "shape", ())
    shape = ["1"] * rank
    for axis, size in zip(kept, operand, strict=True):
        shape[axis] = _size(size)
    source = f"np.reshape({a[0]}, {_tuple(shape)})" if operand else a[0]
    return f"np.broadcast_to({source}, {_tuple(params['shape'])})"


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
    "square": lambda p, a, e: f"{a[0]} * {a[0]}", "integer_pow": lambda p, a, e: f"{a[0]} ** {float(p['y'])}",
    "max": _call("np.maximum"), "min": _call("np.minimum"), "is_finite": _call("np.isfinite"),
    "clamp": lambda p, a, e: f"np.clip({a[1]}, {a[0]}, {a[2]})", "floor": _call("np.floor"), "ceil": _call("np.ceil"),
    "reduce_sum": _reduce("np.sum"), "reduce_max": _reduce("np.max"), "reduce_min": _reduce("np.min"),
    "reduce_prod": _reduce("np.prod"), "reduce_and": _reduce("np.all"), "reduce_or": _reduce("np.any"),
    "reshape": lambda p, a, e: f"np.reshape({a[0]}, {_tuple(p['new_sizes'])})",
    "squeeze": lambda p, a, e: f"np.reshape({a[0]}, {_tuple(e.outvars[0].aval.shape)})",
    "expand_dims": lambda p, a, e: f"np.reshape({a[0]}, {_tuple(e.outvars[0].aval.shape)})",
    "transpose": lambda p, a, e: f"np.transpose({a[0]}, {_tuple([int(k) for k in p['permutation']])})",
    "convert_element_type": lambda p, a, e: f"np.asarray({a[0]}).astype('{np.dtype(p['new_dtype']).name}')",
    "concatenate": lambda p, a, e: f"np.concatenate([{', '.join(a)}], axis={int(p['dimension'])})",
    "cumsum": lambda p, a, e: f"cumsum({a[0]}, {int(p['axis'])}, {bool(p['reverse'])})",
    "broadcast_in_dim": _broadcast, "dot_general": _dot_general, "select_n": _select_n, "iota": _iota, "slice": _slice,
    "copy": lambda p, a, e: a[0], "copy_p": lambda p, a, e: a[0], "stop_gradient": lambda p, a, e: a[0],
    "opaque": _opaque,
}  # fmt: skip


def _logistic(z: Any) -> Any:
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0 / (1.0 + e), e / (1.0 + e))


def _cumsum(x: Any, axis: int, reverse: bool) -> Any:
    return np.flip(np.cumsum(np.flip(x, axis), axis), axis) if reverse else np.cumsum(x, axis)


_HELPERS: Mapping[str, Any] = {
    "logistic": _logistic,
    "cumsum": _cumsum,
    "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
}
