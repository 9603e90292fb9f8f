"""The trusted layers: output, pullback by jax's rules, and rounding bounds, for one operation at a time.

x, w, b   arguments of an affine layer in the trusted layout: (from, m), (to, from), (to, 1); an activation has x alone
g         the cotangent, like the output
"""

from dataclasses import dataclass

import numpy as np

from gradcheck.networks import OperationCase, activation_named
from gradcheck.networks.namespace import xp_numpy
from gradcheck.numerics import Array, Estimate, gamma, unit_roundoff
from gradcheck.oracles.autodiff import activation_vjp, affine_vjp
from gradcheck.oracles.layer_errors import activation_errors


@dataclass(frozen=True, slots=True, eq=False)
class TrustedOperation:
    """Output and pullback of the trusted layer at a case, each with its rounding bound for the case's precision."""

    output: Array
    output_error: Array
    pullback: Estimate


def trusted_operation(case: OperationCase, dtype: str | None = None) -> TrustedOperation:
    """The trusted layer at a case; `dtype`: the precision that the bounds are for (default: the case's)."""
    u = unit_roundoff(dtype or case.dtype)
    with np.errstate(all="ignore"):
        return _affine(case, u) if case.operation == "affine" else _activation(case, u)


def activation_of(case: OperationCase) -> str:
    """Configured name of the activation that an operation computes."""
    return str(case.fixed.get("activation", case.operation))


def _affine(case: OperationCase, u: float) -> TrustedOperation:
    x, w, b = (case.arguments[n] for n in ("x", "w", "b"))
    g = case.cotangent
    X, W, G = np.abs(x), np.abs(w), np.abs(g)
    error = {
        "x": gamma(w.shape[0] + 2, u) * (W.T @ G),
        "w": gamma(x.shape[1] + 2, u) * (G @ X.T),
        "b": gamma(x.shape[1] + 2, u) * G.sum(axis=1, keepdims=True),
    }
    output_error = gamma(x.shape[0] + 2, u) * (W @ X + np.abs(b))
    return TrustedOperation(w @ x + b, output_error, Estimate(affine_vjp(x, w, b, g), error, "jax.grad"))


def _activation(case: OperationCase, u: float) -> TrustedOperation:
    activation = activation_named(activation_of(case))
    x, g = case.arguments["x"], case.cotangent
    a = np.asarray(activation(x, xp_numpy))
    layer = activation_errors(activation, x, a, np.zeros_like(x), u)
    dx = activation_vjp(activation)(x, g)
    G = np.abs(g)
    if activation.elementwise:
        error = layer.E_f1 * G + 8 * u * np.abs(dx)
    else:
        mixed = (np.abs(a) * G).sum(axis=0, keepdims=True)
        error = layer.E_a * G + np.abs(a) * (layer.E_a * G).sum(axis=0, keepdims=True)
        error = error + 8 * u * x.shape[0] * np.abs(a) * (G + mixed)
    return TrustedOperation(a, layer.E_a, Estimate({"x": dx}, {"x": error}, "jax.grad"))
