"""An exception in the backward pass: the line that raises, what it reads, and what does not fit there.

The subject is asked once more at a case with one sample and widths that all differ, watched line by line. The arrays that the
raising line reads are recognised, so that the equation and the layer are known; where weights and an error meet, their shapes
say which product would have fitted. A name is given only to a fault that raises, too, wherever the subject did.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.campaign.findings import at_layer
from gradcheck.campaign.source_lines import line_of
from gradcheck.errors import GradcheckError
from gradcheck.faults.blame import Blamed
from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.fault import Planting
from gradcheck.faults.matching import synthesise
from gradcheck.faults.quantities import Quantities, quantities
from gradcheck.faults.record import Record, Step, read_record
from gradcheck.faults.sampling import draw_near, single_sample
from gradcheck.networks import Case
from gradcheck.networks.repertoire import Repertoire
from gradcheck.report import Explanation, Finding, Place

_DRAWS = 12
_NO_RECORD = (GradcheckError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)
_ORDER = ("W", "delta", "above", "prime", "z", "a", "residual", "y", "b", "dW", "db")
_SYMBOLS = {
    "W": "W",
    "delta": "δ",
    "above": "∂C/∂a",
    "prime": "σ′(z)",
    "z": "z",
    "a": "a",
    "b": "b",
    "dW": "dW",
    "db": "db",
}
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Read:
    """An array that a line reads: what it is, of which layer, and its shape as the subject holds it."""

    kind: str
    layer: int
    shape: tuple[int, ...]

    @property
    def words(self) -> str:
        """``W² (3, 2)``."""
        sign = _SYMBOLS.get(self.kind)
        symbol = (
            {"y": "y", "residual": "a − y"}[self.kind]
            if sign is None
            else f"{sign}{self.layer}".translate(_SUPERSCRIPTS)
        )
        return f"{symbol} {self.shape}" if self.shape else symbol


@dataclass(frozen=True, slots=True)
class Crash:
    """The line, the arrays of it that are known, and the case."""

    step: Step
    reads: tuple[Read, ...]
    case: Case

    def of(self, *kinds: str) -> Read | None:
        """The first array of one of these kinds."""
        return next((r for r in self.reads if r.kind in kinds), None)


def with_crash(
    finding: Finding,
    case: Case,
    trace: Callable[[Case], Any] | None,
    repertoire: Repertoire,
    seen: tuple[int, Sequence[Case]],
) -> Finding:
    """The finding of an exception with line, place and reason, where they can be had. seen: (seed, cases that raised)."""
    seed, raised = seen
    if trace is None:
        return finding
    try:
        crash = next(_crashes(case, trace, repertoire, seed), None)
    except _NO_RECORD:
        return finding
    return finding if crash is None else _told(finding, crash, raised)


def _crashes(case: Case, trace: Callable[[Case], Any], repertoire: Repertoire, seed: int) -> Iterator[Crash]:
    """At random cases of the same depth whose quantities can be told apart."""
    generator = np.random.default_rng([seed, 53])
    for k in range(_DRAWS):
        small = single_sample(draw_near(case, repertoire, generator, 2 * k))
        known = quantities(small)
        record = read_record(trace(small)) if known is not None else None
        if known is not None and record is not None and record.crash is not None:
            yield Crash(record.crash, tuple(_reads(record, known)), small)


def _reads(record: Record, known: Quantities) -> Iterator[Read]:
    assert record.crash is not None
    for n in dict.fromkeys(n for _, n in record.crash.operands):
        roles = sorted(known.roles(record.values[n]), key=lambda r: _ORDER.index(r[0]))
        if roles:
            yield Read(*roles[0], record.values[n].shape)


def _told(finding: Finding, crash: Crash, raised: Sequence[Case]) -> Finding:
    place = _place(crash)
    reason, name = _reason(crash)
    evidence = [f"it raises where it reads {', '.join(r.words for r in crash.reads)}"] if crash.reads else []
    named = name if name is not None and _raises_too(name, raised) else None
    explanation = () if named is None or place is None else (_explanation(named, place, crash.case),)
    return replace(
        finding,
        lines=(line_of(Blamed(crash.step, True, "it raises the exception")),),
        places=finding.places if place is None else (Place(place[0], max(place[1], 1)),),
        evidence=(*finding.evidence, *evidence, *reason),
        explanations=explanation,
    )


def _explanation(name: str, place: tuple[str, int], case: Case) -> Explanation:
    fault = CATALOGUE[name]
    return Explanation(name, fault.title, None, place[0], at_layer(fault.hint, place[1], case.architecture.depth))


def _raises_too(name: str, raised: Sequence[Case]) -> bool:
    """Whether the fault gives no gradient of the right shape wherever the subject raised and it can stand at all.

    Elsewhere it was the case before, asked for once more, that raised.
    """
    cases = [c for c in raised if CATALOGUE[name].layers(c.architecture)]
    return bool(cases) and all(synthesise(c, (Planting(CATALOGUE[name]),)) is None for c in cases)


def _place(crash: Crash) -> tuple[str, int] | None:
    """The equation that the line computes, by what it reads."""
    weights, error = crash.of("W"), crash.of("delta")
    depth = crash.case.architecture.depth
    if weights is not None and error is not None and weights.layer == error.layer:
        return "BP2", weights.layer - 1
    activation = crash.of("a")
    if error is not None and activation is not None and activation.layer == error.layer - 1:
        return "BP4", error.layer
    if crash.of("y", "residual") is not None:
        return "BP1", depth
    return ("BP2", error.layer - 1) if error is not None and error.layer > 1 else None


def _reason(crash: Crash) -> tuple[tuple[str, ...], str | None]:
    """What does not fit where weights and the error above meet, in words, and the name of that fault."""
    weights, error = crash.of("W"), crash.of("delta")
    if weights is None or error is None or weights.layer != error.layer or len(weights.shape) != 2:
        return (), None
    l, widths = weights.layer, crash.case.architecture.widths
    if l == 1:
        return ("the recursion is applied below the first layer: it ends at layer 1",), None
    up, down = widths[l], widths[l - 1]
    rows, columns = weights.shape
    if (rows, columns) in ((up, down), (up, down + 1)):
        return _unfitting(crash, weights, folded=columns > down, transposed=True)
    if (rows, columns) in ((down, up), (down + 1, up)):
        return _unfitting(crash, weights, folded=rows > down, transposed=False)
    return (), None


def _unfitting(crash: Crash, weights: Read, *, folded: bool, transposed: bool) -> tuple[tuple[str, ...], str | None]:
    """folded: the biases are in the same array. transposed: the product that fits is with Wᵀ."""
    sign = f"W{weights.layer}".translate(_SUPERSCRIPTS)
    line = crash.step.text
    has = ".T" in line or "transpose" in line
    cut = "[1:" in line.replace(" ", "") or "[:,1:" in line.replace(" ", "")
    kept = folded and not cut
    part = (f"{sign}[:, 1:]" if transposed else f"{sign}[1:]") if folded else sign
    fits = f"what fits is {part}{'ᵀ' if transposed else ''} δ"
    if has != transposed:
        what = (
            "its transpose is missing" if transposed else "it is transposed, although it leads from this layer already"
        )
        name = "bp2_transposed_with_bias_unit" if kept else "bp2_no_transpose"
        both = " and its biases take part" if kept else ""
        return (f"in the recursion {what}{both}: {fits}",), name
    if kept:
        return (f"in the recursion the biases in {sign} take part: {fits}",), "bp2_bias_unit_takes_part"
    return (), None
