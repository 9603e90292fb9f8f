"""How plain the discrepancy of a case is, so that its numbers become simple without hiding the mistake or making it another."""

from dataclasses import dataclass, field

import numpy as np

from gradcheck.campaign.findings import is_customary
from gradcheck.checks import Examination

PLAIN = 1e-2
"""A difference of this size, and of this share of the larger of the two numbers, is plain; smaller ones may not halve."""
FAR = 1e6
"""Nor may a discrepancy come nearer to its bound than so many times the bound, or half of what it was."""
GROWTH = 10.0
"""Nor may it outgrow so many times its first size, or this size: numbers that nearly divide by zero show nothing."""


@dataclass(slots=True)
class Plain:
    """Whether a discrepancy is as plain as the first."""

    first: Examination
    least: tuple[float, float, float] = field(init=False)
    most: float = field(init=False)
    special: set[str] = field(init=False)

    def __post_init__(self) -> None:
        size, share, far = _plainness(self.first)
        self.least = min(PLAIN, size / 2), min(PLAIN, share / 2), min(FAR, far / 2)
        self.most = GROWTH * max(1.0, size) if np.isfinite(size) and size else np.inf
        self.special = _special(self.first)

    def like(self, found: Examination) -> bool:
        """Large enough in itself, as a share, and beside its bound; and no factor that is an accident of simple numbers."""
        now = _plainness(found)
        plain = all(value >= least for value, least in zip(now, self.least, strict=True)) and now[0] <= self.most
        return plain and _special(found) <= self.special


def factor(e: Examination) -> float | None:
    """The factor between claim and expectation, if it is one that people forget."""
    return round(e.ratio, 6) if e.ratio is not None and is_customary(e.ratio) else None


def _plainness(e: Examination) -> tuple[float, float, float]:
    """The largest difference, its share of the larger number, and how many bounds it is; zeros where there is none."""
    rows = [(abs(d.claimed - d.expected), max(abs(d.claimed), abs(d.expected)), d.bound) for d in e.discrepancies]
    size, largest, bound = max(rows, default=(0.0, 1.0, 1.0))
    finite = np.isfinite(size) and largest > 0
    return (size, size / largest, size / max(bound, 1e-300)) if finite else (0.0, 0.0, 0.0)


def _special(e: Examination) -> set[str]:
    """Tensors in which the claim is zero, or a simple multiple of what is expected, in each component that is shown."""
    kinds: dict[str, list[bool]] = {}
    for d in e.discrepancies:
        zero = d.claimed == 0 or d.expected == 0
        kinds.setdefault(d.parameter, []).append(zero or is_customary(d.claimed / d.expected))
    return {name for name, special in kinds.items() if all(special)}
