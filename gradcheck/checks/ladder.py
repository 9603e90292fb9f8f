"""The ladder of checks for one case: structure, effects, primal, triangle; the first broken rung is named.

claim     what the subject's backward pass returned
own       finite differences of the subject's own cost
trusted   jax.grad of the trusted definition

The triangle reads: both agree, clean · both disagree with the claim, the backward pass is wrong · own agrees and trusted does
not, the forward pass, the cost or a convention differs · trusted agrees and own does not, the cost code is wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from gradcheck.checks.comparison import NO_POWER, Comparison, Discrepancy, compare, constant_ratio
from gradcheck.checks.corner import corner
from gradcheck.checks.differences import (
    against_own,
    own_differences,
    own_discrepancies,
    ratio_of,
    smooth_step,
)
from gradcheck.checks.examination import BY_DIFFERENCES, VACUOUS, Examination, Fault
from gradcheck.checks.foresight import NEAR_KINK, Foresight, foresee
from gradcheck.checks.own_cost import located, own_triangle
from gradcheck.checks.precision import imprecise
from gradcheck.checks.projection import ATTEMPTS
from gradcheck.checks.screening import screen
from gradcheck.checks.whole import whole_bounds, with_whole
from gradcheck.networks import Case, Point, activation_named, forward_once
from gradcheck.networks import cost as trusted_cost
from gradcheck.networks.namespace import xp_numpy
from gradcheck.networks.sampling import kink_distance
from gradcheck.numerics import Array, Arrays, Estimate
from gradcheck.oracles.error_analysis import RoundingBounds, rounding_bounds
from gradcheck.oracles.finite_difference import Derivative
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Claim, Subject

__all__ = ["NO_POWER", "Examination", "Fault", "Oracles", "against_own", "effects", "examine", "judge", "own_discrepancies",
           "smooth_step", "structure"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Oracles:
    """The three corners of the triangle at one case, as far as they are to be had; whole: bounds, see `with_whole`."""

    claim: Estimate
    trusted: Estimate | None
    own: Mapping[str, tuple[Arrays, Derivative]] = field(default_factory=dict)
    whole: Mapping[str, float] = field(default_factory=dict)


def examine(
    subject: Subject,
    case: Case,
    layout: Layout,
    *,
    trusted: bool = True,
    other: Case | None = None,
    differences: bool = True,
    persistent: bool = True,
    screened: bool = True,
) -> Examination:
    """Climb the ladder at one case; `other` (another case of the same shapes or not) turns the effects rung on.

    trusted: whether the trusted definition is the subject's own. differences: whether own finite differences are taken.
    persistent: whether what rests on differences alone must show along fresh directions too, as it must to be a finding.
    screened: whether one evaluation of its cost may stand for all differences; it moves every tensor at once, and a cost that
    is stale as long as some tensor stays moves right: never beside the effects rung, nor where a finding is shrunk.
    Raises SubjectError when the subject fails to run.
    """
    screened = screened and trusted and differences and other is None
    ahead = foresee(subject, case) if screened else None
    value, pullback = subject.vjp(case, layout)
    claim = pullback(case.cotangent)
    broken = structure(claim)
    if broken is None and other is not None:
        broken = effects(subject, case, other, layout)
    if broken is not None:
        return broken
    climb = partial(triangle, subject, case, layout, value, claim, trusted=trusted, differences=differences)
    found = climb(screened=screened, ahead=ahead)
    if found.fault is not None and trusted and extreme(case):
        # where usual formulas overflow, finite numbers may be wrong too; a mistake shows in ordinary cases as well
        return replace(found, fault=Fault.UNSTABLE, rung="numerics")
    doubtful = persistent and (found.fault in BY_DIFFERENCES or (found.fault and not trusted))
    for attempt in range(1, ATTEMPTS) if doubtful else ():
        # a finding that rests on differences must persist along fresh directions and with smaller steps
        again = climb(attempt=attempt)
        if again.fault is not found.fault:
            return again
    return found if trusted or found.fault is None else located(subject, case, layout, value, claim, found)


def structure(claim: Claim) -> Examination | None:
    """Rung 1: names, count, type, shape and dtype of the gradients."""
    if not claim.problems:
        return None
    first = claim.problems[0]
    message = "; ".join(p.message for p in claim.problems[:4])
    names = tuple(p.parameter for p in claim.problems)
    topmost = max(names, key=lambda n: int(n[1:]) if n[1:].isdigit() else 0)
    return Examination(Fault[first.kind.upper()], "structure", message, topmost, wrong=names)


def effects(subject: Subject, case: Point, other: Point, layout: Layout) -> Examination | None:
    """Rung 2: arguments unchanged, no aliasing, the same answer when asked again or after another point."""
    found = subject.effects(case, other, layout)
    if not found:
        return None
    message = "; ".join(e.what for e in found[:4])
    return Examination(Fault[found[0].kind.upper()], "effects", message)


def triangle(
    subject: Subject,
    case: Case,
    layout: Layout,
    value: Array | None,
    claim: Claim,
    *,
    trusted: bool,
    differences: bool,
    attempt: int = 0,
    screened: bool = False,
    ahead: Foresight | None = None,
) -> Examination:
    """Rungs 3 and 4: primal value, then claim, own and trusted derivative against one another."""
    if not trusted:
        return own_triangle(subject, case, layout, value, claim, attempt)
    bounds = ahead.bounds if ahead else rounding_bounds(case)
    known = corner(
        case,
        claim.gradient,
        bounds,
        (claim.error,),
        same=case.dtype == "float64",
        trusted=ahead.trusted if ahead else None,
    )
    estimate, expected, against = known.claim, known.trusted, known.comparison
    nonfinite = None if _certainly_finite(against) else _nonfinite(estimate, expected)
    if nonfinite is not None:
        return nonfinite
    if value is not None and not np.isfinite(value) and extreme(case):
        message = "its cost is not finite, although the true one is: a formula that overflows or takes ln 0"
        return Examination(Fault.UNSTABLE, "numerics", message)
    if value is not None and not np.isfinite(value) and np.isfinite(trusted_cost(case)):
        message = f"its cost is {float(value)} where the true one is {float(trusted_cost(case)):.6g}"
        return Examination(Fault.COST_CODE, "primal", message)
    whole = whole_bounds(case, expected, claim.error, at_kinks=bool(bounds.kinks))
    against = with_whole(against, estimate, expected, whole)
    room = ahead.room if ahead else kink_distance(case)
    differences = differences and value is not None and room > NEAR_KINK and not bounds.kinks
    primal = _primal_agrees(case, value, bounds)
    if differences and not attempt and primal is not False and against.agrees and value is not None:
        plan, known_value = ahead.plan if ahead else None, (float(value), bounds.value)
        share = screen(subject, case, layout, expected.value, known_value, plan) if screened else None
        if share is not None:
            return clean(against, share)
        vacuous = clean(against, 0.0)
        if screened and vacuous.silent:  # where rounding is all there is of a gradient, differences say no more
            return vacuous
    own = own_differences(subject, case, layout, estimate, bounds.value, attempt=attempt) if differences else {}
    found = judge(case, Oracles(estimate, expected, own, whole), primal, against)
    return (
        found
        if attempt
        else imprecise(found, subject, case, layout, known.nearest or (estimate, expected), (value, bounds.value))
    )


def judge(
    case: Case, oracles: Oracles, primal_agrees: bool | None, against_trusted: Comparison | None = None
) -> Examination:
    """The cell of the triangle, in words. primal_agrees is None where no cost is declared.

    against_trusted: claim and trusted gradient compared, where that takes more than their intervals.
    """
    claim, trusted = oracles.claim, oracles.trusted
    claim_own = against_own(claim, oracles.own)
    assert trusted is not None, "without a trusted gradient there is no triangle"
    against_trusted = against_trusted or compare(claim, trusted)
    own_trusted = against_own(trusted, oracles.own)
    agreement = max((r for r in own_trusted.values() if r is not None), default=0.0)
    known = [r for r in claim_own.values() if r is not None]
    own_agrees = all(r <= 1.0 for r in known) if known else None
    if against_trusted.agrees and own_agrees is not False:
        return clean(against_trusted, agreement)
    if against_trusted.agrees and clips_probabilities(case):
        reason = "a probability is so near 0 or 1 that its cost may guard the logarithm"
        return replace(clean(against_trusted, 0.0), silent=reason)
    if against_trusted.agrees:
        return _cost_code(claim, oracles, claim_own, agreement)
    ratio = constant_ratio(claim.value, trusted)
    differs = Examination(
        Fault.BACKWARD,
        "triangle",
        discrepancies=against_trusted.discrepancies,
        components=against_trusted.components,
        agreement=agreement,
        ratio=ratio,
        wrong=tuple(against_trusted.wrong()),
    )
    return _named(differs, case, claim, own_agrees, primal_agrees, own_trusted)


def _named(
    differs: Examination,
    case: Case,
    claim: Estimate,
    own_agrees: bool | None,
    primal_agrees: bool | None,
    own_trusted: Mapping[str, float | None],
) -> Examination:
    """Which of the culprits it is, once claim and trusted gradient differ."""
    own_is_trusted = all(r <= 1.0 for r in own_trusted.values() if r is not None)
    if own_agrees and primal_agrees is False:
        message = "its gradient is that of its own cost, but its cost is not the declared one"
        return replace(differs, fault=Fault.FORWARD, rung="primal", message=message)
    if own_agrees and not own_is_trusted:
        message = "its gradient is that of its own cost, whose derivative is not the trusted one"
        return replace(differs, fault=Fault.FORWARD, message=message)
    if own_agrees is False and not own_is_trusted:
        message = "the claim, the differences of its own cost and the trusted gradient all differ from one another"
        return replace(differs, fault=Fault.ALL_DIFFER, message=message)
    if own_agrees is None and primal_agrees is False:
        return replace(differs, fault=Fault.FORWARD, rung="primal", message="its cost is not the declared one")
    if _only_single(case, claim.value):
        message = "it agrees with the trusted gradient to float32, not to float64: a cast on the way"
        return replace(differs, fault=Fault.PRECISION, message=message)
    witness = "finite differences of its own cost and jax.grad agree" if own_agrees is False else "jax.grad disagrees"
    return replace(differs, message=f"{witness}: the claim is wrong")


def _only_single(case: Case, claim: Arrays) -> bool:
    """Whether a float64 claim is right to float32; where those bounds say little, other cases will tell a mistake."""
    if case.dtype != "float64":
        return False
    return corner(case, claim, rounding_bounds(case, "float32"), same=False).comparison.agrees


def clean(against: Comparison, agreement: float, no_power: float = NO_POWER) -> Examination:
    """No discrepancy; silent where no tensor's gradient stands out of rounding."""
    powers = (*against.typical.values(), *against.whole.values())
    silent = "" if any(p < no_power for p in powers) else VACUOUS
    return Examination(
        None,
        "components",
        power=against.power,
        components=against.components,
        silent=silent,
        agreement=agreement,
        whole=against.whole,
    )


