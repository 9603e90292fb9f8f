"""Format `rich`: the report for a person at a terminal; with `color=False` the same as plain text.

No markup is ever interpreted: whatever a subject says is printed as it stands.
"""

from collections.abc import Iterable
from io import StringIO

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradcheck.render import network, wording
from gradcheck.report import Finding, Power, Report

WIDTH = 100
VERDICT_STYLES = {"pass": "bold green", "fail": "bold red", "inconclusive": "bold yellow", "error": "bold magenta"}
_INDENT = 2
_LABEL = 18


def render(report: Report, *, color: bool = False, width: int | None = None) -> str:
    """The whole report as text, with ANSI colours when asked; wrapped to `width` columns (default 100)."""
    console = _console(color, width)
    _verdict(console, report)
    for finding in report.findings:
        _finding(console, finding)
    if report.verdict == "pass":
        _power(console, report.power)
    _conventions(console, report)
    for note in report.notes:
        _labelled(console, "note", wording.clean(note))
    _labelled(console, "audit", wording.audit(report, news=True))
    return _text(console)


def render_finding(finding: Finding, *, color: bool = False, width: int | None = None) -> str:
    """One finding alone."""
    console = _console(color, width)
    _finding(console, finding)
    return _text(console).lstrip("\n")


def _console(color: bool, width: int | None) -> Console:
    return Console(
        file=StringIO(),
        width=max(width or WIDTH, 40),
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=False if color else None,
        force_jupyter=False,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )


def _text(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().rstrip("\n").split("\n")
    return wording.defused("\n".join(line.rstrip() for line in lines) + "\n")


def _verdict(console: Console, report: Report) -> None:
    line = Text(report.verdict.upper(), style=VERDICT_STYLES[report.verdict])
    line.append(f"  {wording.subject(report)}", style="bold")
    if report.subject.convention:
        line.append(f"  ({wording.one_line(report.subject.convention)})", style="not bold")
    console.print(line, soft_wrap=True)
    console.print(_indented(Text(wording.evidence(report), style="dim")))


def _finding(console: Console, finding: Finding) -> None:
    console.print()
    console.print(Text.assemble((finding.code.name, "bold red"), ("  ", ""), (wording.title(finding), "bold")))
    _labelled(console, "where", wording.places(finding), style="cyan")
    if finding.detail.strip():
        console.print(_indented(Text(wording.abridged(finding.detail))))
    _diagnosis(console, finding)
    _discrepancies(console, finding)
    _counterexample(console, finding)
    if finding.replay:
        line = Text("replay".ljust(_LABEL), style="dim").append(wording.one_line(finding.replay), style="not dim")
        console.print(Text(" " * _INDENT).append_text(line), soft_wrap=True)
    if finding.script:
        line = Text("no gradcheck".ljust(_LABEL), style="dim").append(
            f"python {wording.one_line(finding.script)}", style="not dim"
        )
        console.print(Text(" " * _INDENT).append_text(line), soft_wrap=True)


def _diagnosis(console: Console, finding: Finding) -> None:
    for label, text in wording.explanations(finding):
        _labelled(console, label, text, style="bold")
    for k, sentence in enumerate(finding.evidence):
        _labelled(console, "evidence" if k == 0 else " ", wording.one_line(sentence))
    for hint in wording.hints(finding):
        _labelled(console, "suggested edit", hint, style="green")
    for found in finding.lines:
        _labelled(console, "line", wording.line(found))


def _discrepancies(console: Console, finding: Finding) -> None:
    if not finding.discrepancies:
        return
    rows = [wording.row(d) for d in wording.worst_first(finding.discrepancies)[: wording.ROWS]]
    console.print()
    console.print(_indented(_table(wording.COLUMNS, rows, right=range(2, 6))))
    if rest := wording.more(finding.discrepancies):
        console.print(_indented(Text(rest, style="dim")))
    console.print()


def _counterexample(console: Console, finding: Finding) -> None:
    case = finding.counterexample
    if case is None:
        return
    _labelled(console, network.heading(case), network.describe(case) or "see the JSON report")
    for name, numbers in network.arrays(case):
        _labelled(console, f"  {name}", numbers, style="dim")


def _power(console: Console, power: Iterable[Power]) -> None:
    header, rows = wording.power_table(power)
    if rows:
        console.print()
        console.print(Text("A relative error of this size or more would have been seen:"))
        console.print(_indented(_table(header, rows, right=range(1, len(header)))))


def _conventions(console: Console, report: Report) -> None:
    if not report.conventions:
        return
    console.print()
    console.print(Text("Conventions (never a fault by themselves):"))
    for c in report.conventions:
        _labelled(console, wording.one_line(c.what), f"{wording.one_line(c.value)} ({c.how})")


def _labelled(console: Console, label: str, text: str, style: str = "") -> None:
    if not text:
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True, min_width=_LABEL - 2)
    grid.add_column(overflow="fold")
    grid.add_row(Text(label if len(label) <= 2 * _LABEL else f"{label[: 2 * _LABEL]}…"), Text(text, style=style))
    console.print(_indented(grid))


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]], right: Iterable[int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if i in set(right) else "left", overflow="fold")
    for cells in rows:
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _indented(renderable: Text | Table) -> Padding:
    return Padding(renderable, (0, 0, 0, _INDENT), expand=False)
