"""Findings without a traced line get a guess that is never sure."""

import pytest

from gradcheck.campaign.likely_source import with_likely_lines
from gradcheck.report import Code, Finding, Line, Place

TEXT = "def cost(a, y):\n    return ((a - y) ** 2).sum()\n"


def finding(equation="cost", verdict="fail", lines=()):
    """Of a wrong cost."""
    return Finding(Code.GC302, verdict, "triangle", "", (Place(equation, 1),), lines=lines)


def test_a_wrong_cost_gets_the_line_of_the_cost(tmp_path):
    """Unsure, with the reason."""
    path = tmp_path / "net.py"
    path.write_text(TEXT)
    (line,) = with_likely_lines(finding(), str(path)).lines
    assert (line.number, line.sure, line.text) == (2, False, "return ((a - y) ** 2).sum()")
    assert line.reason == "a guess: by its names it is the cost"


@pytest.mark.parametrize(
    "given", [finding(verdict="pass"), finding("structure"), finding(lines=(Line("net.py", 1, "", True, ""),))]
)
def test_what_has_a_line_or_no_equation_is_left_as_it_is(given, tmp_path):
    """Advice too."""
    path = tmp_path / "net.py"
    path.write_text(TEXT)
    assert with_likely_lines(given, str(path)) == given


def test_a_file_that_cannot_be_read_costs_nothing_else(tmp_path):
    """Another encoding, or no file."""
    (tmp_path / "latin.py").write_bytes(b"# \xe9\n")
    for name in ("latin.py", "missing.py", "book.ipynb"):
        assert with_likely_lines(finding(), str(tmp_path / name)) == finding()
