"""The cheap rung agrees where a cost has the trusted derivative, and is in doubt where it has another one."""

import numpy as np
import pytest

from gradcheck.checks import screening
from gradcheck.checks.screening import screen
from gradcheck.oracles.error_analysis import rounding_bounds
from gradcheck.oracles.trusted import trusted_estimate
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
        bounds = rounding_bounds(case)
        told_subject = subject_of((told, backprop))
        return screen(told_subject, case, Layout(), trusted_estimate(case, False), bounds.value, np.inf)

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


@pytest.mark.parametrize(("factor", "doubt"), [(1.0, False), (40.0, False), (1e6, True)])
def test_a_first_step_that_is_too_coarse_gets_a_finer_one(screened, monkeypatch, factor, doubt):
    """Along the same direction; then the full ladder must say."""
    chosen = screening._step
    monkeypatch.setattr(screening, "_step", lambda *a: (factor * chosen(*a)[0], chosen(*a)[1]))
    outcomes = [screened(tanh_mse, seed=s) for s in range(6)]
    assert all((o is None) is doubt for o in outcomes)


@pytest.mark.parametrize(
    ("truncation", "rounding", "room", "step"),
    [(1.0, 0.01, np.inf, 1 / 16), (0.01, 1.0, np.inf, 8.0), (0.01, 1.0, 31.0, 0.0), (1.0, 1.0, np.inf, 0.0)],
)
def test_the_second_step_goes_where_the_larger_error_is(truncation, rounding, room, step):
    """Finer against truncation; coarser against rounding, unless a kink is near; none where both are large."""
    assert screening._other_step(1.0, truncation, rounding, room) == step
