"""jax's derivative of a user's reference, in the real form of subjects/function.py, with its rounding bounds."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from gradcheck.errors import UsageError
from gradcheck.numerics import Array, Arrays
from gradcheck.numerics.trees import leaves, mapped
from gradcheck.oracles.autodiff import _jax
from gradcheck.oracles.perturbed import values_and_errors
from gradcheck.subjects.arrays import differentiable
from gradcheck.subjects.function import Form


def reference_vjp(
    reference: Callable[..., Any],
    form: Form,
    results: Form,
    arguments: Arrays,
    cotangent: Array,
    static: Mapping[str, Any],
) -> tuple[Array, Array, dict[str, Array], dict[str, Array]]:
    """Value (a real vector), its error, the real covectors of the arguments, their errors: all in float64.

    Raises UsageError where jax cannot run the reference, or where its results are not like those of the primal.
    """
    run = _run(reference, form, results, tuple(static.items()))
    try:
        flat, errors = values_and_errors(run, dict(arguments), results.unravel(cotangent))
    except Exception as error:
        raise _unusable(error) from error
    gradient = dict(zip(sorted(form.leaves), flat[1:], strict=True))
    gradient_error = dict(zip(sorted(form.leaves), errors[1:], strict=True))
    return flat[0], errors[0], gradient, gradient_error


def gradient_of(reference: Callable[..., Any]) -> Callable[..., Any]:
    """jax.grad of a scalar function by every argument that holds numbers to differentiate by, None for the others.

    One argument: its gradient bare.
    """

    def gradient(*arguments: Any, **static: Any) -> Any:
        chosen = [k for k, a in enumerate(arguments) if any(differentiable(v) for _, v in leaves(a, ""))]
        found = dict(zip(chosen, _jax().grad(reference, argnums=tuple(chosen))(*arguments, **static), strict=True))
        return found[0] if len(arguments) == 1 else [found.get(k) for k in range(len(arguments))]

    return gradient


def reference_jvp(
    reference: Callable[..., Any],
    form: Form,
    results: Form,
    arguments: Arrays,
    tangents: Mapping[str, Arrays],
    cotangent: Array,
    static: Mapping[str, Any],
) -> tuple[Array, Array, dict[str, Array], dict[str, Array]]:
    """Value, its error, ⟨cotangent, J v⟩ for each of several tangents v, and their errors: all in float64.

    tangents: by name, each the real form of all arguments. Raises UsageError as `reference_vjp` does.
    """
    run = _forward(reference, form, results, tuple(static.items()))
    whole = {line: {n: v.get(n, np.zeros(a.shape)) for n, a in arguments.items()} for line, v in tangents.items()}
    try:
        flat, errors = values_and_errors(run, dict(arguments), whole, cotangent)
    except Exception as error:
        raise _unusable(error) from error
    value, value_error, lines = flat[0], errors[0], sorted(tangents)
    return value, value_error, dict(zip(lines, flat[1:], strict=True)), dict(zip(lines, errors[1:], strict=True))


def _unusable(error: Exception) -> UsageError:
    reason = str(error).splitlines()[0] if str(error) else ""
    return UsageError(
        f"the reference cannot be run by jax ({type(error).__name__}: {reason}); it must be written in jax.numpy"
    )


@lru_cache(maxsize=64)
def _forward(reference: Callable[..., Any], form: Form, results: Form, static: Any) -> Callable[..., Any]:
    jax = _jax()
    primal = _real_primal(reference, form, results, static)

    def run(values: Mapping[str, Any], tangents: Mapping[str, Any], cotangent: Any) -> Any:
        along = {line: jax.jvp(primal, (dict(values),), (dict(v),))[1] @ cotangent for line, v in tangents.items()}
        return primal(values), along

    return run


@lru_cache(maxsize=64)
def _run(reference: Callable[..., Any], form: Form, results: Form, static: Any) -> Callable[..., Any]:
    jax = _jax()
    primal = _real_primal(reference, form, results, static)

    def run(values: Mapping[str, Any], cotangents: Mapping[str, Any]) -> Any:
        value, pullback = jax.vjp(primal, dict(values))
        vector = jax.numpy.concatenate([jax.numpy.ravel(cotangents[n]) for n in results.leaves])
        (gradient,) = pullback(vector)
        return value, {n: gradient[n] for n in sorted(form.leaves)}

    return run


def _real_primal(reference: Callable[..., Any], form: Form, results: Form, static: Any) -> Callable[..., Any]:
    """The reference on the real forms of its arguments, its results as one real vector."""
    jnp = _jax().numpy

    def primal(values: Mapping[str, Any]) -> Any:
        def change(path: str, value: Any) -> Any:
            if path not in values:
                return value
            a = values[path]
            return a[..., 0] + 1j * a[..., 1] if form.leaves[path].complex else a

        output = reference(*[mapped(tree, root, change) for root, tree in form.parts], **dict(static))
        found = dict(leaves(output, "output"))
        return jnp.concatenate([_real(found, n, leaf.complex, leaf.shape) for n, leaf in results.leaves.items()])

    def _real(found: Mapping[str, Any], path: str, complex_: bool, shape: tuple[int, ...]) -> Any:
        if path not in found or jnp.shape(found[path]) != shape:
            given = f"shape {jnp.shape(found[path])}" if path in found else "nothing"
            msg = f"the reference has {given} at {path}; the primal has shape {shape}"
            raise TypeError(msg)
        a = jnp.asarray(found[path])
        return (jnp.stack([a.real, a.imag], axis=-1) if complex_ else a.real).astype(np.float64).ravel()

    return primal
