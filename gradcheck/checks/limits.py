"""Claims of any function at a kink, against its own claims beside it: the limits of the gradient from either side.

L_k   limit of the claim along a random direction d_k: 2 g(θ + h d_k/2) − g(θ + h d_k), the smooth part extrapolated
t_k   its bound: |g(θ + h d_k/2) − g(θ + h d_k)| and the rounding of both claims

Where one kink passes through the point, the limits are two, and the claim of each output must lie on the segment between them
(Clarke 1983, Theorem 2.5.1: the generalized gradient is the hull of such limits). Each output is taken for itself, with a
cotangent of its own: relu(x) at several zeros is several functions with one kink each. Where the limits are three or more,
several kinks may have been composed, and nothing is concluded here. The claims beside the point are judged at points of their
own, by differences.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.checks.clarke import Zonotope, outside, place
from gradcheck.checks.comparison import Discrepancy
from gradcheck.checks.examination import Examination, Fault
from gradcheck.errors import SubjectError
from gradcheck.networks import OperationCase
from gradcheck.numerics import Array, Arrays, random_direction
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Subject

DIRECTIONS = 32
REACH = 1e-5
"""h, relative to the size of an argument (or to 1)."""
MOST_OUTPUTS, MOST_AXES = 8, 16
FINEST = 1e-7
"""Coarser than this unit roundoff, the points beside are the point itself."""
_FIRST = 12
_APART = 1e-3
"""Limits that are nearer than this, relative to the largest, are one: a kink that hardly is one proves nothing."""
ORACLE = "its own claims beside the kink"
LAYOUT = Layout()


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a claimed gradient (flattened), and the bound of its error."""

    value: Array
    error: Array


def unsettled(subject: Subject, case: OperationCase, u: float, attempt: int) -> dict[str, Array] | None:
    """Which components of the claim depend on the side of a kink: its limits differ there. None where that cannot be had.

    At such a component neither the one-sided slopes nor jax's choice bound what right code may claim: where relu is composed
    with a sum over samples, the convention 0 gives none of the slopes.
    """
    if u > FINEST:
        return None
    directions = _around(case, attempt)
    limits = list(_limits(subject, case, directions, u))
    if len(limits) < DIRECTIONS // 2:
        return None
    first = limits[0]
    apart = np.any([np.abs(l.value - first.value) > l.error + first.error for l in limits], axis=0)
    parts = np.split(apart, np.cumsum([a.size for a in case.arguments.values()])[:-1])
    return {n: p.reshape(a.shape) for (n, a), p in zip(case.arguments.items(), parts, strict=True)}


def beyond_limits(
    subject: Subject, case: OperationCase, u: float, attempt: int, outputs: int = MOST_OUTPUTS
) -> Examination | None:
    """A fault where the claim of some output lies outside the segment between its two limits; else None.

    u: unit roundoff of the claims. outputs: how many are looked at, those that bend most. Each attempt takes fresh directions.
    """
    if u > FINEST:
        return None
    directions = _around(case, attempt)
    for k in _kinked_outputs(subject, case, directions[:8])[:outputs]:
        cotangent = np.zeros(case.cotangent.size)
        cotangent[k] = 1.0
        alone = replace(case, cotangent=cotangent.reshape(case.cotangent.shape))
        found = _judged(subject, alone, directions, u)
        if found is not None:
            return found
    return None


def _around(case: OperationCase, attempt: int) -> list[Arrays]:
    generator = np.random.default_rng([int(np.abs(case.cotangent).sum() * 1e6) % 2**32, attempt, 77])
    return [_scaled(v, case.arguments) for v in _directions(case.arguments, generator)]


def _directions(arguments: Arrays, generator: np.random.Generator) -> Iterator[Arrays]:
    """Random ones, and a little beside the axes: a third limit that few random directions see mostly lies along one of them."""
    yield from (random_direction(arguments, generator) for _ in range(DIRECTIONS))
    places = [(n, index) for n, a in arguments.items() for index in np.ndindex(a.shape)]
    for name, index in places[:MOST_AXES]:
        for sign in (1.0, -1.0):
            v = {n: np.array(0.02 * d) for n, d in random_direction(arguments, generator).items()}
            v[name][index] += sign
            yield v


def _scaled(direction: Arrays, arguments: Arrays) -> dict[str, Array]:
    sizes = {n: max(1.0, float(np.sqrt(np.mean(a**2)))) if a.size else 1.0 for n, a in arguments.items()}
    return {n: REACH * sizes[n] * v for n, v in direction.items()}


