"""The checker checked: plant mistakes that are known, and see that each is found, placed and named.

catalogue  every fault of the catalogue in the trusted network, and mistakes of state
mutants    small edits of the syntax tree of a correct file, forward and backward pass

A mutant is observable if cost or gradient differ from the original, by more than rounding, on one of many random cases. It is
killed if a verification of the usual size says fail or error. Survivors are listed with the reason. Deterministic from a seed.
"""

import ast
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any, Literal

import numpy as np

from gradcheck.checks import Examination, Wanted, examine, recognise
from gradcheck.checks.recognition import Recognition
from gradcheck.errors import SubjectError, UsageError
from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.diagnosis import diagnose
from gradcheck.faults.fault import Fault, Planting
from gradcheck.faults.matching import know, synthesise
from gradcheck.faults.mutation import Mutant, mutants
from gradcheck.faults.planting import claims_of, planted, planted_state
from gradcheck.faults.sampling import draw_case, usual_case
from gradcheck.faults.specimen import Answer, Source, answer, executed_lines, same_bits
from gradcheck.faults.state import STATE, StateFault
from gradcheck.networks import Case
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.oracles.error_analysis import rounding_bounds
from gradcheck.strategies.networks import corner_cases
from gradcheck.subjects.configuration import SubjectConfiguration
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.local import LocalSubject

