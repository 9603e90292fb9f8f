"""jax's equations as plain data: a closed jaxpr written as JSON, and read back as objects that `running_error` carries out.

Calls are written in place, so that there is one list of equations. What is read holds names of primitives that are known,
whole numbers, and numbers; anything else is refused. It never imports jax.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.oracles.restricted import Refused
from gradcheck.oracles.running_error import CALLS, COMPARISONS, RULES, SHAPES

KNOWN = frozenset({*COMPARISONS, *RULES, *SHAPES, "select_n"})
_INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")
_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "dot_general": ("dimension_numbers",), "integer_pow": ("y",), "cumsum": ("axis", "reverse"),
    "broadcast_in_dim": ("shape", "broadcast_dimensions"), "pad": ("padding_config",),
    "slice": ("start_indices", "limit_indices", "strides"), "transpose": ("permutation",), "rev": ("dimensions",),
    "concatenate": ("dimension",), "stack": ("axis",), "unstack": ("axis",), "split": ("sizes", "axis"),
    "iota": ("shape", "dimension"), "convert_element_type": ("new_dtype",),
    **dict.fromkeys(("reduce_sum", "reduce_max", "reduce_min"), ("axes",)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shaped:
    """What is known of a variable's value."""

    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """A variable: known by identity, as in jax."""

    aval: Shaped


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A number that stands in an equation."""

    val: Any


@dataclass(frozen=True, slots=True)
class Primitive:
    """An operation by its name."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Equation:
    """outvars = primitive(invars; params)."""

    primitive: Primitive
    params: Mapping[str, Any]
    invars: Sequence[Any]
    outvars: Sequence[Variable]


@dataclass(frozen=True, slots=True, eq=False)
class Jaxpr:
    """The equations between inputs and results."""

    constvars: Sequence[Variable]
    invars: Sequence[Variable]
    outvars: Sequence[Any]
    eqns: Sequence[Equation]


@dataclass(frozen=True, slots=True, eq=False)
class Closed:
    """A jaxpr with its constants, none of which is a variable any more."""

    jaxpr: Jaxpr
    consts: Sequence[Any] = ()


def written(closed: Any) -> str | None:
    """A closed jaxpr as JSON; None where it holds what cannot be read back."""
    writer = _Writer()
    inputs = [[writer.new(v), list(map(int, v.aval.shape))] for v in closed.jaxpr.invars]
    try:
        writer.bind(closed.jaxpr.constvars, [writer.literal(c) for c in closed.consts])
        results = writer.equations(closed.jaxpr)
    except (Refused, TypeError, ValueError):
        return None
    return json.dumps({"inputs": inputs, "equations": writer.lines, "results": results}, separators=(",", ":"))


def read(text: str) -> Closed:
    """The inverse of `written`. Raises Refused for anything else."""
    try:
        data = json.loads(text)
        scope: dict[int, Variable] = {}
        inputs = [_variable(scope, *v) for v in data["inputs"]]
        equations = [_equation(scope, *line) for line in data["equations"]]
        results = [_atom(scope, a) for a in data["results"]]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise Refused(f"no equations: {error}") from error
    return Closed(Jaxpr((), inputs, results, equations))


class _Writer:
    """Numbers for variables; lines [primitive, parameters, inputs, outputs with their shapes]."""

    def __init__(self) -> None:
        self.atoms: dict[Any, Any] = {}
        self.lines: list[Any] = []
        self.count = 0

    def new(self, var: Any) -> int:
        self.count += 1
        self.atoms[var] = self.count
        return self.count

    def bind(self, variables: Sequence[Any], atoms: Sequence[Any]) -> None:
        self.atoms.update(zip(variables, atoms, strict=True))

    def literal(self, value: Any) -> Any:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise Refused(f"a constant of dtype {array.dtype}")
        text = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
        return [array.dtype.str, list(array.shape), text]

    def atom(self, atom: Any) -> Any:
        return self.literal(atom.val) if hasattr(atom, "val") else self.atoms[atom]

    def equations(self, jaxpr: Any) -> list[Any]:
        for equation in jaxpr.eqns:
            name, params = equation.primitive.name, equation.params
            inputs = [self.atom(a) for a in equation.invars]
            inner = next((params[k] for k in _INNER if k in params), None)
            if inner is not None and name in CALLS:
                body = getattr(inner, "jaxpr", inner)
                self.bind(body.constvars, [self.literal(c) for c in getattr(inner, "consts", ())])
                self.bind(body.invars, inputs)
                self.bind(equation.outvars, self.equations(body))
                continue
            if name not in KNOWN:
                raise Refused(name)
            told = {k: _plain(params[k]) for k in _PARAMETERS.get(name, ()) if k in params}
            outputs = [[self.new(v), list(map(int, v.aval.shape))] for v in equation.outvars]
            self.lines.append([name, told, inputs, outputs])
        return [self.atom(a) for a in jaxpr.outvars]


def _plain(value: Any) -> Any:
    """Whole numbers, None and names of dtypes, in lists."""
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    return np.dtype(value).name if not hasattr(value, "__index__") else int(value)


def _variable(scope: dict[int, Variable], number: int, shape: Sequence[int]) -> Variable:
    scope[int(number)] = found = Variable(Shaped(tuple(int(k) for k in shape)))
    return found


def _atom(scope: Mapping[int, Variable], atom: Any) -> Any:
    if isinstance(atom, int):
        return scope[atom]
    dtype = np.dtype(atom[0])
    if dtype.kind not in "biuf":
        raise Refused(f"a constant of dtype {dtype}")
    return Literal(np.frombuffer(base64.b64decode(atom[2]), dtype).reshape(atom[1]))


def _equation(scope: dict[int, Variable], name: str, params: Any, inputs: Any, outputs: Any) -> Equation:
    if name not in KNOWN or set(params) - set(_PARAMETERS.get(name, ())):
        raise Refused(str(name))
    atoms = [_atom(scope, a) for a in inputs]
    told = {k: np.dtype(v) if k == "new_dtype" else _tuples(v) for k, v in params.items()}
    return Equation(Primitive(name), told, atoms, [_variable(scope, *v) for v in outputs])


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
