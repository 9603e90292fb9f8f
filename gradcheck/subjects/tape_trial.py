"""Try a tape: its value class (data, grad, backward), the operators it offers, and operators written as classes of their own.

Everything is found by running it on small arrays, or on single numbers where it takes no arrays. It must not judge gradients.
"""

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.numerics import Array
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.protocol import Malformed

DATA = ("data", "value", "val", "array", "_data", "v")
GRAD = ("grad", "gradient", "g", "_grad", "adjoint")
ROWS, COLUMNS, OTHER = 3, 4, 2
_NO_OPERATOR = (
    "backward", "zero_grad", "numpy", "item", "detach", "tolist", "copy", "clone", "realize_cached_data", "is_leaf", "backprop",
    "zerograd", "astype", "size", "ndim", "dim", "len", "cpu", "no_grad", "requires_grad_", "to_numpy", "topological_sort",
)  # fmt: skip
SYMBOLS: Mapping[str, Callable[..., Any]] = {
    "x + y": lambda x, y: x + y,
    "x - y": lambda x, y: x - y,
    "x * y": lambda x, y: x * y,
    "x / y": lambda x, y: x / y,
    "x @ w": lambda x, y: x @ y,
    "-x": lambda x: -x,
    "x ** 3": lambda x: x**3,
    "x + 2": lambda x: x + 2.0,
    "2 * x": lambda x: 2.0 * x,
    "2 - x": lambda x: 2.0 - x,
    "2 / x": lambda x: 2.0 / x,
    "x * x + x": lambda x: x * x + x,
    "(x + x) * x": lambda x: (x + x) * x,
}
"""Expressions in the operators of Python; the last two use a value three times, so that its gradients must add up."""

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Engine:
    """A value class. make(a) wraps an array (1,) as a number where `scalars`; data and grad: attribute names.

    takes_cotangent: whether backward takes the gradient of its value; wraps: as a value of the tape, and no array.
    """

    cls: type
    data: str
    grad: str
    scalars: bool
    takes_cotangent: bool
    wraps: bool = False

    def make(self, a: Array) -> Any:
        """A leaf of the tape."""
        return self.cls(float(a.item())) if self.scalars else self.cls(np.array(a))

    def read(self, value: Any, shape: tuple[int, ...] | None = None) -> Array:
        """The numbers of a value; a plain number is one of shape (1,)."""
        plain = value
        for _ in range(3):
            if isinstance(plain, (np.ndarray, np.generic, int, float)):
                break
            plain = plain.numpy() if callable(getattr(plain, "numpy", None)) else getattr(plain, self.data)
        array = np.asarray(plain, dtype=np.float64)
        return array.reshape(1) if array.ndim == 0 and shape in (None, (1,)) else array

    def grad_of(self, leaf: Any) -> Any:
        """The gradient on a leaf as it is kept; None where there is none."""
        found = getattr(leaf, self.grad, None)
        return found if found is None or isinstance(found, (np.ndarray, int, float)) else self.read(found)

    def pull(self, out: Any, cotangent: Array) -> None:
        """Run the backward pass of ⟨cotangent, out⟩; where backward takes none, out is multiplied by it first."""
        if self.takes_cotangent:
            out.backward(self.make(cotangent) if self.wraps else np.array(cotangent))
            return
        (out * self.make(cotangent)).backward()


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator: `run` builds its value from leaves; shapes of its arguments; whether they must be positive.

    pull: its own pullback of arrays where it has one that can be called alone, else the tape's backward is used.
    on_tape: whether `run` takes leaves of the tape, and not arrays.
    """

    name: str
    run: Callable[..., Any]
    shapes: Shapes
    positive: bool = False
    pull: Callable[[Sequence[Array], Array], Sequence[Any]] | None = None
    on_tape: bool = True


def engine_of(members: Mapping[str, Any]) -> Engine | None:
    """The value class of a file, or one that it imports."""
    for cls in _classes(members):
        if not callable(getattr(cls, "backward", None)) or isinstance(
            inspect.getattr_static(cls, "backward"), staticmethod
        ):
            continue
        samples = [np.arange(1.0, 7.0).reshape(2, 3), np.array([1.5])]
        arrays = any(hasattr(cls, n) for n in ("__matmul__", "matmul", "dot", "mm", "sum", "shape"))
        for sample, wraps in product(samples if arrays else samples[::-1], (False, True)):
            engine = _engine(cls, sample, wraps)
            if engine is not None:
                return engine
    return None


def _classes(members: Mapping[str, Any]) -> list[type]:
    classes = [c for c in members.values() if inspect.isclass(c)]
    module = members.get("__name__")
    return sorted(dict.fromkeys(classes), key=lambda c: c.__module__ != module)


def _engine(cls: type, sample: Array, wraps: bool) -> Engine | None:
    scalars = sample.size == 1
    try:
        with subject_code():
            leaf, other = (cls(float(sample.item()) if scalars else sample.copy()) for _ in range(2))
            out = leaf * other
            if type(out) is not cls:
                return None
            data = next((n for n in DATA if _numbers(getattr(out, n, None))), "data")
            takes = _takes_cotangent(cls)
            grad = next((n for n in GRAD if hasattr(leaf, n) or n in getattr(cls, "__annotations__", {})), None)
            if grad is None:
                return None
            engine = Engine(cls, data, grad, scalars, takes, wraps)
            engine.pull(out, np.ones(sample.shape))
            found = engine.grad_of(leaf)
    except (SubjectError, Malformed):
        return None
    if found is None or np.shape(engine.read(found, sample.shape)) != sample.shape:
        return None
    return engine


def _numbers(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic, float, int)) and not isinstance(value, bool)


def _takes_cotangent(cls: type) -> bool:
    try:
        names = list(inspect.signature(cls.backward).parameters)[1:]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return False
    return bool(names) and any(w in names[0].lower() for w in ("grad", "out", "dy", "delta", "cot", "g", "seed"))


def expressions(engine: Engine) -> Iterator[Operator]:
    """The operators that the value class itself has: Python's, and methods without further arguments."""
    wide, tall = (ROWS, COLUMNS), (COLUMNS, OTHER)
    one: tuple[int, ...] = (1,) if engine.scalars else wide
    for name, run in SYMBOLS.items():
        count = len(inspect.signature(run).parameters)
        yield Operator(name, run, ((wide, tall) if "@" in name else (one,) * count))
    if not engine.scalars:
        yield Operator("x + row", lambda x, y: x + y, (wide, (COLUMNS,)))
        yield Operator("x * row", lambda x, y: x * y, (wide, (COLUMNS,)))
    for name, method in inspect.getmembers(engine.cls, inspect.isfunction):
        if name.startswith("_") or name in _NO_OPERATOR:
            continue
        required = _required(method)[1:]
        if not required:
            yield Operator(name, lambda x, n=name: getattr(x, n)(), (one,))
            yield Operator(f"{name} + x", lambda x, n=name: getattr(x, n)() + x, (one,))
        elif len(required) == 1 and required[0] in ("other", "rhs", "b", "y", "o", "that"):
            second = tall if name in ("matmul", "dot", "mm") else one
            yield Operator(name, lambda x, y, n=name: getattr(x, n)(y), (one, second))


