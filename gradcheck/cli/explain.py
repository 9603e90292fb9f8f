"""`gradcheck explain`: the page of a finding code or of a fault of the catalogue, all titles, or everything."""

import json

import click

from gradcheck.errors import UsageError

FORMATS = ("text", "json", "markdown")


@click.command()
@click.argument("name", metavar="CODE_OR_FAULT", required=False)
@click.option("--all", "everything", is_flag=True, help="Every code, and the whole catalogue of faults.")
@click.option("--codes", is_flag=True, help="Every code with its title, as a table.")
@click.option("--output-format", type=click.Choice(FORMATS), default="text", show_default=True)
def explain(name: str | None, everything: bool, codes: bool, output_format: str) -> int:
    """Explain a code such as GC402, or a mistake such as bp2_no_transpose: meaning, equation, examples, blind spots."""
    from gradcheck.cli.delivery import print_stdout  # lazily: `gradcheck --help` is to stay fast
    from gradcheck.faults.explanations import explain as page
    from gradcheck.faults.explanations import explain_all

    if (name is not None) + everything + codes != 1:
        msg = "name one code or fault, such as GC402 or bp2_no_transpose, or give --codes or --all"
        raise UsageError(msg)
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
    from gradcheck.faults.state import STATE

    return {name: page(name) for name in [*CODES, *CATALOGUE, *(fault.name for fault in STATE)]}
