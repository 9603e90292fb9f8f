"""`gradcheck explain`: pages of codes and faults, everything, and mistakes in the name."""

import json
from pathlib import Path

import pytest

from gradcheck.cli.main import main
from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.inventory import kinds
from gradcheck.report import Code


@pytest.mark.parametrize("name", [*(code.name for code in Code), "bp2_no_transpose", "lstm_no_tanh_prime"])
def test_a_code_or_a_fault_has_a_page(name, capsys):
    """Exit code 0, the name first."""
    assert main(["explain", name]) == 0
    assert capsys.readouterr().out.startswith(f"{name}: ")


def test_everything_as_json_is_a_page_for_each(capsys):
    """Codes and catalogue."""
    assert main(["explain", "--all", "--output-format", "json"]) == 0
    pages = json.loads(capsys.readouterr().out)
    assert {code.name for code in Code} | set(CATALOGUE) <= set(pages)


def test_markdown_has_a_heading_and_a_block(capsys):
    """For documents."""
    assert main(["explain", "GC402", "--output-format", "markdown"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("## GC402\n\n```text\n")
    assert out.endswith("```\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["GC40"], "did you mean"),
        (["--codes", "--all"], "--faults or --all"),
        ([], "--faults or --all"),
        (["GC402", "--all"], "--faults or --all"),
    ],
)
def test_bad_input_is_two(arguments, words, capsys):
    """With what to do."""
    assert main(["explain", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_the_table_of_the_readme_is_up_to_date(capsys):
    """It is what the command prints that stands above it there."""
    assert main(["explain", "--codes", "--output-format", "markdown"]) == 0
    table = capsys.readouterr().out
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    command = "`gradcheck explain --codes --output-format markdown`:"
    assert f"{command}\n\n{table}\n" in readme, f"replace the table in README.md by what this prints: {command}"


@pytest.mark.parametrize("output_format", ["text", "json", "markdown"])
def test_every_code_is_in_the_table(output_format, capsys):
    """With its title, in the order of the Enum."""
    assert main(["explain", "--codes", "--output-format", output_format]) == 0
    out = capsys.readouterr().out
    places = [out.index(code.title, out.index(code.name)) for code in Code]
    assert places == sorted(places)


def test_the_catalogue_is_counted(capsys):
    """Totals are sums, every name has its kind, and every fault of the catalogue is in one family."""
    assert main(["explain", "--faults", "--output-format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    of_network = [c for c in data["families"] if c["group"] == "network"]
    network, _, layers = data["totals"]
    assert network["faults"] == sum(c["faults"] for c in of_network) == len(CATALOGUE)
    assert all(c["kinds"] <= c["faults"] <= c["places"] for c in of_network)
    assert (network["kinds"] >= 120, layers["kinds"] >= 60) == (True, True)


def test_kinds_do_not_depend_on_where_they_stand():
    """σ for σ′ at the output, in the recursion and in tanh layers is one kind; a factor is one in every equation."""
    same = ["bp1_prime_is_value", "bp2_prime_is_value", "act_tanh_value"]
    assert kinds(CATALOGUE[n] for n in same) == {"value"}
    factors = ["bp1_factor_over_m", "bp4_factor_over_m", "bp4_result_factor_over_m"]
    assert kinds(CATALOGUE[n] for n in factors) == {"over_m"}


def test_the_count_of_the_readme_is_up_to_date(capsys):
    """The sentence holds the totals."""
    assert main(["explain", "--faults", "--output-format", "json"]) == 0
    network, state, layers = json.loads(capsys.readouterr().out)["totals"]
    counted = f"{network['kinds']:,} kinds of mistakes ({network['faults']:,} by equation and activation)"
    readme = " ".join((Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").split())
    assert f"{counted}, {state['faults']} of state, {layers['faults']} of layers" in readme
