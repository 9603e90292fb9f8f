"""Does a network's gradient keep the laws that its own cost keeps? No oracle and no differences of the cost are needed.

F(θ) = Σ_k w_k g_k(θ), the relation of a law; |F| beyond its bound breaks the law. The bound of a component is

    8 σ_F                      the noise of F itself, measured on it (`claim_noise`), where F is not 0 to a few roundings
    32 u Σ_k |w_k| max|g_k|    what rounding does in the same way at every point: some roundings of the largest component
    2 τ / h                    what the cost leaves open: it keeps the relation to within τ at points that are h apart
    Σ_k |w_k| E_k              the claim's own error, where it was recovered from an update

with u that of float32 also for float64: a cast on the way is a fault of precision (GC601), and not of a law.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.checks.claim_noise import ROUNDINGS, claim_error
from gradcheck.checks.comparison import Discrepancy
from gradcheck.checks.examination import Examination
from gradcheck.checks.invariance import SAMPLES, Law, Term, batch_laws, unit_laws
from gradcheck.errors import FATAL, SubjectError
from gradcheck.networks import Case, cost
from gradcheck.networks.sampling import kink_distance
from gradcheck.numerics import Array, Arrays, unit_roundoff
from gradcheck.subjects.effects import companion
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Claim, Subject

RUNG = "laws of the cost"
MARGIN = 1e-3
"""Nearer to a kink than this the side of a unit may depend on the order of a sum: nothing is asked there."""
_COST_ROUNDINGS = 256.0
"""Roundings within which a cost keeps a relation: tight, for what it leaves open counts against the law."""
_PROBES = 2
_REACH = 0.3
"""The cost is asked at the parameters and at others that are a Gaussian step of this share of their size away."""

Ask = Callable[[Case], Claim]
Gate = Callable[[Law, Case], "Kept | None"]
"""The relation that the cost keeps; None where it keeps none of the law's, or cannot be asked."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Weights with which the cost keeps a law, and per parameter the slope that this leaves open."""

    weights: Sequence[float]
    slack: Arrays = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of one law at one case: the finding where it is broken; power: the smallest violation seen, relative to a tensor."""

    law: Law
    case: Case
    broken: Examination | None
    power: float


def judgements(case: Case, ask: Ask, gate: Gate, *, batches: bool) -> Iterator[Judgement]:
    """Every law that applies at a case with `SAMPLES` samples; batches: whether the subject takes a batch a call."""
    if kink_distance(case) <= MARGIN:
        return
    laws = [*(batch_laws() if batches and case.samples == SAMPLES else ()), *unit_laws(case)]
    for law in laws:
        try:
            found = _confirmed(law, case, ask, gate)
        except SubjectError as error:
            if error.kind in FATAL:
                raise
            continue  # the campaign meets it, and says so
        if found is not None:
            yield found


def _confirmed(law: Law, case: Case, ask: Ask, gate: Gate) -> Judgement | None:
    """The judgement of a law that the cost keeps; a violation must show at other numbers too."""
    kept = gate(law, case)
    found = None if kept is None else _judged(law, kept, case, ask)
    if kept is None or found is None or found.broken is None:
        return found
    moved = companion(case)
    assert isinstance(moved, Case)
    again = _judged(law, kept, moved, ask) if kink_distance(moved) > MARGIN else None
    return found if again is not None and again.broken is not None else None


def asking(subject: Subject, layout: Layout) -> Ask:
    """The claims of a subject."""
    return lambda case: subject.vjp(case, layout)[1](case.cotangent)


# -- gates ----------------------------------------------------------------------------------------------------------------


def by_cost(subject: Subject, layout: Layout) -> Gate:
    """What the subject's own cost keeps."""
    return _by_values(lambda cases: [float(v) for v in subject.forward(cases, layout)])


def by_trusted_cost() -> Gate:
    """What the trusted cost keeps, where it is the subject's own."""
    return _by_values(lambda cases: [cost(c) for c in cases])


def by_output(subject: Subject, layout: Layout) -> Gate:
    """No cost is declared: outputs that stay as they are leave every cost as it is. It vouches for permutations of units."""

    def gate(law: Law, case: Case) -> Kept | None:
        if law.layer is None:
            return None
        for probe in _probes(case):
            first, second = (subject.output(t.case, layout) for t in law.terms(probe))
            if not _alike(first, second, case.dtype):
                return None
        return Kept(law.relations[0])

    return gate


def by_assumption(subject: Subject, layout: Layout) -> Gate:
    """For costs that are a sum over samples, as most are: outputs that do not depend on the rest of the batch."""

    def gate(law: Law, case: Case) -> Kept | None:
        if law.layer is not None or len(law.relations) > 1:
            return None
        whole, *others = (t.case for t in law.terms(case))
        outputs = subject.output(whole, layout)
        for other in others:
            columns = [_column_of(whole, other, k) for k in range(other.samples)]
            if not _alike(subject.output(other, layout), outputs[:, columns], case.dtype):
                return None
        return Kept(law.relations[0])

    return gate


def _column_of(whole: Case, other: Case, k: int) -> int:
    return next(j for j in range(whole.samples) if np.array_equal(whole.inputs[:, j], other.inputs[:, k]))


