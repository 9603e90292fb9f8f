"""The right quantities are recognised among a subject's arrays, and cases that cannot tell them apart are refused."""

import numpy as np
import pytest

from gradcheck.faults.quantities import quantities, same
from gradcheck.networks import Architecture, Case, Dense, activation_named, cost_named


def case_of(activation, bias=0.0):
    """3 → 3 → 2 with one sample, mse."""
    f = activation_named(activation)
    architecture = Architecture(3, (Dense(3, f), Dense(2, f)), cost_named("mse"))
    generator = np.random.default_rng(2)
    parameters = {n: generator.normal(size=s) + bias * n.startswith("b") for n, s in architecture.shapes().items()}
    return Case(architecture, parameters, generator.normal(size=(3, 1)), generator.normal(size=(2, 1)))


@pytest.mark.parametrize("form", [lambda W, b: W, lambda W, b: W.T, lambda W, b: np.hstack([b, W])])
def test_a_weight_matrix_is_recognised_in_its_usual_forms(form):
    """Turned, with its bias; not with the other sign or one entry changed."""
    case = case_of("tanh")
    held = form(case.weight(1), case.bias(1)).copy()
    known = quantities(case)
    assert known.roles(held) == {("W", 1)}
    assert not known.roles(-held)
    held[0, 0] += 1e-3
    assert not known.roles(held)


def test_a_case_whose_derivative_does_not_show_is_refused():
    """All units of a relu are on: σ′ = 1, and z of any layer would do."""
    assert quantities(case_of("relu", bias=30.0)) is None
    assert quantities(case_of("tanh")) is not None


def test_a_mask_of_two_values_is_no_known_derivative():
    """It would be told from no other mask."""
    kinds = {kind for (kind, _), _ in quantities(case_of("leaky_relu(0.2)")).known}
    assert "prime" not in kinds


@pytest.mark.parametrize(("other", "expected"), [(np.ones((2, 3)), False), (np.arange(6.0).reshape(3, 2), True)])
def test_arrays_are_the_same_only_with_the_same_values(other, expected):
    """Of the same size alone is not enough."""
    assert same(np.arange(6.0).reshape(3, 2), other) is expected
