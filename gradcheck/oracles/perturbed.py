"""How far rounding may carry the derivative of a reference: Monte Carlo arithmetic on jax's own trace of it.

η      size of the relative perturbation that each rounding is modelled by: 2^-36, far above u = 2^-53 and below what bends f
ξ      uniform on [−1, 1], fresh for every number of every equation: fl(x) is x (1 + η ξ)
bound  SAFETY · (u / η) · max over the samples of |perturbed − exact|: first order in u, conditioned on the point

Every operand and every result of every equation of the jaxpr is perturbed, so that a library routine (solve, Cholesky, FFT) is
taken as backward stable, and a sum of n terms as n roundings. Source: D. S. Parker, Monte Carlo Arithmetic, UCLA CSD-970002,
1997. Loops and branches (scan, while, cond) are perturbed at their operands and results. Comparisons see perturbed numbers:
at a tie both sides are sampled, and the bound covers the jump between them.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from gradcheck.numerics import Array
from gradcheck.oracles.autodiff import _jax

ETA = 2.0**-36
SAMPLES = 6
SAFETY = 8.0
U = 2.0**-53
_INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")
_CALLS = frozenset(
    {"jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "remat", "checkpoint", "remat2"}
)
_EXACT = frozenset(
    {
        "reshape", "squeeze", "expand_dims", "transpose", "broadcast_in_dim", "slice", "concatenate", "copy", "neg", "abs",
        "sign", "select_n", "rev", "pad", "gather", "dynamic_slice", "convert_element_type", "stop_gradient", "iota", "real",
        "imag", "conj", "complex", "eq", "ne", "lt", "gt", "le", "ge", "max", "min", "sort", "argmax", "argmin", "reduce_max",
        "reduce_min", "copy_p", "split", "zeros_like", "dynamic_update_slice", "clamp",
    }
)  # fmt: skip
"""Primitives that round nothing: they move, choose or compare."""


def values_and_errors(run: Callable[..., Any], *trees: Any) -> tuple[list[Array], list[Array]]:
    """The leaves of run(*trees), and for each a bound of its rounding error in float64; arrays of any shape in and out.

    run: traceable by jax. Compiled once for each set of shapes.
    """
    jax = _jax()
    flat, tree = jax.tree_util.tree_flatten(trees)
    flat = [np.asarray(a) for a in flat]
    compiled = _compiled(run, tree, tuple((a.shape, a.dtype.name) for a in flat))
    exact, samples = compiled(flat)
    errors = [_bound(np.asarray(e), np.asarray(s)) for e, s in zip(exact, samples, strict=True)]
    return [np.asarray(e) for e in exact], errors


def _bound(exact: Array, samples: Array) -> Array:
    """Real and imaginary parts each have the bound of the whole number."""
    largest = np.max(np.abs(samples - exact), axis=0)
    spread = SAFETY * (U / ETA) * largest + 8 * U * np.abs(exact)
    return np.asarray(spread, dtype=np.float64)


@lru_cache(maxsize=64)
def _compiled(run: Callable[..., Any], tree: Any, shapes: Sequence[tuple[tuple[int, ...], str]]) -> Callable[..., Any]:
    jax = _jax()
    abstract = [jax.ShapeDtypeStruct(s, np.dtype(d)) for s, d in shapes]

    def flat_run(*flat: Any) -> list[Any]:
        leaves: list[Any] = jax.tree_util.tree_leaves(run(*jax.tree_util.tree_unflatten(tree, flat)))
        return leaves

    closed = jax.make_jaxpr(flat_run)(*abstract)

    def sample(noise: Any, flat: Sequence[Any]) -> list[Any]:
        return evaluated(closed, flat, _Wobble(noise))

    count = _Count()
    jax.eval_shape(lambda *flat: evaluated(closed, flat, count), *abstract)
    noise = np.random.default_rng(0).uniform(-1.0, 1.0, (SAMPLES, count.total))

    def both(flat: Sequence[Any], noise: Any) -> Any:
        return flat_run(*flat), jax.vmap(lambda xi: sample(xi, flat))(noise)

    compiled = jax.jit(both)
    return lambda flat: compiled(flat, noise)


def _is_rounded(x: Any) -> bool:
    """Whether it is an array of inexact numbers: a literal is the same for all."""
    return hasattr(x, "shape") and bool(_jax().numpy.issubdtype(x.dtype, np.inexact))


class _Count:
    """How many numbers are perturbed in one evaluation."""

    def __init__(self) -> None:
        self.total = 0

    def __call__(self, x: Any) -> Any:
        self.total += int(np.prod(x.shape)) if _is_rounded(x) else 0
        return x


class _Wobble:
    """A fresh relative perturbation of size η at each call, from a vector of numbers in [−1, 1].

    The numbers are drawn outside: a random generator for every equation takes XLA minutes to compile.
    """

    def __init__(self, noise: Any) -> None:
        self._noise, self._start = noise, 0

    def __call__(self, x: Any) -> Any:
        if not _is_rounded(x):
            return x
        start, self._start = self._start, self._start + int(np.prod(x.shape))
        xi = self._noise[start : self._start].reshape(x.shape)
        return x * (1.0 + ETA * xi).astype(x.real.dtype)


def evaluated(closed: Any, arguments: Sequence[Any], wobble: Callable[[Any], Any]) -> list[Any]:
    """The results of a closed jaxpr with every rounding equation's operands and results passed through `wobble`."""
    return _run(closed.jaxpr, closed.consts, arguments, wobble)


def _run(jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any], wobble: Callable[[Any], Any]) -> list[Any]:
    known: dict[Any, Any] = {}

    def read(atom: Any) -> Any:
        return atom.val if hasattr(atom, "val") else known[atom]

    known.update(zip(jaxpr.constvars, consts, strict=True))
    known.update(zip(jaxpr.invars, arguments, strict=True))
    for equation in jaxpr.eqns:
        known.update(zip(equation.outvars, _results(equation, [read(a) for a in equation.invars], wobble), strict=True))
    return [read(v) for v in jaxpr.outvars]


def _results(equation: Any, operands: Sequence[Any], wobble: Callable[[Any], Any]) -> list[Any]:
    inner = next((equation.params[k] for k in _INNER if k in equation.params), None)
    name = equation.primitive.name
    if inner is not None and name in _CALLS:
        jaxpr, consts = getattr(inner, "jaxpr", inner), getattr(inner, "consts", ())
        return _run(jaxpr, consts, operands, wobble)
    exact = name in _EXACT
    operands = [a if exact else wobble(a) for a in operands]
    binding = equation.primitive.get_bind_params(equation.params)
    functions, params = binding if isinstance(binding, tuple) else ((), binding)
    found = equation.primitive.bind(*functions, *operands, **params)
    results = list(found) if equation.primitive.multiple_results else [found]
    return results if exact else [wobble(r) for r in results]


__all__: Sequence[str] = ["evaluated", "values_and_errors"]