def _required(function: Any) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in kinds]


def classes_of_operators(members: Mapping[str, Any], engine: Engine | None) -> Iterator[tuple[str, list[Operator]]]:
    """Operators that are classes: compute(a, b) with gradient(g, node), or forward(ctx, a, b) with backward(ctx, g)."""
    module = members.get("__name__")
    for name, cls in members.items():
        if not inspect.isclass(cls) or (module is not None and cls.__module__ != module):
            continue
        if callable(getattr(cls, "compute", None)) and callable(getattr(cls, "gradient", None)):
            yield name, list(_computing(name, cls, engine))
        elif _with_context(cls):
            yield name, list(_contextual(name, cls))


def _computing(name: str, cls: type, engine: Engine | None) -> Iterator[Operator]:
    arity = len(_required(cls.compute)) - 1  # type: ignore[attr-defined]
    for arguments in _constructions(cls):
        for shapes in _shapes(arity):
            pull = _gradient_caller(cls, arguments, engine)
            yield Operator(name, _caller(cls, arguments, engine), shapes, pull=pull, on_tape=engine is not None)


def _caller(cls: type, arguments: Mapping[str, Any], engine: Engine | None) -> Callable[..., Any]:
    def run(*leaves: Any) -> Any:
        op = cls(**copy.deepcopy(arguments))
        return op(*leaves) if engine is not None else op.compute(*leaves)

    return run


