"""What a report means to a shell, and what its file is called. Pure: no file is written and no process ended here."""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import PurePath

from gradcheck.report.types import Report

PASSED, FAILED, USAGE, INTERNAL, INCONCLUSIVE = range(5)
_WORST_FIRST = (INTERNAL, USAGE, FAILED, INCONCLUSIVE, PASSED)


def exit_code(report: Report) -> int:
    """0 verified, 1 a discrepancy or a failed subject, 4 inconclusive; a pass that checked nothing is 4, never 0."""
    if report.verdict in ("fail", "error"):
        return FAILED
    checked = report.tally.cases > 0 and report.tally.components > 0
    return PASSED if report.verdict == "pass" and checked else INCONCLUSIVE


def worst(codes: Iterable[int]) -> int:
    """The exit code of several verifications: internal error, usage, failure, inconclusive, pass, in this order."""
    return min(codes, key=_WORST_FIRST.index, default=INCONCLUSIVE)


def digest(report: Report) -> str:
    """Twelve hexadecimal digits that depend on the subject, the verdict and the findings, not on times or versions."""
    data = report.to_json()
    findings = [{k: v for k, v in f.items() if k != "replay"} for f in data["findings"]]
    text = json.dumps([data["subject"], data["verdict"], findings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def file_name(report: Report) -> str:
    """``student-0123456789ab.json``: the stem of the subject's path and the digest, safe on every file system."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", PurePath(report.subject.path).stem).strip("-.")
    return f"{stem[:80] or 'subject'}-{digest(report)}.json"
