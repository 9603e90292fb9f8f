"""Both oracles answer with an estimate, and the two intervals meet."""

import numpy as np
import pytest

from gradcheck.networks import cost
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.oracles import finite_difference
from gradcheck.oracles.trusted import trusted_estimate
from gradcheck.strategies import corner_cases


@pytest.mark.parametrize("case", [c for c in corner_cases(default_repertoire(), 5) if len(c.parameters) <= 4][:6])
def test_the_two_oracles_meet(case):
    """Component by component, within the sum of their bounds."""
    own = finite_difference.gradient(lambda points: [cost(case.at(p)) for p in points], case.parameters, 1e-3)
    trusted = trusted_estimate(case, by_input=False)
    for name, value in trusted.value.items():
        assert np.all(np.abs(own.value[name] - value) <= own.error[name] + trusted.error[name])


def test_an_estimate_of_finite_differences_sees_a_planted_error():
    """A gradient that is off by a millionth lies outside."""
    x = {"x": np.array([0.3, -0.7])}
    own = finite_difference.gradient(lambda points: [float(np.sum(np.sin(p["x"]))) for p in points], x, 0.05)
    right = np.cos(x["x"])
    assert np.all(np.abs(own.value["x"] - right) <= own.error["x"])
    assert np.all(np.abs(own.value["x"] - right * (1 + 1e-6)) > own.error["x"])
