"""Format `json`: schema gradcheck.report/1; ASCII only and without NaN, so that every reader can take it."""

import json
from collections.abc import Sequence

from gradcheck.report import Report


def render(report: Report) -> str:
    """One report as a JSON object."""
    return _dumps(report.to_json())


def collect(reports: Sequence[Report]) -> str:
    """Several reports as a JSON list."""
    return _dumps([report.to_json() for report in reports])


def _dumps(data: object) -> str:
    text = json.dumps(data, indent=2, allow_nan=False)
    return text.replace("##[", "#\\u0023[") + "\n"  # only strings can hold it; a GitHub runner would obey it
