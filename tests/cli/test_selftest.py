"""`gradcheck selftest` on the command line."""

import json
from pathlib import Path

import pytest

from gradcheck.cli.main import main

REFERENCE = str(Path(__file__).parents[2] / "reference" / "from_to_bias_row.py")
FEW = ["--max-mutants", "6", "--max-examples", "20", "--cases", "40", "--diagnose", "0", "--jobs", "1", "--quiet"]


def test_a_correct_file(capsys):
    """The sentence, and exit code 0."""
    assert main(["selftest", REFERENCE, *FEW]) == 0
    assert "planted mistakes were found" in capsys.readouterr().out


def test_json_goes_to_a_file(tmp_path):
    """The whole outcome."""
    assert main(["selftest", REFERENCE, *FEW, "--output-format", "json", "--output", str(tmp_path / "o.json")]) == 0
    data = json.loads((tmp_path / "o.json").read_text())
    assert data["mutants"]["run"] == 6


def test_a_file_that_is_wrong_itself_is_inconclusive(capsys):
    """Exit code 4 with the way to see why."""
    wrong = Path(__file__).parents[1] / "specimens" / "sigma_not_prime_wrong.py"
    assert main(["selftest", str(wrong), *FEW]) == 4
    assert "is not correct itself" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["no_such_file.py"], ["--no-catalogue"], ["--max-mutants", "0", REFERENCE]])
def test_usage(arguments):
    """A missing file, nothing to plant, no mutants."""
    assert main(["selftest", *arguments]) == 2
