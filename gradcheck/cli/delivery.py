"""Where results go: stdout or a file, the folder of JSON reports, the step summary. A result is never lost on the way.

What cannot be written is a warning, or is printed to stdout instead; a closed pipe ends the output and not the verdict.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from gradcheck.cli.failures import complain
from gradcheck.errors import UsageError
from gradcheck.render import COLLECTORS, RENDERERS, json_text, markdown, summary, terminal
from gradcheck.report import Finding, Line, Report, file_name

SUMMARY_LIMIT = 2**20
LOCATED = frozenset({"github", "gitlab", "sarif"})
"""Formats that a host reads: paths are relative to the root of the repository there."""


@dataclass(slots=True)
class Delivery:
    """Takes reports one by one; `several` says whether more than one subject was asked for."""

    output_format: str = "rich"
    output: Path | None = None
    reports: Path | None = None
    quiet: bool = False
    several: bool = False
    _taken: list[Report] = field(default_factory=list)
    _texts: list[str] = field(default_factory=list)

    def take(self, report: Report) -> None:
        """Write the JSON report, then print: at once where the format allows it, else in `finish`."""
        report = self._filed(report)
        self._taken.append(report)
        if self.output_format == "github":
            append_summary(markdown.render(report))
        if self.output_format in COLLECTORS:
            return
        separator = "\n" if self.output_format in ("rich", "markdown") and len(self._taken) > 1 else ""
        self._print(separator + self._rendered(report))

    def finish(self) -> None:
        """Print what had to wait for the last report. Raises UsageError when --output cannot be written."""
        if self.output_format in COLLECTORS and self._taken:
            taken = [self._located(report) for report in self._taken]
            several = COLLECTORS[self.output_format](taken)
            self._print(several if self.several else RENDERERS[self.output_format](taken[0]))
        elif self.output_format == "rich" and len(self._taken) > 1:
            self._print(f"\n{summary.collect(self._taken)}")
        if self.output is not None and self._texts:
            write_output("".join(self._texts), self.output)

    def _print(self, text: str) -> None:
        if self.output is None:
            print_stdout(text)
        else:
            self._texts.append(text)

    def _rendered(self, report: Report) -> str:
        if self.output_format == "rich" and self.output is None:
            return terminal.render(report, color=wants_color(), width=terminal_width())
        return RENDERERS[self.output_format](self._located(report))

    def _located(self, report: Report) -> Report:
        """With paths from the root of the repository, for formats that a host reads; a thing in memory has none."""
        if self.output_format not in LOCATED or report.subject.path.startswith("<"):
            return report
        root = Path(os.environ.get("GITHUB_WORKSPACE") or os.environ.get("CI_PROJECT_DIR") or Path.cwd())
        return located(report, root)

    def _filed(self, report: Report) -> Report:
        """The report with its replay command, after writing it to the folder of reports."""
        if self.reports is None:
            return report
        path = self.reports / file_name(report)
        complete = with_replay(self._with_scripts(report), path)
        try:
            write_atomically(path, json_text.render(complete))
        except OSError as error:
            complain(f"warning: the JSON report was not written: {error}")
            return report
        if not self.quiet:
            note(f"report: {path}")
        return complete

    def _with_scripts(self, report: Report) -> Report:
        """The report whose findings name their scripts, after writing these beside it."""
        return replace(report, findings=tuple(self._with_script(report, f) for f in report.findings))

    def _with_script(self, report: Report, finding: Finding) -> Finding:
        if finding.script_text is None or self.reports is None:
            return finding
        path = self.reports / script_name(report, finding)
        try:
            write_atomically(path, finding.script_text)
        except OSError as error:
            complain(f"warning: the stand-alone script was not written: {error}")
            return finding
        return replace(finding, script=shlex.quote(str(path)))


def located(report: Report, root: Path) -> Report:
    """The report with paths relative to a folder that they are in: the subject's, and those of lines.

    A line outside the current folder has the bare name of its file: it is the subject's, or its place is not known.
    """

    def relative(path: str) -> str:
        whole = Path(os.path.normpath(Path.cwd() / path))
        return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else str(whole)

    def moved(line: Line) -> Iterator[Line]:
        if line.path == PurePath(report.subject.path).name:
            yield replace(line, path=relative(report.subject.path))
        elif (Path.cwd() / line.path).is_file():
            yield replace(line, path=relative(line.path))

    findings = tuple(replace(f, lines=tuple(m for line in f.lines for m in moved(line))) for f in report.findings)
    return replace(report, subject=replace(report.subject, path=relative(report.subject.path)), findings=findings)


def script_name(report: Report, finding: Finding) -> str:
    """``student-0123456789ab.py``: the stem of the report's file and the digest of the case."""
    stem = file_name(report).removesuffix(".json").rpartition("-")[0]
    return f"{stem}-{(finding.counterexample or {}).get('digest', 'case')}.py"


def with_replay(report: Report, path: Path) -> Report:
    """Every finding with a counterexample and without a command gets `gradcheck replay PATH`."""
    command = f"gradcheck replay {shlex.quote(str(path))}"
    findings = [
        replace(f, replay=command) if f.replay is None and f.counterexample is not None else f for f in report.findings
    ]
    return replace(report, findings=tuple(findings))


def write_atomically(path: Path, text: str) -> None:
    """Write a whole file or nothing; folders above it are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_output(text: str, path: Path) -> None:
    """Write --output; when that fails the result goes to stdout, and UsageError says why."""
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        print_stdout(text)
        msg = f"--output could not be written, so the result is on stdout: {error}"
        raise UsageError(msg) from error


def append_summary(text: str) -> None:
    """Append to the step summary of GitHub Actions, if there is one; GitHub rejects more than a mebibyte."""
    target = os.environ.get("GITHUB_STEP_SUMMARY")
    if not target:
        return
    try:
        with Path(target).open("a", encoding="utf-8", errors="backslashreplace") as file:
            if file.tell() + len(text.encode("utf-8", "backslashreplace")) > SUMMARY_LIMIT:
                complain("warning: the step summary is full; the rest is left out")
                return
            file.write(f"{text}\n")
    except OSError as error:
        complain(f"warning: the step summary was not written: {error}")


def print_stdout(text: str) -> None:
    """Print and flush; characters that the terminal's encoding lacks are escaped, a closed pipe is taken quietly."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def note(text: str) -> None:
    """A line on stderr that is no complaint."""
    try:
        print(text, file=sys.stderr)
    except (OSError, ValueError):
        return


def wants_color() -> bool:
    """Whether stdout is a terminal that takes colours; NO_COLOR and FORCE_COLOR decide before that."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def terminal_width() -> int:
    """Columns of the terminal, COLUMNS first; 100 where there is none."""
    return shutil.get_terminal_size((terminal.WIDTH, 24)).columns
