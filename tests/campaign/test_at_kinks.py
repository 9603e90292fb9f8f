"""Layers and activations on their kinks: conventions pass and are said, what is no slope of either side is found."""

from pathlib import Path

import numpy as np
import pytest

import gradcheck
from gradcheck.campaign.at_kinks import cases_at_kinks, kinks_of
from gradcheck.networks import OperationCase

MAX_POOL = (Path(__file__).parents[2] / "reference" / "layers" / "max_pool.py").read_text()


def verify(functions):
    """A quick verification of a mapping of functions."""
    return gradcheck.verify(functions, max_examples=8)


def relu_with(at_zero):
    """A relu layer with this slope at 0."""
    return {
        "relu_forward": lambda x: (np.maximum(x, 0), x),
        "relu_backward": lambda dout, x: dout * np.where(x == 0, at_zero, (x > 0).astype(float)),
    }


@pytest.mark.parametrize(
    ("at_zero", "right"), [(0, True), (0.5, True), (1, True), (1.01, False), (-0.01, False), (2, False)]
)
def test_the_slope_of_a_relu_layer_at_zero(at_zero, right):
    """Any element of the Clarke interval and no other; the convention is in the notes."""
    report = verify(relu_with(at_zero))
    assert report.verdict == ("pass" if right else "fail")
    assert any(f"slope at 0: {at_zero:g}" in note for note in report.notes) == right


def max_pool(edit=("", "")):
    """The functions of the reference, with an edit."""
    scope = {}
    exec(MAX_POOL.replace(*edit), scope)
    return {n: scope[n] for n in ("max_pool_forward", "max_pool_backward")}


def test_the_first_of_several_largest_may_get_it_all():
    """The reference."""
    assert verify(max_pool()).verdict == "pass"


def test_equal_parts_for_the_largest_of_a_window():
    """As jax has it."""
    parts = (
        ("first_of(x[", "shared(x["),
        ("def first_of(", "def shared(m):\n    return m / m.sum((2, 3), keepdims=True)\n\n\ndef first_of("),
    )
    scope = {}
    exec(MAX_POOL.replace(*parts[0]).replace(*parts[1]), scope)
    assert verify({n: scope[n] for n in ("max_pool_forward", "max_pool_backward")}).verdict == "pass"


def test_the_whole_for_each_of_the_largest_is_wrong():
    """A mask of all that equal the maximum multiplies the gradient at ties, and is right nowhere else wrong."""
    report = verify(max_pool(("largest = first_of(", "largest = (")))
    assert report.verdict == "fail"
    assert "not each the whole" in report.findings[0].detail


@pytest.mark.parametrize("at_zero", [0.0, 0.5, 1.0])
def test_a_margin_of_zero_counts_for_both_or_for_none(at_zero):
    """The class and the target; a half is right too."""

    def backward(dout, cache):
        margin, y = cache
        inside = np.heaviside(margin, at_zero)
        inside[np.arange(len(y)), y] = 0
        inside[np.arange(len(y)), y] = -inside.sum(axis=1)
        return dout * inside / len(y)

    assert verify({"hinge_forward": hinge_forward, "hinge_backward": backward}).verdict == "pass"


def hinge_forward(x, y):
    """Mean multiclass hinge."""
    margin = x - x[np.arange(len(y)), y][:, None] + 1
    loss = np.maximum(margin, 0)
    loss[np.arange(len(y)), y] = 0
    return loss.sum() / len(y), (margin, y)


def test_a_margin_of_zero_that_counts_for_the_class_alone_is_wrong():
    """The target must lose what the class gains."""

    def backward(dout, cache):
        margin, y = cache
        inside, strict = (margin >= 0) * 1.0, (margin > 0) * 1.0
        strict[np.arange(len(y)), y] = inside[np.arange(len(y)), y] = 0
        inside[np.arange(len(y)), y] = -strict.sum(axis=1)
        return dout * inside / len(y)

    assert verify({"hinge_forward": hinge_forward, "hinge_backward": backward}).verdict == "fail"


def test_a_smooth_layer_has_no_cases_at_kinks():
    """Nothing is drawn for it."""
    smooth = OperationCase("tanh", {"x": np.ones((2, 2))}, np.ones((2, 2)), {})
    assert kinks_of(smooth) is None
    assert list(cases_at_kinks(lambda generator, k: smooth, 0)) == []
