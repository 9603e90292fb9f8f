"""The command `gradcheck`. It decides the exit code: 0 verified, 1 discrepancy, 2 usage, 3 internal, 4 inconclusive."""

import sys
from collections.abc import Sequence

import click

from gradcheck.cli.conventions import conventions
from gradcheck.cli.explain import explain
from gradcheck.cli.failures import INTERRUPTED, USAGE, complain, guarded, wants_traceback
from gradcheck.cli.init import init
from gradcheck.cli.replay import replay
from gradcheck.cli.report import report
from gradcheck.cli.selftest import selftest
from gradcheck.cli.verify import verify
from gradcheck.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gradcheck", message="%(prog)s %(version)s")
def group() -> None:
    """Proves or refutes a hand-written backprop, by finite differences and jax.grad on random networks.

    Exit codes: 0 verified, 1 discrepancy or failing subject, 2 usage or configuration, 3 internal error,
    4 inconclusive or nothing checked.
    """


group.add_command(verify)
group.add_command(replay)
group.add_command(report)
group.add_command(conventions)
group.add_command(init)
group.add_command(selftest)
group.add_command(explain)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and give its exit code; prints one message, and no traceback, for what goes wrong."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return guarded(lambda: _run(given), show_traceback=wants_traceback(given))
    except click.ClickException as error:
        error.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        complain("interrupted")
        return INTERRUPTED


def _run(arguments: Sequence[str]) -> int:
    outcome = group.main(args=list(arguments), prog_name="gradcheck", standalone_mode=False)
    return outcome if isinstance(outcome, int) else 0
