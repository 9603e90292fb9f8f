"""The claim against differences of the subject's own cost alone, where no trusted definition is its own.

k Gaussian directions a tensor, however many parameters it has; what fails is bisected to the wrong entries.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.checks.claim_noise import with_noise
from gradcheck.checks.comparison import Discrepancy
from gradcheck.checks.differences import FD_NO_POWER
from gradcheck.checks.examination import VACUOUS, Examination, Fault
from gradcheck.checks.projection import (
    Projection,
    directions_of,
    error_norm_bound,
    visible_in_tensor,
    wrong_entries,
)
from gradcheck.checks.symmetry import gradient_of_anything
from gradcheck.networks import Case
from gradcheck.numerics import Array, Arrays, Estimate, unit_roundoff
from gradcheck.oracles.finite_difference import AT_KINK, RATIO, Derivative, directional
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Claim, Subject

LEVELS = 8
REACH = 0.02
"""The first step moves no parameter by more than this: within the margin that cases keep from kinks."""
BATCH = 4_000_000
"""Numbers in the points of one request."""

Differentiate = Callable[[str, Sequence[Array]], list[Derivative]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the differences say of one tensor.

    projections: along directions whose differences gave a bound worth having. bounds: those that repeated attempts with smaller
    steps will have, for the power. reason: why there are none, or wide ones.
    """

    projections: Sequence[Projection]
    bounds: Sequence[float]
    reason: str = ""


Projections = Mapping[str, Seen]


def own_triangle(
    subject: Subject, case: Case, layout: Layout, value: Array | None, claim: Claim, attempt: int = 0
) -> Examination:
    """Without a trusted definition: claim against differences of the subject's own cost, some roundings granted to each."""
    if value is None:
        return gradient_of_anything(subject, case, layout, claim, attempt)
    if not all(np.all(np.isfinite(g)) for g in claim.gradient.values()):
        return Examination(None, "projection", silent="the gradient is not finite")
    estimate, differentiate = _corners(subject, case, layout, value, claim, attempt)
    generator = np.random.default_rng([int(np.abs(case.inputs).sum() * 1e6) % 2**32, attempt])
    directions = {n: directions_of(case.parameters[n].shape, generator) for n in estimate.value if n in case.parameters}
    derivatives = {n: differentiate(n, vs) for n, vs in directions.items()}
    found = judge_alone(estimate, {n: project(estimate, n, vs, derivatives[n]) for n, vs in directions.items()})
    if found.fault is None:
        return found
    noisy = with_noise(estimate, subject, case, layout)
    return judge_alone(noisy, {n: project(noisy, n, vs, derivatives[n]) for n, vs in directions.items()})


def located(
    subject: Subject, case: Case, layout: Layout, value: Array | None, claim: Claim, found: Examination
) -> Examination:
    """A failure by projection with the wrong entries of the first wrong tensor, by bisection."""
    if not found.wrong or value is None:
        return found
    estimate, differentiate = _corners(subject, case, layout, value, claim, 0)
    entries = tuple(_entries(estimate, found.wrong[0], differentiate))
    return replace(found, discrepancies=(*entries, *found.discrepancies)[: max(6, len(entries))]) if entries else found


def _corners(
    subject: Subject, case: Case, layout: Layout, value: Array, claim: Claim, attempt: int
) -> tuple[Estimate, Differentiate]:
    """The claim with some roundings as its error, and the derivatives of the own cost along directions of one tensor."""
    u = unit_roundoff(case.dtype)
    error = {n: np.full(g.shape, 1e3 * u * float(np.max(np.abs(g), initial=0.0))) for n, g in claim.gradient.items()}
    noise = 64 * u * abs(float(value))

    def evaluate(points: Sequence[Arrays]) -> list[float]:
        return [float(v) for v in subject.forward([case.at(p) for p in points], layout)]

    def differentiate(name: str, directions: Sequence[Array]) -> list[Derivative]:
        step = REACH / RATIO**attempt
        found: list[Derivative] = []
        for some in _batches(directions):
            steps = [step / max(float(np.max(np.abs(v), initial=0.0)), 1e-300) for v in some]
            vs = [{name: v} for v in some]
            found += directional(
                evaluate, case.parameters, vs, steps, levels=LEVELS, roundoff=u, noise_floor=noise
            )  # fmt: skip
        return found

    return Estimate(claim.gradient, error, "claim"), differentiate


