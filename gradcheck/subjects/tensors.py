"""Hand-written code on torch tensors, without autograd: tensors are handed over, and what comes back is read as numpy arrays.

Memory is shared both ways where it is in row-major order, so that what a subject writes into is seen. Whether a function or a
class computes with tensors is read off its source. torch is never imported here: where a file computes with it, it is there.
"""

import ast
import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from gradcheck.subjects.arrays import is_tensor, to_numpy
from gradcheck.subjects.source import reachable, tree_of

NAMED = "__gradcheck_tensors__"
"""The member that names the functions and classes of a file that compute with tensors."""
_METHODS = frozenset(
    ("unsqueeze", "detach", "clone", "numel", "permute", "view", "type_as", "masked_fill", "index_add_", "scatter_add_",
     "size", "softmax", "log_softmax", "new_zeros", "expand", "contiguous", "mm", "bmm", "addmm", "sigmoid", "relu")
)  # fmt: skip
_KEYWORDS = frozenset(("keepdim", "dim"))


def computes_with_tensors(thing: Any) -> bool:
    """Whether the source of a function (with those of its file that it calls) or of a class is written for torch."""
    if "torch" not in sys.modules:
        return False
    parts = reachable([thing]) if inspect.isfunction(thing) else [thing]
    nodes = [node for part in parts for tree in [tree_of(part)] if tree is not None for node in ast.walk(tree)]
    names = {n.id for n in nodes if isinstance(n, ast.Name)}
    if "torch" in names:
        return True
    methods = {n.func.attr for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)}
    keywords = {k.arg for n in nodes if isinstance(n, ast.Call) for k in n.keywords}
    return not names & {"np", "numpy"} and bool(methods & _METHODS or keywords & _KEYWORDS)


def of_arrays(members: Mapping[str, Any]) -> Mapping[str, Any]:
    """The members of a file with its functions on tensors as functions on numpy arrays; the same where it has none."""
    if not any(inspect.ismodule(m) and m.__name__.partition(".")[0] == "torch" for m in members.values()):
        return members
    own = {n: m for n, m in members.items() if getattr(m, "__module__", None) == members.get("__name__")}
    found = [n for n, m in own.items() if (inspect.isfunction(m) or inspect.isclass(m)) and computes_with_tensors(m)]
    functions = {n: on_arrays(own[n]) for n in found if inspect.isfunction(own[n])}
    return {**members, **functions, NAMED: tuple(found)}


def as_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a class as one on numpy arrays, whatever it computes with."""
    return on_arrays(function) if computes_with_tensors(function) else function


def on_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function on tensors as one on numpy arrays, its signature and source as they are."""

    @functools.wraps(function)
    def wrapped(*values: Any, **named: Any) -> Any:
        with computing(values, named):
            given = [tensors(v) for v in values]
            return arrays(function(*given, **{n: tensors(v) for n, v in named.items()}))

    return wrapped


@contextlib.contextmanager
def computing(*values: Any) -> Iterator[None]:
    """No autograd, the same seed each time, and new tensors in the precision of the arrays that are handed over."""
    torch = sys.modules["torch"]
    narrow = "float32" in {str(a.dtype) for v in values for a in _leaves(v)}
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32 if narrow else torch.float64)
    torch.manual_seed(0)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_default_dtype(before)


def tensors(value: Any) -> Any:
    """Arrays in lists, tuples and dictionaries as tensors that share their memory, where torch can."""
    return _mapped(value, np.ndarray, _tensor)


def arrays(value: Any) -> Any:
    """Tensors in lists, tuples and dictionaries as arrays that share their memory."""
    return _mapped(value, None, to_numpy)


def as_array(value: Any) -> Any:
    """A tensor of floating-point numbers as an array that shares its memory; anything else as it is."""
    return to_numpy(value) if is_tensor(value) and value.is_floating_point() else value


def _tensor(a: Any) -> Any:
    """Always in row-major order: torch has no negative strides, and its generators fill memory in its own order."""
    return sys.modules["torch"].from_numpy(a if a.flags.c_contiguous else np.ascontiguousarray(a))


def _mapped(value: Any, kind: type | None, change: Callable[[Any], Any]) -> Any:
    if (kind is None and is_tensor(value)) or (kind is not None and isinstance(value, kind)):
        return change(value)
    if isinstance(value, Mapping):
        return {n: _mapped(v, kind, change) for n, v in value.items()}
    if isinstance(value, (list, tuple)):
        several = [_mapped(v, kind, change) for v in value]
        return several if isinstance(value, list) else tuple(several)
    return value


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, np.ndarray):
        yield value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    for item in inner:
        yield from _leaves(item)
