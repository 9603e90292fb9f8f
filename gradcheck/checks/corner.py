"""The claim against the trusted gradient at one case: what each is granted, and whether some slopes reconcile them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.checks.clarke import MOST, MOST_COMPONENTS, among_right_gradients
from gradcheck.checks.comparison import Comparison, compare
from gradcheck.networks import Case, on_logits
from gradcheck.numerics import Array, Arrays, Estimate
from gradcheck.oracles.autodiff import value_and_gradient
from gradcheck.oracles.clarke import Kinks
from gradcheck.oracles.error_analysis import RoundingBounds
from gradcheck.oracles.trusted import generators, guard_effect, trusted_estimate

Errors = Sequence[Mapping[str, Array]]


@dataclass(frozen=True, slots=True)
class Corner:
    """Both estimates, and their comparison. The claim alone is granted the jump at a kink, around the centre of the slopes.

    nearest: where no choice of slopes gives the claim, which the intervals alone would take, the claim with its rounding bound
    and the right gradient nearest to it.
    """

    claim: Estimate
    trusted: Estimate
    comparison: Comparison
    nearest: tuple[Estimate, Estimate] | None = None


def corner(
    case: Case,
    gradient: Arrays,
    bounds: RoundingBounds,
    more: Errors = (),
    *,
    same: bool = True,
    trusted: Estimate | None = None,
) -> Corner:
    """bounds: those of the precision in which the claim was computed; same: it is that of the trusted gradient, float64.

    more: what else the claim is granted. trusted: the trusted gradient, where it is known already.
    """
    by_input = "x" in gradient
    guard = guard_effect(case, by_input)
    if trusted is None or ("x" in trusted.value) != by_input:
        trusted = trusted_estimate(case, by_input, bounds=bounds if same else None, guard=guard, kinks=bounds.kinks)
    rounding = (bounds.rounding, guard, *more)
    claim = _granted(gradient, (*rounding, bounds.jump))
    comparison = compare(claim, trusted)
    if comparison.agrees and bounds.kinks.in_one_place() and bounds.kinks.count() <= MOST:
        rounded = _granted(gradient, rounding)
        if comparison.components > MOST_COMPONENTS and _at_an_end(case, rounded, trusted, bounds.kinks):
            return Corner(claim, trusted, comparison)
        steps = generators(case, by_input, bounds.kinks, trusted)
        comparison, right = among_right_gradients(comparison, rounded, trusted, steps)
        return Corner(claim, trusted, comparison, None if right is None else (rounded, right))
    return Corner(claim, trusted, comparison)


def _at_an_end(case: Case, rounded: Estimate, centre: Estimate, kinks: Kinks) -> bool:
    """Whether the claim has all slopes at the centres, all at the lower or all at the upper ends, as most code has.

    What no choice of slopes explains needs every one of them; this takes two gradients at most.
    """
    if compare(rounded, centre).agrees:
        return True
    by_input = "x" in rounded.value
    moved = (value_and_gradient(on_logits(case), by_input=by_input, kinks=kinks.shifted(t))[1] for t in (-1.0, 1.0))
    return any(compare(rounded, replace(centre, value=g)).agrees for g in moved)


def _granted(gradient: Arrays, errors: Errors) -> Estimate:
    """The claim with the sum of these errors as its bound."""
    return Estimate(gradient, {n: _sum([e[n] for e in errors if n in e], g) for n, g in gradient.items()}, "claim")


def _sum(errors: Sequence[Array], like: Array) -> Array:
    """The one error that there mostly is, not copied."""
    if not errors:
        return np.zeros(like.shape)
    return errors[0] if len(errors) == 1 else np.asarray(sum(errors[1:], start=errors[0]))
