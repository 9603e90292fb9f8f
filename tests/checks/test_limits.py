"""At a kink of any function: conventions pass, however they are composed, and claims outside their own limits fail."""

import jax.numpy as jnp
import numpy as np
import pytest

import gradcheck


def verdict(primal, pullback, arguments, **more):
    """Of a few cases, the first of which stands on the kink."""
    return gradcheck.check_vjp(primal, pullback, arguments, max_examples=3, **more).verdict


def relu(x):
    """max(x, 0)."""
    return np.maximum(x, 0)


def relu_back(at_zero):
    """Its pullback with this slope at 0."""
    return lambda g, x: (np.where(x == 0, at_zero, (x > 0).astype(float)) * g,)


@pytest.mark.parametrize("x", [[0.0, 1.0, -2.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
@pytest.mark.parametrize("reference", [None, lambda x: jnp.where(x > 0, x, 0.0)])
@pytest.mark.parametrize(("at_zero", "right"), [(0, True), (0.5, True), (1, True), (1.01, False), (-0.01, False)])
def test_the_slope_of_relu_at_one_zero_or_several(x, reference, at_zero, right):
    """Each output has a kink of its own."""
    assert verdict(relu, relu_back(at_zero), [np.array(x)], reference=reference) == ("pass" if right else "fail")


def first(g, r):
    """All to the first of the largest."""
    out = np.zeros_like(r)
    out[np.arange(len(r)), r.argmax(axis=1)] = g
    return out


def split(g, r):
    """In equal parts to the largest."""
    top = r == r.max(axis=1, keepdims=True)
    return g[:, None] * top / top.sum(axis=1, keepdims=True)


def every(g, r):
    """All of it to each of the largest: more than there is."""
    return g[:, None] * (r == r.max(axis=1, keepdims=True))


@pytest.mark.parametrize("x", [[1.0, 1.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0]])
@pytest.mark.parametrize(("rule", "right"), [(first, True), (split, True), (every, False)])
def test_ties_of_a_maximum(x, rule, right):
    """argmax, equal parts, and each the whole."""
    back = lambda g, x: (rule(g, x.reshape(-1, 2)).ravel(),)  # noqa: E731
    assert verdict(lambda x: x.reshape(-1, 2).max(axis=1), back, [np.array(x)]) == ("pass" if right else "fail")


@pytest.mark.parametrize("rule", [first, split])
def test_three_and_more_ties(rule):
    """A window of equal numbers, as in the corner of an image."""
    back = lambda g, x: (rule(g, x.reshape(1, -1)).ravel(),)  # noqa: E731
    assert verdict(lambda x: x.reshape(1, -1).max(axis=1), back, [np.ones(4)]) == "pass"


X = np.array([[1.0, -2.0, 0.5], [0.0, 1.0, 2.0]])
Y = np.array([[1.0, 2.0, 3.0]])


def dense(w, x):
    """relu of a layer."""
    return np.maximum(w @ x, 0)


def dense_back(at_zero):
    """Its pullback."""

    def back(g, w, x):
        delta = g * np.where(w @ x == 0, at_zero, (w @ x > 0).astype(float))
        return delta @ x.T, w.T @ delta

    return back


@pytest.mark.parametrize(("at_zero", "right"), [(0, True), (0.3, True), (1, True), (3, False)])
def test_a_layer_of_relu_at_zero_weights(at_zero, right):
    """Every sample stands on the kink, and no slope along a weight is what a convention gives."""
    assert verdict(dense, dense_back(at_zero), [np.zeros((2, 2)), X]) == ("pass" if right else "fail")


@pytest.mark.parametrize("at_zero", [0, 0.5, 1])
@pytest.mark.parametrize("x", [X, np.array([[1.0, -1.0, 1.0], [0.0, 0.0, 1.0]])])
def test_a_loss_over_samples_at_zero_weights(at_zero, x):
    """The kinks of all samples are composed into one number."""

    def loss(w):
        return float(np.sum((dense(w, x) - Y) ** 2))

    def back(g, w):
        return (2 * g * (dense(w, x) - Y) * np.where(w @ x == 0, at_zero, (w @ x > 0).astype(float)) @ x.T,)

    report = gradcheck.check_vjp(loss, back, [np.zeros((1, 2))], max_examples=3)
    assert report.verdict == "pass"


def test_what_is_wrong_elsewhere_is_wrong_beside_a_kink_too():
    """A component that no kink moves is compared as ever."""
    back = lambda g, x: (np.where(x > 2, 1.5, (x > 0).astype(float)) * g,)  # noqa: E731
    report = gradcheck.check_vjp(relu, back, [np.array([0.0, 3.0, -1.0])], max_examples=1)
    assert report.verdict == "fail"
