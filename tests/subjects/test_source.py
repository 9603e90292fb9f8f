"""Hints from the source."""

import numpy as np

from gradcheck.subjects.source import ACTIVATION_WORDS, constants, mentioned, reachable, returned_values


def helper(z):
    """Called by the next one."""
    return np.tanh(z)


def function(parameters):
    """Has keys, a loop, a helper and a nested function."""

    def inner():
        return 1

    total = 0
    for key in ("W1", "b1"):
        total += helper(parameters[key]) + inner()
    return total, parameters


def two_ways(x):
    """Returns a pair or not."""
    if x:
        return 1, 2
    return 3


def test_what_a_function_calls_is_read_too():
    """Within the same file."""
    assert reachable([function]) == [function, helper]
    assert mentioned([function], ACTIVATION_WORDS) == ("tanh",)


def test_constants_are_the_keys():
    """All strings of the source."""
    assert {"W1", "b1"} <= constants([function])


def test_returned_values_are_counted_where_they_agree():
    """Nested functions do not count."""
    assert returned_values(function) == 2
    assert returned_values(two_ways) is None
    assert returned_values(helper) is None


def test_functions_without_source_give_no_hints():
    """C functions are no error."""
    assert mentioned([len], ACTIVATION_WORDS) is None
    assert returned_values(len) is None
