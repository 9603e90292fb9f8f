"""Reports: finding codes, findings, the report with its JSON form and schema."""

from gradcheck.report.codes import Code
from gradcheck.report.outcome import (
    FAILED,
    INCONCLUSIVE,
    INTERNAL,
    PASSED,
    USAGE,
    digest,
    exit_code,
    file_name,
    worst,
)
from gradcheck.report.plain import plain, plain_json
from gradcheck.report.schema import from_json, schema
from gradcheck.report.types import (
    SCHEMA,
    Difference,
    Explanation,
    Finding,
    Line,
    Place,
    Power,
    Recognised,
    Report,
    SubjectInfo,
    Tally,
    Verdict,
    finding_to_json,
)

__all__ = [
    "FAILED",
    "INCONCLUSIVE",
    "INTERNAL",
    "PASSED",
    "SCHEMA",
    "USAGE",
    "Code",
    "Difference",
    "Explanation",
    "Finding",
    "Line",
    "Place",
    "Power",
    "Recognised",
    "Report",
    "SubjectInfo",
    "Tally",
    "Verdict",
    "digest",
    "exit_code",
    "file_name",
    "finding_to_json",
    "from_json",
    "plain",
    "plain_json",
    "schema",
    "worst",
]
