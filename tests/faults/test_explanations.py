"""The texts of `gradcheck explain`."""

import pytest

from gradcheck.errors import UsageError
from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.explanations import CODES, explain, explain_all
from gradcheck.faults.state import STATE
from gradcheck.report.codes import Code


def test_every_code_has_a_text_with_its_title():
    """The enum of the report is the source of titles."""
    assert {name: text.title for name, text in CODES.items()} == {code.name: code.title for code in Code}


@pytest.mark.parametrize("code", [c for c in CODES if c < "GC9"])
def test_a_page_has_a_wrong_and_a_right_example(code):
    """And how it looks in a report, and where it is invisible."""
    text = CODES[code]
    assert text.wrong
    assert text.right
    assert text.report
    assert text.invisible


@pytest.mark.parametrize("name", ["GC402", "gc402", "bp2_no_transpose", STATE[0].name])
def test_codes_and_faults_are_explained(name):
    """A code in any case, a fault by its name."""
    assert explain(name).splitlines()[0].lower().startswith(name.lower())


def test_an_unknown_code_names_the_nearest():
    """With the way to list all."""
    with pytest.raises(UsageError, match="bp2_no_transpose"):
        explain("bp2_no_transposed")


def test_everything_is_listed():
    """All codes, all faults."""
    text = explain_all()
    assert all(name in text for name in [*CODES, *CATALOGUE, *(s.name for s in STATE)])
