"""Why a mutant was not found: on many random cases its answers are compared with those of the original."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gradcheck.faults.mutation import Mutant
from gradcheck.faults.outcomes import Kind, Survivor
from gradcheck.faults.specimen import Answer, answer, same_bits
from gradcheck.networks import Case
from gradcheck.oracles.error_analysis import rounding_bounds
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Subject


@dataclass(frozen=True, slots=True)
class Difference:
    """How two answers differ by more than rounding, in words; empty where they do not. cost: in the finite cost alone."""

    words: str
    cost: bool = False


def survivor(mutant: Mutant, subject: Subject, layout: Layout, known: Iterable[tuple[Case, Answer]]) -> Survivor:
    """A mutant that was not found, with the reason; known: cases with the original's answers."""
    cases = bits = 0
    differences: list[Difference] = []
    for case, right in known:
        cases += 1
        given = answer(subject, case, layout)
        if same_bits(given, right):
            continue
        bits += 1
        difference = compared(case, given, right)
        differences += [difference] if difference.words else []
    kind, reason = _reason(differences, bits, cases)
    return Survivor(mutant.describe(), mutant.operator, mutant.line, reason, kind)


def compared(case: Case, given: Answer, right: Answer) -> Difference:
    """How an answer differs from the original's, beyond the rounding bounds of the case."""
    if given.failure or right.failure:
        return Difference(given.failure or right.failure)
    assert given.gradient is not None
    assert right.gradient is not None
    bounds = rounding_bounds(case)
    for n, g in given.gradient.items():
        with np.errstate(all="ignore"):
            if not np.all(np.abs(g - right.gradient[n]) <= 2 * bounds.gradient[n]):
                return Difference(f"the gradient of {n}")
    return _other_cost(given.value, right.value, 8 * bounds.value)


def _other_cost(given: float | None, right: float | None, bound: float) -> Difference:
    if given is None or right is None or not np.isfinite(right) or abs(given - right) <= bound:
        return Difference("")
    return Difference(f"a cost of {given:.6g} for {right:.6g}", cost=bool(np.isfinite(given)))


def _reason(differences: list[Difference], bits: int, cases: int) -> tuple[Kind, str]:
    seen = f"it differs on {len(differences)} of {cases} cases"
    if not differences:
        return "equivalent", f"{'within rounding' if bits else 'the same answers'} on all of {cases} cases"
    first = next((d for d in differences if not d.cost), differences[0])
    return ("constant" if first.cost else "blind spot"), f"{seen}: {first.words}"
