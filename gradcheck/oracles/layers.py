"""The trusted layer at a case: output and pullback by jax's rules, carried out by numpy with a rounding bound each."""

import hashlib
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np

from gradcheck.networks import OperationCase
from gradcheck.networks.layers import DEFINITIONS
from gradcheck.networks.layers.assignment import assignment_of, defined
from gradcheck.networks.namespace import xp_numpy
from gradcheck.numerics import Array, Estimate, unit_roundoff
from gradcheck.oracles import equations
from gradcheck.oracles.autodiff import function_vjp, vjp_equations
from gradcheck.oracles.operations import TrustedOperation
from gradcheck.oracles.restricted import Refused
from gradcheck.oracles.running_error import Analysis, Rounded
from gradcheck.oracles.store import rules

SAFETY = 8.0
"""Other orders of operations, and other usual formulas, round differently: so many times the bound of jax's own."""

_MOST_TRACED = 512
_TRACED: dict[Hashable, Any] = {}


def layer_of(case: OperationCase) -> str | None:
    """The trusted layer that a case is of; None for activations, plain functions and layers that are not known."""
    name = case.fixed.get("layer")
    return str(name) if name in DEFINITIONS else None


def output_of(layer: str, arguments: Mapping[str, Array], settings: Mapping[str, Any]) -> Array:
    """The trusted forward pass in numpy."""
    with np.errstate(all="ignore"):
        return np.asarray(DEFINITIONS[layer].define(arguments, settings, xp_numpy), dtype=np.float64)


def definition_of(case: OperationCase) -> Callable[[Mapping[str, Any], Any], Any]:
    """The trusted layer as a function of the case's own arguments and a namespace."""
    layer, assignment = DEFINITIONS[str(case.fixed["layer"])], assignment_of(case.fixed)
    if assignment is None:
        return lambda p, xp: layer.define(p, case.fixed, xp)
    define = defined(layer, assignment, case.cotangent.shape)
    kept = {r.own: case.fixed[r.own] for r in assignment.roles if r.own in case.fixed}
    return lambda p, xp: define({**kept, **p}, xp)


def trusted_layer(case: OperationCase, dtype: str | None = None) -> tuple[TrustedOperation, float]:
    """The trusted layer at a case, and how near it comes to a kink: the smallest distance of two compared values."""
    u = unit_roundoff(dtype or case.dtype)
    closed = _equations(case)
    analysis = Analysis(u)
    inputs = [Rounded(a, u * np.abs(a)) for a in case.arguments.values()]
    output, *gradient = analysis.run(closed, [*inputs, Rounded(case.cotangent, np.zeros(case.cotangent.shape))])
    floor = float(np.finfo(dtype or case.dtype).tiny)
    value = dict(zip(case.arguments, [np.asarray(g.v) for g in gradient], strict=True))
    error = {n: SAFETY * g.error + floor for n, g in zip(value, gradient, strict=True)}
    known = {n: np.where(np.isnan(e), np.inf, e) for n, e in error.items()}
    return TrustedOperation(
        output.v, SAFETY * output.error + floor, Estimate(value, known, "jax.grad")
    ), analysis.nearest


def _equations(case: OperationCase) -> Any:
    """jax's equations of a structure (layer, shapes, settings), which hold for any arguments and cotangent."""
    key = _structure(case)
    if key not in _TRACED:
        while len(_TRACED) >= _MOST_TRACED:
            _TRACED.pop(next(iter(_TRACED)))
        _TRACED[key] = _recalled(key) or _traced(key, case)
    return _TRACED[key]


def _recalled(key: Hashable) -> Any:
    """The equations that an earlier process kept; None where there are none that hold what they should."""
    text = rules.store.get(_name(key))
    try:
        return None if text is None else equations.read(text)
    except Refused:
        return None


def _traced(key: Hashable, case: OperationCase) -> Any:
    """jax's equations, kept for later processes where they can be written."""
    closed = vjp_equations(definition_of(case), case.arguments, case.cotangent)
    text = equations.written(closed)
    if text is None:
        return closed
    rules.store.put(_name(key), text)
    return equations.read(text)


def _name(key: Hashable) -> str:
    return f"layer-{hashlib.sha256(repr(key).encode()).hexdigest()}"


def _structure(case: OperationCase) -> Hashable:
    shapes = [(n, np.shape(a)) for n, a in [*case.arguments.items(), ("", case.cotangent)]]
    arrays = {n: np.asarray(v) for n, v in case.fixed.items()}
    return *shapes, *((n, v.dtype.str, v.shape, v.tobytes()) for n, v in arrays.items())


def compiled_layer(case: OperationCase) -> tuple[Array, dict[str, Array]]:
    """The same by compiled `jax.vjp`: the audit."""
    from gradcheck.oracles.autodiff import xp_jax

    define = definition_of(case)
    return function_vjp(lambda **p: define(p, xp_jax), case.arguments, case.cotangent)
