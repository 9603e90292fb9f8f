"""The outcome of a self-test in words."""

import json

from gradcheck.faults.outcomes import CatalogueResult, Diagnosed, MutantResult, Plan, SelfTest, Survivor
from gradcheck.render.selftest import to_json, to_markdown, to_text

BLIND = Survivor(
    "line 3 of f: a | b → a_b (name swapped)", "name swapped", 3, "it differs on 1 of 9 cases: W1", "blind spot"
)
SAME = Survivor("line 4 of f: 1 * x → x (factor dropped)", "factor dropped", 4, "the same answers on all of 9 cases", "equivalent")  # noqa: E501  # fmt: skip
MUTANTS = MutantResult("net.py", 9, 9, 8, 7, (BLIND, SAME), Diagnosed(3, 3, 2), {"exception": 4, "wrong numbers": 3})
CATALOGUE = CatalogueResult(5, 4, 4, Diagnosed(2, 2, 1, ("x: y",)), (), ("z",), {"effects": 4})


def test_the_first_sentence_says_it_all():
    """How many of how many, then what was not found."""
    text = to_text(SelfTest(Plan(), mutants=MUTANTS))
    assert text.startswith("on net.py, 7 of 8 planted mistakes were found\n")
    assert "blind spot: line 3 of f" in text
    assert "line 4" not in text


def test_markdown_lists_every_survivor_with_its_reason():
    """In a table for each kind, markup escaped."""
    text = to_markdown([SelfTest(Plan(), CATALOGUE, MUTANTS)], "gradcheck selftest net.py")
    assert "`gradcheck selftest net.py`" in text
    assert "| line 3 of f | a \\| b → a\\_b (name swapped) | it differs on 1 of 9 cases: W1 |" in text
    assert "| line 4 of f | 1 \\* x → x (factor dropped) |" in text


def test_markdown_begins_with_a_table():
    """How many were found, and how often place and name were right, a row for each part."""
    text = to_markdown([SelfTest(Plan(), CATALOGUE, MUTANTS)])
    assert "| the catalogue | 5 | 4 | 4 | 100 % | 1 | 2 | 2 | 1 | 1 |" in text
    assert "| net.py | 9 | 8 | 7 | 87.5 % | 1 | 3 | 3 | 2 | 0 |" in text


def test_wrong_names_are_said():
    """And what no case can show."""
    text = to_text(SelfTest(Plan(), CATALOGUE))
    assert "wrong names: x: y" in text
    assert "no random case shows: z" in text


def test_exit_codes():
    """All found, a blind spot, nothing planted, a file that is wrong itself."""
    tests = [SelfTest(Plan(), CATALOGUE), SelfTest(Plan(), mutants=MUTANTS), SelfTest(Plan()), SelfTest(Plan(), CATALOGUE, refused="no")]  # noqa: E501  # fmt: skip
    assert [t.exit_code for t in tests] == [0, 1, 4, 4]


def test_several_are_a_list():
    """One object for one."""
    one = SelfTest(Plan(), CATALOGUE)
    assert json.loads(to_json([one]))["passed"] is True
    assert len(json.loads(to_json([one, one]))) == 2
