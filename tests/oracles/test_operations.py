"""The trusted layers: outputs, pullbacks and bounds for one operation at a time."""

import numpy as np
import pytest

from gradcheck.networks import OperationCase
from gradcheck.oracles.operations import activation_of, trusted_operation

RNG = np.random.default_rng(5)


def affine():
    """w x + b for 3 inputs, 2 outputs, 4 samples."""
    arguments = {"x": RNG.standard_normal((3, 4)), "w": RNG.standard_normal((2, 3)), "b": RNG.standard_normal((2, 1))}
    return OperationCase("affine", arguments, RNG.standard_normal((2, 4)), {})


def activation(name, **fixed):
    """An activation as an operation."""
    return OperationCase(name, {"x": RNG.standard_normal((3, 4))}, RNG.standard_normal((3, 4)), fixed)


def test_affine():
    """Output and the three cotangents, each within its bound of a sum in extended precision."""
    case = affine()
    t = trusted_operation(case)
    x, w, b, g = (a.astype(np.longdouble) for a in (*case.arguments.values(), case.cotangent))
    assert (np.abs(w @ x + b - t.output) <= t.output_error).all()
    expected = {"x": w.T @ g, "w": g @ x.T, "b": g.sum(axis=1, keepdims=True)}
    for name, exact in expected.items():
        assert (np.abs(t.pullback.value[name] - exact) <= t.pullback.error[name]).all()
        assert t.pullback.error[name].max() < 1e-13


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus", "softmax", "relu", "gelu"])
def test_activations_against_differences(name):
    """The pullback of a random cotangent, and a bound that is small."""
    case = activation(name)
    t, h = trusted_operation(case), 1e-6
    for index in np.ndindex(3, 4):
        e = np.zeros((3, 4))
        e[index] = h
        high, low = (trusted_operation(case.at({"x": case.arguments["x"] + s * e})).output for s in (1, -1))
        assert t.pullback.value["x"][index] == pytest.approx(np.sum(case.cotangent * (high - low)) / (2 * h), abs=1e-8)
    assert t.pullback.error["x"].max() < 1e-13


def test_single_precision_has_wider_bounds():
    """For a subject that computes in float32."""
    case = activation("tanh")
    assert trusted_operation(case, "float32").pullback.error["x"].min() > 1e-9
    assert trusted_operation(affine(), "float32").output_error.min() > 1e-9


def test_a_parameter_is_in_the_fixed_data():
    """leaky_relu with the slope that the subject's own operation has."""
    case = activation("leaky_relu", activation="leaky_relu(0.3)")
    assert activation_of(case) == "leaky_relu(0.3)"
    assert activation_of(activation("tanh")) == "tanh"
    x = case.arguments["x"]
    np.testing.assert_array_equal(trusted_operation(case).output, np.where(x > 0, x, 0.3 * x))
