"""`gradcheck explain`: the page of a finding code or of a fault of the catalogue, all titles, or everything."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import click

from gradcheck.errors import UsageError

FORMATS = ("text", "json", "markdown")


@click.command()
@click.argument("name", metavar="CODE_OR_FAULT", required=False)
@click.option("--all", "everything", is_flag=True, help="Every code, and the whole catalogue of faults.")
@click.option("--codes", is_flag=True, help="Every code with its title, as a table.")
@click.option("--faults", is_flag=True, help="How many faults the catalogue holds, family by family.")
@click.option("--output-format", type=click.Choice(FORMATS), default="text", show_default=True)
def explain(name: str | None, everything: bool, codes: bool, faults: bool, output_format: str) -> int:
    """Explain a code such as GC402, or a mistake such as bp2_no_transpose: meaning, equation, examples, blind spots."""
    from gradcheck.cli.delivery import print_stdout  # lazily: `gradcheck --help` is to stay fast
    from gradcheck.faults.explanations import explain as page
    from gradcheck.faults.explanations import explain_all

    if (name is not None) + everything + codes + faults != 1:
        msg = "name one code or fault, such as GC402 or bp2_no_transpose, or give --codes, --faults or --all"
        raise UsageError(msg)
    if faults:
        print_stdout(table_of_faults(output_format))
        return 0
    if codes:
        print_stdout(table_of_codes(output_format))
        return 0
    if everything and output_format == "json":
        print_stdout(json.dumps(_pages(), indent=2) + "\n")
        return 0
    text = explain_all() if name is None else page(name)
    print_stdout(_formatted(name, text.rstrip("\n"), output_format) + "\n")
    return 0


def table_of_codes(output_format: str) -> str:
    """Every code with its title: one a line, a JSON object, or the Markdown table of the README."""
    from gradcheck.report import Code

    if output_format == "json":
        return json.dumps({code.name: code.title for code in Code}, indent=2) + "\n"
    if output_format == "text":
        return "".join(f"{code.name}  {code.title}\n" for code in Code)
    rows = [f"| `{code.name}` | {code.title} |\n" for code in Code]
    return "".join(["| code | what was found |\n", "|---|---|\n", *rows])


def table_of_faults(output_format: str) -> str:
    """Kinds, faults and places of every family and layer, with the totals of networks, state and layers."""
    from gradcheck.faults.inventory import DEPTH, Count, counts, summary

    if output_format == "json":
        data = {"depth": DEPTH, "families": [asdict(c) for c in counts()], "totals": [asdict(c) for c in summary()]}
        return json.dumps(data, indent=2) + "\n"

    def row(c: Count, total: str = "") -> tuple[str, ...]:
        return (f"{total}{c.family}", *(f"{n:,}" for n in (c.kinds, c.faults, c.places)))

    head = ("family", "kinds", "faults", f"places in {DEPTH} layers")
    rows = [row(c) for c in counts()] + [row(c, "all: ") for c in summary()]
    if output_format == "markdown":
        lines = [head, ("---", *["--:"] * 3), *rows]
        return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    widths = [max(len(cells[k]) for cells in (head, *rows)) for k in range(4)]
    return "".join(f"{_aligned(cells, widths)}\n" for cells in (head, *rows))


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)])


def _formatted(name: str | None, text: str, output_format: str) -> str:
    if output_format == "json":
        return json.dumps({"name": text.partition(":")[0], "text": text}, indent=2)
    if output_format == "text":
        return text
    if name is None:
        return "\n\n".join(_markdown(entry, page) for entry, page in _pages().items())
    return _markdown(*text.split(":", 1))


def _markdown(name: str, text: str) -> str:
    """A heading, then the page as a block, whose columns matter."""
    body = text.removeprefix(f"{name}:").strip("\n ")
    return f"## {name}\n\n```text\n{body}\n```"


def _pages() -> dict[str, str]:
    """name -> page, codes first."""
    from gradcheck.faults.catalogue import CATALOGUE
    from gradcheck.faults.explanations import CODES
    from gradcheck.faults.explanations import explain as page
    from gradcheck.faults.layers import FAULTS
    from gradcheck.faults.state import STATE

    names = [*CODES, *CATALOGUE, *(fault.name for fault in STATE), *(fault.name for fault in FAULTS)]
    return {name: page(name) for name in names}
