"""Format `github`: workflow commands that become annotations; error for a fail, warning for inconclusive, else notice.

GitHub shows ten annotations of a kind in each step: what is beyond that is counted in the last one. Paths must be
relative to the repository, with forward slashes and no leading ``./``.
"""

from pathlib import PurePath, PurePosixPath

from gradcheck.render import wording
from gradcheck.report import Finding, Report

SHOWN = 10
LEVELS = {"pass": "notice", "fail": "error", "error": "error", "inconclusive": "warning"}
MESSAGE_WIDTH = 4000


def render(report: Report, *, root: str | None = None) -> str:
    """One annotation for each finding, or one for the verdict; absolute paths below `root` become relative to it."""
    file = _relative(report.subject.path, root)
    if not report.findings:
        return _command(LEVELS[report.verdict], file, f"gradcheck: {report.verdict}", _summary(report))
    hidden = len(report.findings) - SHOWN
    commands = [_annotation(finding, file) for finding in report.findings[:SHOWN]]
    if hidden > 0:
        last = f"{_message(report.findings[SHOWN - 1])}\n… and {wording.plural(hidden, 'more finding')}"
        commands[-1] = _command(_level(report.findings[SHOWN - 1]), file, "gradcheck", last)
    return "".join(commands)


def _annotation(finding: Finding, file: str) -> str:
    title = f"gradcheck {finding.code.name}: {wording.title(finding)}"
    return _command(_level(finding), file, title, _message(finding))


def _level(finding: Finding) -> str:
    return LEVELS[finding.verdict]


def _message(finding: Finding) -> str:
    text = "\n".join(wording.lines(finding)) or wording.title(finding)
    return text if len(text) <= MESSAGE_WIDTH else f"{text[:MESSAGE_WIDTH]}…"


def _summary(report: Report) -> str:
    return f"{wording.subject(report)}: {report.verdict} · {wording.tally(report.tally)}"


def _command(level: str, file: str, title: str, message: str) -> str:
    return f"::{level} file={_property(file)},title={_property(title)}::{_data(message)}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(wording.one_line(text)).replace(":", "%3A").replace(",", "%2C")


def _relative(path: str, root: str | None) -> str:
    pure = PurePath(path)
    if root is not None and pure.is_absolute() and pure.is_relative_to(root):
        pure = pure.relative_to(root)
    return str(PurePosixPath(pure.as_posix().replace("\\", "/")))
