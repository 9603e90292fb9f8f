"""What a trial asks of the kind of subject it plants mistakes in: cases, what the campaign finds, and how answers differ."""

from collections.abc import Iterator
from typing import Protocol

from gradcheck.campaign.outcome import Detection
from gradcheck.faults.outcomes import Diagnosed
from gradcheck.faults.specimen import Answer
from gradcheck.faults.survivors import Difference
from gradcheck.networks import Case, OperationCase
from gradcheck.subjects.protocol import Subject

AnyCase = Case | OperationCase


class Judge(Protocol):
    """Networks and layers have one each; both know the conventions of the original."""

    def draw(self) -> Iterator[AnyCase]:
        """Random cases without end, as a verification draws them; the same ones each time."""
        ...

    def ask(self, subject: Subject, case: AnyCase) -> Answer:
        """Value and gradient."""
        ...

    def differs(self, case: AnyCase, given: Answer, right: Answer) -> Difference:
        """How an answer differs from the original's by more than rounding."""
        ...

    def effect(self, subject: Subject, case: AnyCase, other: AnyCase) -> str:
        """The first effect that is seen, such as "mutation"; empty where there is none. Raises SubjectError."""
        ...

    def detect(self, subject: Subject) -> Detection | None:
        """What a verification finds first; None where it would pass."""
        ...

    def fault(self, subject: Subject, case: AnyCase) -> str:
        """What the ladder finds at one case, in lower case; empty where nothing."""
        ...

    def diagnosed(self, subject: Subject, original: Subject, found: Detection) -> tuple[Diagnosed, str] | None:
        """Whether place and name are right, and the names that are not; None where neither can be told."""
        ...
