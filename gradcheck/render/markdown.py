"""Format `markdown`: the report as a document (GitHub flavour), for step summaries, issues and notebooks.

Text that comes from a subject is escaped, or stands in a code block whose fence is longer than any run of backticks
in it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from gradcheck.render import network, wording
from gradcheck.report import Finding, Report

MARKS = {"pass": "✅", "fail": "❌", "inconclusive": "⚠️", "error": "💥"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]#|~$])")
_LIST_ITEM = re.compile(r"^(\d{0,9})([-+=.)])(?=\s|$)")


def render(report: Report) -> str:
    """A level-two heading with the verdict, then the findings or the power, then the conventions."""
    blocks = [f"## {MARKS[report.verdict]} {report.verdict.upper()}: {code(wording.subject(report))}"]
    blocks.extend(_summary(report))
    for finding in report.findings:
        blocks.extend(_finding(finding))
    if report.verdict == "pass":
        blocks.extend(_power(report))
    if report.conventions:
        rows = [(escape(c.what), code(c.value, table=True), c.how) for c in report.conventions]
        blocks.extend(("### Conventions", table(("what", "which", "how it is known"), rows)))
    blocks.extend(f"> {escape(note)}" for note in filter(None, (*report.notes, wording.audit(report))))
    return wording.defused("\n\n".join(blocks) + "\n")


def escape(text: str) -> str:
    """One line of text without any markup."""
    line = wording.one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LIST_ITEM.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", line))


def code(text: str, *, table: bool = False) -> str:
    """A code span; in a table, pipes need a backslash even there."""
    line = wording.one_line(text) or " "
    fence = "`" * (wording.longest_run(line, "`") + 1)
    inner = f" {line} " if line[0] == "`" or line[-1] == "`" else line
    span = f"{fence}{inner}{fence}"
    return span.replace("|", r"\|") if table else span


def block(text: str, language: str = "text") -> str:
    """A fenced code block."""
    fence = "`" * max(3, wording.longest_run(text, "`") + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table of cells that are escaped already."""
    rule = ["--:" if i in right else "---" for i in range(len(columns))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows))


def _summary(report: Report) -> Iterator[str]:
    convention = report.subject.convention
    known = f"Convention {code(convention)} · " if convention else ""
    yield f"{known}{escape(wording.evidence(report))}"


def _finding(finding: Finding) -> Iterator[str]:
    yield f"### {finding.code.name}: {escape(wording.title(finding))}"
    if finding.places:
        yield f"**Where**: {escape(wording.places(finding))}"
    if detail := wording.abridged(finding.detail).strip():
        yield block(detail) if "\n" in detail else escape(detail)
    yield from _diagnosis(finding)
    if finding.discrepancies:
        yield _discrepancies(finding)
        yield from filter(None, (wording.more(finding.discrepancies),))
    if finding.counterexample is not None:
        yield from _counterexample(finding)
    if finding.replay:
        yield block(wording.one_line(finding.replay), "sh")
    if finding.script:
        yield "Without gradcheck:"
        yield block(f"python {wording.one_line(finding.script)}", "sh")


def _diagnosis(finding: Finding) -> Iterator[str]:
    rows = [f"- **{label.capitalize()}** {escape(text)}" for label, text in wording.explanations(finding)]
    rows += [f"- {escape(sentence)}" for sentence in finding.evidence]
    rows += [f"- **Suggested edit**: {escape(hint)}" for hint in wording.hints(finding)]
    rows += [f"- **Line**: {escape(wording.line(found))}" for found in finding.lines]
    if rows:
        yield "\n".join(rows)


def _discrepancies(finding: Finding) -> str:
    worst = wording.worst_first(finding.discrepancies)[: wording.ROWS]
    rows = [[escape(cell) for cell in wording.row(d)] for d in worst]
    return table(wording.COLUMNS, rows, right=range(2, 6))


def _counterexample(finding: Finding) -> Iterator[str]:
    case = finding.counterexample or {}
    text = [network.describe(case), *(f"{name} = {numbers}" for name, numbers in network.arrays(case))]
    yield f"**{network.heading(case).capitalize()}**:"
    yield block("\n".join(filter(None, text)))


def _power(report: Report) -> Iterator[str]:
    header, rows = wording.power_table(report.power)
    if rows:
        yield "A relative error of this size or more would have been seen:"
        yield table(header, [tuple(map(escape, row)) for row in rows], right=range(1, len(header)))
