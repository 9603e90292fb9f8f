"""The words and numbers that all formats share."""

from dataclasses import replace
from math import inf, nan

import pytest

from gradcheck.render import wording
from gradcheck.report import Difference, Finding, Place, Tally


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("plain ½ σ′ 漢", "plain ½ σ′ 漢"),
        ("a\nb\tc", "a\nb\tc"),
        ("a\r\nb", "a\nb"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("\ud800", "\\ud800"),
        ("\u202e", "\\u202e"),
        ("\ufffe", "\\ufffe"),
    ],
)
def test_clean_makes_control_characters_visible(given, expected):
    """What could move a cursor, break XML or turn the text around is escaped; all else stays."""
    assert wording.clean(given) == expected


@pytest.mark.parametrize(
    ("claimed", "expected", "texts"),
    [
        (0.5, 0.25, ("0.5", "0.25")),
        (1 / 3, 2 / 3, ("0.3333", "0.6667")),
        (0.1234567, 0.12345671, ("0.1234567", "0.12345671")),
        (1.0, 1.0 + 1e-12, ("1.0", "1.000000000001")),
        (nan, 1.0, ("nan", "1")),
        (inf, 1.0, ("inf", "1")),
    ],
)
def test_numbers_have_as_many_digits_as_tell_them_apart(claimed, expected, texts):
    """Four digits, or every digit when six agree."""
    assert wording.pair(claimed, expected) == texts


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.95, "95.0 %"), (0.99999, "99.999 %"), (1 - 1e-9, "99.9999999 %"), (1.0, "100 %"), (nan, "nan %")],
)
def test_a_confidence_is_never_rounded_up_to_certainty(probability, text):
    """Only 1 is 100 %."""
    assert wording.percent(probability) == text


def test_the_worst_discrepancy_comes_first():
    """Not finite before exact bound before many bounds apart before few."""
    rows = [(1.0, 1.1, 0.05), (1.0, 1.1, 0.001), (1.0, 1.1, 0.0), (nan, 1.0, 0.1)]
    given = [Difference("W1", (i,), *row, "jax") for i, row in enumerate(rows)]
    assert [d.index for d in wording.worst_first(given)][2:] == [(1,), (0,)]
    assert {d.index for d in wording.worst_first(given)[:2]} == {(2,), (3,)}


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place("BP2", 2), "layer 2, BP2: recursion"),
        (Place("cost"), "cost"),
        (Place("structure", 1), "layer 1, structure"),
    ],
)
def test_places_name_layer_and_equation(place, text):
    """The four equations get their names; the rest stands for itself."""
    assert wording.place(place) == text


def test_the_tally_counts_in_words():
    """Singular, thousands, and the reasons of what said nothing."""
    assert wording.tally(Tally(1, 1234)) == "1 case · 1,234 components compared"
    assert wording.tally(Tally(2, 1, 1, {"kink": 1})).endswith("1 case inconclusive (kink: 1)")


def test_long_details_say_what_is_left_out():
    """A flood of lines is cut, and says so."""
    text = wording.abridged("\n".join(str(i) for i in range(100)), lines=3)
    assert text == "0\n1\n2\n… 97 more lines in the JSON report"


def test_more_counts_what_the_table_hides():
    """Six rows are shown."""
    d = Difference("W1", (0, 0), 1.0, 2.0, 0.1, "jax")
    assert wording.more([d] * 6) == ""
    assert wording.more([d] * 8) == "… and 2 more components"


@pytest.mark.parametrize(
    "line", ["::error::x", "  ::set-output name=a::b", "a\n\t::warning::x", "\u3000::stop-commands::t"]
)
def test_defused_leaves_no_workflow_command(line):
    """No line starts with two colons, with or without white space before them."""
    assert not any(row.strip().startswith("::") for row in wording.defused(line).split("\n"))


def test_defused_leaves_the_rest_alone():
    """Colons inside a line stay, and the older form of a command is broken up."""
    assert wording.defused("net.py: a[::2] and ::x") == "net.py: a[::2] and ::x"
    assert wording.defused("##[add-mask]x") == "#\\x23[add-mask]x"


def test_lines_sum_up_a_finding(samples):
    """Place, detail, worst component, explanations, evidence, edits, line, script and replay, one line each."""
    finding: Finding = samples.FINDING
    firsts = "layer The W1[1, explained or and your wrong suggested suggested line: without replay:"
    assert [line.split(" ")[0] for line in wording.lines(finding)] == firsts.split()


def test_arguments_share_their_words(samples):
    """Several wrong arguments of a layer are one list."""
    places = (Place("gradient of x"), Place("gradient of wh (gate i, f)"))
    assert wording.places(replace(samples.FINDING, places=places)) == "gradient of x, wh (gate i, f)"


AUDITED = {"cases": 2, "of": 64, "share": 0.0312, "rules": {"used": 20, "known": 12, "new": 6, "open": 2}}
SAYS = "at 2 of 64 cases; of the 20 rules that it used 12 had been audited in earlier runs, 6 now, 2 still open"


def with_audit(report, told):
    return replace(report, environment={**report.environment, "audited": told})


def test_the_audit_in_words(samples):
    """Cases and rules; nothing where an older report has another form."""
    assert wording.audit(with_audit(samples.passing(), AUDITED)).endswith(SAYS)
    for odd in (2, None, {}, {"of": 3, "rules": 4}):
        assert wording.audit(with_audit(samples.passing(), odd)) == ""


def test_an_audit_without_news(samples):
    """Nothing was audited and nothing is open: that is said in full reports only."""
    settled = with_audit(
        samples.passing(), {**AUDITED, "cases": 0, "rules": {"used": 20, "known": 20, "new": 0, "open": 0}}
    )
    assert wording.audit(settled, news=True) == ""
    assert "20 had been audited" in wording.audit(settled)