_TRIES = 60
_FULL_EXAMINATIONS = 24
_TRACED = 24


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is done.

    cases: on how many a survivor must give the original's answers to count as equivalent. examined: cases of a usual
    verification. limit: mutants at most, sampled evenly over operators (None: all). diagnosed: catalogue faults that are
    also diagnosed, a random sample (None: all). budget: seconds after which no further mutant is begun.
    """

    cases: int = 2000
    examined: int = 200
    limit: int | None = 200
    diagnosed: int | None = 100
    budget: float | None = None
    seed: int = 0


Kind = Literal["equivalent", "constant", "blind spot"]


@dataclass(frozen=True, slots=True)
class Survivor:
    """A mistake that was not found, and why.

    kind: "equivalent" (the same answers, or the same within rounding), "constant" (the cost differs by what no parameter
    changes, and the gradient is right: that is not judged), or "blind spot".
    """

    what: str
    operator: str
    line: int
    reason: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class CatalogueResult:
    """Faults planted in the trusted network: how many could be seen, were found, diagnosed, placed and named."""

    planted: int
    visible: int
    found: int
    diagnosed: int
    placed: int
    named: int
    missed: tuple[str, ...] = ()
    invisible: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MutantResult:
    """Mutants of a file: how many there are, were run, were observable, and were killed."""

    file: str
    possible: int
    run: int
    observable: int
    killed: int
    survivors: tuple[Survivor, ...] = ()

    @property
    def rate(self) -> float:
        """Killed over observable; 1 where none is observable."""
        return self.killed / self.observable if self.observable else 1.0


@dataclass(frozen=True, slots=True)
class SelfTest:
    """The outcome; a part is None where it was not run."""

    seed: int
    catalogue: CatalogueResult | None = None
    mutants: MutantResult | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def passed(self) -> bool:
        """Whether every visible fault was found and every observable mutant killed."""
        c, m = self.catalogue, self.mutants
        return (c is None or c.found == c.visible) and (m is None or m.killed == m.observable)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {**asdict(self), "passed": self.passed}

    def summary(self) -> str:
        """A few lines for people."""
        return "\n".join([*_mutant_lines(self.mutants), *_catalogue_lines(self.catalogue), *self.notes])


Progress = Callable[[int, int], None]


def selftest(
    source: str | None = None,
    name: str = "subject",
    *,
    configuration: SubjectConfiguration | None = None,
    wanted: Wanted | None = None,
    catalogue: bool = True,
    plan: Plan | None = None,
    progress: Progress | None = None,
) -> SelfTest:
    """Plant the catalogue into the trusted network, and mutants into a correct file given as text.

    name: what the file is called in messages. configuration, wanted: what the user says about it, as for a verification.
    Raises UsageError where the file is not correct itself, and SubjectError where it cannot be loaded.
    """
    chosen = plan or Plan()
    report = progress or (lambda done, of: None)
    whole = _Catalogue(chosen).run(report) if catalogue else None
    if source is None:
        return SelfTest(chosen.seed, whole)
    said = configuration or SubjectConfiguration()
    tested = _Mutants(Source(source, name, said), wanted or Wanted(), chosen)
    result = tested.run(report)
    return SelfTest(chosen.seed, whole, result, tuple(tested.notes))


# -- catalogue --------------------------------------------------------------------------------------------------------


class _Catalogue:
    """Every fault planted once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.generator = np.random.default_rng([plan.seed, 42])
        self.repertoire = default_repertoire()

    def run(self, progress: Progress) -> CatalogueResult:
        chosen = self._diagnosed()
        visible = found = diagnosed = placed = named = 0
        missed, invisible = [], []
        for done, fault in enumerate(CATALOGUE.values()):
            progress(done, len(CATALOGUE))
            case = self._showing(fault)
            if case is None:
                invisible.append(fault.name)
                continue
            visible += 1
            seen = _fails(planted(fault), case)
            found += seen
            missed += [] if seen else [fault.name]
            if fault.name in chosen and not fault.shape:
                right, called = self._diagnose(fault, case)
                diagnosed, placed, named = diagnosed + 1, placed + right, named + called
        for state in STATE:
            visible += 1
            seen = self._state_seen(state)
            found += seen
            missed += [] if seen else [state.name]
        return CatalogueResult(
            len(CATALOGUE) + len(STATE), visible, found, diagnosed, placed, named, tuple(missed), tuple(invisible)
        )

    def _diagnosed(self) -> frozenset[str]:
        names = list(CATALOGUE)
        if self.plan.diagnosed is None:
            return frozenset(names)
        return frozenset(self.generator.permutation(names)[: self.plan.diagnosed].tolist())

    def _showing(self, fault: Fault) -> Case | None:
        """A random case on which the fault changes the gradient."""
        for k in range(_TRIES):
            case = draw_case(self.repertoire, self.generator, None, k % 2 == 1)
            if fault.layers(case.architecture) and _visible(fault, case):
                return case
        return None

    def _diagnose(self, fault: Fault, case: Case) -> tuple[bool, bool]:
        planting = Planting(fault)
        if synthesise(case, (planting,)) is None:
            return True, True
        found = diagnose(case, claims_of((planting,)), repertoire=self.repertoire, seed=self.plan.seed)
        places = planting.places(case.architecture)
        right = bool(found.places) and (found.places[0].equation, found.places[0].layer) in places
        return right, fault.name in [e.fault for e in found.explanations]

    def _state_seen(self, fault: StateFault) -> bool:
        subject = planted_state(fault)
        case = draw_case(self.repertoire, self.generator, 3, square=True)
        noise = {n: a + 0.25 for n, a in case.parameters.items()}
        other = replace(case.at(noise), inputs=case.inputs + 0.5)
        return _fails(subject, case, other) or _fails(subject, other)


def _visible(fault: Fault, case: Case) -> bool:
    gradient = synthesise(case, (Planting(fault),))
    if gradient is None:
        return True
    if not all(np.all(np.isfinite(g)) for g in gradient.values()):
        return False
    known = know(case, gradient, fresh=False)
    return known.tells_apart(gradient, known.gradient)


def _fails(subject: LocalSubject, case: Case, other: Case | None = None) -> bool:
    try:
        return examine(subject, case, Layout(), other=other, differences=False).fault is not None
    except SubjectError:
        return True


# -- mutants ----------------------------------------------------------------------------------------------------------