def _kinked_outputs(subject: Subject, case: OperationCase, directions: Sequence[Arrays]) -> list[int]:
    """Outputs whose second difference does not fall with the step, those that bend most first."""
    points = [case.arguments]
    points += [_moved(case.arguments, v, s) for v in directions for s in (1.0, -1.0, 0.5, -0.5)]
    values = np.stack([np.ravel(o) for o in subject.forward([case.at(p) for p in points], LAYOUT)])
    rows = values[1:].reshape(len(directions), 4, -1)
    coarse = np.abs(rows[:, 0] + rows[:, 1] - 2 * values[0]).max(axis=0)
    fine = 2 * np.abs(rows[:, 2] + rows[:, 3] - 2 * values[0]).max(axis=0)
    kinked = np.flatnonzero(np.isfinite(coarse) & (fine > 0.7 * coarse) & (coarse > 0))
    return [int(k) for k in kinked[np.argsort(-coarse[kinked], kind="stable")][:MOST_OUTPUTS]]


def _judged(subject: Subject, case: OperationCase, directions: Sequence[Arrays], u: float) -> Examination | None:
    claim = _claim(subject, case, case.arguments)
    limits = list(_limits(subject, case, directions[:_FIRST], u))
    if limits and _two(limits) is None:  # mostly three or more are seen at once
        return None
    limits += _limits(subject, case, directions[_FIRST:], u)
    if claim is None or len(limits) < DIRECTIONS // 2:
        return None
    ends = _two(limits)
    if ends is None:
        return None
    first, second = ends
    names = list(case.arguments)
    error = first.error + second.error + 64 * u * np.max(np.abs(claim), initial=0.0) + np.finfo(float).tiny
    middle, half = (first.value + second.value) / 2, (second.value - first.value) / 2
    right = Zonotope(names, np.ones(claim.size, dtype=bool), middle, half[:, None], error)
    nearest = outside(right, claim)
    return None if nearest is None else _outside(case, claim, nearest, error)


def _two(limits: Sequence[Limit]) -> tuple[Limit, Limit] | None:
    """The two limits there are; None where there is one, or where there are more."""
    largest = max(float(np.max(np.abs(l.value), initial=0.0)) for l in limits)
    first = limits[0]
    second = max(limits, key=lambda l: float(np.max(np.abs(l.value - first.value), initial=0.0)))
    if not np.max(np.abs(second.value - first.value), initial=0.0) > _APART * largest:
        return None
    same = (_same(l, first) or _same(l, second) for l in limits)
    return (first, second) if all(same) else None


def _same(a: Limit, b: Limit) -> bool:
    return bool(np.all(np.abs(a.value - b.value) <= a.error + b.error))


def _limits(subject: Subject, case: OperationCase, directions: Sequence[Arrays], u: float) -> Iterator[Limit]:
    for v in directions:
        far, near = (_claim(subject, case, _moved(case.arguments, v, s)) for s in (1.0, 0.5))
        if far is not None and near is not None:
            size = float(np.max(np.abs(near), initial=0.0))
            yield Limit(2 * near - far, 2 * np.abs(near - far) + 256 * u * size)


def _moved(arguments: Arrays, direction: Arrays, step: float) -> dict[str, Array]:
    return {n: a + step * direction[n] for n, a in arguments.items()}


def _claim(subject: Subject, case: OperationCase, arguments: Arrays) -> Array | None:
    try:
        found = subject.vjp(case.at(arguments), LAYOUT)[1](case.cotangent)
    except SubjectError:
        return None
    if found.problems or any(n not in found.gradient for n in case.arguments):
        return None
    flat = np.concatenate([np.ravel(found.gradient[n]) for n in case.arguments])
    return flat if np.all(np.isfinite(flat)) else None


def _outside(case: OperationCase, claim: Array, nearest: Array, error: Array) -> Examination:
    worst = int(np.argmax(np.abs(claim - nearest) / error))
    name, index = place(case.arguments, list(case.arguments), worst)
    shown = Discrepancy(name, index, float(claim[worst]), float(nearest[worst]), float(error[worst]), ORACLE)
    message = "at a kink the claim lies outside its own limits from the two sides"
    return Examination(Fault.BACKWARD, "components", message, name, (shown,), wrong=(name,))
