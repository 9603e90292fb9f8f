"""What a definition is, as far as its result can depend on it: its code, and everything that the code refers to.

Functions of numbers, strings, tuples and other such functions have a fingerprint; what refers to anything else (an object, a
file, another package) has none, and is traced anew in every process.
"""

import dis
import hashlib
import types
from collections.abc import Callable
from typing import Any

_KNOWN_PACKAGES = frozenset({"jax", "numpy", "math"})
"""Their versions are part of every key (math belongs to Python)."""
_DEEPEST = 12


class _Unknown(Exception):
    """A definition refers to something whose content cannot be known."""


def fingerprint(function: Callable[..., Any]) -> str | None:
    """Hexadecimal digest of a plain function with what it closes over; None where that cannot be known."""
    try:
        return hashlib.sha256(repr(_of(function, 0)).encode()).hexdigest()
    except _Unknown:
        return None


def _of(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise _Unknown
    kind = type(value)
    if value is None or kind in (bool, int, float, complex, str, bytes):
        return kind.__name__, repr(value)
    if kind in (tuple, frozenset):
        return kind.__name__, sorted(repr(_of(v, depth + 1)) for v in value) if kind is frozenset else [
            _of(v, depth + 1) for v in value
        ]
    if kind is types.CodeType:
        return _code(value, depth)
    if kind is types.FunctionType:
        return _function(value, depth)
    if kind is types.BuiltinFunctionType and value.__module__ in ("builtins", "math"):
        return value.__module__, value.__name__
    if kind is types.ModuleType and value.__name__.partition(".")[0] in _KNOWN_PACKAGES:
        return "module", value.__name__
    raise _Unknown


def _code(code: types.CodeType, depth: int) -> Any:
    if any(i.opname in ("IMPORT_NAME", "STORE_GLOBAL", "DELETE_GLOBAL") for i in dis.get_instructions(code)):
        raise _Unknown
    constants = [_of(c, depth + 1) for c in code.co_consts]
    return code.co_code.hex(), constants, code.co_names, code.co_varnames, code.co_freevars, code.co_argcount


def _function(function: types.FunctionType, depth: int) -> Any:
    cells = [_of(_content(cell), depth + 1) for cell in function.__closure__ or ()]
    used = {
        n: _of(function.__globals__[n], depth + 1)
        for n in sorted(_globals(function.__code__))
        if n in function.__globals__
    }
    defaults = [_of(v, depth + 1) for v in function.__defaults__ or ()]
    keywords = [(n, _of(v, depth + 1)) for n, v in sorted((function.__kwdefaults__ or {}).items())]
    return _of(function.__code__, depth + 1), cells, used, defaults, keywords


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        raise _Unknown from None


def _globals(code: types.CodeType) -> set[str]:
    """Names that the code and the functions inside it look up globally."""
    names = {str(i.argval) for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _globals(constant)
    return names