def _gradient_caller(
    cls: type, arguments: Mapping[str, Any], engine: Engine | None
) -> Callable[[Sequence[Array], Array], Sequence[Any]]:
    def pull(arrays: Sequence[Array], cotangent: Array) -> Sequence[Any]:
        op = cls(**copy.deepcopy(arguments))
        if engine is None:
            node = SimpleNamespace(inputs=list(arrays), op=op)
            return _several(op.gradient(cotangent, node))
        node = op(*[engine.make(a) for a in arrays])
        return [engine.read(g) for g in _several(op.gradient(engine.make(cotangent), node))]

    return pull


def _with_context(cls: type) -> bool:
    pair = [inspect.getattr_static(cls, n, None) for n in ("forward", "backward")]
    functions = [getattr(f, "__func__", f) for f in pair]
    if not all(inspect.isfunction(f) for f in functions):
        return False
    names = [list(inspect.signature(f).parameters) for f in functions]
    first = [n[1:] if n[:1] in (["self"], ["cls"]) else n for n in names]
    return all(n[:1] and n[0] in ("ctx", "context", "c") for n in first)


class Context:
    """What operators of this kind keep between forward and backward: any attribute, or `save_for_backward`."""

    def save_for_backward(self, *saved: Any) -> None:
        """Keep values."""
        self.saved_tensors = self.saved_values = self.saved = saved


def _contextual(name: str, cls: type) -> Iterator[Operator]:
    first = _required(getattr(cls.forward, "__func__", cls.forward))  # type: ignore[attr-defined]
    names = [n for n in first if n not in ("self", "cls", "ctx", "context", "c")]
    owner: Any = cls if not inspect.isfunction(inspect.getattr_static(cls, "forward")) else object.__new__(cls)

    def run(*arrays: Any) -> Any:
        return owner.forward(Context(), *arrays)

    def pull(arrays: Sequence[Array], cotangent: Array) -> Sequence[Any]:
        context = Context()
        owner.forward(context, *arrays)
        return _several(owner.backward(context, cotangent))

    for shapes in _shapes(len(names)):
        yield Operator(name, run, shapes, pull=pull, on_tape=False)


def _several(result: Any) -> Sequence[Any]:
    return list(result) if isinstance(result, (tuple, list)) else [result]


def _shapes(arity: int) -> Iterator[Shapes]:
    """Shapes to try: alike, a matrix product, three axes, with a row or a column."""
    wide = (ROWS, COLUMNS)
    if arity == 1:
        yield from ((wide,), ((OTHER, ROWS, COLUMNS),), ((COLUMNS,),))
    elif arity == 2:
        yield from ((wide, wide), (wide, (COLUMNS, OTHER)))
    elif arity == 3:
        yield (wide, (COLUMNS, OTHER), (OTHER,))
        yield (wide, wide, wide)


def _constructions(cls: type) -> Iterator[dict[str, Any]]:
    """Arguments of a constructor by what their names usually mean."""
    construct = inspect.getattr_static(cls, "__init__", None)
    names = [] if construct in (None, object.__init__) else list(inspect.signature(cls).parameters)
    choices = [_choices(n) for n in names]
    for values in product(*choices):
        yield {n: v for n, v in zip(names, values, strict=True) if v is not _DEFAULT}


_DEFAULT: Any = object()


def _choices(name: str) -> list[Any]:
    low = name.lower()
    if low in ("axes", "axis", "dim", "dims"):
        return [_DEFAULT, None, (0,), 0, (1,), 1, (0, 1)]
    if low in ("shape", "new_shape", "size"):
        return [(OTHER, ROWS, COLUMNS), (COLUMNS, ROWS), (ROWS * COLUMNS,)]
    if low in ("n", "power", "exponent", "p", "scalar", "c", "value", "alpha", "slope", "k"):
        return [3, 0.3]
    return [_DEFAULT, 2]
