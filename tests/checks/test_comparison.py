"""Two intervals that do not meet are a discrepancy; the power says how small one could be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.checks.comparison import MOST, compare, constant_ratio, relative_power
from gradcheck.numerics import Estimate


def estimate(values, error, method="jax.grad"):
    """One tensor."""
    value = np.asarray(values, dtype=float)
    return Estimate({"W1": value}, {"W1": np.full(value.shape, float(error))}, method)


@pytest.mark.parametrize(
    ("claimed", "agrees"), [(1.0, True), (1.29, True), (1.31, False), (0.71, True), (0.69, False), (np.nan, False)]
)
def test_intervals_meet_or_do_not(claimed, agrees):
    """1 ± 0.2 against a claim ± 0.1: both errors count."""
    comparison = compare(estimate([[claimed]], 0.1), estimate([[1.0]], 0.2))
    assert comparison.agrees is agrees
    assert comparison.wrong() == ([] if agrees else ["W1"])


@given(st.floats(-1e6, 1e6), st.floats(1e-12, 10), st.floats(0, 1), st.floats(-1, 1))
def test_a_claim_inside_its_own_error_never_fails(truth, error, share, offset):
    """Whatever the two errors are, as long as both intervals hold the truth."""
    claim = estimate([[truth + 0.999 * offset * share * error]], share * error)
    oracle = estimate([[truth]], error)
    assert compare(claim, oracle).agrees


def test_the_worst_come_first_and_only_a_few_are_kept():
    """With index, both values, bound and oracle."""
    claim = estimate(np.arange(12.0).reshape(3, 4), 0.0, "claim")
    comparison = compare(claim, estimate(np.zeros((3, 4)), 0.5))
    worst = comparison.discrepancies[0]
    assert len(comparison.discrepancies) == MOST
    assert (worst.parameter, worst.index, worst.claimed, worst.expected) == ("W1", (2, 3), 11.0, 0.0)
    assert (worst.bound, worst.oracle) == (0.5, "jax.grad")
    assert (comparison.components, comparison.excess["W1"]) == (12, 22.0)


def test_only_names_that_both_have_are_compared():
    """The rest is for the structure rung."""
    both = compare(Estimate({}, {}, ""), estimate([1.0], 0.1))
    assert (both.agrees, both.components) == (True, 0)


@pytest.mark.parametrize(("expected", "error"), [(np.nan, 0.1), (np.inf, 0.1), (1.0, np.inf)])
def test_where_the_oracle_says_nothing_nothing_is_concluded(expected, error):
    """No discrepancy, and no power either."""
    comparison = compare(estimate([5.0], 0.1), estimate([expected], error))
    assert comparison.agrees
    assert comparison.power["W1"] == np.inf


@pytest.mark.parametrize(
    ("expected", "bound", "power"),
    [([2.0, -4.0, 0.0], [0.1, 0.2, 0.9], 0.45), ([0.0], [0.1], np.inf), ([1.0], [np.inf], np.inf), ([], [], np.inf)],
)
def test_the_power_is_relative_to_the_largest_component(expected, bound, power):
    """Twice the largest bound; a tensor that is zero shows nothing."""
    assert relative_power(np.array(expected), np.array(bound)) == pytest.approx(power)


@pytest.mark.parametrize("ratio", [2.0, 0.5, -1.0, 3.0, 1 / 7])
def test_a_constant_multiple_is_recognised(ratio):
    """In every component to within the bounds."""
    oracle = estimate([[1.0, -2.0], [0.5, 3.0]], 1e-14)
    assert constant_ratio({"W1": ratio * oracle.value["W1"]}, oracle) == pytest.approx(ratio)


@pytest.mark.parametrize(
    "claim",
    [[1.0, -2.0, 0.6], [0.0, 0.0, 0.0], [np.nan, 1.0, 1.0], [2.0, -4.0, 0.9]],
    ids=["off", "zero", "nan", "one"],
)
def test_what_is_no_constant_multiple(claim):
    """One component off is enough."""
    assert constant_ratio({"W1": np.array(claim)}, estimate([1.0, -2.0, 0.5], 1e-14)) is None


@pytest.mark.parametrize(("values", "error"), [([1.0], 0.0), ([0.0, 0.0], 0.0), ([1.0, 2.0], np.inf)])
def test_too_little_to_speak_of_a_multiple(values, error):
    """One component, a zero gradient, or no bound."""
    assert constant_ratio({"W1": np.array(values)}, estimate(values, error)) is None


def test_a_tensor_that_agrees_is_judged_as_every_other():
    """Excess, power and typical power of the short way, against the definitions."""
    value, e = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([[1e-3, 2e-3], [1e-3, 4e-3]])
    off = np.array([[1e-3, 0.0], [-5e-4, 1e-3]])
    found = compare(Estimate({"W1": value + off}, {"W1": e}, "claim"), Estimate({"W1": value}, {"W1": e}, "jax.grad"))
    assert found.excess["W1"] == pytest.approx(0.5)
    assert found.power["W1"] == pytest.approx(2 * 8e-3 / 3)
    assert found.typical["W1"] == pytest.approx(2 * 3e-3 / 3)
    assert (found.discrepancies, found.components) == ((), 4)


@pytest.mark.parametrize("unknown", ["bound", "value"])
def test_a_component_of_which_the_oracle_knows_nothing_says_nothing(unknown):
    """The others are compared; the tensor has no power, though its median component has."""
    value, e = np.ones((1, 3)), np.full((1, 3), 1e-9)
    (e if unknown == "bound" else value)[0, 1] = np.inf
    found = compare(estimate(np.ones((1, 3)), 0.0), Estimate({"W1": value}, {"W1": e}, "jax.grad"))
    assert found.agrees
    assert found.power["W1"] == np.inf
