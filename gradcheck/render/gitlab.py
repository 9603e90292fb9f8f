"""Format `gitlab`: a Code Quality report, so that findings stand in a merge request's widget and diff.

Source: GitLab documentation, "Code Quality report format": description, check_name, fingerprint, severity, location.
"""

import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from gradcheck.render import wording
from gradcheck.render.sarif import fingerprint
from gradcheck.report import Finding, Report

SEVERITIES = {"fail": "critical", "error": "blocker", "inconclusive": "minor", "pass": "info"}


def render(report: Report) -> str:
    """One report as a JSON list."""
    return collect([report])


def collect(reports: Sequence[Report]) -> str:
    """All findings of several reports in one JSON list; empty where nothing was found."""
    issues = [_issue(report, finding) for report in reports for finding in report.findings]
    return json.dumps(issues, indent=2, allow_nan=False).replace("##[", "#\\u0023[") + "\n"


def _issue(report: Report, finding: Finding) -> dict[str, Any]:
    line = next(iter(sorted(finding.lines, key=lambda found: not found.sure)), None)
    where = f" ({wording.places(finding)})" if finding.places else ""
    return {
        "description": f"{finding.code.name}: {wording.title(finding)}{where}",
        "check_name": finding.code.name,
        "fingerprint": fingerprint(report, finding),
        "severity": SEVERITIES[finding.verdict],
        "location": {
            "path": wording.one_line(PurePath(report.subject.path).as_posix().replace("\\", "/").removeprefix("./")),
            "lines": {"begin": 1 if line is None else line.number},
        },
    }
