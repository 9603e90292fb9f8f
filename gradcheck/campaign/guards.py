"""A guarded logarithm, ln(p + ε), in the cost and not in the gradient: where do the two part?

Both are right on paper, and a comparison grants whatever lies between them; but where a target's probability comes near ε the
gradient is not that of the cost any more. Seen at a case made for it, with one sample whose target has a probability near ε.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gradcheck.checks import Recognition
from gradcheck.errors import FATAL, SubjectError
from gradcheck.networks import Case, cost_named, digest, forward
from gradcheck.networks.repertoire import Head
from gradcheck.networks.sampling import sample_case
from gradcheck.numerics import Array
from gradcheck.oracles.autodiff import value_and_gradient
from gradcheck.oracles.error_analysis import rounding_bounds
from gradcheck.report import Code, Finding, Place
from gradcheck.strategies import corner_cases
from gradcheck.subjects import Subject


def guarded_cost_alone(subject: Subject, recognition: Recognition, seed: int) -> list[Finding]:
    """The finding of a cost with a guard that its gradient does not share, if it is one; it blames nothing."""
    case = _telling_case(subject, recognition, seed)
    return [] if case is None else [_finding(case, case.architecture.cost.guard)]


def as_the_gradient_has_it(subject: Subject, recognition: Recognition, seed: int) -> Recognition:
    """The recognition without guards where the gradient has none: a wrong gradient is diagnosed against its own kind."""
    if _telling_case(subject, recognition, seed) is None:
        return recognition
    heads = tuple(replace(h, cost=cost_named(h.cost.name)) for h in recognition.repertoire.heads)
    return replace(recognition, repertoire=replace(recognition.repertoire, heads=heads))


def plain(case: Case) -> Case:
    """The case with the cost without its guard."""
    return replace(case, architecture=replace(case.architecture, cost=cost_named(case.architecture.cost.name)))


def _telling_case(subject: Subject, recognition: Recognition, seed: int) -> Case | None:
    for head in recognition.repertoire.heads if recognition.trusted else ():
        for case in _cases(recognition, head, seed) if head.cost.guard else ():
            if _follows_the_plain_logarithm(subject, recognition, case):
                return case
    return None


def _cases(recognition: Recognition, head: Head, seed: int) -> Iterator[Case]:
    """Corners behind this head, layer L scaled so that some target has a probability near ε."""
    for corner in corner_cases(recognition.repertoire, seed):
        if corner.architecture.cost is head.cost:
            case = sample_case(corner.architecture, corner.samples, np.random.default_rng([seed, 23]))
            yield _near_guard(case, head.cost.guard)
            return


def _near_guard(case: Case, guard: float) -> Case:
    """Logits scaled until the least probable target of the first sample has a probability of ε, targets hard."""
    z = forward(case)[0][-1][:, 0]
    reach = float(np.max(z) - np.min(z)) if z.size > 1 else abs(float(z[0]))
    factor = -np.log(guard) / max(reach, 1e-3)
    depth = case.architecture.depth
    names = [n for n in (f"W{depth}", f"b{depth}") if n in case.parameters]
    case = case.at({n: case.parameters[n] * factor for n in names})
    return replace(case, targets=_least_probable(forward(case)[0][-1]))


def _least_probable(z: Array) -> Array:
    """Hard targets: the unit with the smallest logit, or for a single one the less probable side."""
    if z.shape[0] == 1:
        return (z < 0).astype(float)
    columns: Array = np.eye(z.shape[0])[np.argmin(z, axis=0)].T.copy()
    return columns


def _follows_the_plain_logarithm(subject: Subject, recognition: Recognition, case: Case) -> bool:
    """Whether the last layer's claim is the gradient of ln p and, beyond rounding, not that of ln(p + ε)."""
    try:
        claim = subject.vjp(case, recognition.layout)[1](case.cotangent)
    except SubjectError as error:
        if error.kind in FATAL:
            raise
        return False
    bounds = rounding_bounds(plain(case)).gradient
    exact, bent = (value_and_gradient(c, by_input=False)[1] for c in (plain(case), case))
    depth = case.architecture.depth
    names = [n for n in (f"W{depth}", f"b{depth}") if n in claim.gradient and n in exact]
    right = all(np.all(np.abs(claim.gradient[n] - exact[n]) <= 2 * bounds[n]) for n in names)
    apart = any(np.any(np.abs(bent[n] - exact[n]) > 100 * bounds[n]) for n in names)
    return bool(names) and right and apart and not claim.problems


def _finding(case: Case, guard: float) -> Finding:
    detail = (
        f"the cost takes ln(p + {guard:g}), the gradient is that of ln p: the gradient is not that of the cost where the "
        f"probability p of a target is small, by 1 % at p = {99 * guard:.2g}, by half at p = {guard:g}; a log-softmax "
        "(or a softplus of the logit) needs no guard"
    )
    shown = {"digest": digest(case), **case.to_json()}
    return Finding(Code.GC603, "pass", "numerics", detail, (Place("cost"),), counterexample=shown)
