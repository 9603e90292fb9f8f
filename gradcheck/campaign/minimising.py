"""Numbers that a person can follow: zeros, ones, halves and short decimals wherever what they show stays the same.

Delta debugging (Zeller & Hildebrandt 2002, doi:10.1109/32.988498) over simplifications instead of deletions: whole arrays
first, then halves of what is left, then single numbers, again and again until nothing becomes simpler. The budget is counted
in questions, not in seconds, so that the same numbers always become the same.

burden   of a number, how much there is to write and to reckon with: 0 none, 1 little, a half and whole numbers to 10 more,
         then one decimal or one digit and zeros, then two decimals, everything else most; a minus sign counts half a step
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gradcheck.numerics import Array

BUDGET = 250
"""Questions that one minimisation may ask; those of the specimens take 10 to 120."""
MOST = 5000
"""More numbers are left as they are: nobody reads them."""
LONG = 9.0
"""The burden of a number that is not short."""

Numbers = dict[str, Array]
_Change = Callable[[Array], Array]


@dataclass(slots=True)
class Minimiser:
    """keeps: whether what the numbers show is still there. representable: the nearest numbers that a dtype has.

    left: questions that may still be asked.
    """

    keeps: Callable[[Numbers], bool]
    representable: _Change = lambda a: a
    left: int = BUDGET
    asked: set[bytes] = field(default_factory=set)

    def run(self, numbers: Mapping[str, Array], order: Sequence[str]) -> Numbers:
        """The simplest numbers that were found, arrays in the order of their names first; none of the given is changed."""
        now = {n: np.array(a, dtype=np.float64, order="C") for n, a in numbers.items()}
        before = np.inf if sum(a.size for a in now.values()) <= MOST else -np.inf
        while self.left > 0 and (total := sum(float(burden(a).sum()) for a in now.values())) < before:
            before = total
            for name in order:
                now = self._array(now, name)
        return now

    def _array(self, now: Numbers, name: str) -> Numbers:
        now = self._simplified(now, name, np.arange(now[name].size))
        for parts in _halvings(now[name].size):
            heavy = np.flatnonzero(burden(now[name]) > 0)
            count = min(parts, heavy.size)
            for k in range(count):
                if self.left <= 0:
                    return now
                now = self._simplified(now, name, heavy[k * heavy.size // count : (k + 1) * heavy.size // count])
        return now

    def _simplified(self, now: Numbers, name: str, chosen: Array) -> Numbers:
        """With the simplest of the changes that what they show survives, made to the chosen entries of an array."""
        values = now[name].ravel()[chosen]
        weight = float(burden(values).sum())
        for change in _CHANGES if weight else ():
            simple = self.representable(change(values)) + 0.0
            if float(burden(simple).sum()) < weight:
                changed = now[name].copy()
                changed.ravel()[chosen] = simple
                if self._shown_by({**now, name: changed}):
                    return {**now, name: changed}
        return now

    def _shown_by(self, candidate: Numbers) -> bool:
        """Whether numbers that were not asked about before keep what is shown; no, once the budget is spent."""
        key = b"".join(a.tobytes() for a in candidate.values())
        if key in self.asked or self.left <= 0:
            return False
        self.asked.add(key)
        self.left -= 1
        return self.keeps(candidate)


def burden(a: Array) -> Array:
    """The burden of each number; see the head of the module."""
    size = np.abs(np.asarray(a, dtype=np.float64))
    steps: Array = np.select(
        [
            size == 0,
            size == 1,
            size == 0.5,
            _short(size, 0) & (size <= 10),
            _same(_one_digit(size), size),
            _short(size, 2),
        ],
        [0.0, 1.0, 2.0, 2.0, 3.0, 4.0],
        LONG,
    )
    return steps + np.where(np.asarray(a) < 0, 0.5, 0.0)


def short(a: Array) -> Array:
    """Which numbers have at most two decimals, or a single digit that is not zero."""
    return burden(a) < LONG


def _short(size: Array, digits: int) -> Array:
    """Those of at most so many decimals."""
    close: Array = (_same(np.round(size, digits), size)) & (size < 1e4)
    return close


def _same(written: Array, size: Array) -> Array:
    """Whether a decimal is the number, or rounds to it in single precision, whose numbers people write down as decimals too."""
    with np.errstate(over="ignore"):
        same: Array = (written == size) | (written.astype(np.float32) == size)
    return same


def _one_digit(a: Array) -> Array:
    """To one significant digit."""
    with np.errstate(all="ignore"):
        unit = 10.0 ** np.floor(np.log10(np.abs(a)))
        digit: Array = np.round(np.where(a == 0, 0.0, np.round(a / unit) * unit), 12)
    return digit


def _halvings(size: int) -> Iterator[int]:
    """2, 4, … parts, then as many as there are numbers; none where the whole is one number."""
    parts = 2
    while parts < size:
        yield parts
        parts *= 2
    if size > 1:
        yield size


def _rounded(digits: int) -> _Change:
    """To so many decimals; what would become zero is left alone."""
    return lambda a: np.where(np.round(a, digits) == 0, a, np.round(a, digits))


_CHANGES: tuple[_Change, ...] = (
    np.zeros_like,
    np.ones_like,
    np.sign,
    lambda a: np.copysign(0.5, a),
    _rounded(0),
    lambda a: np.copysign(2.0, a),
    _one_digit,
    _rounded(1),
    _rounded(2),
)
