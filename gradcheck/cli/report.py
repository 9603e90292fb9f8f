"""`gradcheck report`: reports that were written before, in any format, without running anything again."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck.cli.options import output_options, traceback_option
from gradcheck.errors import UsageError

if TYPE_CHECKING:
    from gradcheck.report import Report


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="REPORT_OR_FOLDER...", type=click.Path(path_type=Path))
@output_options()
@traceback_option
def report(sources: tuple[Path, ...], output_format: str | None, output: Path | None, **_: Any) -> int:
    """Print JSON reports of `verify` in another format: a page for students, SARIF for code scanning, a CSV of a class.

    A folder is all reports in it. The exit code is that of the verifications: 0 verified, 1 a discrepancy, 4 inconclusive.
    """
    from gradcheck.cli.delivery import Delivery  # lazily: `gradcheck --help` is to stay fast
    from gradcheck.report import exit_code, worst

    found = [read(path) for source in sources for path in _files(source)]
    delivery = Delivery(output_format or "rich", output, None, quiet=True, several=len(found) > 1)
    for one in found:
        delivery.take(one)
    delivery.finish()
    return worst(exit_code(one) for one in found)


def read(path: Path) -> "Report":
    """One report. Raises UsageError with what is wrong with the file."""
    from gradcheck.report import from_json

    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        msg = f"no such file: {path}"
        raise UsageError(msg) from error
    except UsageError as error:
        msg = f"{path}: {error}"
        raise UsageError(msg) from error
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{path} is not a JSON file that can be read: {error}"
        raise UsageError(msg) from error


def _files(source: Path) -> Iterator[Path]:
    """The file, or the reports of a folder by name. Raises UsageError for a folder without any."""
    if not source.is_dir():
        yield source
        return
    reports: Sequence[Path] = sorted(p for p in source.glob("*.json") if not p.name.startswith("."))
    if not reports:
        msg = f"there is no JSON report in {source}"
        raise UsageError(msg)
    yield from reports
