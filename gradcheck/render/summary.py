"""Formats `table` and `csv`: one line for each subject, the worst verdict first, with its main finding.

Cells of a CSV that a spreadsheet would take for a formula get an apostrophe in front (OWASP, CSV injection).
"""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO

from gradcheck.render import wording
from gradcheck.report import Finding, Report, Verdict

ORDER: Sequence[Verdict] = ("error", "fail", "inconclusive", "pass")
FIELDS = (
    "subject", "verdict", "code", "finding", "where", "explanation", "line", "convention", "cases", "seconds", "others",
)  # fmt: skip
WIDTH = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One subject; finding: the main one in a few words, empty for a clean pass; others: how many more there are."""

    report: Report
    subject: str
    verdict: Verdict
    code: str
    finding: str
    where: str
    explanation: str
    line: str
    convention: str
    cases: int
    seconds: float | None
    others: int

    @property
    def time(self) -> str:
        """``1.2 s``; empty where it is not known."""
        return "" if self.seconds is None else f"{self.seconds:.1f} s"


def rows(reports: Sequence[Report]) -> list[Row]:
    """Sorted by verdict, then by the code, then by name."""
    return sorted(map(_row, reports), key=lambda r: (ORDER.index(r.verdict), r.code, r.subject))


def counts(reports: Sequence[Report]) -> str:
    """``50 subjects: 3 error, 20 fail, 1 inconclusive, 26 pass``."""
    found = Counter(report.verdict for report in reports)
    parts = ", ".join(f"{found[verdict]} {verdict}" for verdict in ORDER if found[verdict])
    return f"{wording.plural(len(reports), 'subject')}: {parts}" if reports else "no subject"


def render(report: Report) -> str:
    """One report as a table of one line."""
    return collect([report])


def collect(reports: Sequence[Report]) -> str:
    """The table, and the counts below it."""
    found = rows(reports)
    folder = _folder([row.subject for row in found])
    lines = [f"in {folder}", ""] if folder else []
    names = [row.subject.removeprefix(folder) for row in found]
    width = min(max(map(len, names), default=0), 44)
    for row, name in zip(found, names, strict=True):
        head = f"{row.verdict.upper():12}  {_cut(name, width):{width}}  {row.time:>6}  "
        lines.append(f"{head}{_said(row)}".rstrip())
    return wording.defused("\n".join([*lines, "", counts(reports)]) + "\n")


def to_csv(reports: Sequence[Report]) -> str:
    """All fields, with a header."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIELDS)
    for row in rows(reports):
        writer.writerow([_cell(getattr(row, name)) for name in FIELDS])
    return wording.defused(out.getvalue())


def render_csv(report: Report) -> str:
    """One report as a CSV of one line and a header."""
    return to_csv([report])


def main_finding(report: Report) -> Finding | None:
    """The first of those that decided the verdict; an advisory one where the verdict is a pass."""
    deciding = [f for f in report.findings if f.verdict == report.verdict]
    return next(iter([*deciding, *report.findings]), None)


def _folder(names: Sequence[str]) -> str:
    """``submissions/`` where all of several subjects lie in it; else empty."""
    folders = {name.rpartition("/")[0] for name in names}
    return f"{folders.pop()}/" if len(names) > 1 and len(folders) == 1 and "" not in folders else ""


def _row(report: Report) -> Row:
    finding = main_finding(report)
    seconds = report.environment.get("seconds")
    return Row(
        report=report,
        subject=wording.subject(report),
        verdict=report.verdict,
        code=finding.code.name if finding else "",
        finding=_words(finding) if finding else "",
        where=wording.places(finding) if finding else "",
        explanation=wording.one_line(finding.explanations[0].fault) if finding and finding.explanations else "",
        line=str(finding.lines[0].number) if finding and finding.lines else "",
        convention=wording.one_line(report.subject.convention or ""),
        cases=report.tally.cases,
        seconds=float(seconds) if isinstance(seconds, (int, float)) and 0 <= seconds < 1e9 else None,
        others=max(0, len(report.findings) - 1),
    )


def _words(finding: Finding) -> str:
    """The first explanation, the first line of what happened for a failure, else the title."""
    if finding.explanations:
        return wording.one_line(finding.explanations[0].title)
    if finding.code.name.startswith("GC9") and finding.detail.strip():
        return wording.one_line(finding.detail.strip().splitlines()[0])
    return wording.title(finding)


def _said(row: Row) -> str:
    where = f" [{row.where}]" if row.where and row.verdict == "fail" else ""
    more = f" (+{row.others})" if row.others else ""
    line = f", line {row.line}" if row.line else ""
    return f"{row.code} {_cut(row.finding, WIDTH)}{where}{line}{more}" if row.code else f"{row.cases:,} cases"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _cell(value: str | float | None) -> str | float:
    """Text that begins like a formula gets an apostrophe; numbers stay numbers."""
    if not isinstance(value, str):
        return "" if value is None else value
    return f"'{value}" if value[:1] in ("=", "+", "-", "@") else value
