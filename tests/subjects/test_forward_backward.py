"""Layers as pairs of functions, against finite differences of the trusted operations."""

import numpy as np
import pytest

from gradcheck.networks import activation_named
from gradcheck.networks.namespace import xp_numpy
from gradcheck.subjects import Layout, LocalSubject, detect, load, members_of

ROWS = Layout("from_to", "rows", "vector")
ACTIVATIONS = ["relu", "leaky_relu", "elu", "softmax", "sigmoid"]


def trusted(case):
    """⟨dout, out⟩ of the trusted operation."""
    a = case.arguments
    if case.operation == "affine":
        return float(np.vdot(case.cotangent, a["w"] @ a["x"] + a["b"]))
    return float(np.vdot(case.cotangent, activation_named(case.fixed["activation"])(a["x"], xp_numpy)))


@pytest.mark.parametrize("operation", ["affine", *ACTIVATIONS])
def test_a_correct_layer_agrees(subject, operation_case, finite_differences, operation):
    """Value and pullback of a random cotangent."""
    layers = subject("layers")
    case = operation_case(operation, layers.offer.operation_fixed.get(operation))
    value, pullback = layers.vjp(case, ROWS)
    assert np.vdot(case.cotangent, value) == pytest.approx(trusted(case), rel=1e-12)
    claim = pullback(case.cotangent)
    assert claim.problems == ()
    for name, expected in finite_differences(case, trusted).items():
        np.testing.assert_allclose(claim.gradient[name], expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("operation", ["affine", *ACTIVATIONS])
def test_a_correct_layer_has_no_effects(subject, operation_case, operation):
    """Neither arguments nor results are touched."""
    layers = subject("layers")
    fixed = layers.offer.operation_fixed.get(operation)
    cases = [operation_case(operation, fixed, seed) for seed in (1, 2)]
    assert layers.effects(*cases, ROWS) == []


def test_the_pullback_takes_any_cotangent(subject, operation_case):
    """It is linear in it and does not remember the case's own."""
    case = operation_case("affine")
    pullback = subject("layers").vjp(case, ROWS)[1]
    once, twice = pullback(case.cotangent).gradient, pullback(2 * case.cotangent).gradient
    np.testing.assert_allclose(twice["w"], 2 * once["w"])


def test_offer_lists_operations_and_what_was_skipped(subject):
    """Parameters of activations are read from defaults or from a trial run."""
    offer = subject("layers").offer
    assert offer.kind == "operation"
    assert set(offer.operations) == {"affine", *ACTIVATIONS}
    assert offer.operation_fixed["leaky_relu"] == {"activation": "leaky_relu(0.2)"}
    assert offer.operation_fixed["elu"] == {"activation": "elu(0.5)"}
    assert any(line.startswith("fold:") for line in offer.skipped)


def test_one_layer_is_chosen_by_its_prefix(subject):
    """PATH:affine checks that pair only."""
    assert subject("layers", of="affine").offer.operations == ("affine",)
    assert subject("layers", of="sigmoid").offer.operations == ("sigmoid",)


def test_columns_and_transposed_weights_are_a_layout(operation_case, finite_differences):
    """A layer w @ x + b agrees in the layout with samples in columns."""
    functions = {
        "linear_forward": lambda A, W, b: (W @ A + b, (A, W)),
        "linear_backward": lambda dZ, cache: (cache[1].T @ dZ, dZ @ cache[0].T, dZ.sum(axis=1, keepdims=True)),
    }
    case = operation_case("affine")
    claim = LocalSubject(detect(members_of(functions), "f")).vjp(case, Layout())[1](case.cotangent)
    for name, expected in finite_differences(case, trusted).items():
        np.testing.assert_allclose(claim.gradient[name], expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("result", "kind"), [((1, 2), "count"), (None, "type"), (("a", "b", "c"), "type")])
def test_a_wrong_number_of_gradients_is_a_problem(file, operation_case, result, kind):
    """(dx, dw, db) and nothing else."""
    members = {**load(file("layers")), "affine_backward": lambda dout, cache: result}
    claim = LocalSubject(detect(members, "f")).vjp(operation_case("affine"), ROWS)[1](np.ones((5, 3)))
    assert {p.kind for p in claim.problems} == {kind}


def test_an_output_of_the_wrong_shape_breaks_the_contract(file, operation_case):
    """The message names both shapes."""
    from gradcheck.errors import SubjectError

    members = {**load(file("layers")), "affine_forward": lambda x, w, b: ((x @ w + b).T, (x, w))}
    with pytest.raises(SubjectError, match=r"must have shape \(3, 5\); the subject returned \(5, 3\)"):
        LocalSubject(detect(members, "f")).forward([operation_case("affine")], ROWS)


@pytest.mark.parametrize(("name", "shift"), [("gelu", 0.0), ("gelu_tanh", 0.0)])
def test_both_forms_of_gelu_are_told_apart(name, shift):
    """By the value at 1."""
    activation = activation_named(name)
    functions = {
        "gelu_forward": lambda x: (activation(x, xp_numpy) + shift, x),
        "gelu_backward": lambda dout, cache: dout,
    }
    offer = detect(members_of(functions), "f").offer
    assert offer.operation_fixed["gelu"] == {"activation": name}
