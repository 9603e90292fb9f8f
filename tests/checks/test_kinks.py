"""The convention at a kink is named; any element of the Clarke interval passes and none outside does."""

from dataclasses import replace

import numpy as np
import pytest

from gradcheck.checks import Fault, Wanted, examine, recognise
from gradcheck.checks.kinks import kink_conventions
from gradcheck.networks import activation_named, cost_named
from gradcheck.subjects import Layout
from tests.benchmarks.subjects import NAIVE_COSTS, STABLE, STABLE_COSTS, Columns, stable_softmax

COLUMNS = Layout("to_from", "columns", "column")


def told(subject, hidden, cost):
    """The conventions at kinks of one hidden activation and one cost."""
    wanted = Wanted((activation_named(hidden), activation_named("identity")), (cost_named(cost),))
    return [c.value for c in kink_conventions(subject, recognise(subject, wanted))]


@pytest.mark.parametrize(("slope", "value"), [(0, "relu′(0) = 0"), (1, "relu′(0) = 1")])
def test_the_slope_of_relu_at_zero_is_named(subject_of, slope, value):
    """0 or 1, as the subject has it."""
    subject = subject_of(Columns(STABLE, STABLE_COSTS, stable_softmax, slope_at_kink=slope))
    assert value in told(subject, "relu", "mse")


@pytest.mark.parametrize(("costs", "cost", "value"), [
    (STABLE_COSTS, "mae", "mae: sign(0) = 0"),
    (NAIVE_COSTS, "mae", "mae: sign(0) = 1"),
    (STABLE_COSTS, "hinge", "hinge: slope at margin 0 = 0"),
    (NAIVE_COSTS, "hinge", "hinge: slope at margin 0 = 1"),
])  # fmt: skip
def test_the_slope_of_a_cost_at_its_kink_is_named(subject_of, costs, cost, value):
    """sign(0), and a margin that is just enough."""
    assert value in told(subject_of(Columns(STABLE, costs, stable_softmax)), "tanh", cost)


def test_a_smooth_network_has_no_such_convention(subject_of):
    """Nothing to name."""
    assert told(subject_of(Columns(STABLE, STABLE_COSTS, stable_softmax)), "tanh", "mse") == []


def claiming(case, value, cost):
    """A subject whose mae or hinge has this slope where it stands on its kink, and a right one elsewhere."""

    def gradient(a, y):
        if cost == "mae":
            return np.where(a == y, value, np.sign(a - y))
        margin = a - (a * y).sum(axis=0) + 1
        inside = np.where(margin == 0, value, (margin > 0).astype(float)) * (1 - y)
        return inside - y * inside.sum(axis=0)

    return Columns(STABLE, {**STABLE_COSTS, cost: (STABLE_COSTS[cost][0], gradient)}, stable_softmax)


@pytest.mark.parametrize(("cost", "value", "right"), [
    ("mae", -1.0, True), ("mae", 0.0, True), ("mae", 0.3, True), ("mae", 1.0, True),
    ("mae", 1.01, False), ("mae", -1.01, False),
    ("hinge", 0.0, True), ("hinge", 0.5, True), ("hinge", 1.0, True), ("hinge", 1.01, False), ("hinge", -0.01, False),
])  # fmt: skip
def test_a_slope_outside_the_clarke_interval_fails(subject_of, make_case, cost, value, right):
    """A constant network whose output stands exactly on the kink of the cost."""
    case = make_case(2, 3, output="identity", cost=cost, samples=2)
    b = np.array([[0.5], [1.5], [-3.0]])
    y = b + np.array([[0.0], [1.0], [1.0]]) if cost == "mae" else np.eye(3)[1].reshape(-1, 1)
    case = replace(case.at({"W1": 0 * case.weight(1), "b1": b}), targets=np.repeat(y, 2, axis=1))
    found = examine(subject_of(claiming(case, value, cost)), case, COLUMNS)
    assert found.fault is (None if right else Fault.BACKWARD)


def sloped(name, slope_at_zero):
    """A subject whose activation has this slope at 0."""
    slopes = {**STABLE, name: (STABLE[name][0], lambda z, *p: np.where(z == 0, slope_at_zero, STABLE[name][1](z, *p)))}
    return Columns(slopes, STABLE_COSTS, stable_softmax)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(("hidden", "low", "high"), [
    ("relu", 0.0, 1.0), ("leaky_relu(0.2)", 0.2, 1.0), ("leaky_relu(3.0)", 1.0, 3.0), ("elu(0.5)", 0.5, 1.0),
    ("elu(2.0)", 1.0, 2.0),
])  # fmt: skip
def test_any_slope_of_the_clarke_interval_passes_and_no_other(subject_of, make_case, hidden, low, high, samples):
    """A hidden unit with z = 0: both ends, the middle, and a hundredth of the jump beyond each end."""
    case = make_case(3, 4, 2, hidden=hidden, output="identity", regime="at_kink", samples=samples)
    beyond = 0.01 * (high - low)
    for value, right in ((low, 1), (high, 1), ((low + high) / 2, 1), (low - beyond, 0), (high + beyond, 0)):
        subject = subject_of(sloped(hidden.partition("(")[0], value))
        assert examine(subject, case, COLUMNS).fault is (None if right else Fault.BACKWARD), value
