"""The stream of cases in epochs: each epoch meets a subject that has just been loaded, so that nothing depends on who ran it.

An answer may depend on what the subject was asked before, on purpose or by a leak. The first epoch meets the subject that
the conventions were recognised with; every later one a fresh one, whether it runs in this process (`InTurn`) or in another
(`Spread`). So a report is the same whatever the number of processes. Outcomes are booked in the order of the stream.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from gradcheck.checks import Examination, Fault, Recognition, examine
from gradcheck.errors import FATAL, SubjectError
from gradcheck.isolation.crew import ProcessDied
from gradcheck.networks import Case
from gradcheck.subjects import Layout, Subject

EPOCH = 200
"""Cases of an epoch: many, since a fresh subject costs a process; few, since an epoch is the least that a process is given."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What one case came to: an examination, or the subject's failure."""

    examination: Examination | None
    error: SubjectError | None = None


@dataclass(frozen=True, slots=True)
class Judging:
    """How cases are judged: the layout, and whether the trusted definition is, and was declared as, the subject's own."""

    layout: Layout
    trusted: bool
    declared: bool

    @classmethod
    def by(cls, recognition: Recognition) -> "Judging":
        """As a recognition says."""
        return cls(recognition.layout, recognition.trusted, recognition.declared)

    def disproved_by(self, examination: Examination | None) -> bool:
        """A claim that its own differences confirm shows that the recognised cost was not the subject's."""
        if examination is None or self.declared:
            return False
        return self.trusted and examination.fault is Fault.FORWARD


Booking = tuple[Case, Visit]
Fresh = Callable[[], AbstractContextManager[Subject]]
"""Opens a subject that has just been loaded."""


class Underway(Protocol):
    """An epoch in another process; the methods are those of `concurrent.futures.Future`."""

    def cancel(self) -> bool:
        """Take it back, unless it has begun."""
        ...

    def done(self) -> bool:
        """Whether the outcomes are there."""
        ...

    def result(self) -> list[Visit]:
        """The outcomes; ProcessDied or BrokenExecutor where its process ended."""
        ...


Elsewhere = Callable[[Judging, Sequence[Case]], Underway]
"""Starts an epoch in another process."""


class Epochs(Protocol):
    """Who runs the epochs after the first."""

    def take(self, case: Case, judging: Judging) -> Iterator[Booking]:
        """Take the next case of the stream, once; outcomes that are ready, in order."""
        ...

    def finish(self, judging: Callable[[], Judging]) -> Iterator[Booking]:
        """The outcomes that are still owed; `judging` is asked anew for each epoch."""
        ...

    def close(self) -> None:
        """End what was begun."""
        ...


def visit(subject: Subject, case: Case, judging: Judging, other: Case | None = None) -> Visit:
    """Examine one case; the subject's failure is an outcome too."""
    try:
        return Visit(examine(subject, case, judging.layout, trusted=judging.trusted, other=other))
    except SubjectError as error:
        return Visit(None, error)


def epoch(subject: Subject, cases: Sequence[Case], judging: Judging) -> list[Visit]:
    """The outcomes of one epoch, up to the failure that ends the subject; once disproved, the trusted definition is out."""
    visits: list[Visit] = []
    for case in cases:
        visits.append(visit(subject, case, judging))
        if judging.disproved_by(visits[-1].examination):
            judging = Judging(judging.layout, False, judging.declared)
        error = visits[-1].error
        if error is not None and error.kind in FATAL:
            break
    return visits


class InTurn:
    """Epochs in this process, case by case."""

    def __init__(self, fresh: Fresh) -> None:
        self._fresh, self._open = fresh, contextlib.ExitStack()
        self._count = 0
        self._subject: Subject | None = None

    def take(self, case: Case, judging: Judging) -> Iterator[Booking]:
        """The outcome of this very case."""
        try:
            if self._subject is None or self._count % EPOCH == 0:
                self._open.close()
                self._subject = self._open.enter_context(self._fresh())
            self._count += 1
        except SubjectError as error:
            return iter([(case, Visit(None, _unloadable(error)))])
        return iter([(case, visit(self._subject, case, judging))])

    def finish(self, judging: Callable[[], Judging]) -> Iterator[Booking]:
        """Nothing is owed."""
        return iter(())

    def close(self) -> None:
        """End the subject's process."""
        self._open.close()


@dataclass(slots=True)
class _Flight:
    """An epoch under way in another process."""

    cases: list[Case]
    judging: Judging
    underway: Underway


@dataclass(slots=True)
class Spread:
    """Epochs in other processes, `ahead` of them under way; this process lends a hand where it would have to wait.

    An epoch whose process dies is run here: nothing is lost, and the outcome is the same.
    """

    fresh: Fresh
    elsewhere: Elsewhere
    ahead: int
    _gathered: list[Case] = field(default_factory=list)
    _flights: deque[_Flight] = field(default_factory=deque)

    def take(self, case: Case, judging: Judging) -> Iterator[Booking]:
        """The outcomes of an epoch, whenever enough are under way."""
        self._gathered.append(case)
        if len(self._gathered) == EPOCH:
            self._start(judging)
        if len(self._flights) > self.ahead:
            yield from self._landed(judging)

    def finish(self, judging: Callable[[], Judging]) -> Iterator[Booking]:
        """The outcomes of all that is under way and of the last, shorter epoch."""
        self._start(judging())
        while self._flights:
            yield from self._landed(judging())

    def close(self) -> None:
        """Forget what waits; whoever owns the processes ends what runs."""
        for flight in self._flights:
            flight.underway.cancel()
        self._flights.clear()

    def _start(self, judging: Judging) -> None:
        cases, self._gathered = self._gathered, []
        if cases:
            self._flights.append(_Flight(cases, judging, self.elsewhere(judging, cases)))

    def _landed(self, judging: Judging) -> Iterator[Booking]:
        flight = self._flights.popleft()
        if flight.judging != judging:  # what was booked since has put the trusted definition out
            flight.underway.cancel()
            visits = self._here(flight.cases, judging)
        else:
            visits = self._awaited(flight)
        yield from zip(flight.cases, visits, strict=False)

    def _awaited(self, flight: _Flight) -> list[Visit]:
        if flight.underway.cancel():  # not begun
            return self._here(flight.cases, flight.judging)
        for later in self._flights:
            if flight.underway.done():
                break
            if later.underway.cancel():
                later.underway = _Done(self._here(later.cases, later.judging))
        try:
            return flight.underway.result()
        except (ProcessDied, BrokenExecutor):
            return self._here(flight.cases, flight.judging)

    def _here(self, cases: Sequence[Case], judging: Judging) -> list[Visit]:
        return reloaded(self.fresh, cases, judging)


def reloaded(fresh: Fresh, cases: Sequence[Case], judging: Judging) -> list[Visit]:
    """An epoch on a fresh subject."""
    try:
        with fresh() as subject:
            return epoch(subject, cases, judging)
    except SubjectError as error:
        return [Visit(None, _unloadable(error))]


def _unloadable(error: SubjectError) -> SubjectError:
    """The failure of a subject that loaded before: it ends the campaign, whatever its kind."""
    return error if error.kind in FATAL else SubjectError("load", error.message, details=error.details)


@dataclass(frozen=True, slots=True)
class _Done:
    """`Underway` of an epoch that was run here."""

    visits: list[Visit]

    def cancel(self) -> bool:
        return False

    def done(self) -> bool:
        return True

    def result(self) -> list[Visit]:
        return self.visits
