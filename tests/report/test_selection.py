"""Prefixes of codes: which findings count, and which selections are refused."""

import pytest

from gradcheck.errors import UsageError
from gradcheck.report import Code
from gradcheck.report.selection import LASTING, selection


@pytest.mark.parametrize(
    ("select", "ignore", "code", "ignored"),
    [
        (None, None, "GC402", False),
        (None, "GC402", "GC402", True),
        (None, "gc4", "GC402", True),
        (None, "GC4", "GC501", False),
        ("GC4", None, "GC402", False),
        ("GC4", None, "GC501", True),
        ("GC402", "GC4", "GC402", False),
        ("GC4", "GC402", "GC402", True),
        ("GC4", "GC402", "GC401", False),
        ("GC4", "GC4", "GC401", True),
        (["GC1", "GC2,GC3"], None, "GC304", False),
        (None, "GC902", "GC902", True),
        ("GC4", None, "GC903", False),
    ],
)
def test_the_longest_prefix_decides(select, ignore, code, ignored):
    """Ignore wins where both are equally long."""
    assert selection(select, ignore).ignores(Code[code]) is ignored


def test_what_ends_a_run_is_never_ignored():
    """Whatever is selected."""
    only = selection("GC402")
    assert not any(only.ignores(code) for code in LASTING)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"select": "GC46"}, "did you mean GC406?"),
        ({"ignore": "GC8"}, "no code of a finding begins with 'GC8'"),
        ({"ignore": "BP2"}, "write a code such as GC402"),
        ({"ignore": "GC9"}, "GC9 covers GC901"),
        ({"ignore": "GC"}, "cannot be ignored"),
        ({"ignore": "GC951"}, "cannot be ignored"),
        ({"ignore": [4]}, "expected codes or prefixes"),
        ({"select": ""}, None),
    ],
)
def test_a_selection_is_checked(options, message):
    """The nearest code is named; an empty text selects nothing in particular."""
    if message is None:
        assert not selection(**options).active
        return
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        selection(**options)
