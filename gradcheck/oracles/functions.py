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
        reason = str(error).splitlines()[0] if str(error) else ""
        msg = f"the reference cannot be run by jax ({type(error).__name__}: {reason}); it must be written in jax.numpy"
        raise UsageError(msg) from error
    gradient = dict(zip(sorted(form.leaves), flat[1:], strict=True))
    gradient_error = dict(zip(sorted(form.leaves), errors[1:], strict=True))
    return flat[0], errors[0], gradient, gradient_error


@lru_cache(maxsize=64)
def _run(reference: Callable[..., Any], form: Form, results: Form, static: Any) -> Callable[..., Any]:
    jax = _jax()
    jnp = jax.numpy

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

    def run(values: Mapping[str, Any], cotangents: Mapping[str, Any]) -> Any:
        value, pullback = jax.vjp(primal, dict(values))
        vector = jnp.concatenate([jnp.ravel(cotangents[n]) for n in results.leaves])
        (gradient,) = pullback(vector)
        return value, {n: gradient[n] for n in sorted(form.leaves)}

    return run
