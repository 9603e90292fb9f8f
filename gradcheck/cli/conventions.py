"""`gradcheck conventions`: the calling conventions that are recognised, with a template of each."""

from difflib import get_close_matches
from textwrap import indent
from typing import TYPE_CHECKING

import click

from gradcheck.errors import UsageError

if TYPE_CHECKING:
    from gradcheck.subjects import Convention


@click.command()
@click.argument("name", required=False)
def conventions(name: str | None) -> None:
    """List the calling conventions, or show the template of one."""
    from gradcheck.cli.delivery import print_stdout
    from gradcheck.subjects.detect import CONVENTIONS as modules  # lazily: it imports numpy

    if name is None:
        print_stdout("\n".join(_entry(module) for module in modules.values()))
        return
    if name not in modules:
        near = get_close_matches(name, modules, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(modules)}"
        msg = f"unknown convention {name!r}; {hint}"
        raise UsageError(msg)
    print_stdout(modules[name].TEMPLATE)


def _entry(module: "Convention") -> str:
    return f"{module.NAME}\n  {module.CALL}\n\n{indent(module.TEMPLATE.rstrip(), '    ')}\n"
