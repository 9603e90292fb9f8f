"""Why a mutant was not found: on many random cases its answers are compared with those of the original."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.faults.mutation import Mutant
from gradcheck.faults.outcomes import Kind, Survivor
from gradcheck.faults.specimen import Answer, same_bits

_EXAMINED = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """How two answers differ by more than rounding, in words; empty where they do not. cost: in the finite cost alone."""

    words: str
    cost: bool = False


@dataclass(frozen=True, slots=True)
class Witness:
    """How a survivor's answers are had and judged: the subject's answer at a case, how it differs from the original's, and
    what the ladder finds there (empty: nothing)."""

    ask: Callable[[Any], Answer]
    differs: Callable[[Any, Answer, Answer], Difference]
    fault: Callable[[Any], str]


def survivor(mutant: Mutant, what: str, witness: Witness, known: Iterable[tuple[Any, Answer]]) -> Survivor:
    """A mutant that was not found, with the reason; known: cases with the original's answers."""
    cases = bits = 0
    differing: list[tuple[Any, Difference]] = []
    for case, right in known:
        cases += 1
        given = witness.ask(case)
        if same_bits(given, right):
            continue
        bits += 1
        difference = witness.differs(case, given, right)
        differing += [(case, difference)] if difference.words else []
    if not differing:
        return equivalent(mutant, what, cases, "within rounding" if bits else "the same answers")
    kind, reason = _reason(differing, witness)
    return Survivor(
        what, mutant.operator, mutant.line, f"it differs on {len(differing)} of {cases} cases: {reason}", kind
    )


def equivalent(mutant: Mutant, what: str, cases: int, how: str = "the same answers") -> Survivor:
    """A mutant that makes no difference on so many random cases."""
    return Survivor(what, mutant.operator, mutant.line, f"{how} on all of {cases} cases", "equivalent")


def compared(given: Answer, right: Answer, gradient_bounds: Mapping[str, Any], value_bound: Any) -> Difference:
    """How an answer differs from the original's, beyond bounds."""
    if given.failure or right.failure:
        return Difference(given.failure or right.failure)
    assert given.gradient is not None
    assert right.gradient is not None
    for n, g in given.gradient.items():
        with np.errstate(all="ignore"):
            if n in gradient_bounds and not np.all(np.abs(g - right.gradient[n]) <= gradient_bounds[n]):
                return Difference(f"the gradient of {n}")
    return _other_value(given.value, right.value, value_bound)


def _other_value(given: Any, right: Any, bound: Any) -> Difference:
    if given is None or right is None:
        return Difference("")
    if np.ndim(right):
        with np.errstate(all="ignore"):
            off = np.shape(given) != np.shape(right) or not np.all(np.abs(given - right) <= bound)
        return Difference("the output" if off else "")
    if not np.isfinite(right) or abs(given - right) <= bound:
        return Difference("")
    return Difference(f"a cost of {given:.6g} for {right:.6g}", cost=bool(np.isfinite(given)))


def _reason(differing: Sequence[tuple[Any, Difference]], witness: Witness) -> tuple[Kind, str]:
    """A constant in the cost; what is right on paper and unstable; else a blind spot, of the checks or of the cases drawn."""
    first = next((d for _, d in differing if not d.cost), differing[0][1])
    if first.cost:
        return "constant", first.words
    faults = [witness.fault(case) for case, d in differing[:_EXAMINED] if not d.cost]
    if all(fault == "unstable" for fault in faults):
        return "unstable", f"{first.words}; reported there as numerically unstable"
    if any(fault not in ("", "unstable") for fault in faults):
        return "blind spot", f"{first.words}; the ladder finds it there, the cases of a verification do not reach it"
    return "blind spot", f"{first.words}; the ladder does not find it there"
