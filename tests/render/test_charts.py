"""The curve as coordinates."""

import pytest

from gradcheck.render import charts
from gradcheck.report import Curve


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.2, 4.7), (1e-9, 3e-9), (-1e6, 2e6), (0.1, 0.1001)])
def test_ticks_are_few_round_and_inside(low, high):
    """Between two and seven, none outside, evenly apart."""
    found = charts.ticks(low, high)
    assert 2 <= len(found) <= 7
    assert all(low <= t <= high for t in found)


def test_points_lie_in_the_view():
    """z runs to the right, values run up: the larger one has the smaller y."""
    chart = charts.chart(Curve(1, "f", ((-1.0, 0.0, 1.0), (2.0, 3.0, 0.5))))
    (x1, y1), (x2, y2) = chart.measured
    assert charts.LEFT < x1 < x2 < charts.WIDTH
    assert charts.HEIGHT - charts.BOTTOM > y1 > y2 > charts.TOP
