"""What of the ladder can be known of a case before its subject is asked: then one request asks for all that follows.

A subject in another process answers the claim and the cost at the moved point of the screen in one round trip, if it is told
of both at once. The order in which the subject sees its calls is the same as without.
"""

from dataclasses import dataclass

from gradcheck.checks.screening import LARGE_P, Plan, planned
from gradcheck.networks import Case
from gradcheck.networks.sampling import kink_distance
from gradcheck.numerics import Estimate
from gradcheck.oracles.error_analysis import RoundingBounds, rounding_bounds
from gradcheck.oracles.trusted import guard_effect, trusted_estimate
from gradcheck.subjects.protocol import Subject

NEAR_KINK = 1e-3
"""Nearer to a kink than this, differences would average two slopes: the trusted gradient judges alone."""


@dataclass(frozen=True, slots=True)
class Foresight:
    """Rounding bounds, the trusted gradient, the distance from a kink, and the point at which the cost will be asked for."""

    bounds: RoundingBounds
    trusted: Estimate
    room: float
    plan: Plan | None


def foresee(subject: Subject, case: Case) -> Foresight | None:
    """Announce to the subject what it will be asked; None where that saves nothing."""
    announce = getattr(subject, "announce", None)
    offer = subject.offer
    if announce is None or not offer.declares_cost or sum(a.size for a in case.parameters.values()) >= LARGE_P:
        return None
    bounds, room = rounding_bounds(case), kink_distance(case)
    if bounds.kinks or room <= NEAR_KINK:
        return None
    by_input = offer.input_gradient
    same = bounds if case.dtype == "float64" else None
    guard = guard_effect(case, by_input)
    trusted = trusted_estimate(case, by_input, bounds=same, guard=guard, kinks=bounds.kinks)
    plan = planned(case, trusted.value, bounds.value)
    if plan is not None:
        announce(case, [plan.moved])
    return Foresight(bounds, trusted, room, plan)
