"""Claimed and expected components as cells."""

from math import nan

import pytest

from gradcheck.render import matrices
from gradcheck.report import Tensor


def only(tensor):
    """The one matrix."""
    (found,) = matrices.matrices([tensor])
    return found


def test_levels_grow_with_the_error():
    """Within the bound it agrees; then four shades by the share of the largest component."""
    claimed, expected = [[1.0, 1.01, 1.1, 1.5, 0.0]], [[1.0, 1.0, 1.0, 1.0, 1.0]]
    found = only(Tensor("W1", claimed, expected, [[1e-9] * 5]))
    assert [cell.level for cell in found.rows[0]] == [0, 1, 2, 3, 3]
    assert (found.wrong, found.size) == (4, 5)


def test_what_is_no_number_is_as_wrong_as_can_be():
    """NaN agrees with nothing."""
    assert only(Tensor("b1", [nan], [1.0], [1e-9])).rows[0][0].level == matrices.LEVELS


def test_more_than_two_axes_show_the_slice_with_the_largest_error():
    """A filter's gradient has four."""
    claimed = [[[1.0, 2.0]], [[3.0, 9.0]]]
    expected = [[[1.0, 2.0]], [[3.0, 4.0]]]
    found = only(Tensor("w", claimed, expected, [[[1e-9, 1e-9]], [[1e-9, 1e-9]]]))
    assert found.name == "w[1, :, :]"
    assert found.part == "2 of 4 components are shown"


def test_large_ones_are_cut():
    """Ten rows and columns."""
    found = only(Tensor("W1", [[0.0] * 12] * 11, [[0.0] * 12] * 11, [[0.0] * 12] * 11))
    assert (len(found.rows), len(found.rows[0])) == (10, 10)


@pytest.mark.parametrize("bad", [[[1.0, 2.0], [1.0]], [[1.0], 2.0], []])
def test_what_is_no_array_is_left_out(bad):
    """Ragged lists from a file that somebody wrote."""
    assert matrices.matrices([Tensor("W1", bad, [[1.0, 2.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]])]) == []
