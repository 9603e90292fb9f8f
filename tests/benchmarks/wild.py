"""Verify public hand-written backprops: `python -m tests.benchmarks.wild --repos DIR`.

DIR holds one folder OWNER+NAME for each repository: a checkout, or a bare git directory (also as OWNER+NAME/repo or
OWNER+NAME/repo/.git), from which the Python files and notebooks are taken. What is right of each is in wild.toml, with our
reasons. The table goes to reports/wild.md; a repository that is not there is named as skipped.
"""

import argparse
import contextlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradcheck
from gradcheck.report import Report
from gradcheck.subjects import load
from gradcheck.subjects.proposals import proposal

HERE = Path(__file__).parent
QUICK = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One subject and what came out; `right` is None where the repository is not there."""

    subject: dict[str, Any]
    verdict: str
    detected: str
    right: bool | None
    detail: str
    configuration: str = "none"


def main(arguments: list[str]) -> int:
    """Run all, write the table, and print the key figures as JSON; 1 when a verdict is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repos", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help=f"the first {QUICK} subjects only")
    parser.add_argument("--max-examples", type=int, default=60)
    parser.add_argument("--output", type=Path, default=HERE.parent.parent / "reports" / "wild.md")
    options = parser.parse_args(arguments)
    subjects = tomllib.loads((HERE / "wild.toml").read_text())["subject"]
    with tempfile.TemporaryDirectory() as scratch:
        rows = [
            row_of(s, options.repos, Path(scratch), options.max_examples)
            for s in subjects[: QUICK if options.quick else None]
        ]
    if not options.quick:
        options.output.write_text(table(rows, options.max_examples))
    found = [r for r in rows if r.right is not None]
    alarms = sum(r.verdict == "fail" and r.subject["expected"] != "fail" for r in found)
    figures = {
        "subjects": len(found),
        "detected": sum(bool(r.detected) for r in found),
        "without_configuration": sum(bool(r.detected) and r.configuration == "none" for r in found),
        "right": sum(bool(r.right) for r in found),
        "false_alarms": alarms,
        "skipped": [r.subject["repository"] for r in rows if r.right is None],
    }
    print(json.dumps(figures))
    return int(alarms > 0 or figures["right"] != len(found))


def row_of(subject: dict[str, Any], repositories: Path, scratch: Path, examples: int) -> Row:
    """Verify one subject in a child process."""
    root = checkout(repositories / subject["repository"].replace("/", "+"), scratch)
    if root is None:
        return Row(subject, "skipped", "", None, "the repository is not there")
    file = root / subject["file"]
    if not file.is_file():
        return Row(subject, "skipped", "", None, "the file is not there")
    needed = []
    for name, text in subject.get("files", {}).items():
        (file.parent / name).write_text(text)
        needed.append(f"a file {name}")
    with contextlib.chdir(file.parent):  # a file may read others beside it, and write some
        report = gradcheck.verify(file.name, object=subject.get("object"), max_examples=examples, time_limit=60)
        adapter, lines = adapted(file, subject.get("object")) if report.verdict == "error" else (None, 0)
        if adapter is not None:
            report = gradcheck.verify(str(adapter), max_examples=examples, time_limit=60)
            needed.append(f"`gradcheck init` ({lines} lines of it guesses to be looked at)")
    detected = report.subject.convention or ""
    refused = report.verdict == "error" and not report.tally.cases
    verdict = "refused" if refused else report.verdict
    right = verdict == subject["expected"]
    print(f"{subject['repository']} {subject['file']}: {verdict}", file=sys.stderr)
    return Row(subject, verdict, "" if refused else detected, right, short(report), ", ".join(needed) or "none")


def adapted(file: Path, object_name: str | None) -> tuple[Path | None, int]:
    """The adapter that `gradcheck init` writes, where it leaves nothing to fill in, and how many of its lines are guesses."""
    place = file.with_name("adapter_of_it.py")
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # what the file prints while it is loaded
            found = proposal(load(str(file), object_name), file, place.name, object_name)
    except gradcheck.SubjectError:
        return None, 0
    if found.kind != "adapter" or found.open:
        return None, 0
    place.write_text(found.text)
    return place, found.text.count("a guess")


def short(report: Report) -> str:
    """The first finding in a few words, for a verdict that is no pass."""
    if report.verdict == "pass" or not report.findings:
        return f"{report.tally.cases} cases"
    return f"{report.findings[0].code.name}"


def checkout(place: Path, scratch: Path) -> Path | None:
    """A folder with the repository's Python files and notebooks; None where there is none."""
    git = next(
        (g for g in (place / "repo" / ".git", place / "repo", place / ".git", place) if (g / "HEAD").is_file()), None
    )
    target = scratch / place.name
    if git is None and place.is_dir() and not target.exists():
        shutil.copytree(place, target, ignore=_other_files)
    if git is None:
        return target if target.exists() else None
    if not target.exists():
        names = _git(git, "ls-tree", "-r", "--name-only", "-z", "HEAD").decode().split("\0")
        for name in (n for n in names if n.endswith((".py", ".ipynb"))):
            _write(target / name, git, name)
    return target


def _other_files(folder: str, names: list[str]) -> list[str]:
    """What is neither a folder nor Python nor a notebook."""
    return [n for n in names if not n.endswith((".py", ".ipynb")) and not (Path(folder) / n).is_dir()]


def _write(path: Path, git: Path, name: str) -> None:
    try:
        text = _git(git, "show", f"HEAD:{name}")
    except subprocess.CalledProcessError:  # large files may be absent from a snapshot
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)


def _git(git: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", f"--git-dir={git}", *arguments], check=True, capture_output=True).stdout


def table(rows: list[Row], examples: int) -> str:
    """The report: one line for each subject, then what is not right."""
    lines = [
        "# Public hand-written backprops",
        "",
        f"`python -m tests.benchmarks.wild --repos DIR --max-examples {examples}`",
        "",
        "Each file as it is. Configuration: what had to be said or added before it could be run. Right: whether the verdict is",
        "what reading the code says.",
        "",
        "| repository | file | kind | detected | configuration | verdict | right | why |",
        "|---|---|---|---|---|---|---|---|",
        *(_line(r) for r in rows),
        "",
    ]
    return "\n".join(lines)


def _line(r: Row) -> str:
    s = r.subject
    file = s["file"] + (f":{s['object']}" if "object" in s else "")
    right = "–" if r.right is None else "yes" if r.right else "**no**"
    cells = [
        s["repository"],
        f"`{file}`",
        s["convention"],
        r.detected or "–",
        r.configuration,
        f"{r.verdict} ({r.detail})",
        right,
        s["reason"],
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
