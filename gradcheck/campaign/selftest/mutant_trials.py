"""One mutant of a correct file: is it found, placed and named; if not, why not?"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.campaign.limited import Limited, time_limit
from gradcheck.campaign.selftest.setup import Setup
from gradcheck.campaign.verification import Detection, Options, detect
from gradcheck.checks import Recognition, recognise
from gradcheck.errors import SubjectError
from gradcheck.faults.diagnosis import diagnose
from gradcheck.faults.holdout import holds
from gradcheck.faults.matching import know
from gradcheck.faults.mutation import Mutant, mutants
from gradcheck.faults.outcomes import Diagnosed, Survivor
from gradcheck.faults.sampling import usual_case
from gradcheck.faults.selection import spread
from gradcheck.faults.specimen import Answer, answer, executed_lines, same_bits
from gradcheck.faults.survivors import survivor
from gradcheck.networks import Case
from gradcheck.numerics import Arrays
from gradcheck.strategies.networks import corner_cases
from gradcheck.subjects.protocol import Subject

_TRACED = 60
"""Cases whose lines are mutated, and on which a mutant is first compared with the original."""


@dataclass(frozen=True, slots=True)
class MutantTrial:
    """how: by what it was found, empty for a survivor."""

    how: str
    survivor: Survivor | None = None
    diagnosed: Diagnosed | None = None


class MutantTrials:
    """All trials of one file; cases and answers of the original are shared."""

    def __init__(self, setup: Setup) -> None:
        self.plan = setup.plan
        self.source, wanted = setup.source()
        self.tree = ast.parse(self.source.text)
        self.original = self.source.subject()
        found: Recognition = recognise(self.original, wanted, self.plan.seed)
        self.recognition = replace(found, declared=True)
        self.cases: list[Case] = []
        self.answers: list[Answer] = []
        self._drawn = self._draw()
        first = [case for case, _ in self._known(_TRACED)]
        lines = executed_lines(self.original, first, self.recognition.layout, self.source.name)
        self.possible = mutants(self.tree, lines)
        self.chosen = spread(self.possible, self.plan.limit, self.plan.seed)
        order = np.random.default_rng([self.plan.seed, 45]).permutation(len(self.chosen))
        self.to_diagnose = frozenset(order[: 3 * self.plan.diagnosed].tolist())

    def original_fault(self) -> str:
        """What the campaign finds in the file itself; empty for a correct one."""
        found = detect(self.original, self.recognition, self._options())
        return "" if found is None else found.how

    def try_one(self, index: int) -> MutantTrial:
        """Plant one mutant."""
        mutant = self.chosen[index]
        try:
            with time_limit(self.plan.time_limit):
                subject = Limited(self.source.subject(mutant.applied(self.tree)), self.plan.time_limit)
        except SubjectError as error:
            return MutantTrial(error.kind)
        found = self._detected(subject)
        if found is not None and found.how == "unstable":
            known = survivor(mutant, subject, self.recognition.layout, self._known(self.plan.cases))
            reason = f"{known.reason}; reported as numerically unstable"
            return MutantTrial("", replace(known, kind="unstable", reason=reason))
        if found is not None:
            return MutantTrial(found.how, diagnosed=self._diagnosed(index, mutant, subject, found))
        return MutantTrial("", survivor(mutant, subject, self.recognition.layout, self._known(self.plan.cases)))

    def _detected(self, subject: Subject) -> Detection | None:
        """None where the campaign would pass; it is not even begun for the same answers on all cases, and no effect."""
        if self._same(subject):
            case = self.cases[0]
            try:
                effects = subject.effects(case, self.cases[1], self.recognition.layout)
            except SubjectError as error:
                return Detection(error.kind, case)
            return Detection(effects[0].kind, case) if effects else None
        return detect(subject, self.recognition, self._options())

    def _same(self, subject: Subject) -> bool:
        layout = self.recognition.layout
        return all(same_bits(answer(subject, c, layout), right) for c, right in self._known(self.plan.cases))

    def _options(self) -> Options:
        return Options(self.plan.examples, self.plan.seed)

    def _diagnosed(self, index: int, mutant: Mutant, subject: Subject, found: Detection) -> Diagnosed | None:
        """For some mutants of the backward pass: is the layer right, and does a name hold on fresh cases?"""
        case, layout = found.case, self.recognition.layout
        if index not in self.to_diagnose or found.how != "backward" or case is None or not self.recognition.trusted:
            return None

        def claims(asked: Case) -> Arrays | None:
            return answer(subject, asked, layout).gradient

        claim = claims(case)
        value = answer(subject, case, layout).value
        if claim is None or value != answer(self.original, case, layout).value:
            return None
        layers = _wrong_layers(case, claim)
        diagnosis = diagnose(case, claims, repertoire=self.recognition.repertoire, seed=self.plan.seed)
        placed = bool(diagnosis.places and layers) and diagnosis.places[0].layer == max(layers)
        named = diagnosis.named
        right = not named or holds(diagnosis, case, self.recognition.repertoire, claims)
        said = ", ".join(e.fault for e in diagnosis.explanations)
        return Diagnosed(1, int(placed), int(named), () if right else (f"{mutant.describe()}: {said}",))

    def _draw(self) -> Iterator[Case]:
        yield from corner_cases(self.recognition.repertoire, self.plan.seed)
        generator = np.random.default_rng([self.plan.seed, 43])
        while True:
            yield usual_case(self.recognition.repertoire, generator)

    def _known(self, count: int) -> Iterator[tuple[Case, Answer]]:
        """The first cases with the original's answers, drawn as they are needed."""
        for k in range(count):
            if k == len(self.cases):
                self.cases.append(next(self._drawn))
                self.answers.append(answer(self.original, self.cases[k], self.recognition.layout))
            yield self.cases[k], self.answers[k]


def _wrong_layers(case: Case, claim: Arrays) -> list[int]:
    right = know(case, claim, fresh=False).right
    return [int(n[1:]) for n, fine in right.items() if not fine]
