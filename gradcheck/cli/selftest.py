"""`gradcheck selftest`: plant known mistakes, in the trusted network and in correct files, and see that each is found."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck.cli.options import anchored, apply, split_list, subject_options, traceback_option

if TYPE_CHECKING:
    from gradcheck.cli.progress import Progress
    from gradcheck.cli.targets import Job
    from gradcheck.faults.outcomes import Plan, SelfTest

FORMATS = ("rich", "json", "markdown")
_PLAN = (
    "cases",
    "max_examples",
    "max_mutants",
    "max_faults",
    "diagnose",
    "budget",
    "seed",
    "time_limit",
    "jobs",
    "quick",
)
_FACE = ("catalogue", "output_format", "output", "quiet", "traceback")
_QUICK = {"cases": 500, "max_mutants": 100, "max_faults": 150, "diagnose": 8}

plan_options = apply(
    click.option("--max-mutants", type=click.IntRange(1), metavar="N", help="Edits a file at most, of every operator."),
    click.option("--max-faults", type=click.IntRange(1), metavar="N", help="Faults of the catalogue at most."),
    click.option(
        "--cases", type=click.IntRange(1), metavar="N", help="For a survivor to be equivalent; default: 2000."
    ),
    click.option("--diagnose", type=click.IntRange(0), metavar="N", help="How many are diagnosed too; default: 40."),
    click.option("--max-examples", type=click.IntRange(1), metavar="N", help="Cases of a verification; default: 200."),
    click.option("--quick", is_flag=True, help="A sample: 100 edits a file, 150 faults, 500 cases, 8 diagnosed."),
    click.option("--seed", type=int, help="Repeats a run."),
    click.option(
        "--budget", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Begin nothing new after."
    ),
    click.option(
        "--time-limit", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="A call; default: 2."
    ),
    click.option("--jobs", type=click.IntRange(1), metavar="N", help="Processes; default: the number of cores."),
)


@click.command()
@click.argument("targets", nargs=-1, metavar="[PATH[:OBJECT] | NAME]...")
@plan_options
@click.option(
    "--catalogue/--no-catalogue", default=None, help="Plant the catalogue too; default: when no PATH is given."
)
@subject_options
@click.option("--output-format", type=click.Choice(FORMATS), default="rich", help="Default: rich.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write there, not to stdout.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
@traceback_option
def selftest(targets: tuple[str, ...], **options: Any) -> int:
    """Plant mistakes that are known and count how many are found: small edits of correct files, and the fault catalogue.

    The files run in processes of your own, without isolation: give files that you trust. Exit codes: 0 every mistake that
    makes a difference was found, 1 a blind spot, 4 a file is not correct itself or nothing was planted.
    """
    from gradcheck.cli.configuration import find  # lazily: `gradcheck --help` is to stay fast
    from gradcheck.cli.targets import jobs
    from gradcheck.report import worst

    work = jobs(targets, find(Path.cwd())) if targets else []
    plan = _plan(options)
    catalogue = options["catalogue"] if options["catalogue"] is not None else not targets
    if not work and not catalogue:
        msg = "nothing to plant: give a PATH, or leave out --no-catalogue"
        raise click.UsageError(msg)
    said = _said(options)
    at_once = options["output_format"] == "rich" and options["output"] is None
    tests: list[SelfTest] = []
    for job in [*([None] if catalogue else []), *work]:
        tests.append(_planted(job, said if job else {}, plan, options))
        if (
            at_once
        ):  # a file may take minutes: what is known of the others is not to wait for it, nor to be lost with it
            _deliver(tests[-1:], "rich", None, first=len(tests) == 1)
    if not at_once:
        _deliver(tests, options["output_format"], options["output"])
    return worst(test.exit_code for test in tests)


def _plan(options: Mapping[str, Any]) -> "Plan":
    from gradcheck.faults.outcomes import Plan

    given = {**(_QUICK if options["quick"] else {}), **{k: v for k, v in options.items() if v is not None}}
    names = {
        "cases": "cases",
        "max_examples": "examples",
        "max_mutants": "limit",
        "max_faults": "faults",
        "diagnose": "diagnosed",
    }
    names |= {k: k for k in ("budget", "seed", "time_limit")}
    chosen = {names[k]: given[k] for k in names if k in given}
    return Plan(jobs=given.get("jobs") or os.cpu_count() or 1, **chosen)


def _said(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options about the subject that were given."""
    said = {k: v for k, v in options.items() if k not in (*_PLAN, *_FACE) and v not in (None, (), False)}
    for key in ("activations", "costs"):
        if key in said:
            said[key] = tuple(anchored(name, Path.cwd()) for name in split_list(said[key]))
    return said


def _planted(job: "Job | None", said: Mapping[str, Any], plan: "Plan", options: Mapping[str, Any]) -> "SelfTest":
    from gradcheck.campaign.selftest import Setup
    from gradcheck.campaign.selftest import selftest as run
    from gradcheck.cli.options import split_target
    from gradcheck.cli.progress import progress_bar

    setup = Setup(plan)
    if job is not None:
        path, name = split_target(job.target)
        about = {k: v for k, v in {**job.options, **said}.items() if k in _about()}
        text = Path(path).read_text(encoding="utf-8")
        setup = Setup(plan, text, path, options["object"] or job.options.get("object") or name, about)
    with progress_bar("catalogue" if job is None else job.target, quiet=options["quiet"]) as bar:
        return run(
            setup,
            catalogue=job is None,
            progress=_reporter(bar, quiet=options["quiet"]),
            of_layer=options["catalogue"] is not False,
        )


def _about() -> frozenset[str]:
    return frozenset(
        ("convention", "weights", "samples", "bias", "activations", "costs", "cost_scale", "l2", "dtype", "layer")
    )  # fmt: skip


def _reporter(bar: "Progress | None", *, quiet: bool) -> Any:
    """A bar on a terminal; elsewhere a line every few hundred trials, so that a log shows life."""
    from gradcheck.cli.delivery import note

    def report(what: str, done: int, total: int) -> None:
        if bar is not None:
            bar(done, total)
        elif not quiet and (done % 250 == 0 or done == total):
            note(f"{what}: {done} of {total}")

    return report


def _deliver(tests: Sequence["SelfTest"], output_format: str, output: Path | None, *, first: bool = True) -> None:
    from gradcheck.cli.delivery import print_stdout, write_output
    from gradcheck.render import selftest as render

    if output_format == "json":
        text = render.to_json(tests)
    elif output_format == "markdown":
        text = render.to_markdown(tests, shlex.join(["gradcheck", *sys.argv[1:]]))
    else:
        text = ("" if first else "\n") + "\n".join(render.to_text(test) for test in tests)
    if output is None:
        print_stdout(text)
    else:
        write_output(text, output)
