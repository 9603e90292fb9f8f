"""Format `html`: one page that works offline and without scripts, for a student, a teacher and an archive.

Everything that comes from a subject reaches the page through the template's autoescape; a content security policy forbids
whatever would be loaded or run all the same. Markup stands in `report.html.jinja`, coordinates in the modules beside it.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from gradcheck.faults.explanations import explain
from gradcheck.render import charts, diagrams, matrices, network, summary, wording
from gradcheck.report import Finding, Power, Report

if TYPE_CHECKING:
    from jinja2 import Template

MARKS = {"pass": "✓", "fail": "✗", "inconclusive": "?", "error": "!"}
SENTENCES = {
    "pass": "Nothing wrong was found. How small a mistake would have been seen stands below, tensor by tensor.",
    "fail": "There is a mistake. Below: where it is, what it is, and the smallest example that shows it.",
    "inconclusive": "Nothing can be said. This is not a pass: below is what kept the gradient from being judged.",
    "error": "The code could not be run to its end. Below is what happened.",
}


def render(report: Report) -> str:
    """One report as a page."""
    return collect([report])


def collect(reports: Sequence[Report]) -> str:
    """Several reports as one page: a table of all, sorted by verdict, then each of them."""
    rows = summary.rows(reports)
    order = {id(row.report): k for k, row in enumerate(rows, start=1)}
    text = _template().render(
        title=_title(reports),
        rows=[_row(row, order[id(row.report)]) for row in rows] if len(reports) > 1 else [],
        counts=summary.counts(reports),
        subjects=[_subject(row.report, order[id(row.report)], open_=len(reports) == 1) for row in rows],
        levels=matrices.LEVELS,
        view=(charts.WIDTH, charts.HEIGHT, charts.LEFT, charts.RIGHT, charts.TOP, charts.BOTTOM),
    )
    return wording.defused(re.sub(r"\n\s*\n+", "\n", wording.clean(text).replace("\t", " ")).rstrip("\n") + "\n")


@cache
def _template() -> "Template":
    """Compiled once. jinja2 is imported here and not above: it would cost every command 30 ms, and only pages need it."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = files("gradcheck.render").joinpath("report.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(text)


def _title(reports: Sequence[Report]) -> str:
    if len(reports) == 1:
        return f"{reports[0].verdict.upper()} {wording.subject(reports[0])}"
    return f"{wording.plural(len(reports), 'subject')} verified"


def _row(row: summary.Row, number: int) -> dict[str, Any]:
    return {
        "anchor": f"s{number}",
        "verdict": row.verdict,
        "mark": MARKS[row.verdict],
        "name": row.subject,
        "cells": row,
    }


def _subject(report: Report, number: int, *, open_: bool) -> dict[str, Any]:
    return {
        "anchor": f"s{number}",
        "open": open_,
        "verdict": report.verdict,
        "mark": MARKS[report.verdict],
        "sentence": SENTENCES[report.verdict],
        "name": wording.subject(report),
        "convention": wording.one_line(report.subject.convention or ""),
        "evidence": wording.evidence(report),
        "findings": [_finding(finding) for finding in report.findings],
        "power": [_power(p) for p in report.power] if report.verdict == "pass" else [],
        "conventions": [(wording.one_line(c.what), wording.one_line(c.value), c.how) for c in report.conventions],
        "notes": [wording.one_line(note) for note in report.notes],
        "environment": list(_environment(report)),
        "again": _again(report),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    case = finding.counterexample
    return {
        "code": finding.code.name,
        "title": wording.title(finding),
        "verdict": finding.verdict,
        "where": wording.places(finding),
        "detail": wording.abridged(finding.detail).strip(),
        "equations": diagrams.equations(finding),
        "diagram": diagrams.diagram(finding),
        "explanations": wording.explanations(finding),
        "hints": wording.hints(finding),
        "lines": [_line(found) for found in finding.lines],
        "evidence": [wording.one_line(sentence) for sentence in finding.evidence],
        "curve": finding.curve,
        "activation": wording.one_line(finding.curve.activation, 40) if finding.curve else "",
        "chart": charts.chart(finding.curve) if finding.curve else None,
        "matrices": matrices.matrices(finding.tensors),
        "columns": wording.COLUMNS,
        "rows": [wording.row(d) for d in wording.worst_first(finding.discrepancies)[: wording.ROWS]],
        "more": wording.more(finding.discrepancies),
        "heading": network.heading(case) if case else "",
        "network": network.describe(case) if case else "",
        "arrays": network.arrays(case) if case else [],
        "replay": wording.one_line(finding.replay or ""),
        "script": wording.one_line(finding.script or ""),
        "page": explain(finding.code.name),
    }


def _line(found: Any) -> dict[str, Any]:
    return {
        "place": wording.one_line(f"{found.path}:{found.number}"),
        "text": wording.one_line(found.text),
        "sure": found.sure,
        "reason": wording.one_line(found.reason),
    }


def _power(p: Power) -> dict[str, str]:
    error = wording.number(p.smallest_relative_error)
    if p.as_a_whole is not None:
        error += f" (all of it by one factor: {wording.number(p.as_a_whole)})"
    return {
        "name": wording.one_line(p.parameter),
        "error": error,
        "confidence": wording.percent(p.confidence),
        "cases": f"{p.cases:,}",
    }


def _environment(report: Report) -> Iterator[tuple[str, str]]:
    told = {"audited": wording.audit(report)} if "audited" in report.environment else {}
    items: Mapping[str, Any] = {**report.environment, **told, "sha256 of the file": report.subject.sha256 or "unknown"}
    yield from ((wording.one_line(str(k), 60), wording.one_line(str(v), 200)) for k, v in items.items())


def _again(report: Report) -> str:
    """The command that repeats the run; empty for what was no file."""
    if report.subject.path.startswith("<"):
        return ""
    options = {"--seed": "seed", "--max-examples": "max_examples"}
    given = [
        f"{flag} {report.environment[key]}" for flag, key in options.items() if _whole(report.environment.get(key))
    ]
    return wording.one_line(" ".join(["gradcheck verify", shlex.quote(wording.subject(report)), *given]))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
