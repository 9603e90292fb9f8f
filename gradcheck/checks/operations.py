"""The ladder for one layer or function: structure, effects, output, then the pullback of a random cotangent.

The cotangent is random, never all ones: a softmax whose backward returns zero passes under a sum. Where there is a trusted
definition the triangle has three corners, otherwise finite differences of the subject's own forward pass judge alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.checks.claim_noise import with_noise
from gradcheck.checks.comparison import Discrepancy, compare, relative_power
from gradcheck.checks.differences import FD_NO_POWER
from gradcheck.checks.ladder import Examination, Fault, against_own, clean, effects, own_discrepancies, structure
from gradcheck.checks.laws import linear
from gradcheck.checks.own_cost import why_silent
from gradcheck.checks.projection import ATTEMPTS, miss_scale
from gradcheck.networks import OperationCase
from gradcheck.numerics import Array, Arrays, Estimate, random_direction, unit_roundoff
from gradcheck.oracles.finite_difference import RATIO, Derivative, directional
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Subject

LEVELS = 8
_ROUNDINGS = 64.0
"""So many roundings to float32 are granted to a tensor whose numbers are all of that kind."""
_GUARDED = 16.0
"""1/p for the smallest probability p, divided by the roundings granted: a guard g in ln(p + g) moves a gradient by g/p."""


@dataclass(frozen=True, slots=True, eq=False)
class Trusted:
    """The trusted corner: output with its error, and the cotangents of the arguments."""

    output: Array
    output_error: Array
    pullback: Estimate


Reference = Callable[[OperationCase], Trusted | None]


def examine_operation(
    subject: Subject,
    case: OperationCase,
    layout: Layout,
    trusted: Trusted | None,
    *,
    other: OperationCase | None = None,
    differences: bool = True,
) -> Examination:
    """Climb the ladder at one case. Raises SubjectError when the subject fails to run.

    differences: whether finite differences are taken also where output and pullback are the trusted ones.
    """
    value, pullback = subject.vjp(case, layout)
    claim = pullback(case.cotangent)
    broken = structure(claim)
    if broken is None and other is not None:
        broken = effects(subject, case, other, layout) or linear(case, pullback, claim.gradient)
    if broken is not None:
        return broken
    error = {n: trusted.pullback.error[n] for n in claim.gradient} if trusted else rounding_guess(case, claim.gradient)
    estimate = Estimate(claim.gradient, error, "claim")
    if trusted is not None and not differences:
        found = _triangle(estimate, trusted, {}, value)
        if found.fault is None:
            return found
    own = own_differences(subject, case, layout, estimate, 0)
    if trusted is not None:
        found = _triangle(estimate, trusted, own, value)
        noisy = found.fault in (Fault.BACKWARD, Fault.FORWARD, Fault.COST_CODE) and found.rung == "triangle"
        found = _triangle(with_noise(estimate, subject, case, layout), trusted, own, value) if noisy else found
        return rounded_away(found, claim.gradient, trusted, case.dtype)
    found = _own_only(estimate, own)
    if found.fault is not None:
        estimate = with_noise(estimate, subject, case, layout)
        found = _own_only(estimate, own)
    for attempt in range(1, ATTEMPTS) if found.fault is not None else ():
        again = _own_only(estimate, own_differences(subject, case, layout, estimate, attempt))
        if again.fault is None:
            return again
    return found


def rounded_away(found: Examination, claim: Arrays, trusted: Trusted, dtype: str) -> Examination:
    """What was found, or a lack of precision: every wrong tensor is the right one, in numbers of float32."""
    if found.fault is not Fault.BACKWARD or dtype != "float64" or not found.wrong:
        return found
    for n in found.wrong:
        g = trusted.pullback.value[n]
        near = np.abs(claim[n] - g) <= _ROUNDINGS * unit_roundoff("float32") * float(np.max(np.abs(g), initial=0.0))
        if not (np.all(near) and np.array_equal(claim[n], claim[n].astype(np.float32))):
            return found
    message = f"the gradient of {', '.join(found.wrong)} is the right one rounded to float32: a cast on the way"
    return replace(found, fault=Fault.PRECISION, message=message)


def rounding_guess(case: OperationCase, gradient: Arrays) -> dict[str, Array]:
    """Error bound of a claim without a trusted definition: some roundings of the largest component, tensor by tensor."""
    u = unit_roundoff(case.dtype) + _GUARDED * float(case.fixed.get("guard", 0.0))
    return {n: np.full(g.shape, 64 * u * float(np.max(np.abs(g), initial=0.0))) for n, g in gradient.items()}


def own_differences(
    subject: Subject, case: OperationCase, layout: Layout, claim: Estimate, attempt: int
) -> dict[str, tuple[Arrays, Derivative]]:
    """One Gaussian direction per argument; the differences of ⟨cotangent, output⟩ along it, each attempt with smaller steps."""
    generator = np.random.default_rng([int(np.abs(case.cotangent).sum() * 1e6) % 2**32, attempt])
    names = list(claim.value)
    directions = [random_direction(case.arguments, generator, [n]) for n in names]
    steps = [first_step(case.arguments[n], v[n]) / RATIO**attempt for n, v in zip(names, directions, strict=True)]

    def evaluate(points: Sequence[Arrays]) -> list[float]:
        outputs = subject.forward([case.at(p) for p in points], layout)
        return [float(np.vdot(case.cotangent, o)) for o in outputs]

    u = unit_roundoff(case.dtype)
    derivatives = directional(evaluate, case.arguments, directions, steps, levels=LEVELS, roundoff=u)
    return {n: (v, d) for n, v, d in zip(names, directions, derivatives, strict=True)}


def first_step(argument: Array, direction: Array) -> float:
    """The largest step that moves no component by more than 0.02 of its tensor's size: within the margin of a kink."""
    reach = 0.02 * max(1.0, float(np.sqrt(np.mean(argument**2))) if argument.size else 1.0)
    largest = float(np.max(np.abs(direction), initial=0.0))
    return reach / largest if largest > 0 else reach


