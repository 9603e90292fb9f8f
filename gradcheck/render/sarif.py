"""Format `sarif`: SARIF 2.1.0 for code scanning; every finding is a result that stands at a line of the subject's file.

A result has no web address: `help` holds the page of `gradcheck explain` itself. GitHub refuses a whole file in which one
result has no line, so that a result whose line is not known stands at line 1 and says so. Fingerprints depend on what was
found where, and not on numbers, seeds or lines: the same mistake is the same alert in the next run.

Source: Static Analysis Results Interchange Format (SARIF) Version 2.1.0, OASIS Standard, 27 March 2020.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from gradcheck.faults.explanations import explain
from gradcheck.render import wording
from gradcheck.report import Code, Finding, Line, Report

VERSION = "2.1.0"
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"fail": "error", "error": "error", "inconclusive": "warning", "pass": "note"}
FINGERPRINT = "gradcheckFinding/v1"
MESSAGE_WIDTH = 4000


def render(report: Report) -> str:
    """One report as a log with one run."""
    return collect([report])


def collect(reports: Sequence[Report]) -> str:
    """Several reports as one run: a code scanning upload takes one run of a tool."""
    found = [(report, finding) for report in reports for finding in report.findings]
    codes = sorted({finding.code.name for _, finding in found})
    driver: dict[str, Any] = {"name": "gradcheck", "rules": [_rule(name) for name in codes]}
    version = next((str(r.environment["gradcheck"]) for r in reports if "gradcheck" in r.environment), None)
    driver |= {"semanticVersion": wording.one_line(version, 40)} if version else {}
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "The folder in which gradcheck was run."}}},
        "invocations": [_invocation(reports)],
        "results": [_result(report, finding, codes.index(finding.code.name)) for report, finding in found],
    }
    text = json.dumps({"$schema": SCHEMA, "version": VERSION, "runs": [run]}, indent=2, allow_nan=False)
    return text.replace("##[", "#\\u0023[") + "\n"


def fingerprint(report: Report, finding: Finding) -> str:
    """Of the subject, the code, the places and the names of the explanations."""
    places = [[p.equation, p.layer] for p in finding.places]
    faults = sorted({e.fault for e in finding.explanations})
    parts = [uri(report.subject.path), report.subject.object, finding.code.name, places, faults]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def uri(path: str) -> str:
    """A relative reference with forward slashes, or a file URI; percent-encoded."""
    windows = bool(re.match(r"[A-Za-z]:[\\/]", path))
    posix = str(PurePosixPath(path.replace("\\", "/")))
    if not windows and not posix.startswith("/"):
        return quote(wording.clean(posix), safe="/~")
    return f"file://{'/' if windows else ''}{quote(wording.clean(posix), safe='/:~')}"


def _rule(name: str) -> dict[str, Any]:
    title, page = Code[name].title, explain(name)
    return {
        "id": name,
        "name": "".join(word.capitalize() for word in re.findall(r"[A-Za-z0-9]+", title)),
        "shortDescription": {"text": title[0].upper() + title[1:]},
        "fullDescription": {"text": page.split("\n\n")[1]},
        "help": {"text": page, "markdown": f"```text\n{page}\n```"},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["gradient", "backpropagation"], "precision": "very-high", "problem.severity": "error"},
    }


def _invocation(reports: Sequence[Report]) -> dict[str, Any]:
    """A subject that could not be run is told as a notification too: no result of it is a wrong gradient."""
    failed = [report for report in reports if report.verdict == "error"]
    told = [
        {
            "level": "error",
            "message": {"text": f"{wording.subject(r)} could not be run"},
            "locations": [_location(r, None)],
        }
        for r in failed
    ]
    return {"executionSuccessful": not failed, "toolExecutionNotifications": told}


def _result(report: Report, finding: Finding, rule: int) -> dict[str, Any]:
    line = next(iter(sorted(finding.lines, key=lambda found: not found.sure)), None)
    head = f"{wording.title(finding)}{f' ({wording.places(finding)})' if finding.places else ''}"
    text = "\n".join([head, *wording.lines(finding)[bool(finding.places) :]])
    return {
        "ruleId": finding.code.name,
        "ruleIndex": rule,
        "level": LEVELS[finding.verdict],
        "message": {"text": text if len(text) <= MESSAGE_WIDTH else f"{text[:MESSAGE_WIDTH]}…"},
        "locations": [_location(report, line, finding)],
        "partialFingerprints": {FINGERPRINT: fingerprint(report, finding)},
        "properties": dict(_properties(report, finding, line)),
    }


def _location(report: Report, line: Line | None, finding: Finding | None = None) -> dict[str, Any]:
    address = uri(report.subject.path if line is None else line.path)
    artifact = {"uri": address} if address.startswith("file:") else {"uri": address, "uriBaseId": "SRCROOT"}
    region: dict[str, Any] = {"startLine": 1}
    if line is not None:
        region = {"startLine": line.number, "snippet": {"text": wording.one_line(line.text)}}
    location: dict[str, Any] = {"physicalLocation": {"artifactLocation": artifact, "region": region}}
    if finding is not None and finding.places:
        names = [wording.place(p) for p in finding.places]
        location["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "member"} for name in names]
    return location


def _properties(report: Report, finding: Finding, line: Line | None) -> Iterator[tuple[str, Any]]:
    yield "verdict", finding.verdict
    yield "line", "unknown" if line is None else "sure" if line.sure else "unsure"
    yield "convention", wording.one_line(report.subject.convention or "unknown")
    yield "explanations", [wording.one_line(e.fault) for e in finding.explanations]
    extra: Mapping[str, str | None] = {"replay": finding.replay, "script": finding.script}
    yield from ((name, wording.one_line(value)) for name, value in extra.items() if value)
