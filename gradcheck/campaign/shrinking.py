"""The smallest case that breaks in the same way as a given one: Hypothesis draws and shrinks, the ladder says what breaks."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from gradcheck.campaign import lawful
from gradcheck.campaign.generation import smallest
from gradcheck.campaign.reducing import reduced
from gradcheck.checks import Examination, Fault, Recognition
from gradcheck.checks.network_laws import RUNG as LAWS
from gradcheck.errors import FATAL, SubjectError
from gradcheck.networks import Case
from gradcheck.strategies import cases
from gradcheck.subjects import Subject

_CALLS = 400
_TRIES = 1000
"""Cases that shrinking may examine; the specimens take 130 at most."""
SECONDS = 120.0
"""Far beyond what is usual, so that the clock has no say in an ordinary report; where it has, a note says so."""
NEED_DIFFERENCES = frozenset({Fault.FORWARD, Fault.COST_CODE, Fault.SCALE, Fault.ALL_DIFFER})


@dataclass(slots=True)
class Shrinking:
    """Shrinking for one campaign. recognition: as the campaign has it by now. examine: one case, by the campaign's ladder.

    hurried: whether the clock has ended a search.
    """

    subject: Subject
    recognition: Callable[[], Recognition]
    examine: Callable[..., Examination]
    seed: int
    hurried: bool = False

    def in_full(self, small: Examination, smallest: Case) -> tuple[Examination, Case]:
        """The examination of a wrong gradient with differences, which shrinking leaves out."""
        full = self.attempt(smallest, differences=True) if small.fault is Fault.BACKWARD else None
        return (small if full is None or full.fault is None else full), smallest

    def to(
        self, examination: Examination, case: Case, condition: Callable[[Case], bool]
    ) -> tuple[Examination, Case] | None:
        """The smallest case that breaks in the same way and meets a condition, where there is one at all."""
        found = self.attempt(case, differences=False)
        if found is None or found.fault is not examination.fault:
            return None
        return self.in_full(*self.smallest(found, case, condition))

    def smallest(
        self, examination: Examination, case: Case, condition: Callable[[Case], bool] = lambda _: True
    ) -> tuple[Examination, Case]:
        """The smallest case that breaks the same rung in the same way; the given one where none is found in time.

        What rests on differences is looked for with one direction a case, and confirmed at the smallest one.
        """
        trail = [(examination, case)]
        deadline, left = time.monotonic() + SECONDS, _TRIES
        differences = examination.fault in NEED_DIFFERENCES or not self.recognition().trusted

        def breaks(candidate: Case) -> bool:
            nonlocal left
            left -= 1
            if left < 0 or time.monotonic() > deadline:
                self.hurried = self.hurried or left >= 0
                return False
            other = candidate if examination.rung == "effects" else None
            by_laws = examination.rung == LAWS
            found = self._unlawful(candidate, examination.fault) if by_laws else self.attempt(candidate, other=other, differences=differences, persistent=False)  # noqa: E501  # fmt: skip
            if found is None or found.fault is not examination.fault or found.rung != examination.rung:
                return False
            if not condition(candidate):
                return False
            trail.append((found, candidate))
            return True

        self.find(breaks)
        reduced(trail[-1][1], self.recognition().repertoire, breaks)
        return self._confirmed(trail) if differences and examination.rung != LAWS else trail[-1]

    def _confirmed(self, trail: list[tuple[Examination, Case]]) -> tuple[Examination, Case]:
        """The smallest case of a shrinking at which the fault persists."""
        for found, case in reversed(trail[1:]):
            again = self.attempt(case, differences=True)
            if again is not None and again.fault is found.fault:
                return again, case
        return trail[0]

    def find(self, condition: Callable[[Case], bool]) -> Case | None:
        """The smallest case that meets a condition; None where none was drawn."""
        return smallest(cases(self.recognition().repertoire), condition, self.seed, _CALLS)

    def attempt(
        self, case: Case, *, other: Case | None = None, differences: bool, persistent: bool = True
    ) -> Examination | None:
        """The examination; None where the subject raises. Raises what ends the subject."""
        try:
            return self.examine(case, other=other, differences=differences, persistent=persistent)
        except SubjectError as error:
            if error.kind in FATAL:
                raise
            return None

    def _unlawful(self, case: Case, fault: Fault | None) -> Examination | None:
        broken = lawful.broken_at(self.subject, self.recognition(), case)
        return next((e for e in broken if e.fault is fault), None)
