"""The median of a long stream of positive numbers in bounded memory: exact for the first few thousand, then to half a percent.

A campaign keeps one of them for each tensor. Beyond `EXACT` numbers only counts are kept, by the binary logarithm in steps of
1/64: a step is 1.1 %, and its middle is at most half of that away.
"""

import math
from array import array
from collections import Counter
from collections.abc import Iterable

import numpy as np

EXACT = 4096
_STEPS = 64


class Median:
    """Numbers go in one by one; infinite and NaN ones are left out."""

    def __init__(self, values: Iterable[float] = ()) -> None:
        self._values, self._counts, self.count = array("d"), Counter[int](), 0
        for value in values:
            self.note(value)

    def note(self, value: float) -> None:
        """Take a number in."""
        if not math.isfinite(value):
            return
        self.count += 1
        if self._counts:
            self._counts[_step(value)] += 1
            return
        self._values.append(value)
        if len(self._values) > EXACT:
            self._counts.update(map(_step, self._values))
            self._values = array("d")

    def value(self) -> float:
        """The median; NaN of nothing."""
        if not self.count:
            return math.nan
        if not self._counts:
            values = np.sort(np.array(self._values))
            return float((values[(self.count - 1) // 2] + values[self.count // 2]) / 2)
        return (self._at((self.count - 1) // 2) + self._at(self.count // 2)) / 2

    def _at(self, index: int) -> float:
        """The number at an index of all in order, as far as its step tells."""
        upto = 0
        for step in sorted(self._counts):
            upto += self._counts[step]
            if upto > index:
                break
        return _middle(step)


def _step(value: float) -> int:
    """Which step of the logarithm; zero and less have one of their own, below all others."""
    return math.floor(math.log2(value) * _STEPS) if value > 0 else -(10**6)


def _middle(step: int) -> float:
    return 0.0 if step == -(10**6) else float(2.0 ** ((step + 0.5) / _STEPS))