def _triangle(
    claim: Estimate, trusted: Trusted, own: Mapping[str, tuple[Arrays, Derivative]], value: Array | None
) -> Examination:
    comparison = compare(claim, trusted.pullback)
    own_claim, own_trusted = against_own(claim, own), against_own(trusted.pullback, own)
    own_agrees = all(r <= 1 for r in own_claim.values() if r is not None)
    told_apart = any(r > 1 for n in comparison.wrong() if (r := own_trusted.get(n)) is not None)
    confirmed = own_agrees and all(own_claim.get(n) is not None for n in comparison.wrong())
    output_agrees = value is None or bool(np.all(np.abs(value - trusted.output) <= 4 * trusted.output_error + 1e-300))
    agreement = max((r for r in own_trusted.values() if r is not None), default=0.0)
    if comparison.agrees and own_agrees and output_agrees:
        return clean(comparison, agreement)
    if comparison.agrees and output_agrees:
        message = "the pullback is the trusted one, but not the derivative of its own forward pass"
        wrong = tuple(n for n, r in own_claim.items() if r is not None and r > 1)
        return Examination(
            Fault.COST_CODE, "triangle", message, discrepancies=own_discrepancies(claim, own, own_claim), wrong=wrong
        )
    if confirmed and output_agrees and not told_apart:
        return _nearer_than_differences(comparison.discrepancies, tuple(comparison.wrong()), agreement)
    return _wrong(comparison.discrepancies, tuple(comparison.wrong()), confirmed, output_agrees, agreement)


def _nearer_than_differences(
    discrepancies: tuple[Discrepancy, ...], wrong: tuple[str, ...], agreement: float
) -> Examination:
    """The output is the trusted one and the pullback is not, by less than finite differences can tell: the claim is wrong."""
    message = "the output is that of the layer and jax.grad gives another pullback: the claim is wrong, by less than finite differences can tell"  # noqa: E501  # fmt: skip
    return Examination(Fault.BACKWARD, "triangle", message, wrong[0], discrepancies, agreement=agreement, wrong=wrong)


def _wrong(
    discrepancies: tuple[Discrepancy, ...],
    wrong: tuple[str, ...],
    own_agrees: bool,
    output_agrees: bool,
    agreement: float,
) -> Examination:
    shown = discrepancies
    if not output_agrees:
        fault = Fault.FORWARD if own_agrees else Fault.ALL_DIFFER
        message = "the output of its forward pass is not that of the layer" + (
            "" if own_agrees else ", and its pullback is not the derivative of its own forward pass"
        )
        return Examination(fault, "primal", message, discrepancies=shown, agreement=agreement, wrong=wrong)
    if own_agrees:
        message = "its pullback is the derivative of its own forward pass near the point, but not the trusted one"
        return Examination(Fault.FORWARD, "triangle", message, discrepancies=shown, wrong=wrong)
    message = "finite differences of its own forward pass and jax.grad agree: the claim is wrong"
    parameter = wrong[0] if wrong else None
    return Examination(Fault.BACKWARD, "triangle", message, parameter, shown, agreement=agreement, wrong=wrong)


def _own_only(claim: Estimate, own: Mapping[str, tuple[Arrays, Derivative]]) -> Examination:
    known = {n: r for n, r in against_own(claim, own).items() if r is not None}
    wrong = tuple(n for n, r in known.items() if r > 1)
    if wrong:
        message = "the claim is not the derivative of its own forward pass"
        return Examination(
            Fault.BACKWARD, "projection", message, wrong[0], own_discrepancies(claim, own, known), wrong=wrong
        )
    miss = {n: _miss(claim, n, *own[n]) for n in known}
    silent = "" if any(m < FD_NO_POWER for m in miss.values()) else why_silent(claim.value)
    return Examination(None, "projection", miss=miss, components=len(known), silent=silent)


def _miss(claim: Estimate, name: str, v: Arrays, derivative: Derivative) -> float:
    slack = claim.along(v)[1]
    bounds = [slack + derivative.error, *[slack + derivative.finer] * (ATTEMPTS - 1)]
    return miss_scale(bounds, float(np.linalg.norm(claim.value[name])))


def power_of(trusted: Trusted) -> dict[str, float]:
    """Per argument, the smallest visible relative error."""
    return {n: relative_power(g, 2 * trusted.pullback.error[n]) for n, g in trusted.pullback.value.items()}
