"""One mutant of a correct file: is it found, placed and named; if not, why not?"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from gradcheck.campaign.limited import Limited, time_limit
from gradcheck.campaign.outcome import Detection
from gradcheck.campaign.selftest.judge import AnyCase, Judge
from gradcheck.campaign.selftest.network_judge import NetworkJudge
from gradcheck.campaign.selftest.operation_judge import OperationJudge
from gradcheck.campaign.selftest.setup import Setup
from gradcheck.errors import SubjectError
from gradcheck.faults.mutation import Mutant, mutants, recompiled_lines
from gradcheck.faults.outcomes import Diagnosed, Survivor
from gradcheck.faults.selection import spread
from gradcheck.faults.source_text import mutated_text, whole
from gradcheck.faults.specimen import Answer, same_bits, traced_lines, without_training
from gradcheck.faults.survivors import Witness, equivalent, survivor
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
        self.whole = whole(self.source.name, self.source.text)
        first = self.source.subject(self.whole.tree, self.whole.text)
        self.whole = replace(self.whole, tree=without_training(self.whole.tree, first.offer.notes))
        self.original = self.source.subject(self.whole.tree, self.whole.text)
        self.judge: Judge = (
            OperationJudge(self.original, self.source.configuration.layer, self.plan)
            if self.original.offer.kind == "operation"
            else NetworkJudge(self.original, wanted, self.plan)
        )
        self.cases: list[AnyCase] = []
        self.answers: list[Answer] = []
        self._drawn = self.judge.draw()
        self.cases = list(islice(self._drawn, _TRACED))  # before lines are watched, which slows everything down
        lines = traced_lines(lambda: list(self._known(_TRACED)), self.source.name)
        lines |= recompiled_lines(self.whole.tree, lines)
        self.possible = mutants(self.whole.tree, lines)
        self.chosen = spread(self.possible, self.plan.limit, self.plan.seed)
        order = np.random.default_rng([self.plan.seed, 45]).permutation(len(self.chosen))
        self.to_diagnose = frozenset(order[: 3 * self.plan.diagnosed].tolist())

    def original_fault(self) -> str:
        """What the campaign finds in the file itself; empty for a correct one."""
        found = self.judge.detect(self.original)
        return "" if found is None else found.how

    def try_one(self, index: int) -> MutantTrial:
        """Plant one mutant."""
        mutant = self.chosen[index]
        try:
            with time_limit(self.plan.time_limit):
                planted = self.source.subject(mutant.applied(self.whole.tree), mutated_text(self.whole, mutant))
        except SubjectError as error:
            return MutantTrial(error.kind)
        subject = Limited(planted, self.plan.time_limit)
        same = self._same(subject)
        found = self._effect(subject) if same else self.judge.detect(subject)
        if found is None and same:
            return MutantTrial("", equivalent(mutant, self.describe(mutant), self.plan.cases))
        if found is None or found.how == "unstable":
            return MutantTrial("", self._survivor(mutant, subject, reported=found is not None))
        return MutantTrial(found.how, diagnosed=self._diagnosed(index, mutant, subject, found))

    def _effect(self, subject: Subject) -> Detection | None:
        """What may still be wrong where all answers are the original's: what the backward pass does besides."""
        case = self.cases[0]
        try:
            effect = self.judge.effect(subject, case, self.cases[1])
        except SubjectError as error:
            return Detection(error.kind, case)
        return Detection(effect, case) if effect else None

    def _same(self, subject: Subject) -> bool:
        """Whether all answers are the original's to the bit: then no campaign needs to be run."""
        return all(same_bits(self.judge.ask(subject, c), right) for c, right in self._known(self.plan.cases))

    def _survivor(self, mutant: Mutant, subject: Subject, *, reported: bool) -> Survivor:
        """reported: the campaign says that it is numerically unstable."""
        witness = Witness(
            lambda case: self.judge.ask(subject, case),
            self.judge.differs,
            lambda case: "unstable" if reported else self.judge.fault(subject, case),
        )
        return survivor(mutant, self.describe(mutant), witness, self._known(self.plan.cases))

    def describe(self, mutant: Mutant) -> str:
        """With the line in its cell, for a notebook."""
        return f"{self.whole.place(mutant.line)} of {mutant.edit}"

    def _diagnosed(self, index: int, mutant: Mutant, subject: Subject, found: Detection) -> Diagnosed | None:
        if index not in self.to_diagnose:
            return None
        try:
            result = self.judge.diagnosed(subject, self.original, found)
        except SubjectError:  # it fails at a case that only the diagnosis asks for: there is nothing to compare
            return None
        if result is None:
            return None
        outcome, wrong = result
        return replace(outcome, wrong=(f"{self.describe(mutant)}: {wrong}",) if wrong else ())

    def _known(self, count: int) -> Iterator[tuple[AnyCase, Answer]]:
        """The first cases with the original's answers, drawn as they are needed."""
        for k in range(count):
            if k == len(self.cases):
                self.cases.append(next(self._drawn))
            if k == len(self.answers):
                self.answers.append(self.judge.ask(self.original, self.cases[k]))
            yield self.cases[k], self.answers[k]