class _Mutants:
    """All mutants of one file, judged on the same cases."""

    def __init__(self, source: Source, wanted: Wanted, plan: Plan) -> None:
        self.source, self.plan = source, plan
        self.tree = ast.parse(source.text)
        self.original = source.subject()
        self.recognition: Recognition = recognise(self.original, wanted, plan.seed)
        self.cases: list[Case] = []
        self.answers: list[Answer] = []
        self.notes: list[str] = []
        self._source_of_cases = self._draw()

    def run(self, progress: Progress) -> MutantResult:
        started = time.monotonic()
        self._require_correct()
        possible = mutants(self.tree, self._lines())
        chosen = _spread(possible, self.plan.limit, self.plan.seed)
        survivors: list[Survivor] = []
        killed = run = 0
        for done, mutant in enumerate(chosen):
            progress(done, len(chosen))
            if self.plan.budget is not None and time.monotonic() - started > self.plan.budget:
                self.notes.append(f"the budget of {self.plan.budget:g} s ended after {run} of {len(chosen)} mutants")
                break
            run += 1
            survivor = self._survives(mutant)
            killed += survivor is None
            survivors += [survivor] if survivor else []
        seen = killed + sum(s.kind == "blind spot" for s in survivors)
        return MutantResult(self.source.name, len(possible), run, seen, killed, tuple(survivors))

    # -- cases and answers ------------------------------------------------------------------------------------------

    def _draw(self) -> Iterator[Case]:
        yield from corner_cases(self.recognition.repertoire, self.plan.seed)
        generator = np.random.default_rng([self.plan.seed, 43])
        while True:
            yield usual_case(self.recognition.repertoire, generator)

    def _known(self, count: int) -> Iterator[tuple[Case, Answer]]:
        """The first cases with the original's answers, drawn as they are needed."""
        for k in range(count):
            if k == len(self.cases):
                self.cases.append(next(self._source_of_cases))
                self.answers.append(answer(self.original, self.cases[k], self.recognition.layout))
            yield self.cases[k], self.answers[k]

    def _lines(self) -> frozenset[int]:
        cases = [case for case, _ in self._known(max(_TRACED, 40))]
        return executed_lines(self.original, cases, self.recognition.layout, self.source.name)

    def _require_correct(self) -> None:
        for case, _ in self._known(40):
            try:
                found = self._examine(self.original, case)
            except SubjectError as error:
                if error.kind == "unsupported":
                    continue
                raise
            if found.fault is not None:
                msg = f"{self.source.name} is not correct itself ({found.fault.value}): verify it first"
                raise UsageError(msg)

    def _examine(self, subject: LocalSubject, case: Case, *, differences: bool = False) -> Examination:
        r = self.recognition
        return examine(subject, case, r.layout, trusted=r.trusted, differences=differences or not r.trusted)

    # -- one mutant -------------------------------------------------------------------------------------------------

    def _survives(self, mutant: Mutant) -> Survivor | None:
        """None where it is killed."""
        try:
            subject = self.source.subject(mutant.applied(self.tree))
        except (SubjectError, SyntaxError):
            return None
        full = 0
        for case, right in self._known(self.plan.examined):
            given = answer(subject, case, self.recognition.layout)
            if same_bits(given, right) or given.unsupported:
                continue
            if given.failure and not right.failure:
                return None
            if self._found(subject, case, differences=full < _FULL_EXAMINATIONS):
                return None
            full += 1
        if full and self._effects(subject):
            return None
        return self._survivor(mutant, subject)

    def _found(self, subject: LocalSubject, case: Case, *, differences: bool) -> bool:
        try:
            if self._examine(subject, case).fault is not None:
                return True
            return differences and self._examine(subject, case, differences=True).fault is not None
        except SubjectError:
            return True

    def _effects(self, subject: LocalSubject) -> bool:
        case = self.cases[0]
        try:
            return bool(subject.effects(case, case, self.recognition.layout))
        except SubjectError:
            return True

    def _survivor(self, mutant: Mutant, subject: LocalSubject) -> Survivor:
        """Why it was not found: equivalent on all cases, a constant in the cost, or a blind spot."""
        bits = 0
        differences: list[Difference] = []
        for case, right in self._known(self.plan.cases):
            given = answer(subject, case, self.recognition.layout)
            if same_bits(given, right):
                continue
            bits += 1
            difference = _difference(case, given, right)
            differences += [difference] if difference.words else []
        kind, reason = _reason(differences, bits, self.plan.cases)
        return Survivor(mutant.describe(), mutant.operator, mutant.line, reason, kind)


