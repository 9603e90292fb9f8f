"""Odd but correct code at kinks passes, and code that is wrong nowhere else is found: as people write it."""

from dataclasses import replace

import numpy as np
import pytest

from gradcheck.checks import Fault, examine
from gradcheck.networks import forward
from gradcheck.networks.sampling import sample_case
from gradcheck.subjects import Layout
from tests.benchmarks.strata import random_architecture
from tests.benchmarks.subjects import STABLE, STABLE_COSTS, Columns, correct_subjects, stable_softmax

COLUMNS = Layout("to_from", "columns", "column")
relu, leaky, elu, mae, hinge = ("relu", "leaky_relu(0.2)", "elu(2.0)", "mae", "hinge")


def one(condition):
    """A mask as floats."""
    return np.asarray(condition).astype(float)


def multiclass(inside):
    """The hinge's gradient from how far each margin counts."""

    def gradient(a, y):
        s = inside(a - (a * y).sum(axis=0) + 1) * (1 - y)
        return s - y * s.sum(axis=0)

    return gradient


RIGHT = {
    "z > 0": (relu, lambda z: one(z > 0)),
    "z >= 0": (relu, lambda z: one(z >= 0)),
    "not z < 0": (relu, lambda z: 1 - one(z < 0)),
    "where": (relu, lambda z: np.where(z > 0, 1.0, 0.0)),
    "heaviside ½": (relu, lambda z: np.heaviside(z, 0.5)),
    "(1 + sign)/2": (relu, lambda z: (1 + np.sign(z)) / 2),
    "sign of maximum": (relu, lambda z: np.sign(np.maximum(z, 0))),
    "clipped": (relu, lambda z: np.clip(z * 1e308 * 1e308, 0, 1) if np.all(z) else np.where(z > 0, 1.0, 0.0)),
    "from the activation": (relu, lambda z: one(np.maximum(z, 0) > 0)),
    "copysign": (relu, lambda z: (1 + np.copysign(1.0, z)) / 2),
    "as ints": (relu, lambda z: (z > 0).astype(int)),
    "leaky >": (leaky, lambda z, p: np.where(z > 0, 1, p)),
    "leaky <": (leaky, lambda z, p: np.where(z < 0, p, 1)),
    "leaky by sign": (leaky, lambda z, p: (1 + p) / 2 + (1 - p) / 2 * np.sign(z)),
    "leaky by heaviside": (leaky, lambda z, p: p + (1 - p) * np.heaviside(z, 0.3)),
    "elu from z": (elu, lambda z, p: np.where(z > 0, 1, p * np.exp(np.minimum(z, 0)))),
    "elu >=": (elu, lambda z, p: np.where(z >= 0, 1, p * np.exp(np.minimum(z, 0)))),
    "elu from a": (elu, lambda z, p: np.where(z > 0, 1, p * np.expm1(np.minimum(z, 0)) + p)),
    "sign": (mae, lambda a, y: np.sign(a - y)),
    "2 (a > y) − 1": (mae, lambda a, y: 2 * one(a > y) - 1),
    "2 (a >= y) − 1": (mae, lambda a, y: 2 * one(a >= y) - 1),
    "over |a − y| + tiny": (mae, lambda a, y: (a - y) / np.maximum(np.abs(a - y), 1e-300)),
    "margin > 0": (hinge, multiclass(lambda margin: one(margin > 0))),
    "margin >= 0": (hinge, multiclass(lambda margin: one(margin >= 0))),
    "half a margin": (hinge, multiclass(lambda margin: np.heaviside(margin, 0.5))),
}
WRONG = {
    "1.01 at 0": (relu, lambda z: np.where(z == 0, 1.01, one(z > 0))),
    "−0.01 at 0": (relu, lambda z: np.where(z == 0, -0.01, one(z > 0))),
    "z > 0 plus z == 0 twice": (relu, lambda z: one(z > 0) + 2 * one(z == 0)),
    "(z > 0) − (z == 0)": (relu, lambda z: one(z > 0) - one(z == 0)),
    "sign at 0 of a cosine": (relu, lambda z: np.where(z == 0, -np.cos(z), one(z > 0))),
    "0/0": (relu, lambda z: (1 + z / np.abs(z)) / 2),
    "leaky with 0 at 0": (leaky, lambda z, p: np.where(z > 0, 1, np.where(z < 0, p, 0))),
    "leaky by a wrong sign": (leaky, lambda z, p: np.where(z == 0, -p, np.where(z > 0, 1, p))),
    "leaky, both slopes at 0": (leaky, lambda z, p: one(z >= 0) + p * one(z <= 0)),
    "elu with 0 at 0": (elu, lambda z, p: one(z > 0) + p * np.exp(z) * one(z < 0)),
    "elu with ½ at 0": (elu, lambda z, p: np.where(z == 0, 0.5, np.where(z > 0, 1, p * np.exp(np.minimum(z, 0))))),
    "elu, both slopes at 0": (elu, lambda z, p: one(z >= 0) + p * np.exp(z) * one(z <= 0)),
    "sign(0) = 2": (mae, lambda a, y: np.where(a == y, 2, np.sign(a - y))),
    "both signs, one twice": (mae, lambda a, y: one(a > y) - one(a < y) - 1.01 * one(a == y)),
    "divided by |a − y|": (mae, lambda a, y: (a - y) / np.abs(a - y)),
    "a margin that counts twice": (hinge, multiclass(lambda margin: one(margin > 0) + 2 * one(margin == 0))),
    "a margin below nothing": (hinge, multiclass(lambda margin: one(margin > 0) - 0.1 * one(margin == 0))),
    "the target forgets the margin of 0": (
        hinge,
        lambda a, y: (
            one(a - (a * y).sum(axis=0) + 1 >= 0) * (1 - y)
            - y * (one(a - (a * y).sum(axis=0) + 1 > 0) * (1 - y)).sum(axis=0)
        ),
    ),
}


