"""The audit: the transcribed derivative against plain compiled `jax.grad`, at cases of the run itself.

Templates are jax's rules carried out by numpy; should a version of jax ever emit a rule that is transcribed wrongly, it shows
here and stops the run, before any subject is judged by it.
"""

from typing import Any

import numpy as np

from gradcheck.errors import OracleError
from gradcheck.networks import Case, digest
from gradcheck.numerics import Array
from gradcheck.oracles.autodiff import compiled_gradient, rules_of, value_and_gradient
from gradcheck.oracles.error_analysis import rounding_bounds
from gradcheck.oracles.store import rules


def audit(case: Case) -> None:
    """Raise OracleError when the two differ by more than rounding, at any component of the gradient or in the value."""
    value, gradient = value_and_gradient(case, by_input=True)
    compiled_value, compiled = compiled_gradient(case, by_input=True)
    bounds = rounding_bounds(case, "float64")
    used = rules_of(case)
    off = [n for n, g in compiled.items() if not np.all(np.abs(g - gradient[n]) <= 2 * bounds.gradient[n])]
    if off or not abs(value - compiled_value) <= 4 * bounds.value + 1e-300:
        names = ", ".join(off) or "the value"
        msg = (
            f"transcribed and compiled jax.grad differ in {names} at {case.architecture.describe()} (case {digest(case)}); "
            "nothing that rests on it is reported, and its rules are written anew in the next run"
        )
        evidence = {
            "case": case.to_json(),
            "value": {"transcribed": float(value), "compiled": float(compiled_value), "bound": float(bounds.value)},
            "gradient": {n: _both(gradient[n], compiled[n], bounds.gradient[n]) for n in compiled},
            "rules": {k: rules.texts.get(k) for k in used},
        }
        rules.reject(used)
        raise OracleError(msg, evidence)


def _both(transcribed: Array, compiled: Array, bound: Array) -> dict[str, Any]:
    return {
        "transcribed": transcribed.tolist(),
        "compiled": compiled.tolist(),
        "bound": (0 * compiled + bound).tolist(),
    }


def audit_if_due(case: Case, *, forced: bool = False) -> bool:
    """Audit a case that uses a rule which no audit has covered, in this process or in the one that cached it; whether it did.

    forced: audit in any case. Raises OracleError.
    """
    used = rules_of(case)
    if not forced and not rules.unaudited(used):
        return False
    audit(case)
    rules.approve(used)
    return True
