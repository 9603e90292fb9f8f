"""The counterexample in words."""

import pytest

from gradcheck.render import network


def test_a_network_is_one_line(samples):
    """Widths, activations, cost, scale, λ, samples and dtype."""
    line = "1 → 2 sigmoid → 1 tanh, mse · 1/m, λ = 0.1 (lambda/2), 1 sample, float64"
    assert network.describe(samples.CASE) == line


def test_few_numbers_are_shown(samples):
    """Twenty numbers at most are printed, exactly."""
    assert network.arrays({**samples.CASE})[2] == ("W2", "[[0.1, 0.30000000000000004]]")


def test_many_numbers_become_shapes(samples):
    """Above twenty, only shapes are shown."""
    shapes = dict(network.arrays(samples.OPERATION))
    assert shapes == {"x": "shape (5, 2)", "w": "shape (2, 2)", "cotangent": "shape (5, 2)"}


def test_an_operation_is_named(samples):
    """A layer's case has its name for an architecture."""
    assert (network.heading(samples.OPERATION), network.describe(samples.OPERATION)) == ("smallest case", "affine")


def test_a_layer_has_its_settings_and_what_is_not_differentiated(samples):
    """The numbers of a convolution mean nothing without its stride; how a case is kept is nobody's business."""
    fixed = {"stride": 2, "layer": "conv2d", "form": 0, "mask": [[1.0, 0.0]]}
    case = {**samples.OPERATION, "operation": "conv", "arguments": {}, "cotangent": 1.0, "fixed": fixed}
    assert network.describe(case) == "conv, stride = 2"
    assert network.arrays(case) == [("mask", "[[1, 0]]"), ("cotangent", "1")]


def test_a_decimal_in_single_precision_is_written_as_the_decimal(samples):
    """And not with the digits that single precision has no room for."""
    numbers = {"arguments": {}, "cotangent": [0.10000000149011612, 0.1234567890123]}
    single = network.arrays({**samples.OPERATION, **numbers, "dtype": "float32"})
    double = network.arrays({**samples.OPERATION, **numbers})
    assert single == [("cotangent", "[0.1, 0.1234567890123]")]
    assert double == [("cotangent", "[0.10000000149011612, 0.1234567890123]")]


@pytest.mark.parametrize("architecture", [None, {}, {"inputs": 1, "layers": [{}]}, {"inputs": 1, "layers": 7}, "x"])
def test_a_form_that_is_not_known_is_left_out(architecture):
    """A damaged report is rendered without its network, and without a crash."""
    case = {"architecture": architecture, "parameters": "none", "inputs": {}, "targets": None}
    assert network.describe(case) == ""
    assert network.arrays(case) == []
