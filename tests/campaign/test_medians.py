"""Medians: exact for the first few thousand numbers, then to half a percent in bounded memory."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.campaign import medians
from gradcheck.campaign.medians import EXACT, Median


@given(st.lists(st.floats(0, 1e300), min_size=1, max_size=50))
def test_few_numbers_have_the_median_of_numpy(values):
    """To the bit."""
    assert Median(values).value() == np.median(values)


@pytest.mark.parametrize("scale", [1e-300, 1e-14, 1.0, 1e6])
def test_many_numbers_have_it_to_half_a_percent(scale):
    """Over many orders of magnitude."""
    values = scale * np.exp(3 * np.random.default_rng(0).standard_normal(EXACT + 1000))
    found = Median(values)
    assert found.count == EXACT + 1000
    assert found.value() == pytest.approx(np.median(values), rel=0.0055)


def test_memory_is_bounded():
    """Ten times as many numbers take no more of it."""
    few, many = (Median(np.exp(np.random.default_rng(0).standard_normal(n))) for n in (10_000, 100_000))
    sizes = [sys.getsizeof(m._counts) + sys.getsizeof(m._values) for m in (few, many)]
    assert sizes[1] <= 1.3 * sizes[0] < 100_000


def test_what_is_not_finite_is_left_out(monkeypatch):
    """And so it is of a long stream; zeros count, below all others."""
    monkeypatch.setattr(medians, "EXACT", 4)
    assert Median([math.inf, 3.0, math.nan, 1.0]).value() == 2.0
    assert Median([math.inf] * 9 + [2.0] * 9).value() == pytest.approx(2.0, rel=0.0055)
    assert Median([0.0] * 9 + [2.0] * 3).value() == 0.0
    assert math.isnan(Median().value())
