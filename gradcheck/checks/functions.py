"""The ladder for any function: structure, effects, then the claim against differences of the primal and, if given, a reference.

Everything here is real: complex arguments are pairs (subjects/function.py). Without a reference the primal's own differences
judge: along one Gaussian direction an argument and, where a kink spoils them, component by component with one-sided slopes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.checks.claim_noise import claim_error, claims_at
from gradcheck.checks.comparison import Discrepancy, compare
from gradcheck.checks.ladder import NO_POWER, Examination, Fault, clean, effects, own_discrepancies, structure
from gradcheck.checks.laws import linear
from gradcheck.checks.limits import beyond_limits, unsettled
from gradcheck.checks.operations import Trusted
from gradcheck.checks.own_cost import why_silent
from gradcheck.checks.projection import ATTEMPTS, miss_scale
from gradcheck.networks import OperationCase
from gradcheck.numerics import Array, Arrays, Estimate, axpy, basis, random_direction, unit_roundoff
from gradcheck.oracles.finite_difference import AT_KINK, RATIO, Derivative, directional, ladder, ladder_points
from gradcheck.oracles.one_sided import Sides, sides
from gradcheck.subjects.function import ROUNDOFF
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Subject

LEVELS = 8
NARROW = 2
"""Levels above the first step at which a precision below double begins: its finest levels hold nothing but rounding."""
MOST_COMPONENTS = 48
USABLE = 1e-2
LAYOUT = Layout()


@dataclass(frozen=True, slots=True)
class Examined:
    """An examination; kinks: for each argument that stands on one, where between the two slopes the claim lies, 0 … 1.

    at_kink: whether the point stands on a kink at all.
    """

    examination: Examination
    kinks: Mapping[str, float]
    at_kink: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Differences:
    """The primal contracted with the cotangent, as the oracle of one case. u: unit roundoff of the differenced primal."""

    subject: Subject
    case: OperationCase
    u: float

    def evaluate(self, points: Sequence[Arrays]) -> list[float]:
        """⟨cotangent, f⟩ at each point."""
        outputs = self.subject.forward([self.case.at(p) for p in points], LAYOUT)
        return [float(np.vdot(self.case.cotangent, o)) for o in outputs]

    def along(self, directions: Sequence[Arrays], attempt: int) -> list[Derivative]:
        """Derivatives along these; each attempt starts with smaller steps."""
        shrink = RATIO ** (NARROW * (self.u > unit_roundoff("float64")) - attempt)
        steps = [shrink * first_step(self.case.arguments, v) for v in directions]
        return directional(
            self.evaluate, self.case.arguments, directions, steps, levels=LEVELS, roundoff=self.u
        )  # fmt: skip


def examine_function(
    subject: Subject,
    case: OperationCase,
    trusted: Trusted | None,
    *,
    other: OperationCase | None = None,
    differenced: str | None = None,
) -> Examined:
    """Climb the ladder at one case. differenced: precision of the forward pass (default: the case's).

    Raises SubjectError when the subject fails to run.
    """
    value, pullback = subject.vjp(case, LAYOUT)
    claim = pullback(case.cotangent)
    broken = structure(claim)
    if broken is None and other is not None:
        broken = effects(subject, case, other, LAYOUT) or linear(case, pullback, claim.gradient)
    if broken is not None:
        return Examined(broken, {})
    estimate = Estimate(claim.gradient, _claim_error(subject, case, claim.gradient, trusted), "claim")
    differences = Differences(subject, case, ROUNDOFF[differenced or case.dtype])
    found = _judged(differences, estimate, trusted, value, 0)
    for attempt in range(1, ATTEMPTS):
        if found.examination.fault is None:
            break
        again = _judged(differences, estimate, trusted, value, attempt)
        if again.examination.fault is not found.examination.fault:
            return again if again.examination.fault is None else _unconfirmed(found)
    return found


def _unconfirmed(found: Examined) -> Examined:
    silent = "finite differences with other steps tell something else"
    return replace(found, examination=Examination(None, "projection", silent=silent))


def _claim_error(subject: Subject, case: OperationCase, claim: Arrays, trusted: Trusted | None) -> dict[str, Array]:
    error = claim_error(claims_at(subject, case, LAYOUT), case.arguments, claim, ROUNDOFF[case.dtype], _seed(case, 9))
    return {n: np.maximum(e, trusted.pullback.error[n]) if trusted else e for n, e in error.items()}


def worth_of(dtype: str, least: float) -> float:
    """The relative error that a case must show to count: for narrow floats some hundred roundings, at most half."""
    return max(least, min(1e3 * ROUNDOFF[dtype], 0.5))


def _seed(case: OperationCase, salt: int) -> int:
    return (int(np.abs(case.cotangent).sum() * 1e6) + salt) % 2**32


def first_step(arguments: Arrays, direction: Arrays) -> float:
    """The largest step that moves no component by more than 0.02 of its tensor's size (or of 1, if that is more)."""
    reaches = []
    for n, v in direction.items():
        a, largest = arguments[n], float(np.max(np.abs(v), initial=0.0))
        size = max(1.0, float(np.sqrt(np.mean(a**2)))) if a.size else 1.0
        if largest > 0:
            reaches.append(0.02 * size / largest)
    return min(reaches, default=0.02)


def _judged(
    differences: Differences, claim: Estimate, trusted: Trusted | None, value: Array | None, attempt: int
) -> Examined:
    generator = np.random.default_rng(_seed(differences.case, attempt))
    names = [n for n in claim.value if claim.value[n].size]
    directions = [random_direction(differences.case.arguments, generator, [n]) for n in names]
    found = differences.along(directions, attempt)
    own = {n: (v, d) for n, v, d in zip(names, directions, found, strict=True)}
    bad = _nonfinite(claim, own, trusted)
    if bad is not None:
        return Examined(bad, {})
    if trusted is None:
        return _within_limits(_own_only(differences, claim, own, attempt), differences, attempt)
    cell = _triangle(claim, trusted, own, value, worth_of(differences.case.dtype, NO_POWER))
    if cell.fault is not Fault.BACKWARD:
        return Examined(cell, {})
    return _within_limits(_kink_or(cell, differences, (claim, trusted.pullback), attempt), differences, attempt)


def _within_limits(found: Examined, differences: Differences, attempt: int) -> Examined:
    """What stands on a kink must lie between its limits, jointly and output by output."""
    if found.examination.fault is not None or not found.at_kink:
        return found
    case = differences.case
    fault = beyond_limits(differences.subject, case, ROUNDOFF[case.dtype], attempt)
    return found if fault is None else Examined(fault, {})


def _kink_or(
    cell: Examination, differences: Differences, estimates: tuple[Estimate, Estimate], attempt: int
) -> Examined:
    """Another slope at a kink than jax's is a convention, where every component that differs depends on the kink's side."""
    (claim, trusted), case = estimates, differences.case
    depend = unsettled(differences.subject, case, ROUNDOFF[case.dtype], attempt)
    for n in cell.wrong:
        differs = np.abs(claim.value[n] - trusted.value[n]) > claim.error[n] + trusted.error[n]
        if depend is None or not np.any(depend[n]) or np.any(differs & ~depend[n]):
            return Examined(cell, {})
    at = [_components(differences, claim, n, depend) for n in cell.wrong]
    checked = sum(a.checked for a in at)
    clean = Examination(None, "components", components=checked, silent="" if checked else AT_KINK)
    return Examined(clean, {n: k for a in at for n, k in a.kinks.items()}, at_kink=True)


def _nonfinite(
    claim: Estimate, own: Mapping[str, tuple[Arrays, Derivative]], trusted: Trusted | None
) -> Examination | None:
    for n, (_, derivative) in own.items():
        bad = ~np.isfinite(claim.value[n])
        if trusted is not None:
            bad &= np.isfinite(trusted.pullback.value[n])
        if bad.any() and np.isfinite(derivative.value):
            message = (
                f"the gradient of {n} holds {int(bad.sum())} values that are not finite, where the primal is smooth"
            )
            return Examination(Fault.NONFINITE, "structure", message, n, wrong=(n,))
    return None


def _ratios(estimate: Estimate, own: Mapping[str, tuple[Arrays, Derivative]]) -> dict[str, float | None]:
    """|⟨estimate, v⟩ − own| / bound; None where the differences, or the estimate, say nothing."""
    out: dict[str, float | None] = {}
    for n, (v, derivative) in own.items():
        value, error = estimate.along(v)
        size = float(np.linalg.norm(estimate.value[n])) + abs(derivative.value)
        usable = np.isfinite(derivative.error) and np.isfinite(value) and derivative.error <= max(USABLE * size, 1e-9)
        out[n] = abs(value - derivative.value) / (error + derivative.error + 1e-300) if usable else None
    return out


def _miss(claim: Estimate, v: Arrays, derivative: Derivative) -> float:
    """κ of a direction over one argument: an error must show in the first attempt and, with smaller steps, in the others."""
    size = float(np.sqrt(sum(np.sum(claim.value[n] ** 2) for n in v)))
    slack = claim.along(v)[1]
    return miss_scale([slack + derivative.error, *[slack + derivative.finer] * (ATTEMPTS - 1)], size)


def _own_only(
    differences: Differences, claim: Estimate, own: Mapping[str, tuple[Arrays, Derivative]], attempt: int
) -> Examined:  # fmt: skip
    ratios = _ratios(claim, own)
    known = {n: r for n, r in ratios.items() if r is not None}
    wrong = tuple(n for n, r in known.items() if r > 1)
    if wrong:
        message = "the claim is not the derivative of its own forward pass"
        shown = own_discrepancies(claim, own, known)
        return Examined(Examination(Fault.BACKWARD, "projection", message, wrong[0], shown, wrong=wrong), {})
    open_ = [n for n, r in ratios.items() if r is None or own[n][1].reason == AT_KINK]
    miss = {n: _miss(claim, *own[n]) for n in known if n not in open_}
    kinks: dict[str, float] = {}
    components, telling = len(miss), any(m < worth_of(differences.case.dtype, USABLE) for m in miss.values())
    case = differences.case
    depend = unsettled(differences.subject, case, ROUNDOFF[case.dtype], attempt) if open_ else None
    for n in open_:
        at = _components(differences, claim, n, depend)
        if at.fault is not None:
            return Examined(at.fault, {})
        components, telling = components + at.checked, telling or at.telling
        kinks.update(at.kinks)
    silent = "" if telling else why_silent(claim.value)
    found = Examination(None, "projection", miss=miss, components=components, silent=silent)
    return Examined(found, kinks, at_kink=bool(open_))


@dataclass(frozen=True, slots=True)
class _Componentwise:
    """telling: whether a component that is not zero was among them."""

    checked: int
    kinks: Mapping[str, float]
    fault: Examination | None = None
    telling: bool = False


def _components(
    differences: Differences, claim: Estimate, name: str, depend: Mapping[str, Array] | None
) -> _Componentwise:
    """Component by component: smooth ones against the derivative; those at a kink count where they are between the two slopes.

    depend: which components depend on the side of a kink, by `unsettled`; None: not known, those with two slopes do.
    """
    arguments = differences.case.arguments
    indices = list(np.ndindex(arguments[name].shape))[:MOST_COMPONENTS]
    checked, kinks, telling = 0, {}, False
    for index, slopes in zip(indices, _slopes(differences, name, indices), strict=True):
        g, e = float(claim.value[name][index]), float(claim.error[name][index])
        low, high = slopes.interval
        size = abs(g) + max(abs(low), abs(high))
        if not np.isfinite(low + high) or slopes.left.error + slopes.right.error > USABLE * max(size, 1e-6):
            continue
        if low - e <= g <= high + e:
            checked += 1
            telling = telling or size > 0
            if slopes.kink:
                kinks[name] = float(np.clip((g - slopes.left.value) / (slopes.right.value - slopes.left.value), 0, 1))
            continue
        if slopes.kink if depend is None else depend[name][index]:
            continue
        shown = Discrepancy(name, index, g, (low + high) / 2, (high - low) / 2 + e, "one-sided differences")
        message = "the claim is not the derivative of its own primal"
        return _Componentwise(
            checked, {}, Examination(Fault.BACKWARD, "components", message, name, (shown,), wrong=(name,))
        )
    return _Componentwise(checked, kinks, telling=telling)


def _slopes(differences: Differences, name: str, indices: Sequence[tuple[int, ...]]) -> list[Sides]:
    arguments = differences.case.arguments
    steps = ladder(first_step(arguments, basis(arguments, name, indices[0])) / 4 if indices else 1.0, LEVELS)
    points = [p for i in indices for p in ladder_points(arguments, basis(arguments, name, i), steps)]
    values = np.asarray(differences.evaluate([*points, *_close(arguments, name, float(steps[-1]))]))
    centre_values = values[len(points) :]
    spread = float(np.max(np.abs(np.diff(centre_values, n=3)))) if np.all(np.isfinite(centre_values)) else np.inf
    noise = max(4 * differences.u * float(np.max(np.abs(centre_values))), spread)
    rows = values[: len(points)].reshape(len(indices), 2 * LEVELS)
    return [sides(row, steps, float(centre_values[0]), noise) for row in rows]


def _close(arguments: Arrays, name: str, step: float) -> list[Arrays]:
    """The point and a few beside it on one side: their third differences are noise."""
    v = {name: np.ones(arguments[name].shape)}
    return [axpy(k * step / 64, v, arguments) for k in range(6)]


def _triangle(
    claim: Estimate, trusted: Trusted, own: Mapping[str, tuple[Arrays, Derivative]], value: Array | None, worth: float
) -> Examination:
    comparison = compare(claim, trusted.pullback)
    own_claim, own_trusted = _ratios(claim, own), _ratios(trusted.pullback, own)
    own_agrees = all(r <= 1 for r in own_claim.values() if r is not None)
    trusted_agrees = all(r <= 1 for r in own_trusted.values() if r is not None)
    output_agrees = value is None or bool(np.all(np.abs(value - trusted.output) <= trusted.output_error))
    if comparison.agrees and own_agrees and output_agrees:
        return clean(comparison, 0.0, worth)
    wrong = tuple(comparison.wrong()) or tuple(n for n, r in own_claim.items() if r is not None and r > 1)
    shown = comparison.discrepancies or own_discrepancies(claim, own, own_claim)
    if not output_agrees:
        fault = Fault.FORWARD if own_agrees else Fault.ALL_DIFFER
        message = "the primal's result is not that of the reference" + (
            "" if own_agrees else ", and the claim is not the derivative of the primal"
        )
        return Examination(fault, "primal", message, discrepancies=shown, wrong=wrong)
    if comparison.agrees:
        message = "the claim is the derivative of the reference, but not that of the primal"
        return Examination(Fault.COST_CODE, "triangle", message, discrepancies=shown, wrong=wrong)
    if own_agrees and not trusted_agrees:
        message = "the claim is the derivative of the primal near the point, but not that of the reference"
        return Examination(Fault.FORWARD, "triangle", message, discrepancies=shown, wrong=wrong)
    witness = "jax.grad disagrees" if own_agrees else "finite differences of the primal and jax.grad agree"
    message = f"{witness}: the claim is wrong"
    return Examination(Fault.BACKWARD, "triangle", message, wrong[0] if wrong else None, shown, wrong=wrong)
