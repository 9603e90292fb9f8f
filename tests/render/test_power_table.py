"""The power of a pass as rows of a table."""

from gradcheck.render import wording
from gradcheck.report import Power


def test_power_has_a_column_for_whole_tensors_where_they_are_seen_earlier():
    """float32: a tensor without such a figure shows that of its components."""
    header, rows = wording.power_table([Power("W1", 1e-3, 1.0, 9, 2e-5), Power("b1", 1e-4, 1.0, 9)])
    assert header == ("parameter", "error", "all of it by one factor", "confidence")
    assert [row[2] for row in rows] == ["2e-05", "0.0001"]


def test_power_has_no_such_column_elsewhere():
    """float64."""
    assert wording.power_table([Power("W1", 1e-9, 1.0, 9)])[0] == ("parameter", "error", "confidence")
