"""Cases: moving them, their digest, their JSON form and its errors, and the trusted forward pass at them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from gradcheck.errors import UsageError
from gradcheck.networks import OperationCase, case_from_json, cost, digest, forward, penalty
from gradcheck.networks.forward import chain
from gradcheck.strategies import cases

OPERATION = OperationCase("affine", {"x": np.ones((2, 1)), "w": np.full((1, 2), 0.1)}, np.ones((1, 1)), {"k": "v"})


def through_text(case):
    """To JSON text and back."""
    return case_from_json(json.loads(json.dumps(case.to_json())))


@given(cases())
def test_json_keeps_every_bit(case):
    """The digest of what comes back is the same."""
    again = through_text(case)
    assert again.architecture == case.architecture
    assert digest(again) == digest(case)


def test_an_operation_comes_back_too():
    """Arguments, cotangent, fixed data and dtype."""
    again = through_text(OPERATION)
    assert isinstance(again, OperationCase)
    assert (digest(again), again.fixed, again.dtype) == (digest(OPERATION), {"k": "v"}, "float64")


def test_one_bit_changes_the_digest(sampled):
    """Sixteen hexadecimal digits."""
    case = sampled(2, 2)
    moved = case.at({"W1": np.nextafter(case.weight(1), 9)})
    assert digest(case) != digest(moved)
    assert len(digest(case)) == 16


def test_moving_a_case_leaves_it_as_it_was(sampled):
    """`at` replaces the named arguments in a copy; x is the input."""
    case = sampled(2, 2)
    moved = case.at({"b1": np.zeros((2, 1)), "x": np.zeros((2, 4))})
    assert not moved.bias(1).any()
    assert not moved.inputs.any()
    assert moved.weight(1) is case.weight(1)
    assert case.bias(1).any()
    assert set(moved.parameters) == set(case.parameters)


def test_moving_an_operation():
    """The other arguments stay."""
    moved = OPERATION.at({"x": np.zeros((2, 1))})
    assert moved.arguments["w"] is OPERATION.arguments["w"]
    assert not moved.arguments["x"].any()


def test_a_network_without_biases_has_zeros_there(sampled):
    """The forward pass needs no second formula."""
    np.testing.assert_array_equal(sampled(3, 2, bias=False).bias(1), np.zeros((2, 1)))


def test_the_cotangent_of_a_cost_is_one(sampled):
    """It is a scalar, and its arguments are the parameters."""
    case = sampled(2, 2)
    assert (case.cotangent.shape, float(case.cotangent)) == ((), 1.0)
    assert case.arguments is case.parameters


BROKEN = [
    ("parameters", None, "not a case of gradcheck"),
    (
        "parameters",
        {"W1": [[1.0, 2.0]]},
        "a case of this architecture holds W1, b1, inputs, targets; this one holds W1",
    ),
    (
        "parameters",
        {"W1": [[1.0]], "b1": [[0.0]]},
        r"W1 of the case has shape \(1, 1\); its architecture needs \(1, 2\)",
    ),
    ("inputs", [[1.0]], r"inputs of the case has shape \(1, 1\)"),
    ("inputs", 3.0, "inputs of the case has shape"),
    ("targets", [[1.0, 2.0, 3.0]], "targets of the case has shape"),
    ("targets", "many", "ValueError"),
    ("architecture", {}, "not an architecture"),
]


@pytest.mark.parametrize(("key", "value", "message"), BROKEN, ids=lambda v: str(v)[:25])
def test_broken_json_is_a_usage_error(sampled, key, value, message):
    """It says what was found and what was expected."""
    data = {**sampled(2, 1).to_json(), key: value}
    with pytest.raises(UsageError, match=message):
        case_from_json(data)


def test_an_operation_without_its_arguments_is_a_usage_error():
    """As a network is."""
    with pytest.raises(UsageError, match="KeyError: 'arguments'"):
        case_from_json({"kind": "operation"})


# The trusted forward pass


def test_forward_by_hand(dense):
    """Two layers with numbers that can be checked in the head."""
    from gradcheck.networks import Case

    parameters = {
        "W1": np.array([[1.0, -1.0]]), "b1": np.array([[0.5]]), "W2": np.array([[2.0], [0.0]]), "b2": np.array([[0.0], [3.0]])
    }  # fmt: skip
    case = Case(dense(2, 1, 2, hidden="relu"), parameters, np.array([[1.0, 0.0], [0.0, 2.0]]), np.zeros((2, 2)))
    z, a = forward(case)
    np.testing.assert_array_equal(z[1], [[1.5, -1.5]])
    np.testing.assert_array_equal(a[1], [[1.5, 0.0]])
    np.testing.assert_array_equal(a[2], [[3.0, 0.0], [3.0, 3.0]])
    assert cost(case) == (9 + 9 + 9) / 2


def test_the_penalty_counts_weights_and_perhaps_biases(sampled):
    """λ/2 Σ W², and Σ b² where the architecture says so."""
    case = sampled(2, 3, 2, l2=0.5)
    squares = {k: sum(float(np.sum(v**2)) for n, v in case.parameters.items() if n[0] == k) for k in "Wb"}
    assert penalty(case.architecture, case.parameters, 4) == pytest.approx(0.25 * squares["W"])
    both = replace(case.architecture, regularisation=replace(case.architecture.regularisation, biases=True))
    assert penalty(both, case.parameters, 4) == pytest.approx(0.25 * (squares["W"] + squares["b"]))


@pytest.mark.parametrize("bias", [True, False])
def test_the_chain_is_the_same_composition(sampled, bias):
    """For whatever array type jax brings."""
    case = sampled(3, 4, 2, bias=bias)
    weights = [case.weight(1), case.weight(2)]
    biases = [case.bias(1), case.bias(2)] if bias else []
    np.testing.assert_array_equal(chain(weights, biases, case.inputs, [np.tanh, lambda z: z]), forward(case)[1][-1])
