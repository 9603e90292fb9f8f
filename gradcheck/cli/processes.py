"""Several subjects one after another in this process, or `--jobs` of them at a time; results in the same order either way."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from gradcheck.cli.failures import FAILED, complain
from gradcheck.cli.progress import progress_bar

if TYPE_CHECKING:
    from gradcheck.campaign.many import Pending
    from gradcheck.cli.delivery import Delivery

Task = tuple[str, Mapping[str, Any]]
Taking = Iterator[tuple[str, Callable[[], int]]]
"""Each file with what delivers its report and gives its exit code."""


def taken(tasks: Sequence[Task], delivery: "Delivery") -> Taking:
    """One after another, unless there are several subjects and one of them asks for several processes."""
    asked = [options["jobs"] for _, options in tasks if "jobs" in options]
    if len(tasks) > 1 and asked:
        from gradcheck.api import processes

        jobs = min(len(tasks), max(map(processes, asked)))
        if jobs > 1:
            return _spread_out(tasks, jobs, delivery)
    return _in_turn(tasks, delivery)


def _in_turn(tasks: Sequence[Task], delivery: "Delivery") -> Taking:
    for file, options in tasks:
        yield file, partial(_verify, file, options, delivery)


def _verify(file: str, options: Mapping[str, Any], delivery: "Delivery") -> int:
    from gradcheck.api import verify
    from gradcheck.report import exit_code

    try:
        with progress_bar(file, quiet=delivery.quiet) as progress:
            report = verify(file, progress=progress, **options)
    except SystemExit as ending:
        complain(f"error: {file}: the subject ended its own process (SystemExit {ending.code!r:.60})")
        return FAILED
    delivery.take(report)
    return exit_code(report)


def _spread_out(tasks: Sequence[Task], jobs: int, delivery: "Delivery") -> Taking:
    """`jobs` processes, each with one subject at a time; Control-C ends them all."""
    from gradcheck.api import verified
    from gradcheck.campaign.many import spread
    from gradcheck.isolation.crew import Crew

    alone = [(file, {k: v for k, v in options.items() if k != "jobs"}) for file, options in tasks]
    with Crew(jobs) as crew, progress_bar(f"{len(tasks)} subjects", quiet=delivery.quiet) as progress:
        for k, pending in enumerate(spread(verified, alone, crew), start=1):
            yield pending.file, partial(_take, pending, delivery)
            if progress is not None:
                progress(k, len(tasks))


def _take(pending: "Pending", delivery: "Delivery") -> int:
    from gradcheck.report import exit_code

    report = pending.report()
    delivery.take(report)
    return exit_code(report)
