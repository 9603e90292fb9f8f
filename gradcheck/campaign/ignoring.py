"""Ignored codes must not hide other mistakes: what of a broken case is ignored, and what is not.

Most codes are those of a rung, known at once. A wrong gradient is diagnosed when it is met first; later cases are covered
when what was ignored gives their claim to the last bits, or when residual peeling finds wrong equations of ignored codes
alone. What neither tells is diagnosed again, and a case where the doubt remains is no evidence, and counted as such.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from gradcheck.campaign.diagnosing import explains
from gradcheck.campaign.findings import CODES, EQUATIONS
from gradcheck.campaign.same_mistake import mistakes_of
from gradcheck.checks import Examination
from gradcheck.faults.diagnosis import Mistake
from gradcheck.faults.matching import Claims, know
from gradcheck.faults.places import places_of
from gradcheck.networks import Case
from gradcheck.report import Code, Finding
from gradcheck.report.selection import Selection

DIAGNOSES = 6
"""Broken cases of one campaign that are diagnosed at most."""

Find = Callable[[Callable[[Case], bool]], list[Finding]]
"""The findings of the smallest case like the broken one that meets a condition."""


@dataclass(slots=True)
class Ignoring:
    """What one campaign ignores. ask: the subject's gradient in the trusted layout, None where there is none.

    counts: cases by what is ignored in them. kept: the findings of the first case with a mistake that is not ignored.
    """

    selection: Selection
    ask: Claims
    counts: Counter[str] = field(default_factory=Counter)
    kept: list[Finding] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    named: set[Code] = field(default_factory=set)
    unnamed: set[Code] = field(default_factory=set)
    diagnoses: int = 0

    def whole(self, code: Code) -> str:
        """Why a case is no evidence where its code is ignored, and it is counted; empty where it is not."""
        return self._count(code.name) if self.selection.ignores(code) else ""

    def takes(self, examination: Examination, case: Case, *, trusted: bool, find: Find) -> str:
        """Why a case is no evidence where all that is wrong is ignored; else it is empty, and `kept` is what is not."""
        if not self.selection.active or examination.fault is None:
            return ""
        code = CODES.get(examination.fault) or (None if trusted else Code.GC405)
        return self._diagnosed(case, find) if code is None else self.whole(code)

    def accounts_for(self, case: Case) -> bool:
        """Whether what was ignored before is all that is wrong at a case: a small error looks like one of precision."""
        known = self.mistakes or self.unnamed
        codes = self.covering(case) if known else set()
        return bool(codes) and bool(self._count(" and ".join(sorted(c.name for c in codes))))

    def _diagnosed(self, case: Case, find: Find) -> str:
        while not (codes := self.covering(case)):
            if self.diagnoses == DIAGNOSES:
                return self._count("perhaps more than what is ignored")
            self.diagnoses += 1
            findings = find(lambda c: not self.covering(c))
            self.kept = [f for f in findings if not self.selection.ignores(f.code)]
            if self.kept:
                return ""
            self._learn(findings)
        return self._count(" and ".join(sorted(c.name for c in codes)))

    def _count(self, what: str) -> str:
        self.counts[what] += 1
        return f"ignored: {what}"

    def covering(self, case: Case) -> set[Code]:
        """The ignored codes that are all that is wrong at a case; none where that is not sure."""
        if case.samples == 1 and Code.GC209 in self.unnamed:
            return {Code.GC209}
        claim = self.ask(case) if self.mistakes else None
        if claim is not None and explains(self.mistakes, know(case, claim, fresh=True)):
            return self.named
        codes = {EQUATIONS[p.equation] for p in places_of(case, self.ask)}
        if not all(self.selection.ignores(c) for c in codes):
            return set()
        # a wrong derivative of an activation stands at the same place as a wrong recursion, and has a code of its own
        hidden = codes & _DERIVATIVES - self.unnamed and not self.selection.ignores(Code.GC501)
        return set() if hidden else codes

    def _learn(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            new = list(mistakes_of(finding))
            self.mistakes += new
            (self.named if new and finding.code is not Code.GC209 else self.unnamed).add(finding.code)


def told(counts: Mapping[str, int], cases: int) -> Iterator[str]:
    """The note that says how much was ignored."""
    if counts:
        each = " · ".join(f"{what} at {n:,}" for what, n in sorted(counts.items()))
        yield f"ignored as asked for, of {cases:,} cases: {each}"


_DERIVATIVES = frozenset({Code.GC401, Code.GC402})