def _cost_code(
    claim: Estimate, oracles: Oracles, claim_own: Mapping[str, float | None], agreement: float
) -> Examination:
    """jax agrees with the claim, the subject's own cost does not: a constant factor is told apart."""
    ratios = [ratio_of(claim, *oracles.own[n]) for n, r in claim_own.items() if r is not None and n in oracles.own]
    known = [r for r in ratios if r is not None]
    same = len(known) > 1 and max(known) - min(known) <= 1e-6 * max(abs(k) for k in known) and abs(known[0] - 1) > 1e-4
    ratio = float(np.median(known)) if same else None
    return Examination(
        Fault.SCALE if same else Fault.COST_CODE,
        "triangle",
        "the claim is the trusted gradient, but not the derivative of its own cost",
        discrepancies=own_discrepancies(claim, oracles.own, claim_own),
        agreement=agreement,
        ratio=ratio,
        wrong=tuple(n for n, r in claim_own.items() if r is not None and r > 1),
    )


def clips_probabilities(case: Case) -> bool:
    """Whether a logarithm is taken of a probability below 2e-3: where usual guards change the cost, as they mean to."""
    cost_ = case.architecture.cost.name
    if cost_ not in ("bce", "cross_entropy", "bce_logits", "cross_entropy_logits"):
        return False
    logits = cost_.endswith("_logits")
    name = ("sigmoid" if cost_.startswith("bce") else "softmax") if logits else "identity"
    p = np.asarray(activation_named(name)(forward_once(case)[1][-1], xp_numpy))
    y = case.targets
    near_zero = np.any((p < 2e-3) & (y > 0))
    return bool(near_zero or (cost_.startswith("bce") and np.any((p > 1 - 2e-3) & (y < 1))))