def _alike(first: Array, second: Array, dtype: str) -> bool:
    size = float(np.max(np.abs(first), initial=0.0))
    return bool(np.all(np.abs(first - second) <= _COST_ROUNDINGS * unit_roundoff(dtype) * size))


def _by_values(costs: Callable[[Sequence[Case]], Sequence[float]]) -> Gate:
    def gate(law: Law, case: Case) -> Kept | None:
        table = np.array([costs([t.case for t in law.terms(probe)]) for probe in _probes(case)])
        if not np.all(np.isfinite(table)):
            return None
        for weights in law.relations:
            tau = _COST_ROUNDINGS * unit_roundoff(case.dtype) * (np.abs(table) @ np.abs(weights))
            if np.all(np.abs(table @ np.asarray(weights)) <= tau):
                top = float(np.max(tau))
                return Kept(weights, {n: np.asarray(2 * top / _step(a)) for n, a in case.parameters.items()})
        return None

    return gate


def _probes(case: Case) -> list[Case]:
    generator = np.random.default_rng(case.samples)
    moved = [
        case.at({n: a + _step(a) * generator.standard_normal(a.shape) for n, a in case.parameters.items()})
        for _ in range(_PROBES)
    ]
    return [case, *moved]


def _step(a: Array) -> float:
    size = float(np.sqrt(np.mean(a**2)))
    return _REACH * (size if size > 0 else 1.0)


# -- judgement ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Relation:
    """F, Σ |w_k| max|g_k| and Σ |w_k| E_k by name; first: w_1 g_1 alone, what F says is the negative sum of the others."""

    value: Arrays
    size: dict[str, float]
    error: Arrays
    first: Arrays


def _judged(law: Law, kept: Kept, case: Case, ask: Ask) -> Judgement | None:
    relation = _relation(law.terms(case), kept.weights, ask)
    if relation is None:
        return None
    u = max(unit_roundoff(case.dtype), unit_roundoff("float32"))
    floor = {
        n: ROUNDINGS * u * s + relation.error[n] + kept.slack.get(n, np.zeros(())) for n, s in relation.size.items()
    }
    beyond = [n for n, f in relation.value.items() if np.any(np.abs(f) > floor[n])]
    bound = _with_noise(law, kept, case, ask, relation, floor) if beyond else floor
    wrong = [n for n in beyond if np.any(np.abs(relation.value[n]) > bound[n])]
    sizes = [(n, relation.size[n] / sum(map(abs, kept.weights))) for n in bound]
    power = max((float(np.max(bound[n])) / s for n, s in sizes if s > 0), default=float("inf"))
    return Judgement(law, case, _broken(law, relation, bound, wrong) if wrong else None, power)


def _relation(terms: Sequence[Term], weights: Sequence[float], ask: Ask) -> _Relation | None:
    """None where a gradient has a broken structure or is not finite: other checks say so."""
    claims = [ask(t.case) for t in terms]
    names = [n for n in claims[0].gradient if n in terms[0].case.parameters]
    sound = all(not c.problems and all(np.all(np.isfinite(c.gradient[n])) for n in names) for c in claims)
    if not sound:
        return None
    gradients = [t.back({n: c.gradient[n] for n in names}) for t, c in zip(terms, claims, strict=True)]
    parts = list(zip(weights, gradients, claims, strict=True))
    return _Relation(
        {n: _total([w * g[n] for w, g, _ in parts]) for n in names},
        {n: sum(abs(w) * float(np.max(np.abs(g[n]), initial=0.0)) for w, g, _ in parts) for n in names},
        {n: np.asarray(sum(abs(w) * np.max(c.error.get(n, 0.0)) for w, _, c in parts)) for n in names},
        {n: weights[0] * gradients[0][n] for n in names},
    )


def _total(arrays: Sequence[Array]) -> Array:
    total: Array = np.sum(np.stack(arrays), axis=0)
    return total


def _with_noise(law: Law, kept: Kept, case: Case, ask: Ask, relation: _Relation, floor: Arrays) -> dict[str, Array]:
    """The floor with the measured noise of F, at steps at which a cast to float32 shows too."""

    def evaluate(parameters: Arrays) -> Arrays | None:
        moved = _relation(law.terms(case.at(parameters)), kept.weights, ask)
        return None if moved is None else moved.value

    u = max(unit_roundoff(case.dtype), unit_roundoff("float32"))
    noise: dict[str, Any] = claim_error(evaluate, case.parameters, relation.value, u, 13)
    shared = {n: ROUNDINGS * u * float(np.max(np.abs(f), initial=0.0)) for n, f in relation.value.items()}
    return {n: floor[n] + noise[n] - shared[n] for n in relation.value}


def _broken(law: Law, relation: _Relation, bound: Arrays, wrong: Sequence[str]) -> Examination:
    topmost = max(wrong, key=lambda n: (int(n[1:]), n[0] == "W"))
    shown = tuple(_worst(n, relation, bound[n]) for n in wrong)
    return Examination(law.fault, RUNG, law.words.format(names=", ".join(wrong)), topmost, shown, wrong=tuple(wrong))


def _worst(name: str, relation: _Relation, bound: Array) -> Discrepancy:
    value, first = relation.value[name], relation.first[name]
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(np.abs(value))), value.shape))
    limit = float(np.broadcast_to(bound, value.shape)[index])
    return Discrepancy(
        name, index, float(first[index]), float((first - value)[index]), limit, "its own other gradients"
    )
