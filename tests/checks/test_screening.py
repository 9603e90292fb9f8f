"""The cheap rung agrees where a cost has the trusted derivative, and is in doubt where it has another one."""

import numpy as np
import pytest

from gradcheck.checks import screening
from gradcheck.checks.screening import CUSTOMARY, NEAR_ENOUGH, REACH, screen
from gradcheck.networks import forward
from gradcheck.oracles.autodiff import value_and_gradient
from gradcheck.oracles.error_analysis import rounding_bounds
from gradcheck.subjects import Layout


@pytest.fixture
def screened(subject_of, make_case):
    """screened(loss, *widths) -> the outcome for a subject with this loss, a function of (weights, biases, x, y)."""

    def run(loss, *widths, **options):
        def backprop(weights, biases, x, y, *, activations, cost, l2):
            return [W * 0 for W in weights], [b * 0 for b in biases]

        def told(weights, biases, x, y, *, activations, cost, l2):
            return loss(weights, biases, x, y)

        case = make_case(*(widths or (3, 4, 2)), **options)
        told_subject = subject_of((told, backprop))
        known = float(told_subject.forward([case], Layout())[0]), rounding_bounds(case).value
        return screen(told_subject, case, Layout(), value_and_gradient(case)[1], known)

    return run


def tanh_mse(weights, biases, x, y):
    """The cost of the trusted tanh network."""
    a = x
    for W, b in zip(weights, biases, strict=True):
        a = np.tanh(W @ a + b)
    return float(np.sum((a - y) ** 2)) / x.shape[1]


@pytest.mark.parametrize("seed", range(20))
def test_the_right_cost_is_taken_at_its_word(screened, seed):
    """Within the sum of the bounds."""
    assert screened(tanh_mse, seed=seed) <= 1.0


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("error", [1e-3, 1e-1])
def test_an_error_in_one_bias_of_the_cost_leaves_doubt(screened, layer, error):
    """A cost that depends a little otherwise on one tensor only."""
    off = lambda W, b, x, y: tanh_mse(W, b, x, y) + error * float(np.sum(b[layer]))  # noqa: E731
    assert [screened(off, seed=s) for s in range(10)] == [None] * 10


def test_a_cost_in_single_precision_leaves_doubt(screened):
    """Its noise is above the bound of float64: the full differences measure it."""
    assert screened(lambda *a: float(np.float32(tanh_mse(*a)))) is None


def test_a_cost_that_is_not_finite_leaves_doubt(screened):
    """Neither agrees nor raises."""
    assert screened(lambda *a: float("nan")) is None


def test_large_networks_are_screened_along_low_rank_directions(screened, monkeypatch):
    """The blocks of matrices have rank two, and an error in one weight is seen all the same."""
    monkeypatch.setattr(screening, "LARGE_P", 100)
    block = screening._block((20, 30), np.random.default_rng(0), True)
    assert np.linalg.matrix_rank(block) == 2
    assert screened(tanh_mse, 10, 12, 9) <= 1.0
    assert screened(lambda W, b, x, y: tanh_mse(W, b, x, y) + 0.01 * W[0][3, 4], 10, 12, 9) is None


def test_low_rank_blocks_have_unit_variance():
    """Like the Gaussian ones that they stand for."""
    blocks = [screening._block((8, 9), np.random.default_rng(k), True) for k in range(2000)]
    assert abs(np.mean(np.square(blocks)) - 1) < 0.1


def test_the_step_moves_the_weighted_inputs_as_far_as_was_asked(make_case):
    """By `CUSTOMARY` for a smooth network in float64, give or take what is near enough."""
    for seed in range(20):
        case = make_case(5, 9, 7, 3, seed=seed)
        direction = screening._direction(case, dict.fromkeys(case.parameters, 1.0))
        _, moved, _ = screening._step(case, direction, 1e-16)
        change = max(np.abs(b - a).max() for a, b in zip(forward(case)[0][1:], forward(moved)[0][1:], strict=True))
        assert CUSTOMARY / NEAR_ENOUGH <= change <= CUSTOMARY * NEAR_ENOUGH


@pytest.mark.parametrize("noise", [1e-9, 1e-3])
def test_rounding_asks_for_a_longer_step_within_reach(make_case, noise):
    """Longer with the noise, and never so long that the network is another one."""
    case = make_case(5, 9, 3)
    direction = screening._direction(case, dict.fromkeys(case.parameters, 1.0))
    _, moved, _ = screening._step(case, direction, noise)
    change = max(np.abs(b - a).max() for a, b in zip(forward(case)[0][1:], forward(moved)[0][1:], strict=True))
    assert min(noise / screening.FD_NO_POWER, REACH / NEAR_ENOUGH) < change <= REACH


def test_a_kink_on_the_way_is_no_doubt_about_a_right_cost(screened, monkeypatch):
    """Both costs cross it alike."""
    monkeypatch.setattr(screening, "CUSTOMARY", REACH / 3)

    def relu_mse(weights, biases, x, y):
        for W, b in zip(weights, biases, strict=True):
            x = np.maximum(W @ x + b, 0.0)
        return float(np.sum((x - y) ** 2)) / x.shape[1]

    outcomes = [screened(relu_mse, 6, 30, 20, samples=9, hidden="relu", output="relu", seed=s) for s in range(10)]
    assert sum(o is not None and o <= 1 for o in outcomes) >= 8


def test_a_wrong_gradient_of_the_trusted_cost_leaves_doubt(subject_of, make_case):
    """The differences of the cost stand against what the oracle says, and not only against the trusted cost."""
    case = make_case(3, 4, 2)
    subject = subject_of((lambda W, b, x, y, **told: tanh_mse(W, b, x, y), lambda *a, **told: ([], [])))
    known = float(subject.forward([case], Layout())[0]), rounding_bounds(case).value
    right = value_and_gradient(case)[1]
    wrong = {**right, "W1": 1.2 * right["W1"]}
    assert screen(subject, case, Layout(), right, known) <= 1
    assert screen(subject, case, Layout(), wrong, known) is None


@pytest.mark.parametrize("shift", [1e-9, 1e3])
def test_a_cost_that_differs_by_a_constant_is_the_same_derivative(screened, shift):
    """A constant in the cost is a matter of the primal rung."""
    assert screened(lambda *a: tanh_mse(*a) + shift) <= 1.0