def extreme(case: Case) -> bool:
    """Whether a usual formula overflows or takes ln 0 here: right on paper, and no wrong gradient."""
    z = forward_once(case)[0]
    single = case.dtype == "float32"
    hidden = max(float(np.max(np.abs(h))) for h in z[1:])
    head = case.architecture.layers[-1].activation.range != "real" or case.architecture.cost.targets != "real"
    return hidden > (80.0 if single else 700.0) or (head and float(np.max(np.abs(z[-1]))) > (14.0 if single else 33.0))


def _primal_agrees(case: Case, value: Array | None, bounds: RoundingBounds) -> bool | None:
    if value is None:
        return None
    expected = trusted_cost(case)
    if not np.isfinite(expected) or not np.isfinite(bounds.value):
        return None
    return bool(abs(float(value) - expected) <= 4 * bounds.value + 1e-300)


def _certainly_finite(against: Comparison) -> bool:
    """Whether every component of the claim lies in a finite interval."""
    return against.agrees and all(p < np.inf for p in against.power.values())


def _nonfinite(claim: Estimate, trusted: Estimate) -> Examination | None:
    """A gradient with NaN or infinity where the trusted one is finite."""
    for name, g in claim.value.items():
        bad = ~np.isfinite(g) & np.isfinite(trusted.value[name])
        if bad.any():
            index = tuple(int(i) for i in np.argwhere(bad)[0])
            shown = Discrepancy(name, index, float(g[index]), float(trusted.value[name][index]), float(trusted.error[name][index]), "jax.grad")  # noqa: E501  # fmt: skip
            message = f"the gradient of {name} holds {int(bad.sum())} values that are not finite"
            return Examination(Fault.NONFINITE, "structure", message, name, (shown,), wrong=(name,))
    return None
