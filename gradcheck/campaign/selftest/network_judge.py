"""Judge of a network: the campaign with the conventions of the original, and the diagnosis of wrong gradients."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gradcheck.campaign.outcome import Detection, Options
from gradcheck.campaign.selftest.judge import AnyCase
from gradcheck.campaign.verification import detect
from gradcheck.checks import Wanted, examine, recognise
from gradcheck.errors import SubjectError
from gradcheck.faults.diagnosis import diagnose
from gradcheck.faults.holdout import holds
from gradcheck.faults.matching import know
from gradcheck.faults.outcomes import Diagnosed, Plan
from gradcheck.faults.sampling import usual_case
from gradcheck.faults.specimen import Answer, answer
from gradcheck.faults.survivors import Difference, compared
from gradcheck.networks import Case
from gradcheck.numerics import Arrays
from gradcheck.oracles.error_analysis import rounding_bounds
from gradcheck.strategies.networks import corner_cases
from gradcheck.subjects.protocol import Subject


class NetworkJudge:
    """`Judge` of subjects whose cases are networks."""

    def __init__(self, original: Subject, wanted: Wanted, plan: Plan) -> None:
        self.plan = plan
        self.recognition = replace(recognise(original, wanted, plan.seed), declared=True)

    def draw(self) -> Iterator[AnyCase]:
        """Corner cases, then usual ones."""
        yield from corner_cases(self.recognition.repertoire, self.plan.seed)
        generator = np.random.default_rng([self.plan.seed, 43])
        while True:
            yield usual_case(self.recognition.repertoire, generator)

    def ask(self, subject: Subject, case: AnyCase) -> Answer:
        """Cost and gradient."""
        return answer(subject, case, self.recognition.layout)

    def differs(self, case: AnyCase, given: Answer, right: Answer) -> Difference:
        """Beyond twice the rounding bounds of the case."""
        assert isinstance(case, Case)
        bounds = rounding_bounds(case)
        return compared(given, right, {n: 2 * b for n, b in bounds.gradient.items()}, 8 * bounds.value)

    def effect(self, subject: Subject, case: AnyCase, other: AnyCase) -> str:
        """As the effects rung sees it."""
        effects = subject.effects(case, other, self.recognition.layout)
        return effects[0].kind if effects else ""

    def detect(self, subject: Subject) -> Detection | None:
        """The whole campaign, up to the first case that is not clean."""
        return detect(subject, self.recognition, Options(self.plan.examples, self.plan.seed))

    def fault(self, subject: Subject, case: AnyCase) -> str:
        """One climb of the ladder."""
        assert isinstance(case, Case)
        r = self.recognition
        try:
            fault = examine(subject, case, r.layout, trusted=r.trusted).fault
        except SubjectError as error:
            return error.kind
        return "" if fault is None else fault.name.lower()

    def diagnosed(self, subject: Subject, original: Subject, found: Detection) -> tuple[Diagnosed, str] | None:
        """Of the backward pass alone: is the layer right, and does a name hold on fresh cases?"""
        case = found.case
        if found.how != "backward" or not isinstance(case, Case) or not self.recognition.trusted:
            return None

        def claims(asked: Case) -> Arrays | None:
            return self.ask(subject, asked).gradient

        claim = claims(case)
        if claim is None or self.ask(subject, case).value != self.ask(original, case).value:
            return None
        layers = _wrong_layers(case, claim)
        diagnosis = diagnose(case, claims, repertoire=self.recognition.repertoire, seed=self.plan.seed)
        placed = bool(diagnosis.places and layers) and diagnosis.places[0].layer == max(layers)
        right = not diagnosis.named or holds(diagnosis, case, self.recognition.repertoire, claims)
        said = "" if right else ", ".join(e.fault for e in diagnosis.explanations)
        return Diagnosed(1, int(placed), int(diagnosis.named)), said


def _wrong_layers(case: Case, claim: Arrays) -> list[int]:
    right = know(case, claim, fresh=False).right
    return [int(n[1:]) for n, fine in right.items() if not fine]
