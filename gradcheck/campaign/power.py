"""What the cases of a campaign would have seen, together: the power that a pass states, and the finding of a run without any.

κ_i  of case i along one Gaussian direction: an error of relative norm ρ in a tensor escapes it with probability at most κ_i/ρ
ρ    what escapes all n cases with probability at most 1 − confidence: the geometric mean of κ times (1 − confidence)^(−1/n)

A mistake is in the code and so in every case; the directions of the cases are independent. The best n cases may be taken, for
κ_i does not depend on what was claimed along the direction. Where components are compared there is no chance in it.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from gradcheck.campaign.findings import nothing_checked
from gradcheck.campaign.medians import Median
from gradcheck.checks import Examination
from gradcheck.checks.projection import CONFIDENCE
from gradcheck.report import Code, Finding, Power


@dataclass(slots=True)
class Evidence:
    """By tensor, what each case would have shown: the smallest relative error of a component, or κ of a direction."""

    components: dict[str, list[float]] = field(default_factory=dict)
    directions: dict[str, list[float]] = field(default_factory=dict)

    def note(self, examination: Examination) -> None:
        """Take a case in that counts."""
        for known, book in ((examination.power, self.components), (examination.miss, self.directions)):
            for name, value in known.items():
                if np.isfinite(value):
                    book.setdefault(name, []).append(value)

    def powers(self) -> Iterator[Power]:
        """One statement a tensor: by components where they were compared, else by directions."""
        for name in sorted({*self.components, *self.directions}):
            if name in self.components:
                seen = self.components[name]
                yield Power(name, Median(seen).value(), 1.0, len(seen))
            else:
                yield Power(name, smallest_seen(self.directions[name]), CONFIDENCE, len(self.directions[name]))


def smallest_seen(misses: Sequence[float], confidence: float = CONFIDENCE) -> float:
    """ρ for the κ of independent cases; inf without any."""
    ordered = np.log(np.maximum(np.sort(np.asarray(misses, dtype=float)), np.finfo(float).tiny))
    n = np.arange(1, len(ordered) + 1)
    logs = np.cumsum(ordered) / n - math.log(1 - confidence) / n
    return math.exp(float(logs.min())) if len(ordered) else math.inf


def by_one_factor(components: Median, whole: Median) -> float | None:
    """The smallest error of a whole tensor by one factor that half the cases would have seen, where components see it later."""
    smallest = whole.value()
    return smallest if smallest < components.value() else None


def vacuous(silent: Counter[str], code: Code = Code.GC952) -> Finding:
    """The finding of a run whose every case was without power."""
    reasons = "; ".join(f"{reason} ({n} {'case' if n == 1 else 'cases'})" for reason, n in silent.items())
    word = "vacuous: " if code is Code.GC952 else ""
    return nothing_checked(f"{word}no case was evidence: {reasons}", code)
