"""The report and its parts: plain frozen data with a JSON form, schema ``gradcheck.report/1``.

It must not know how findings were made (checks, oracles, processes) nor how they are printed.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from gradcheck.report.codes import Code
from gradcheck.report.plain import plain_json

SCHEMA = "gradcheck.report/1"
Verdict = Literal["pass", "fail", "inconclusive", "error"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where: an equation and a layer 1 … L, if known (layer l holds the weights from l − 1 to l).

    equation: BP1 output error, BP2 recursion, BP3 bias gradient, BP4 weight gradient; "cost", "forward", "structure",
    "effects" or "regularisation".
    """

    equation: str
    layer: int | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A named fault that reproduces the claim: its name in the catalogue, what it means, and its layer.

    layer: None where it stands in every layer that it can stand in. hint: the suggested edit. mistake: explanations with
    the same number are alternatives, those with different numbers hold together.
    """

    fault: str
    title: str
    layer: int | None = None
    equation: str = ""
    hint: str = ""
    mistake: int = 1


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the subject's file that most likely computes what is wrong; sure: nothing else fits the evidence."""

    path: str
    number: int
    text: str
    sure: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One component whose intervals do not meet; index in the trusted layout W (to, from), b (to, 1)."""

    parameter: str
    index: tuple[int, ...]
    claimed: float
    expected: float
    bound: float
    oracle: str


@dataclass(frozen=True, slots=True)
class Tensor:
    """One gradient at the counterexample, as nested lists in the trusted layout: claimed, expected, and the bound of both."""

    parameter: str
    claimed: Any
    expected: Any
    bound: Any


@dataclass(frozen=True, slots=True)
class Curve:
    """The effective derivative of a layer, its own δ over what comes from above: (z, measured, right), sorted by z."""

    layer: int
    activation: str
    points: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """The reportable unit.

    rung: structure, effects, primal, triangle, components, evidence or isolation.
    detail: one paragraph in words. explanations: the faults that reproduce the claim. evidence: what was measured, in
    sentences. tensors and curve: what can be drawn, where it is small enough. lines: where in the source.
    counterexample: a whole case in JSON form, enough to replay. replay: the command.
    script: the file that shows it without gradcheck; script_text: what is in it, kept out of the JSON form.
    """

    code: Code
    verdict: Verdict
    rung: str
    detail: str
    places: tuple[Place, ...] = ()
    explanations: tuple[Explanation, ...] = ()
    evidence: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    discrepancies: tuple[Difference, ...] = ()
    counterexample: Mapping[str, Any] | None = None
    replay: str | None = None
    script: str | None = None
    title: str | None = None
    script_text: str | None = None
    tensors: tuple[Tensor, ...] = ()
    curve: Curve | None = None


@dataclass(frozen=True, slots=True)
class SubjectInfo:
    """The file or object that was verified."""

    path: str
    object: str | None
    convention: str | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Recognised:
    """A convention that was found out by experiment or told: what, which, and how it is known."""

    what: str
    value: str
    how: Literal["recognised", "configured", "declared"]


@dataclass(frozen=True, slots=True)
class Tally:
    """How much was checked: cases that count as evidence, components compared, cases that said nothing and why."""

    cases: int = 0
    components: int = 0
    inconclusive: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Power:
    """Per parameter tensor: the smallest error, relative to the tensor's gradient norm, that would have been seen.

    as_a_whole: the same of an error of all its components by one factor, where that is smaller (float32); None elsewhere.
    """

    parameter: str
    smallest_relative_error: float
    confidence: float
    cases: int
    as_a_whole: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One verification: the verdict, and everything that it rests on."""

    verdict: Verdict
    subject: SubjectInfo
    environment: Mapping[str, Any]
    tally: Tally
    power: tuple[Power, ...] = ()
    conventions: tuple[Recognised, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The report in plain JSON types; non-finite floats become the strings "nan", "inf", "-inf"."""
        tally = self.tally
        counts = {"cases": tally.cases, "components": tally.components, "inconclusive": tally.inconclusive}
        data: dict[str, Any] = plain_json(
            {
                "schema": SCHEMA,
                "verdict": self.verdict,
                "subject": asdict(self.subject),
                "environment": self.environment,
                "tally": {**counts, "reasons": tally.reasons},
                "power": [{k: v for k, v in asdict(p).items() if v is not None} for p in self.power],
                "conventions": [asdict(c) for c in self.conventions],
                "findings": [finding_to_json(f) for f in self.findings],
                "notes": self.notes,
            }
        )
        return data


def finding_to_json(finding: Finding) -> dict[str, Any]:
    """One finding in plain JSON types."""
    data: dict[str, Any] = plain_json(
        {
            "code": finding.code.name,
            "verdict": finding.verdict,
            "rung": finding.rung,
            "title": finding.title or finding.code.title,
            "detail": finding.detail,
            "places": [asdict(p) for p in finding.places],
            "explanations": [asdict(e) for e in finding.explanations],
            "evidence": finding.evidence,
            "lines": [asdict(line) for line in finding.lines],
            "discrepancies": [asdict(d) for d in finding.discrepancies],
            "counterexample": finding.counterexample,
            "replay": finding.replay,
            "script": finding.script,
            "tensors": [asdict(t) for t in finding.tensors],
            "curve": None if finding.curve is None else asdict(finding.curve),
        }
    )
    return data
