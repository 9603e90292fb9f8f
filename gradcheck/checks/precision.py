"""Is a claim that differs from the trusted gradient only less precise than its dtype, rather than wrong?

e(t)   claim − trusted gradient at the case with every number (parameters, inputs, real targets) moved by t along a random line
σ      noise of e between equally spaced points, a few cells of the suspected grid apart: from its differences of order 3 … 6
       (Moré & Wild, SIAM J. Sci. Comput. 33, 2011), in which whatever is smooth disappears

The error of a wrong formula is as smooth as the formula; rounding to a coarser grid gives every point an error of its own. So a
claim is less precise when its error at the case is explained by σ, and is within what rounding every operation to that grid
could do at worst. Both sides of the case must say so: a kink may lie on one. Where a gradient hardly depends on the numbers (a
hinge, mae) the points repeat the batch 2, 3, … times as well, which leaves a gradient what it is, but for the scale of a sum,
and rounds 1/m anew; and a claim that is the right gradient rounded number by number needs no statistics.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from gradcheck.checks.claim_noise import deviation
from gradcheck.checks.corner import corner
from gradcheck.checks.examination import Examination, Fault
from gradcheck.errors import SubjectError
from gradcheck.networks import Case, cost, on_logits
from gradcheck.numerics import Array, Arrays, Estimate, rounded_to, unit_roundoff
from gradcheck.oracles.autodiff import value_and_gradient
from gradcheck.oracles.error_analysis import rounding_bounds, underflow_bounds
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Subject

COARSER: Mapping[str, tuple[str, ...]] = {
    "float64": ("float32", "float16", "bfloat16"),
    "float32": ("float16", "bfloat16"),
}
"""By dtype of the subject, the precisions that may hide in it."""
POINTS = 8
SAFETY = 8.0
"""The error at the case may exceed σ by this factor."""
REPEATS = (2, 3, 5, 6, 7, 9, 10, 11)
LARGEST_STEP = 0.02
ROUNDINGS = 64.0
"""So many roundings are granted to a whole tensor, or the cost, where there is no bound."""


Way = tuple[int, Sequence[int] | None]
"""On which side of the case the points lie, and how often each repeats the batch."""


def imprecise(
    found: Examination,
    subject: Subject,
    case: Case,
    layout: Layout,
    estimates: tuple[Estimate, Estimate],
    costs: tuple[Array | None, float],
) -> Examination:
    """What was found, or a lack of precision where that explains it.

    estimates: claim and trusted gradient. costs: the subject's value, and the rounding bound of it.
    """
    precision, what = None, "its error"
    value, noise = costs
    if found.fault in (Fault.BACKWARD, Fault.FORWARD, Fault.ALL_DIFFER):
        precision = less_precise(subject, case, layout, *estimates)
    elif found.fault in (Fault.COST_CODE, Fault.SCALE) and value is not None:
        precision, what = imprecise_cost(subject, case, layout, value, noise), "the error of its cost"
    if precision is None:
        return found
    message = f"{what} is that of rounding to {precision}, not of a formula: a cast on the way"
    return replace(found, fault=Fault.PRECISION, rung="triangle", message=message)


def less_precise(subject: Subject, case: Case, layout: Layout, claim: Estimate, trusted: Estimate) -> str | None:
    """The precision whose rounding explains the claim's error; None where none does.

    Where every component is within its bounds, and the whole tensor alone is not, rounding number by number explains nothing.
    """
    if all(np.all(np.abs(claim.value[n] - g) <= claim.error[n] + trusted.error[n]) for n, g in trusted.value.items()):
        return None
    for precision in COARSER[case.dtype]:
        if _is_rounded(claim, trusted, precision):
            return precision
        if not _within(case, claim, trusted, precision):
            continue
        flushed = underflow_bounds(case, precision)
        for repeats in (None, REPEATS):
            errors = (_errors(subject, case, layout, claim, precision, (side, repeats)) for side in (1, -1))
            if all(_explained(claim, trusted, e, flushed) for e in errors):
                return precision
    return None


def imprecise_cost(subject: Subject, case: Case, layout: Layout, value: Array, noise: float) -> str | None:
    """The same of the subject's cost value; noise: what rounding in the case's own dtype may make of it."""
    error = float(value) - cost(case)
    for precision, side in product(COARSER[case.dtype], (1, -1)):
        points = list(_points(case, precision, side))
        try:
            values = [float(v) for v in subject.forward(points, layout)]
        except SubjectError:
            return None
        errors = np.array(values) - np.array([cost(p) for p in points])
        jumps = float(np.sqrt(np.mean(np.diff(errors) ** 2) / 2))
        if 10 * noise < jumps and abs(error) <= SAFETY * jumps <= ROUNDINGS * unit_roundoff(precision) * abs(
            cost(case)
        ):
            return precision
    return None


def _is_rounded(claim: Estimate, trusted: Estimate, precision: str) -> bool:
    """Whether each tensor is right, or the right one rounded to the precision, number by number."""
    for name, right in trusted.value.items():
        given, bound = claim.value[name], claim.error[name] + trusted.error[name]
        if np.all(np.abs(given - right) <= bound):
            continue
        low, high = rounded_to(right - bound, precision), rounded_to(right + bound, precision)
        if not np.all((given == low) | (given == high)):
            return False
    return True


def _within(case: Case, claim: Estimate, trusted: Estimate, precision: str) -> bool:
    """Whether rounding every operation so coarsely could give this claim; where that could give anything, a few roundings."""
    try:
        comparison = corner(case, claim.value, rounding_bounds(case, precision), same=False).comparison
    except ValueError:  # sums too long for the precision: no bound
        comparison = None
    if comparison is not None and any(p < 1 for p in comparison.typical.values()):
        return comparison.agrees
    u = ROUNDINGS * unit_roundoff(precision)
    return all(
        np.linalg.norm(claim.value[n] - g) <= u * np.linalg.norm(g) + np.linalg.norm(claim.error[n])
        for n, g in trusted.value.items()
    )


def _errors(
    subject: Subject,
    case: Case,
    layout: Layout,
    claim: Estimate,
    precision: str,
    way: Way,
) -> dict[str, Array]:
    """e at the points on one side, stacked along the first axis; none where the subject cannot be asked there."""
    side, repeats = way
    found: list[dict[str, Array]] = []
    for k, point in enumerate(_points(case, precision, side)):
        point, scale = _repeated(point, repeats[k] if repeats else 1)
        try:
            value = subject.vjp(point, layout)[1](point.cotangent)
        except SubjectError:
            return {}
        if value.problems:
            return {}
        right = value_and_gradient(on_logits(point), by_input="x" in claim.value)[1]
        found.append({n: (value.gradient[n] - right[n]) * scale for n in claim.value if n != "x" or not repeats})
    return {n: np.stack([e[n] for e in found]) for n in found[0]}


def _points(case: Case, precision: str, side: int) -> Iterator[Case]:
    """Points on one side of the case, a few cells of the grid apart; not the case itself."""
    generator = np.random.default_rng(int(np.abs(case.inputs).sum() * 1e6) % 2**32)
    step = min(LARGEST_STEP, 0.25 * float(np.sqrt(unit_roundoff(precision))))
    line = {n: _direction(a, generator) * step for n, a in _numbers(case).items()}
    yield from (_moved(case, line, side * t) for t in range(1, POINTS + 1))


def _repeated(case: Case, times: int) -> tuple[Case, float]:
    """The batch so many times, and the factor that makes up for the scale of its cost."""
    more = replace(case, inputs=np.tile(case.inputs, times), targets=np.tile(case.targets, times))
    scale = case.architecture.cost_scale
    return more, scale(case.samples) / (scale(more.samples) * times)


def _explained(claim: Estimate, trusted: Estimate, errors: Mapping[str, Array], flushed: Arrays) -> bool:
    """|e| at the case within SAFETY times σ, of the component or the whole tensor, the bounds, and what underflows."""
    for name, values in errors.items():
        at_case = np.abs(claim.value[name] - trusted.value[name])
        sigma = deviation(values)
        typical = float(np.sqrt(np.mean(sigma**2))) if sigma.size else 0.0
        allowed = SAFETY * np.maximum(sigma, typical) + claim.error[name] + trusted.error[name] + flushed[name]
        if not np.all(at_case <= allowed):
            return False
    return bool(errors)


def _direction(a: Array, generator: np.random.Generator) -> Array:
    """Every number moves by a share of itself, zeros by one of the others."""
    size = np.sqrt(np.mean(a**2)) if a.size and np.any(a) else 1.0
    return np.asarray(generator.standard_normal(a.shape) * np.where(a == 0, size, a))


def _numbers(case: Case) -> dict[str, Array]:
    real = {"y": case.targets} if case.architecture.cost.targets == "real" else {}
    return {**case.parameters, "x": case.inputs, **real}


def _moved(case: Case, line: Arrays, k: int) -> Case:
    numbers = {n: (a + k * line[n]).astype(case.dtype).astype(np.float64) for n, a in _numbers(case).items()}
    targets = numbers.pop("y", case.targets)
    return replace(case.at(numbers), targets=targets)
