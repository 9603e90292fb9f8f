"""What a campaign is asked, what it counts on the way, and what it found."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gradcheck.campaign.medians import Median
from gradcheck.campaign.power import by_one_factor
from gradcheck.checks import Examination
from gradcheck.checks.projection import CONFIDENCE
from gradcheck.errors import SubjectError
from gradcheck.networks import Case, OperationCase
from gradcheck.report import Finding, Power, Tally
from gradcheck.report.selection import Selection
from gradcheck.subjects import Layout


@dataclass(frozen=True, slots=True)
class Options:
    """max_examples: cases in all. adaptive: as many as their power needs instead (`campaign.effort`).
    seed: of everything random. budget: seconds after which no new case is begun, None: no limit.
    progress: called with (cases done, cases in all). first: stop at the first case that is not clean.
    audit: compare the oracle with compiled jax.grad at one case although all its rules have been audited before.
    selection: codes that are ignored; the campaign looks on. jobs: processes; the outcome does not depend on it."""

    max_examples: int = 200
    seed: int = 0
    budget: float | None = None
    progress: Callable[[int, int], None] | None = None
    first: bool = False
    audit: bool = False
    selection: Selection = field(default_factory=Selection)
    jobs: int = 1
    adaptive: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a campaign found: findings, how much was checked, and how small an error it would have seen.

    layouts: the subject's layout by operation, "" for a network. ignored: cases by what was ignored in them.
    audited: see `campaign.auditing`. ended: what ended the campaign, in words.
    """

    findings: tuple[Finding, ...]
    tally: Tally
    power: tuple[Power, ...]
    notes: tuple[str, ...] = ()
    agreement: float = 0.0
    audited: Mapping[str, Any] = field(default_factory=dict)
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    ignored: Mapping[str, int] = field(default_factory=dict)
    ended: str = ""


@dataclass(slots=True)
class Record:
    """Mutable counters of one campaign."""

    cases: int = 0
    components: int = 0
    agreement: float = 0.0
    confidence: float = 1.0
    error_bounds: Median = field(default_factory=Median)
    silent: Counter[str] = field(default_factory=Counter)
    power: defaultdict[str, Median] = field(default_factory=lambda: defaultdict(Median))
    whole: defaultdict[str, Median] = field(default_factory=lambda: defaultdict(Median))
    raised: list[tuple[SubjectError, Case]] = field(default_factory=list)
    weak: list[tuple[Examination, Case]] = field(default_factory=list)
    structural: list[tuple[Examination, Case]] = field(default_factory=list)

    def tally(self) -> Tally:
        """How much was checked."""
        return Tally(self.cases, self.components, sum(self.silent.values()), dict(self.silent))

    def powers(self) -> Iterator[Power]:
        """How small an error would have been seen, tensor by tensor."""
        for n, seen in sorted(self.power.items()):
            if seen.count:
                yield Power(n, seen.value(), self.confidence, seen.count, by_one_factor(seen, self.whole[n]))

    def evidence(self) -> Iterator[str]:
        """What the two kinds of evidence came to, for the report."""
        if self.agreement:
            yield f"the largest |finite differences − jax.grad| was {self.agreement:.3g} of the sum of their bounds"
        if self.error_bounds.count:
            half = self.error_bounds.value()
            yield (
                f"judged by random projections: at half the cases no tensor's error was more than {half:.2g} "
                f"of its gradient's norm, with {100 * CONFIDENCE:g} % confidence a tensor (χ² bound)"
            )


@dataclass(frozen=True, slots=True)
class Detection:
    """What a campaign meets first: the ladder's fault or the kind of a failure, in lower case, and the case.

    finding: of a layer.
    """

    how: str
    case: Case | OperationCase | None
    finding: Finding | None = None