@dataclass(frozen=True, slots=True)
class Difference:
    """How two answers differ by more than rounding, in words; empty where they do not. cost: in the finite cost alone."""

    words: str
    cost: bool = False


def _reason(differences: Sequence[Difference], bits: int, cases: int) -> tuple[Kind, str]:
    seen = f"it differs on {len(differences)} of {cases} cases"
    if not differences:
        words = "within rounding" if bits else "the same answers"
        return "equivalent", f"equivalent: {words} on {cases} cases"
    if all(d.cost for d in differences):
        return (
            "constant",
            f"the cost differs by what no parameter changes, the gradient is right: {seen} ({differences[0].words})",
        )
    first = next(d for d in differences if not d.cost)
    return "blind spot", f"blind spot: {seen} ({first.words})"


def _difference(case: Case, given: Answer, right: Answer) -> Difference:
    if given.failure or right.failure:
        return Difference(given.failure or right.failure)
    assert given.gradient is not None
    assert right.gradient is not None
    bounds = rounding_bounds(case)
    for n, g in given.gradient.items():
        with np.errstate(all="ignore"):
            if not np.all(np.abs(g - right.gradient[n]) <= 2 * bounds.gradient[n]):
                return Difference(f"the gradient of {n}")
    return _other_cost(given.value, right.value, 8 * bounds.value)


def _other_cost(given: float | None, right: float | None, bound: float) -> Difference:
    if given is None or right is None or not np.isfinite(right) or abs(given - right) <= bound:
        return Difference("")
    return Difference(f"a cost of {given:.6g} for {right:.6g}", cost=bool(np.isfinite(given)))


def _spread(possible: Sequence[Mutant], limit: int | None, seed: int) -> list[Mutant]:
    """At most `limit` mutants, taken in turn from every operator, in the order of the file."""
    if limit is None or len(possible) <= limit:
        return list(possible)
    generator = np.random.default_rng([seed, 44])
    by: dict[str, list[Mutant]] = {}
    for i in generator.permutation(len(possible)):
        by.setdefault(possible[int(i)].operator, []).append(possible[int(i)])
    turns = (queue[turn] for turn in range(len(possible)) for _, queue in sorted(by.items()) if turn < len(queue))
    chosen = set(map(id, islice(turns, limit)))
    return [m for m in possible if id(m) in chosen]


# -- words ------------------------------------------------------------------------------------------------------------


def _mutant_lines(m: MutantResult | None) -> Iterator[str]:
    if m is None:
        return
    yield f"on {m.file}, {m.killed} of {m.observable} observable planted mistakes were found"
    sampled = (
        f"a sample of {m.run} of {m.possible} possible edits was run"
        if m.run < m.possible
        else f"{m.run} edits were run"
    )
    yield f"{sampled}; {sum(s.kind == 'equivalent' for s in m.survivors)} of them make no difference"
    for survivor in m.survivors:
        if survivor.kind != "equivalent":
            said = "not found" if survivor.kind == "blind spot" else "not judged"
            yield f"{said}: {survivor.what}: {survivor.reason}"


def _catalogue_lines(c: CatalogueResult | None) -> Iterator[str]:
    if c is None:
        return
    yield f"in the trusted network, {c.found} of {c.visible} faults of the catalogue were found"
    if c.diagnosed:
        yield f"of {c.diagnosed} that were diagnosed, the place was right for {c.placed} and the name for {c.named}"
    if c.missed:
        yield f"not found: {', '.join(c.missed)}"
    if c.invisible:
        yield f"no random case could show: {', '.join(c.invisible)}"
