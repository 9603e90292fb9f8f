"""The trusted oracle: jax.grad of the trusted definition at a case, as an estimate with its rounding bound."""

from dataclasses import replace

import numpy as np

from gradcheck.networks import Case, cost_named, on_logits
from gradcheck.numerics import Array, Arrays, Estimate
from gradcheck.oracles.autodiff import value_and_gradient
from gradcheck.oracles.error_analysis import RoundingBounds, rounding_bounds


def trusted_estimate(
    case: Case, by_input: bool, *, bounds: RoundingBounds | None = None, guard: Arrays | None = None
) -> Estimate:
    """jax.grad of the trusted definition with its rounding bound; a guarded logarithm widens it by what the guard does.

    bounds, guard: `rounding_bounds(case, "float64")` and `guard_effect(case, by_input)` where they are known already.
    """
    _, gradient = value_and_gradient(on_logits(case), by_input=by_input)
    rounding = (bounds or rounding_bounds(case, "float64")).gradient
    widened = guard_effect(case, by_input) if guard is None else guard
    return Estimate(gradient, {n: rounding[n] + widened[n] if widened else rounding[n] for n in gradient}, "jax.grad")


def guard_effect(case: Case, by_input: bool) -> dict[str, Array]:
    """How far ln(a + ε) takes the gradient from that of ln a: between the two every gradient is right."""
    if not case.architecture.cost.guard:
        return {}
    plain = replace(case, architecture=replace(case.architecture, cost=cost_named(case.architecture.cost.name)))
    exact = value_and_gradient(plain, by_input=by_input)[1]
    return {n: np.abs(g - exact[n]) for n, g in value_and_gradient(case, by_input=by_input)[1].items()}
