"""What goes wrong becomes one message on stderr and an exit code: 2 usage, 1 the subject's fault, 3 ours."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence

import click

from gradcheck.errors import Defect, SubjectError, UsageError
from gradcheck.version import __version__

FAILED, USAGE, INTERNAL, INTERRUPTED = 1, 2, 3, 130
"""As in gradcheck.report.outcome, which is not imported before it is needed: start-up is to stay fast."""


def complain(message: str) -> None:
    """One message on stderr; a stderr that is closed is no reason to fail."""
    visible = "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in message)
    try:
        click.echo(f"gradcheck: {visible}", err=True)
    except (OSError, ValueError):
        return


def guarded(
    action: Callable[[], int],
    *,
    show_traceback: bool = False,
    label: str | None = None,
    record: Callable[[Exception], str | None] = lambda _: None,
) -> int:
    """The action's own exit code, or the one of what it raised; interrupts and click's exceptions pass through.

    record: keeps what there is to know of a defect of gradcheck, and says where.
    """
    where = f"{label}: " if label else ""
    try:
        return action()
    except (click.ClickException, click.Abort, click.exceptions.Exit):
        raise
    except UsageError as error:
        complain(f"error: {where}{error}")
        return USAGE
    except SubjectError as error:
        complain(f"error: {where}the subject failed: {error.message}")
        return FAILED
    except Exception as error:
        return _internal(error, where, show_traceback, record(error))


def wants_traceback(arguments: Sequence[str]) -> bool:
    """Whether the flag is given or the environment asks for it."""
    return "--traceback" in arguments or os.environ.get("GRADCHECK_TRACEBACK", "") not in ("", "0")


def _internal(error: Exception, where: str, show_traceback: bool, kept: str | None) -> int:
    if show_traceback:
        traceback.print_exception(error, file=sys.stderr)
        if isinstance(error, Defect):
            print(error.trace, file=sys.stderr)
    reason = " ".join(str(error).split())
    complain(
        f"internal error: {where}{name_of(error)}: {reason:.400} (gradcheck {__version__}). "
        f"This is a defect of gradcheck, not of your code: please report it{_with(kept, show_traceback)}."
    )
    return INTERNAL


def name_of(error: Exception) -> str:
    """The class of an error, also of one that was raised in another process."""
    return error.name if isinstance(error, Defect) else type(error).__name__


def _with(kept: str | None, show_traceback: bool) -> str:
    if kept is not None:
        return f" and send us {kept} (it holds the versions, the traceback and the case; look into it first)"
    return "" if show_traceback else " with the output of the same command and --traceback"
