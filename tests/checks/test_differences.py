"""A claim held against differences of the subject's own value."""

import numpy as np

from gradcheck.checks.differences import against_own
from gradcheck.numerics import Estimate
from gradcheck.oracles.finite_difference import Derivative


def ratio(claimed, measured, error):
    """For one component along the direction 1, with an exact claim."""
    claim = Estimate({"x": np.array([claimed])}, {"x": np.zeros(1)}, "claim")
    own = {"x": ({"x": np.ones(1)}, Derivative(measured, error))}
    return against_own(claim, own)["x"]


def test_nothing_agrees_with_nothing():
    """A dead layer: claim, differences and their errors are all zero. It is no disagreement."""
    assert ratio(0.0, 0.0, 0.0) == 0.0


def test_something_does_not_agree_with_an_exact_nothing():
    """The differences are exactly zero, the claim is not."""
    assert ratio(0.5, 0.0, 0.0) > 1
