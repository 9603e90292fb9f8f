"""`gradcheck replay`: does the counterexample of a report still fail? Answers fixed, still failing, or error."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck.cli.options import limit_options, output_options, split_target, traceback_option
from gradcheck.errors import UsageError

if TYPE_CHECKING:
    from gradcheck.api import ReplayResult

EXIT_CODES = {"fixed": 0, "still failing": 1, "error": 1}


@click.command()
@click.argument("source", metavar="REPORT_OR_CASE", type=click.Path(path_type=Path))
@click.option("--subject", metavar="PATH[:OBJECT]", help="The file to try it on; default: the one in the report.")
@limit_options
@output_options(("rich", "concise", "json"))
@traceback_option
def replay(source: Path, subject: str | None, **options: Any) -> int:
    """Repeat the counterexample of a JSON report, or a case, on a subject."""
    from gradcheck.api import replay as replay_source  # lazily: `gradcheck --help` is to stay fast

    limits = {k: options[k] for k in ("time_limit", "memory_limit", "in_process") if options[k]}
    path, name = split_target(subject) if subject else (None, None)
    if path is not None and not Path(path).is_file():
        msg = f"no such file: {path}"
        raise UsageError(msg)
    chosen: dict[str, Any] = {"object": name} if name else {}
    result = replay_source(_read(source), target=path, **chosen, **limits)
    _deliver(result, options["output_format"] or "rich", options["output"])
    return EXIT_CODES[result.outcome]


def _read(source: Path) -> Mapping[str, Any]:
    """The parsed JSON object. Raises UsageError with what is wrong with the file."""
    try:
        data = json.loads(source.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        msg = f"no such file: {source}"
        raise UsageError(msg) from error
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{source} is not a JSON file that can be read: {error}"
        raise UsageError(msg) from error
    if not isinstance(data, dict):
        msg = f"{source} holds neither a report nor a case of gradcheck: expected a JSON object"
        raise UsageError(msg)
    return data


def _deliver(result: "ReplayResult", output_format: str, output: Path | None) -> None:
    from gradcheck.cli.delivery import print_stdout, write_output

    text = _text(result, output_format, color=output is None)
    if output is None:
        print_stdout(text)
    else:
        write_output(text, output)


def _text(result: "ReplayResult", output_format: str, *, color: bool) -> str:
    from gradcheck.cli.delivery import terminal_width, wants_color
    from gradcheck.render import concise, terminal, wording

    if output_format == "json":
        data = {"outcome": result.outcome, "message": result.message, "report": result.report.to_json()}
        return json.dumps(data, indent=2, allow_nan=False) + "\n"
    head = wording.defused(f"{result.outcome}: {wording.one_line(result.message)}\n")
    if output_format == "concise":
        return head + concise.render(result.report)
    return f"{head}\n{terminal.render(result.report, color=color and wants_color(), width=terminal_width())}"
