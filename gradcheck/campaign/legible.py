"""The counterexample of a finding with numbers that a person can follow, where it shows the very same finding.

The same: code, rung, wrong tensors, factor, places, and the named mistakes give the claim. The case keeps what its cost asks of
targets, its distance from kinks, and the range in which usual formulas work; and the discrepancy stays as plain as it was: no
number becomes so simple that the mistake hardly shows, or looks like another one (a factor of 2 that is an accident of zeros).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.campaign import batch_of_one
from gradcheck.campaign.contracts import Contracts
from gradcheck.campaign.diagnosing import explains
from gradcheck.campaign.findings import CODES, differences_of
from gradcheck.campaign.lawful import broken_at
from gradcheck.campaign.minimising import Minimiser, Numbers
from gradcheck.campaign.plainness import Plain, factor
from gradcheck.campaign.same_mistake import mistakes_of
from gradcheck.campaign.shrinking import NEED_DIFFERENCES, Shrinking
from gradcheck.checks import Examination, Fault
from gradcheck.checks.kink_slopes import WrongSlope, wrong_slope
from gradcheck.checks.network_laws import RUNG as LAWS
from gradcheck.errors import FATAL, SubjectError, UsageError
from gradcheck.faults.diagnosis import Mistake
from gradcheck.faults.matching import Claims, know
from gradcheck.faults.places import places_of
from gradcheck.networks import Case, Vocabulary, case_from_json, digest
from gradcheck.networks.repertoire import Repertoire
from gradcheck.networks.sampling import kink_distance
from gradcheck.numerics import Array
from gradcheck.report import Code, Finding

LAW_CODES = frozenset({Code.GC407, Code.GC408, Code.GC409, Code.GC410})

Condition = Callable[[Case], bool]


@dataclass(frozen=True, slots=True)
class Asker:
    """What the subject of a campaign is asked; claims: its gradient, None where there is none."""

    shrinking: Shrinking
    claims: Claims

    @property
    def repertoire(self) -> Repertoire:
        """What the subject can be asked."""
        return self.shrinking.recognition().repertoire

    def examined(self, case: Case, rung: str, *, differences: bool, persistent: bool = False) -> Examination | None:
        """The examination up to a rung, as the finding was made; None where the subject raises."""
        if rung == LAWS:
            return next(iter(self.laws(case)), None)
        other = case if rung == "effects" else None
        return self.shrinking.attempt(case, other=other, differences=differences, persistent=persistent)

    def laws(self, case: Case) -> list[Examination]:
        """The laws that are broken at a case."""
        return broken_at(self.shrinking.subject, self.shrinking.recognition(), case)

    def raised(self, case: Case) -> str:
        """What it raises at a case, in a line; empty where it runs. Raises what ends the subject."""
        try:
            self.shrinking.examine(case, differences=False)
        except SubjectError as error:
            if error.kind in FATAL:
                raise
            return f"{error.kind}: {error.message}"
        return ""


def legible(findings: Sequence[Finding], shrinking: Shrinking, claims: Claims) -> list[Finding]:
    """Each finding at simple numbers; as it is where it has no network, or no simpler numbers show it."""
    ask = Asker(shrinking, claims)
    mistakes = tuple(m for f in findings for m in mistakes_of(f))
    return [_at_simple_numbers(f, mistakes, ask) for f in findings]


def _at_simple_numbers(finding: Finding, mistakes: tuple[Mistake, ...], ask: Asker) -> Finding:
    case = _network(finding, ask.repertoire)
    if case is None:
        return finding
    try:
        if finding.rung == "isolation":
            return _as_it_raises(finding, case, ask)
        return _as_it_shows(finding, case, mistakes, ask)
    except (SubjectError, UsageError):  # its process may be gone since it was diagnosed; the finding stands
        return finding


def _as_it_raises(finding: Finding, case: Case, ask: Asker) -> Finding:
    said = ask.raised(case)
    if not said:
        return finding
    return _with_case(finding, minimised(case, lambda c: _alive(c) and ask.raised(c) == said, ask.repertoire))


def _as_it_shows(finding: Finding, case: Case, mistakes: tuple[Mistake, ...], ask: Asker) -> Finding:
    base = ask.examined(case, finding.rung, differences=True)
    if base is None or base.fault is None or base.rung != finding.rung:
        return finding
    same = _Same(finding, case, base, ask, mistakes)
    found = minimised(case, same, ask.repertoire)
    last = ask.examined(found, finding.rung, differences=True, persistent=True)
    if found is case or last is None or last.fault is not base.fault or last.rung != base.rung:
        return finding
    return replace(_with_case(finding, found), discrepancies=differences_of(last))


def _with_case(finding: Finding, case: Case) -> Finding:
    return replace(finding, counterexample={"digest": digest(case), **case.to_json()})


def unstable(found: Examination, case: Case, shrinking: Shrinking) -> tuple[Examination, Case]:
    """The same instability at simple numbers, as far beyond the range of usual formulas as it was."""

    def same(candidate: Case) -> bool:
        again = shrinking.attempt(candidate, differences=False)
        return again is not None and (again.fault, again.rung, again.wrong) == (found.fault, found.rung, found.wrong)

    smallest = minimised(case, same, shrinking.recognition().repertoire)
    last = shrinking.attempt(smallest, differences=False)
    return (found, case) if last is None else (last, smallest)


def minimised(case: Case, same: Condition, repertoire: Repertoire) -> Case:
    """The case with the simplest numbers that keep its contracts and `same`; the case itself where there are none."""
    lawful = Contracts(case)

    def keeps(numbers: Numbers) -> bool:
        candidate = _with(case, numbers)
        return lawful(candidate) and same(candidate)

    order = _order(case, repertoire.labels)
    given = _numbers(case)
    found = Minimiser(keeps, lambda a: a.astype(case.dtype).astype(np.float64)).run(given, order)
    changed = any(not np.array_equal(found[n], given[n]) for n in order)
    return _with(case, found) if changed else case


def _order(case: Case, labels: bool) -> list[str]:
    """Biases, targets, inputs, then weights from the top: what is not needed goes first."""
    depth = case.architecture.depth
    biases = [f"b{l}" for l in range(depth, 0, -1)]
    weights = [f"W{l}" for l in range(depth, 0, -1)]
    fixed = labels or case.architecture.cost.targets == "one_hot"
    named = [*biases, *([] if fixed else ["targets"]), "inputs", *weights]
    return [n for n in named if n in case.parameters or n in ("targets", "inputs")]


def _numbers(case: Case) -> Numbers:
    return {**case.parameters, "inputs": case.inputs, "targets": case.targets}


def _with(case: Case, numbers: Mapping[str, Array]) -> Case:
    """The case with these numbers; targets that must sum to one do, by what the largest of them takes or gives."""
    parameters = {n: numbers[n] for n in case.parameters}
    targets = numbers["targets"]
    if case.architecture.cost.targets == "simplex" and targets is not case.targets:
        top = np.argmax(targets, axis=0), np.arange(targets.shape[1])
        targets = targets.copy()
        targets[top] = np.round(targets[top] + 1.0 - targets.sum(axis=0), 12)
    return replace(case, parameters=parameters, inputs=numbers["inputs"], targets=targets)


def _alive(case: Case) -> bool:
    """Whether no input and no weight is zero: where numbers do not matter, zeros must not seem to."""
    return bool(np.all(case.inputs)) and all(np.all(a) for n, a in case.parameters.items() if n.startswith("W"))


class _Same:
    """Whether a case shows the finding that the first one shows."""

    def __init__(
        self, finding: Finding, case: Case, base: Examination, ask: Asker, mistakes: tuple[Mistake, ...]
    ) -> None:
        self.finding, self.base, self.ask = finding, base, ask
        self.plain = Plain(base)
        self.differences = base.fault in NEED_DIFFERENCES or not ask.shrinking.recognition().trusted
        self.by_law = base.rung != LAWS and finding.code in LAW_CODES and self._law(case)
        placed = base.fault in (Fault.BACKWARD, Fault.PRECISION)
        self.places = places_of(case, ask.claims) if placed else ()
        self.slope = wrong_slope(case, ask.claims) if placed and not kink_distance(case) else None
        own = tuple(mistakes_of(finding))
        ways = (own, mistakes) if own and placed else ()
        self.mistakes = next((w for w in ways if self._explained(case, w)), ())

    def __call__(self, case: Case) -> bool:
        if not (self.base.discrepancies or _alive(case)):
            return False
        found = self.ask.examined(case, self.base.rung, differences=self.differences)
        return found is not None and self._like(found) and all(held(case) for held in self._others())

    def _like(self, found: Examination) -> bool:
        b = self.base
        names = found.fault is b.fault and found.rung == b.rung and found.wrong == b.wrong
        return names and found.parameter == b.parameter and factor(found) == factor(b) and self.plain.like(found)

    def _others(self) -> Iterator[Condition]:
        if self.finding.code is Code.GC209:
            yield lambda case: self._right(batch_of_one.with_two_samples(case))
        if self.by_law:
            yield self._law
        if self.slope is not None:
            yield lambda case: _said(wrong_slope(case, self.ask.claims)) == _said(self.slope)
        if self.places:
            yield lambda case: places_of(case, self.ask.claims) == self.places
        if self.mistakes:
            yield lambda case: self._explained(case, self.mistakes)

    def _right(self, case: Case) -> bool:
        found = self.ask.examined(case, self.base.rung, differences=self.differences)
        return found is not None and found.fault is None

    def _law(self, case: Case) -> bool:
        return any(e.fault is not None and CODES.get(e.fault) is self.finding.code for e in self.ask.laws(case))

    def _explained(self, case: Case, mistakes: Sequence[Mistake]) -> bool:
        claim = self.ask.claims(case)
        known = None if claim is None else know(case, claim, fresh=True)
        return known is not None and known.informative and explains(mistakes, known)


def _said(wrong: WrongSlope | None) -> tuple[object, ...]:
    """A wrong slope as the finding says it."""
    return () if wrong is None else (wrong.layer, *(f"{v:.4g}" for v in (wrong.slope, wrong.low, wrong.high)))


def _network(finding: Finding, repertoire: Repertoire) -> Case | None:
    """The network of a finding that blames something, with the definitions that it was judged by."""
    data = finding.counterexample
    own = (*repertoire.hidden, *(h.activation for h in repertoire.heads))
    vocabulary = Vocabulary(
        {f.name: f for f in own}, {h.cost.name: h.cost for h in repertoire.heads if not h.cost.guard}
    )
    if not data or data.get("kind") != "network" or finding.verdict not in ("fail", "error"):
        return None
    try:
        case = case_from_json({k: v for k, v in data.items() if k != "digest"}, vocabulary)
    except UsageError:
        return None
    return case if isinstance(case, Case) else None
