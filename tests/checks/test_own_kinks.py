"""Kinks of the caller's own activations and costs: found and honoured, or said to be unknown."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

import gradcheck
from gradcheck.checks import Fault, examine
from gradcheck.networks import Activation, Architecture, Cost, Dense, activation_named, cost_named, forward
from gradcheck.networks.sampling import sample_case
from gradcheck.oracles.kink_finder import with_kinks
from gradcheck.subjects import Layout
from tests.benchmarks.subjects import STABLE, STABLE_COSTS, Columns, stable_softmax

COLUMNS = Layout("to_from", "columns", "column")


def relu6(z):
    """The trusted definition, as a user gives it."""
    return jnp.clip(z, 0.0, 6.0)


def quantile(a, y):
    """A loss with a kink at a = y."""
    return jnp.sum(jnp.maximum(0.3 * (a - y), -0.7 * (a - y)))


def with_relu6(at_six=0.0):
    """A subject with relu6, whose slope at 6 is a choice."""
    slope = lambda z: np.where(z == 6, at_six, ((z > 0) & (z < 6)).astype(float))  # noqa: E731
    return Columns({**STABLE, "relu6": (lambda z: np.clip(z, 0, 6), slope)}, STABLE_COSTS, stable_softmax)


def with_quantile(slope_at_zero):
    """A subject with the quantile loss, whose slope at a = y is a choice."""
    value = lambda a, y: float(np.sum(np.maximum(0.3 * (a - y), -0.7 * (a - y))))  # noqa: E731
    gradient = lambda a, y: np.where(a == y, slope_at_zero, np.where(a > y, 0.3, -0.7))  # noqa: E731
    return Columns(STABLE, {**STABLE_COSTS, "quantile": (value, gradient)}, stable_softmax)


def test_the_kinks_of_an_own_activation_are_reported_with_the_slopes_there():
    """At 0 and at 6."""
    report = gradcheck.verify(with_relu6(1.0), activations=[relu6, "identity"], costs=["mse"], max_examples=8)
    said = {c.value for c in report.conventions}
    assert {"relu6: at 0, 6", "relu6′(0) = 0", "relu6′(6) = 1"} <= said
    assert report.verdict == "pass"


def test_a_slope_outside_at_the_second_kink_of_an_own_activation_is_found():
    """By the campaign itself, which stands on that kink too."""
    report = gradcheck.verify(with_relu6(1.2), activations=[relu6, "identity"], costs=["mse"], max_examples=150)
    assert report.verdict == "fail"


@pytest.mark.parametrize(("at_six", "right"), [(0.0, True), (0.5, True), (1.0, True), (1.01, False), (-0.01, False)])
def test_the_clarke_interval_of_an_own_activation(subject_of, at_six, right):
    """A unit that stands on 6."""
    own = with_kinks(Activation("relu6", relu6))
    layers = (Dense(3, own), Dense(2, activation_named("identity")))
    case = sample_case(Architecture(2, layers, cost_named("mse")), 1, np.random.default_rng(0))
    W, b = case.weight(1).copy(), case.bias(1).copy()
    W[1], b[1] = 0.0, 6.0
    found = examine(subject_of(with_relu6(at_six)), case.at({"W1": W, "b1": b}), COLUMNS)
    assert found.fault is (None if right else Fault.BACKWARD)


@pytest.mark.parametrize(("slope", "right"), [(-0.7, True), (0.0, True), (0.3, True), (0.31, False), (-0.71, False)])
def test_the_clarke_interval_of_an_own_cost(subject_of, slope, right):
    """Recognised from its gradient, although it declares no kinks."""
    layers = (Dense(2, activation_named("identity")),)
    case = sample_case(Architecture(3, layers, Cost("quantile", quantile)), 1, np.random.default_rng(1))
    case = case.at({"W1": 0 * case.weight(1)})
    y = forward(case)[1][-1] + np.array([[0.0], [1.0]])
    found = examine(subject_of(with_quantile(slope)), replace(case, targets=y), COLUMNS)
    assert found.fault is (None if right else Fault.BACKWARD)


def test_unknown_kinks_of_an_own_cost_are_said():
    """No case is put on them on purpose."""
    report = gradcheck.verify(with_quantile(0.0), activations=["tanh", "identity"], costs=[quantile], max_examples=6)
    assert any("quantile has kinks that are not known" in note for note in report.notes)
