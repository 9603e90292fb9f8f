"""The convention at a kink is named; any element of the Clarke interval passes and none outside does."""

from dataclasses import replace

import numpy as np
import pytest

from gradcheck.checks import Fault, Wanted, examine, recognise
from gradcheck.checks.kinks import kink_conventions
from gradcheck.networks import activation_named, cost_named, forward
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
    ("mae", -1.0, True), ("mae", 0.0, True), ("mae", 0.3, True), ("mae", 1.0, True), ("mae", 7.0, False),
    ("hinge", 0.0, True), ("hinge", 0.5, True), ("hinge", 1.0, True), ("hinge", 2.5, False), ("hinge", -2.5, False),
])  # fmt: skip
def test_a_slope_outside_the_clarke_interval_fails(subject_of, make_case, cost, value, right):
    """A constant network whose output stands exactly on the kink of the cost; each side grants the other one jump."""
    case = make_case(2, 3, output="identity", cost=cost, samples=2)
    b = np.array([[0.5], [1.5], [-3.0]])
    y = b + np.array([[0.0], [1.0], [1.0]]) if cost == "mae" else np.eye(3)[1].reshape(-1, 1)
    case = replace(case.at({"W1": 0 * case.weight(1), "b1": b}), targets=np.repeat(y, 2, axis=1))
    found = examine(subject_of(claiming(case, value, cost)), case, COLUMNS)
    assert found.fault is (None if right else Fault.BACKWARD)


@pytest.mark.parametrize(("value", "right"), [(0.0, True), (0.5, True), (1.0, True), (2.5, False), (-2.5, False)])
def test_a_slope_of_relu_outside_the_interval_fails(subject_of, make_case, value, right):
    """The same for a hidden unit with z = 0."""
    case = make_case(3, 4, 2, hidden="relu", output="identity", regime="at_kink", samples=1)
    assert np.any(forward(case)[0][1] == 0)
    slopes = {**STABLE, "relu": (STABLE["relu"][0], lambda z: np.where(z == 0, value, (z > 0).astype(float)))}
    assert examine(subject_of(Columns(slopes, STABLE_COSTS, stable_softmax)), case, COLUMNS).fault is (
        None if right else Fault.BACKWARD
    )
