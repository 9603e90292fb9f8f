"""`gradcheck verify`: each subject to a report, a printed result, and one exit code for all."""

import contextlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck.cli.failures import guarded, wants_traceback
from gradcheck.cli.options import (
    anchored,
    output_options,
    run_options,
    split_list,
    split_target,
    subject_options,
    traceback_option,
)

if TYPE_CHECKING:
    from gradcheck.cli.configuration import Configuration
    from gradcheck.cli.delivery import Delivery

_FACE = ("output_format", "output", "reports", "no_report", "quiet", "traceback")


@click.command()
@click.argument("targets", nargs=-1, metavar="[PATH[:OBJECT] | NAME]...")
@subject_options
@run_options
@output_options()
@click.option(
    "--reports", metavar="DIR", type=click.Path(path_type=Path), help="Folder of JSON reports; default: reports/."
)
@click.option("--no-report", is_flag=True, help="Write no JSON report.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no notes on stderr.")
@traceback_option
def verify(targets: tuple[str, ...], **options: Any) -> int:
    """Verify hand-written backprops: files, folders, or subjects named in gradcheck.toml (all of them by default)."""
    from gradcheck.cli.configuration import find  # these and the API lazily: `gradcheck --help` is to stay fast
    from gradcheck.cli.defects import recorded
    from gradcheck.cli.processes import taken
    from gradcheck.cli.targets import jobs

    _require_one_object(targets, options["object"])
    configuration = find(Path.cwd())
    flags = _flags(options)
    settings = {k: v for k, v in configuration.settings.items() if k not in _FACE}
    tasks = [(job.target, {**settings, **job.options, **flags}) for job in jobs(targets, configuration)]
    show = options["traceback"] or wants_traceback(())
    with _child_ahead(tasks):
        from gradcheck.report import worst

        delivery = _delivery(options, configuration, several=len(tasks) > 1)
        try:
            codes = [
                guarded(
                    take, show_traceback=show, label=file, record=partial(recorded, folder=delivery.reports, file=file)
                )
                for file, take in taken(tasks, delivery)
            ]
        finally:
            delivery.finish()
        return worst(codes)


def _child_ahead(tasks: Sequence[tuple[str, Mapping[str, Any]]]) -> contextlib.AbstractContextManager[None]:
    """The process of the first subject comes up while this one imports the rest; elsewhere, processes are started in time."""
    options = tasks[0][1]
    if options.get("in_process") or options.get("sandbox") or (len(tasks) > 1 and "jobs" in options):
        return contextlib.nullcontext()
    from gradcheck.isolation import spare

    return spare.child(options.get("memory_limit", spare.MEMORY_LIMIT))


def _flags(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of gradcheck.verify that were given on the command line; the rest keeps its defaults there."""
    flags = {k: v for k, v in options.items() if k not in _FACE and not _unset(v)}
    for key in ("activations", "costs"):
        if key in flags:
            flags[key] = tuple(anchored(name, Path.cwd()) for name in split_list(flags[key]))
    for key in {"select", "ignore"} & flags.keys():
        flags[key] = split_list(flags[key])
    return flags


def _require_one_object(targets: Sequence[str], name: str | None) -> None:
    others = [other for _, other in map(split_target, targets) if name and other not in (None, name)]
    if others:
        msg = f"--object {name} and :{others[0]} name different objects; give one of them"
        raise click.UsageError(msg)


def _unset(value: Any) -> bool:
    return value is None or value is False or value == ()


def _delivery(options: Mapping[str, Any], configuration: "Configuration", *, several: bool) -> "Delivery":
    from gradcheck.cli.delivery import Delivery

    settings = configuration.settings
    reports = None if options["no_report"] else options["reports"] or settings.get("reports") or Path("reports")
    output_format = options["output_format"] or settings.get("output_format", "rich")
    output = options["output"]
    if output is not None and not output.parent.is_dir():
        msg = f"--output: there is no folder {output.parent}"
        raise click.UsageError(msg)
    return Delivery(output_format, output, reports, options["quiet"], several)