def written(what, slope):
    """A subject with this slope of an activation, or this gradient of a cost."""
    if what in (mae, hinge):
        return Columns(STABLE, {**STABLE_COSTS, what: (STABLE_COSTS[what][0], slope)}, stable_softmax)
    name = what.partition("(")[0]
    return Columns({**STABLE, name: (STABLE[name][0], slope)}, STABLE_COSTS, stable_softmax)


def on_the_kink(make_case, what, samples):
    """A hidden unit with z = 0, or a constant network whose output stands on the kink of the cost."""
    if what not in (mae, hinge):
        return make_case(3, 4, 2, hidden=what, output="identity", regime="at_kink", samples=samples)
    case = make_case(2, 3, output="identity", cost=what, samples=samples)
    b = np.array([[0.5], [1.5], [-3.0]])
    y = b + np.array([[0.0], [1.0], [1.0]]) if what == mae else np.eye(3)[1].reshape(-1, 1)
    return replace(case.at({"W1": 0 * case.weight(1), "b1": b}), targets=np.repeat(y, samples, axis=1))


@pytest.mark.parametrize("name", RIGHT)
def test_odd_but_correct_code_passes(subject_of, make_case, name):
    """On the kink with one sample and with several, and away from it."""
    what, slope = RIGHT[name]
    subject = subject_of(written(what, slope))
    for case in (on_the_kink(make_case, what, 1), on_the_kink(make_case, what, 3), away(make_case, what)):
        with np.errstate(all="ignore"):
            assert examine(subject, case, COLUMNS).fault is None


@pytest.mark.parametrize("name", WRONG)
def test_code_that_is_wrong_at_the_kink_alone_is_found(subject_of, make_case, name):
    """Away from it nothing is wrong."""
    what, slope = WRONG[name]
    subject = subject_of(written(what, slope))
    for samples in (1, 3):
        found = examine(subject, on_the_kink(make_case, what, samples), COLUMNS).fault
        assert found in (Fault.BACKWARD, Fault.NONFINITE), samples
    assert examine(subject, away(make_case, what), COLUMNS).fault is None


def away(make_case, what):
    """An ordinary case of the same kind."""
    if what in (mae, hinge):
        return make_case(2, 4, 3, hidden="tanh", output="identity", cost=what, samples=3)
    return make_case(3, 4, 2, hidden=what, output="identity", samples=3)


class TwoMinds(Columns):
    """Its weights see one slope of relu at 0, its biases another."""

    def backprop(self, weights, biases, x, y, *, activations, cost, l2):
        """The weights of one convention, the biases of the other."""
        right = Columns({**STABLE, "relu": (STABLE["relu"][0], lambda z: one(z >= 0))}, STABLE_COSTS, stable_softmax)
        dW, _ = super().backprop(weights, biases, x, y, activations=activations, cost=cost, l2=l2)
        return dW, right.backprop(weights, biases, x, y, activations=activations, cost=cost, l2=l2)[1]


def test_two_conventions_at_one_kink_are_no_gradient(subject_of, make_case):
    """Each tensor is right for some slope, and no slope is right for both."""
    subject = subject_of(TwoMinds(STABLE, STABLE_COSTS, stable_softmax))
    assert examine(subject, on_the_kink(make_case, relu, 1), COLUMNS).fault is Fault.BACKWARD
    assert examine(subject, away(make_case, relu), COLUMNS).fault is None


@pytest.mark.parametrize("samples", [1, 4])
def test_kinks_in_two_layers_at_once(subject_of, make_case, samples):
    """The hull of the intervals: every mixture of conventions passes, a slope of 3 does not."""
    case = make_case(3, 4, 4, 2, hidden="relu", output="identity", samples=samples)
    changed = {}
    for l in (1, 2):
        W, b = case.weight(l).copy(), case.bias(l).copy()
        W[1], b[1] = 0.0, 0.0
        changed |= {f"W{l}": W, f"b{l}": b}
    case = case.at(changed)
    assert np.all(forward(case)[0][1][1] == 0)
    for slope, right in ((0.0, True), (0.5, True), (1.0, True), (3.0, False)):
        subject = subject_of(written(relu, lambda z, s=slope: np.where(z == 0, s, one(z > 0))))
        assert examine(subject, case, COLUMNS).fault is (None if right else Fault.BACKWARD)


@pytest.mark.parametrize("subject", correct_subjects(), ids=lambda s: s.name)
def test_networks_of_integers_stand_on_many_kinks_at_once(subject):
    """Zeros in several layers, equal samples, zero weights: the nine correct subjects of the benchmark, conventions and all."""
    for k in range(12):
        generator = np.random.default_rng([7, k])
        dtype = "float32" if subject.single else "float64"
        architecture = random_architecture(generator, ("relu family", "at a kink")[k % 2], subject, dtype)
        case = sample_case(architecture, int(generator.integers(1, 5)), generator)
        whole = {n: np.round(2 * a) * (k % 4 != 3) for n, a in case.parameters.items()}
        y = np.round(case.targets) if architecture.cost.targets == "real" else case.targets
        with np.errstate(all="ignore"):
            found = examine(
                subject.subject, replace(case.at(whole), inputs=np.round(case.inputs), targets=y), subject.layout
            )
        assert found.fault in (None, Fault.UNSTABLE), architecture.describe()
