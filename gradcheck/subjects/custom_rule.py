"""Functions decorated with `jax.custom_vjp` or `jax.custom_jvp`: the undecorated function is the primal, and the reference.

The written rule runs by `jax.vjp`, under the precision (jax_enable_x64) that was set when the check began; only where
double precision is asked for by float64 arguments is that turned on. Arguments named by `nondiff_argnums` are constant.
Source: JAX documentation, Custom derivative rules.
"""

import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcheck.numerics.trees import leaves, mapped
from gradcheck.subjects.arrays import differentiable, to_numpy
from gradcheck.subjects.rules import Rule, bound, require_example

_WIDE = {"float64": np.float32, "complex128": np.complex64}


def is_rule(function: Any) -> bool:
    """Whether it is decorated so."""
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(function, (jax.custom_vjp, jax.custom_jvp))


def rule(function: Any, arguments: Any) -> Rule:
    """Its primal, pullback and reference. Raises UsageError."""
    what = f"jax.{type(function).__name__} function {getattr(function, '__name__', '')}"
    require_example(arguments, what)
    constants = set(getattr(function, "nondiff_argnums", ()))
    x64 = bool(sys.modules["jax"].config.jax_enable_x64)
    given = [mapped(a, "", lambda _, v: _plain(v, x64)) for a in _sequence(arguments)]
    decorated, free = bound(function, given, lambda i, _: i in constants)
    plain, _ = bound(function.fun, given, lambda i, _: i in constants)
    primal = _under(plain, x64)
    name = getattr(function, "__name__", "function")
    pullback = _under(_pullback(decorated), x64)
    forward = _under(lambda *a, **k: _vjp(decorated, a, k)[0], x64)
    return Rule(name, primal, pullback, free, "jax", forward, plain)


def _sequence(arguments: Any) -> list[Any]:
    return list(arguments) if isinstance(arguments, (list, tuple)) else [arguments]


def _plain(value: Any, x64: bool) -> Any:
    """Arrays as numpy arrays, in the precision that jax would hold them in."""
    if not differentiable(value) or isinstance(value, (float, complex)) or str(value.dtype) == "bfloat16":
        return value
    a = np.array(to_numpy(value))
    return a if x64 else a.astype(_WIDE.get(a.dtype.name, a.dtype))


def _under(function: Callable[..., Any], x64: bool) -> Callable[..., Any]:
    """The function on jax arrays, with double precision where it is on or the arguments have it."""
    fast = _compiled(function)

    def run(*arguments: Any, **static: Any) -> Any:
        wide = any(str(getattr(v, "dtype", "")) in _WIDE for a in arguments for _, v in leaves(a, ""))
        with _precision(x64 or wide):
            return fast([mapped(a, "", _to_jax) for a in arguments], static)

    return run


def _compiled(function: Callable[..., Any]) -> Callable[[Sequence[Any], Any], Any]:
    """By jax.jit, since loops would be compiled anew at each call; as it is once jit fails (a branch of Python, a name)."""
    compiled: list[Any] = [sys.modules["jax"].jit(function)]

    def run(arguments: Sequence[Any], static: Any) -> Any:
        if compiled and not static:
            try:
                return compiled[0](*arguments)
            except Exception:  # the plain call says what is wrong, or that nothing is
                compiled.clear()
        return function(*arguments, **static)

    return run


def _to_jax(_: str, value: Any) -> Any:
    return sys.modules["jax"].numpy.array(value) if isinstance(value, np.ndarray) else value


def _precision(x64: bool) -> contextlib.AbstractContextManager[Any]:
    jax = sys.modules["jax"]
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(x64)  # type: ignore[no-any-return]
    from importlib import import_module

    return import_module("jax.experimental").enable_x64(x64)  # type: ignore[no-any-return]


def _vjp(function: Callable[..., Any], arguments: Sequence[Any], static: Any) -> tuple[Any, Callable[[Any], Any]]:
    """jax.vjp by those arguments that hold numbers to differentiate by; the others stay as they are."""
    jax = sys.modules["jax"]
    chosen = [i for i, a in enumerate(arguments) if any(differentiable(v) for _, v in leaves(a, ""))]

    def of_chosen(*values: Any) -> Any:
        given = dict(zip(chosen, values, strict=True))
        return function(*[given.get(i, a) for i, a in enumerate(arguments)], **static)

    value, back = jax.vjp(of_chosen, *[arguments[i] for i in chosen])

    def pullback(cotangent: Any) -> list[Any]:
        found = dict(zip(chosen, back(_filled(cotangent, value)), strict=True))
        return [found.get(i) for i in range(len(arguments))]

    return value, pullback


def _filled(cotangent: Any, value: Any) -> Any:
    """The cotangent in the very structure and dtypes of the value; zeros of float0 for integers."""
    jax = sys.modules["jax"]
    given = dict(leaves(cotangent, ""))

    def change(path: str, leaf: Any) -> Any:
        if not differentiable(leaf):
            return np.zeros(np.shape(leaf), jax.dtypes.float0)
        return jax.numpy.asarray(given[path], dtype=leaf.dtype)

    return mapped(value, "", change)


def _pullback(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda cotangent, *arguments, **static: _vjp(function, arguments, static)[1](cotangent)


__all__: Sequence[str] = ["is_rule", "rule"]
