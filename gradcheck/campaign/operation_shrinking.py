"""The smallest case of a layer or function that shows the same thing, then at simple numbers.

What a case shows is a broken rung with its wrong arguments, or an exception of one kind. Sizes and settings shrink with
Hypothesis, where there is a strategy for them; numbers by `minimising`. Nothing here reads a clock.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st

from gradcheck.campaign.generation import smallest
from gradcheck.campaign.minimising import BUDGET, LONG, Minimiser, Numbers, burden
from gradcheck.campaign.plainness import Plain, factor
from gradcheck.checks import Examination
from gradcheck.errors import FATAL, SubjectError
from gradcheck.networks import OperationCase
from gradcheck.numerics import Array

_EXAMPLES = 60
_TRIES = 160
"""Cases that shrinking may look at; tracing the definition at each costs some milliseconds."""
_ORDER = ("mean", "variance", "targets")
"""Fixed numbers that may become simple too."""

Shown = Examination | SubjectError
T = TypeVar("T", Examination, SubjectError)
Look = Callable[[OperationCase], Shown]
"""What a case shows; raises what ends the subject."""


@dataclass(frozen=True, slots=True)
class OperationShrinking:
    """strategy: cases in the precision of a given one, None where sizes cannot shrink. away: whether a case keeps its margin.

    signs: whether numbers must keep their signs and not vanish, as where nothing is known of a function but that it runs.
    frozen: arguments whose numbers stay. questions: cases that may be looked at for simple numbers.
    """

    seed: int
    strategy: Callable[[OperationCase], st.SearchStrategy[OperationCase]] | None
    away: Callable[[OperationCase], bool]
    signs: bool = False
    frozen: frozenset[str] = frozenset()
    questions: int = BUDGET

    def minimal(self, shown: T, case: OperationCase, look: Look) -> tuple[T, OperationCase]:
        """The smallest case and what it shows; the given one where nothing smaller shows the same."""
        try:
            smallest_shown, smallest_case = self.simpler(*self.smaller(shown, case, look), look)
        except SubjectError:  # its process may be gone; what was shown stands
            return shown, case
        return (smallest_shown, smallest_case) if isinstance(smallest_shown, type(shown)) else (shown, case)

    def at_kinks(self) -> "OperationShrinking":
        """For a case that stands on kinks, with its sizes as they are."""
        return replace(self, strategy=None, away=lambda _: True)

    def smaller(self, shown: Shown, case: OperationCase, look: Look) -> tuple[Shown, OperationCase]:
        """With the smallest sizes and the simplest settings."""
        if self.strategy is None:
            return shown, case
        best, left, plain = [(shown, case)], _TRIES, _plain(shown)

        def same(candidate: OperationCase) -> bool:
            nonlocal left
            left -= 1
            again = look(candidate) if left >= 0 and self.away(candidate) else None
            if again is None or _kind(again) != _kind(shown) or not plain(again):
                return False
            best.append((again, candidate))
            return True

        found = smallest(self.strategy(case), same, self.seed, _EXAMPLES)
        return best[-1] if found is not None and _size(best[-1][1]) <= _size(case) else (shown, case)

    def simpler(self, shown: Shown, case: OperationCase, look: Look) -> tuple[Shown, OperationCase]:
        """With the simplest numbers."""
        given, plain = _numbers(case), _plain(shown)
        valued = isinstance(shown, Examination) and bool(shown.discrepancies)

        def keeps(numbers: Numbers) -> bool:
            if (self.signs and not _signs_kept(numbers, given)) or not (valued or _alive(numbers, given)):
                return False
            candidate = _with(case, numbers)
            if not (self.away(candidate) and _lawful(candidate)):
                return False
            again = look(candidate)
            return _kind(again) == _kind(shown) and _place(again) == _place(shown) and plain(again)

        minimiser = Minimiser(keeps, lambda a: a.astype(_stored(case)).astype(np.float64), self.questions)
        found = minimiser.run(given, [n for n in given if n not in self.frozen])
        if all(np.array_equal(found[n], given[n]) for n in given):
            return shown, case
        simple = _with(case, found)
        return look(simple), simple


def looking(examine: Callable[[OperationCase], Examination]) -> Look:
    """What a case shows, exceptions of the subject's among it."""

    def look(case: OperationCase) -> Shown:
        try:
            return examine(case)
        except SubjectError as error:
            if error.kind in FATAL:
                raise
            return error

    return look


def _plain(shown: Shown) -> Callable[[Shown], bool]:
    """Whether a discrepancy is as plain as this one; an exception is."""
    if isinstance(shown, SubjectError):
        return lambda _: True
    first = Plain(shown)
    return lambda again: isinstance(again, Examination) and first.like(again)


def _kind(shown: Shown) -> Hashable:
    """What must stay while sizes shrink."""
    if isinstance(shown, SubjectError):
        return shown.kind, shown.message.partition(":")[0]
    return shown.fault, shown.rung, shown.wrong


def _place(shown: Shown) -> Hashable:
    """What must stay besides while numbers become simple."""
    return shown.message if isinstance(shown, SubjectError) else (shown.parameter, shown.message, factor(shown))


def _numbers(case: OperationCase) -> Numbers:
    """By name: the cotangent (""), the arguments, and what is fixed but a number."""
    fixed = {f"fixed {n}": case.fixed[n] for n in _ORDER if _is_number(case.fixed.get(n))}
    return {"": case.cotangent, **case.arguments, **fixed}


def _is_number(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and float(burden(value).max(initial=0)) >= LONG


def _with(case: OperationCase, numbers: Mapping[str, Array]) -> OperationCase:
    """The case with these numbers; soft targets sum to one, by what the largest of a row takes or gives."""
    fixed = {n: numbers.get(f"fixed {n}", v) for n, v in case.fixed.items()}
    if "fixed targets" in numbers:
        y = numbers["fixed targets"].copy()
        top = np.arange(len(y)), np.argmax(y, axis=1)
        y[top] = np.round(y[top] + 1.0 - y.sum(axis=1), 12)
        fixed["targets"] = y
    return replace(case, arguments={n: numbers[n] for n in case.arguments}, cotangent=numbers[""], fixed=fixed)


def _lawful(case: OperationCase) -> bool:
    """Variances are positive, and soft targets are no less than zero."""
    variance, targets = (np.asarray(case.fixed.get(n, 1.0)) for n in ("variance", "targets"))
    return bool(np.all(variance > 0)) and bool(np.all(targets >= 0))


def _alive(numbers: Numbers, given: Numbers) -> bool:
    """Whether no number is zero that was not: where numbers do not matter, zeros must not seem to."""
    return all(np.all((a != 0) | (given[n] == 0)) for n, a in numbers.items())


def _signs_kept(numbers: Numbers, given: Numbers) -> bool:
    return all(np.array_equal(np.sign(a), np.sign(given[n])) for n, a in numbers.items() if n)


def _stored(case: OperationCase) -> str:
    return case.dtype if case.dtype in ("float64", "float32") else "float32"


def _size(case: OperationCase) -> int:
    return sum(a.size for a in case.arguments.values())