def _batches(directions: Sequence[Array]) -> Iterator[Sequence[Array]]:
    """As many directions at a time as leave the points of a request small."""
    size = max((v.size for v in directions), default=1)
    count = max(1, BATCH // (2 * LEVELS * max(size, 1)))
    yield from (directions[k : k + count] for k in range(0, len(directions), count))


def project(claim: Estimate, name: str, directions: Sequence[Array], derivatives: Sequence[Derivative]) -> Seen:
    """The projections of one tensor.

    At a kink none count: several samples may stand on it, and then neither the two one-sided slopes along a direction nor
    their mean enclose what every convention gives (their jumps may cancel).
    """
    size, projections, bounds = float(np.linalg.norm(claim.value[name])), [], []
    if any(d.reason == AT_KINK for d in derivatives):
        return Seen((), (), AT_KINK)
    for v, derivative in zip(directions, derivatives, strict=True):
        value, error = claim.along({name: v})
        worth = FD_NO_POWER * (size + abs(derivative.value))
        if derivative.error <= worth:
            projections.append(Projection(value, derivative.value, error + derivative.error))
        if derivative.finer <= worth:
            bounds.append(error + derivative.finer)
    return Seen(projections, bounds, next((d.reason for d in derivatives if d.reason), ""))


def judge_alone(claim: Estimate, projections: Projections) -> Examination:
    """No trusted definition: the subject's own cost judges alone."""
    wrong = tuple(n for n, seen in projections.items() if any(p.excess > 1 for p in seen.projections))
    if not wrong:
        return _clean(claim, projections)
    ratio = _constant_ratio([p for seen in projections.values() for p in seen.projections])
    shown = [(n, max(projections[n].projections, key=lambda p: p.excess)) for n in wrong]
    return Examination(
        Fault.BACKWARD if ratio is None else Fault.SCALE,
        "projection",
        "the claim is not the derivative of its own cost",
        discrepancies=tuple(_along(n, p) for n, p in shown),
        ratio=ratio,
        wrong=wrong,
    )


def _clean(claim: Estimate, projections: Projections) -> Examination:
    power, confidence, largest = {}, 1.0, 0.0
    for n, seen in projections.items():
        ps, norm = seen.projections, float(np.linalg.norm(claim.value[n]))
        smallest, sure = visible_in_tensor(claim.value[n].size, seen.bounds)
        power[n] = smallest / norm if norm > 0 else math.inf
        if ps and norm > 0:
            confidence = min(confidence, sure)
            largest = max(largest, error_norm_bound(ps) / norm)
    silent = "" if any(p < FD_NO_POWER for p in power.values()) else _why_silent(claim, projections)
    components = sum(len(seen.projections) for seen in projections.values())
    return Examination(
        None,
        "projection",
        power=power,
        components=components,
        silent=silent,
        confidence=confidence,
        error_bound=largest,
    )


def _why_silent(claim: Estimate, projections: Projections) -> str:
    reasons = [seen.reason for seen in projections.values() if seen.reason]
    return reasons[0] if reasons else why_silent(claim.value)


def why_silent(claim: Arrays) -> str:
    """Why differences without a usable bound have none: there may be nothing to see."""
    return "finite differences gave no usable bound" if any(np.any(g) for g in claim.values()) else VACUOUS


def _constant_ratio(projections: Sequence[Projection]) -> float | None:
    """The factor between claim and derivative when it is the same along every direction, and not 1."""
    ratios = [p.claimed / p.expected for p in projections if abs(p.expected) > 1e4 * p.bound]
    if len(ratios) < 2 or max(ratios) - min(ratios) > 1e-3 * max(map(abs, ratios)):
        return None
    slack = [2 * (1 + abs(ratios[0])) * p.bound for p in projections]
    middle = float(np.median(ratios))
    same = all(abs(p.claimed - middle * p.expected) <= s for p, s in zip(projections, slack, strict=True))
    return middle if same and abs(middle - 1) > 1e-4 else None


def _along(name: str, p: Projection) -> Discrepancy:
    """A projection has no index."""
    return Discrepancy(
        name, (), p.claimed, p.expected, p.bound, "finite differences along a random direction"
    )  # fmt: skip


def _entries(claim: Estimate, name: str, differentiate: Differentiate) -> Iterator[Discrepancy]:
    """The wrong entries of a tensor, each with its own difference quotient."""
    shape, generator = claim.value[name].shape, np.random.default_rng(0)
    seen: dict[int, Projection] = {}

    def check(groups: list[Array]) -> list[float]:
        excesses = []
        for group in groups:  # one at a time: a direction of a large tensor is large
            v = np.zeros(math.prod(shape))
            v[group] = generator.standard_normal(len(group)) if len(group) > 1 else 1.0
            direction = v.reshape(shape)
            derivative = differentiate(name, [direction])[0]
            value, error = claim.along({name: direction})
            p = Projection(value, derivative.value, error + derivative.error)
            excesses.append(p.excess if math.isfinite(p.bound) else 0.0)
            if len(group) == 1:
                seen[int(group[0])] = p
        return excesses

    for k in wrong_entries(check, math.prod(shape)):
        if k in seen:
            index, p = tuple(int(i) for i in np.unravel_index(k, shape)), seen[k]
            yield Discrepancy(name, index, p.claimed, p.expected, p.bound, "finite differences")
