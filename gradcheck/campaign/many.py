"""Many subjects over an Executor: one subject a call, results in the order of the subjects, and none of them lost.

A process that dies takes no other subject with it. Its own subject is tried once more, in a fresh process; when that dies
too, the subject gets a report that says so. Only plain values cross: options go there, reports come back in their JSON form.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, replace
from typing import Any

from gradcheck.campaign.findings import failure_of
from gradcheck.campaign.opening import Target
from gradcheck.campaign.outcome import Options, Outcome
from gradcheck.campaign.session import report_of, sha256_of
from gradcheck.errors import SubjectError
from gradcheck.isolation.crew import ProcessDied
from gradcheck.report import Report, SubjectInfo, Tally, from_json
from gradcheck.subjects import SubjectConfiguration

Work = Callable[[str, dict[str, Any]], dict[str, Any]]


@dataclass(slots=True)
class Pending:
    """One subject under way: its file, the options it is verified with, and the call."""

    work: Work
    file: str
    options: Mapping[str, Any]
    executor: Executor
    future: Future[dict[str, Any]] | None

    def report(self) -> Report:
        """Wait for the report, once; raises what verifying it raised."""
        future, self.future = self.future, None
        assert future is not None, "a report is handed out once, and held by nobody else"
        try:
            return unpack(future.result())
        except (ProcessDied, BrokenExecutor):
            pass  # killed by somebody else, perhaps: another process decides
        try:
            return unpack(_submitted(self.executor, self.work, self.file, self.options).result())
        except (ProcessDied, BrokenExecutor) as error:
            return lost(self.file, self.options, str(error))


def spread(work: Work, tasks: Sequence[tuple[str, Mapping[str, Any]]], executor: Executor) -> list[Pending]:
    """Start ``work(file, options)`` in the executor for each task; pending reports in the order of the tasks."""
    return [Pending(work, f, options, executor, _submitted(executor, work, f, options)) for f, options in tasks]


def _submitted(executor: Executor, work: Work, file: str, options: Mapping[str, Any]) -> Future[dict[str, Any]]:
    return executor.submit(work, file, {k: list(v) if isinstance(v, tuple) else v for k, v in options.items()})


def pack(report: Report) -> dict[str, Any]:
    """A report as plain values, with the scripts that its JSON form leaves out."""
    return {"report": report.to_json(), "scripts": [f.script_text for f in report.findings]}


def unpack(data: Mapping[str, Any]) -> Report:
    """The inverse of `pack`."""
    report = from_json(data["report"])
    found = [replace(f, script_text=s) for f, s in zip(report.findings, data["scripts"], strict=True)]
    return replace(report, findings=tuple(found))


def lost(file: str, options: Mapping[str, Any], how: str) -> Report:
    """The report of a subject whose verification did not survive it, twice."""
    name, target = options.get("object"), Target(file, options.get("object"))
    message = f"the process of gradcheck that verified it ended, twice: {how}. Does the subject kill processes?"
    outcome = Outcome((failure_of(SubjectError("crash", message), None),), Tally(), ())
    info = SubjectInfo(file, name, options.get("convention"), sha256_of(target))
    said = SubjectConfiguration(convention=options.get("convention"))
    return report_of(info, outcome, None, Options(seed=options.get("seed") or 0), 0.0, (said, ()))
