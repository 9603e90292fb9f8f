"""A cast on the way is less precision, whatever it is cast to and wherever; a wrong formula is not, however small its error."""

from dataclasses import replace

import numpy as np
import pytest

from gradcheck.checks import Fault, examine
from gradcheck.numerics import rounded_to
from gradcheck.subjects.functional import Functional
from gradcheck.subjects.local import LocalSubject
from tests.benchmarks.subjects import STABLE, STABLE_COSTS, Columns, stable_softmax, subject_named

LAYOUT = subject_named("logits").layout
PLACES = ("x", "W", "a", "delta", "dW", "db")


class Edited(Columns):
    """The correct network with `change(place, layer, value)` applied to every intermediate."""

    def __init__(self, change) -> None:
        super().__init__(STABLE, STABLE_COSTS, stable_softmax, fused=True)
        self.change = change

    def _forward(self, weights, biases, x, names):
        zs, a = [], [self.change("x", 1, x)]
        for l, (W, b, name) in enumerate(zip(weights, biases, names, strict=True), start=1):
            zs.append(self.change("W", l, W) @ a[-1] + b.reshape(-1, 1))
            a.append(self.change("a", l, self._value(name, zs[-1])))
        return zs, a

    def backprop(self, weights, biases, x, y, *, activations, cost, l2):
        """The four equations."""
        names, cost = self._names(activations, cost)
        zs, a = self._forward(weights, biases, x, names)
        above, dW, db = self.costs[cost][1](a[-1], y) / x.shape[1], [], []
        for l in range(len(weights), 0, -1):
            delta = self.change("delta", l, self._delta(names[l - 1], zs[l - 1], a[l], above))
            dW.insert(0, self.change("dW", l, delta @ a[l - 1].T + l2 * weights[l - 1]))
            db.insert(0, self.change("db", l, delta.sum(axis=1)).reshape(biases[l - 1].shape))
            above = weights[l - 1].T @ delta
        return dW, db


def cast(place, precision, layer=None):
    """Rounds one intermediate, of one layer or of all."""

    def change(where, l, value):
        if where != place or layer not in (None, l):
            return value
        return rounded_to(np.asarray(value, dtype=np.float64), precision).astype(value.dtype)

    return Edited(change)


def examined(functions, case):
    """Without differences, which have no say here."""
    subject = LocalSubject(Functional(functions.loss, functions.backprop, "edited"))
    return examine(subject, case, LAYOUT, differences=False)


@pytest.fixture
def points(make_case):
    """dtype -> two cases of three layers, one with a kinked cost."""
    return lambda dtype: [
        make_case(3, 4, 3, 2, hidden="tanh", dtype=dtype),
        make_case(3, 4, 3, 2, hidden="softplus", output="identity", cost="hinge", dtype=dtype, hard_targets=True),
    ]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("dtype", "precision"), [("float64", "float32"), ("float64", "float16"),
                                                  ("float64", "bfloat16"), ("float32", "float16")])  # fmt: skip
def test_a_cast_is_less_precision(points, place, dtype, precision):
    """In all layers and in the first alone; never named a wrong gradient."""
    for case in points(dtype):
        for layer in (None, 1):
            found = examined(cast(place, precision, layer), case)
            assert found.fault in (Fault.PRECISION, None)
        assert examined(cast(place, precision), case).fault is Fault.PRECISION


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_right_neighbour_is_clean(points, dtype):
    """The same code without the cast."""
    assert all(examined(Edited(lambda where, l, v: v), case).fault is None for case in points(dtype))


@pytest.mark.parametrize("factor", [1.0003, 1.003, 1.02])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_small_factor_is_a_wrong_gradient(points, dtype, factor):
    """Smaller than one rounding to float16, and smooth."""
    smooth = points(dtype)[0]
    wrong = Edited(lambda where, l, v: v * v.dtype.type(factor) if where == "dW" else v)
    assert examined(wrong, smooth).fault is Fault.BACKWARD


@pytest.mark.parametrize("distance", [0.02, 0.04, -0.03])
def test_a_small_factor_beside_a_kink_is_a_wrong_gradient(make_case, distance):
    """On one side of the case the error jumps with the slope, on the other it is smooth."""
    case = make_case(1, 1, 1, 1, hidden="elu(0.5)", output="sigmoid", samples=1)
    numbers = {"W1": 0.1, "b1": 0.8, "W2": -1.2, "b2": 1.2 * 0.7 + distance, "W3": 1.0, "b3": 0.0}
    beside = replace(case.at({n: np.full((1, 1), v) for n, v in numbers.items()}), inputs=np.full((1, 1), -1.0))
    wrong = Edited(lambda where, l, v: v * 1.01 if where == "delta" and l == 1 else v)
    assert examined(wrong, beside).fault is Fault.BACKWARD


def test_bfloat16_rounds_to_eight_bits_ties_to_even():
    """1 + 2⁻⁸ lies between 1 and 1 + 2⁻⁷."""
    given = np.array([1 + 2.0**-8, 1 + 3 * 2.0**-8, -3.14159, 0.0])
    assert rounded_to(given, "bfloat16").tolist() == [1.0, 1 + 2.0**-6, -3.140625, 0.0]
