"""The trusted oracle: jax.grad of the trusted definition at a case, as an estimate with its rounding bound."""

from dataclasses import replace

import numpy as np

from gradcheck.networks import Case, cost_named, on_logits
from gradcheck.numerics import Array, Arrays, Estimate
from gradcheck.oracles.autodiff import value_and_gradient
from gradcheck.oracles.clarke import Kinks
from gradcheck.oracles.error_analysis import RoundingBounds, rounding_bounds


def trusted_estimate(
    case: Case,
    by_input: bool,
    *,
    bounds: RoundingBounds | None = None,
    guard: Arrays | None = None,
    kinks: Kinks | None = None,
) -> Estimate:
    """jax.grad of the trusted definition with its rounding bound; a guarded logarithm widens it by what the guard does.

    bounds, guard: `rounding_bounds(case, "float64")` and `guard_effect(case, by_input)` where they are known already.
    kinks: where the gradient is not unique, to be taken at the centres; whoever compares it must grant the claim the jump.
    Without them it is jax's own choice, and the bound holds every other.
    """
    _, gradient = value_and_gradient(on_logits(case), by_input=by_input, kinks=kinks)
    known = bounds or rounding_bounds(case, "float64")
    rounding = known.gradient if kinks is None else known.rounding
    widened = guard_effect(case, by_input) if guard is None else guard
    return Estimate(gradient, {n: rounding[n] + widened[n] if widened else rounding[n] for n in gradient}, "jax.grad")


def generators(case: Case, by_input: bool, kinks: Kinks, centre: Estimate) -> list[dict[str, Array]]:
    """What the gradient gains when one slope at a kink goes from the centre of its interval to the upper end, for each."""
    found = (value_and_gradient(on_logits(case), by_input=by_input, kinks=k)[1] for k in kinks.ends())
    return [{n: g - centre.value[n] for n, g in gradient.items()} for gradient in found]


def guard_effect(case: Case, by_input: bool) -> dict[str, Array]:
    """How far ln(a + ε) takes the gradient from that of ln a: between the two every gradient is right."""
    if not case.architecture.cost.guard:
        return {}
    plain = replace(case, architecture=replace(case.architecture, cost=cost_named(case.architecture.cost.name)))
    exact = value_and_gradient(plain, by_input=by_input)[1]
    return {n: np.abs(g - exact[n]) for n, g in value_and_gradient(case, by_input=by_input)[1].items()}
