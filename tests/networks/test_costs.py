"""Costs: known values, references at 30 digits, scales, L2 forms, guards, legality."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.errors import UsageError
from gradcheck.networks import COSTS, L2_FORMS, SCALES, Cost, activation_named, cost_named, legal
from gradcheck.networks.costs import guarded, scale_named
from gradcheck.networks.namespace import xp_numpy

A, Y = np.array([[0.2, 0.5], [0.3, 0.1], [0.5, 0.4]]), np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])


def value(cost, a=A, y=Y):
    """Of a built-in cost."""
    return float((cost if isinstance(cost, Cost) else COSTS[cost])(a, y, xp_numpy))


KNOWN = {
    "mse": 0.8**2 + 0.3**2 + 0.5**2 + 0.5**2 + 0.1**2 + 0.6**2,
    "mae": 0.8 + 0.3 + 0.5 + 0.5 + 0.1 + 0.6,
    "bce": -np.log(0.2 * 0.7 * 0.5 * 0.5 * 0.9 * 0.4),
    "cross_entropy": -np.log(0.2) - np.log(0.4),
    "hinge": (0.3 - 0.2 + 1) + (0.5 - 0.2 + 1) + (0.5 - 0.4 + 1) + (0.1 - 0.4 + 1),
    "bce_logits": np.sum(np.log1p(np.exp(A))) - 0.2 - 0.4,
    "cross_entropy_logits": np.log(np.exp(A).sum(axis=0)).sum() - 0.2 - 0.4,
}


@pytest.mark.parametrize("name", COSTS)
def test_known_values(name):
    """Summed over units and samples, never averaged."""
    assert value(name) == pytest.approx(KNOWN[name], rel=1e-14)


@given(st.lists(st.floats(-30, 30), min_size=2, max_size=5), st.integers(0, 4))
def test_cross_entropy_of_logits_against_thirty_digits(logits, true):
    """ln Σ eᵃ − a_t, at any size of the logits."""
    a = np.array(logits)[:, None]
    y = np.eye(len(logits))[:, [true % len(logits)]]
    with mpmath.workdps(30):
        expected = mpmath.log(sum(mpmath.exp(mpmath.mpf(t)) for t in logits)) - mpmath.mpf(logits[true % len(logits)])
    assert value("cross_entropy_logits", a, y) == pytest.approx(float(expected), rel=1e-14, abs=1e-13)


@given(st.floats(-600, 600), st.floats(0, 1))
def test_bce_of_logits_against_thirty_digits(a, y):
    """softplus(a) − y a, without overflow."""
    with mpmath.workdps(400):
        expected = mpmath.log1p(mpmath.exp(mpmath.mpf(a))) - mpmath.mpf(y) * mpmath.mpf(a)
    assert value("bce_logits", np.array([[a]]), np.array([[y]])) == pytest.approx(float(expected), rel=1e-13, abs=1e-13)


@pytest.mark.parametrize(("logits", "plain", "activation"), [
    ("bce_logits", "bce", "sigmoid"), ("cross_entropy_logits", "cross_entropy", "softmax")])  # fmt: skip
def test_a_cost_of_logits_is_the_cost_behind_its_activation(logits, plain, activation):
    """The same number by two ways."""
    a = activation_named(activation)(A, xp_numpy)
    assert value(logits) == pytest.approx(value(plain, a), rel=1e-14)


@pytest.mark.parametrize("name", ["mae", "hinge"])
def test_the_kinks_of_a_cost_are_zeros_of_its_margins(name):
    """A residual of 0, or a margin of exactly 1."""
    kinks = COSTS[name].kinks
    assert not (kinks(A, Y) == 0).any()
    a = {"mae": Y, "hinge": np.array([[1.0, 0.0], [0.0, 0.0], [5.0, 1.0]])}[name]
    assert (kinks(a, Y) == 0).any()


def test_the_target_unit_of_the_hinge_is_no_kink():
    """Its own margin is 1 whatever the outputs."""
    assert (COSTS["hinge"].kinks(A, Y)[Y == 1] == 2).all()


SCALE_TABLE = {
    "1/m": 1 / 5, "1/(2m)": 1 / 10, "1": 1, "1/2": 0.5, "1/(m n)": 1 / 15, "1/(2 m n)": 1 / 30, "1/n": 1 / 3,
    "1/(2n)": 1 / 6, "2/m": 2 / 5, "2": 2, "3 * 1/m": 3 / 5, "0.1*1": 0.1, "-1 * 1/n": -1 / 3,
}  # fmt: skip


@pytest.mark.parametrize("name", SCALE_TABLE)
def test_scales(name):
    """Factors for m = 5 samples and n = 3 outputs, numbers in front included."""
    assert scale_named(name)(5, 3) == pytest.approx(SCALE_TABLE[name], rel=1e-15)


def test_the_table_of_scales_is_whole():
    """Every key has its row above."""
    assert set(SCALES) <= set(SCALE_TABLE)


@pytest.mark.parametrize("name", ["", "1/k", "two * 1/m", "* 1/m", "3 *", "1/m * 3"])
def test_unknown_scales_are_usage_errors(name):
    """The message lists the keys and the form with a number."""
    with pytest.raises(UsageError, match=r"unknown scale .*expected one of 1/m.*0\.1 \* 1/m"):
        scale_named(name)


@pytest.mark.parametrize(
    ("form", "factor"),
    [("lambda/2", 0.5), ("lambda/(2m)", 0.1), ("lambda", 1), ("lambda/m", 0.2), ("m lambda/2", 2.5), ("none", 0)],
)
def test_l2_forms(form, factor):
    """For m = 5 samples."""
    assert L2_FORMS[form](5) == pytest.approx(factor)


@pytest.mark.parametrize("name", ["bce", "cross_entropy"])
def test_a_guard_shifts_the_logarithm(name):
    """ln(a + ε): finite at a = 0, and almost the plain cost elsewhere."""
    with_guard = guarded(name, 1e-3)
    assert (with_guard.name, with_guard.guard) == (name, 1e-3)
    assert value(with_guard) == pytest.approx(value(name), rel=1e-2)
    assert np.isfinite(value(with_guard, np.array([[0.0], [1.0]]), np.array([[1.0], [0.0]])))


def test_no_guard_is_the_plain_cost():
    """ε = 0 changes nothing."""
    assert guarded("bce", 0.0) is COSTS["bce"]


def test_unknown_costs_are_usage_errors():
    """The message lists the names there are."""
    with pytest.raises(UsageError, match="unknown cost 'mes'; expected one of mse, mae"):
        cost_named("mes")


LEGAL = {
    "mse": {"sigmoid", "tanh", "identity", "softmax"}, "mae": {"sigmoid", "tanh", "identity", "softmax"},
    "hinge": {"sigmoid", "tanh", "identity", "softmax"}, "bce": {"sigmoid"}, "cross_entropy": {"softmax"},
    "bce_logits": {"identity"}, "cross_entropy_logits": {"identity"},
}  # fmt: skip


@pytest.mark.parametrize("name", COSTS)
def test_which_output_activations_are_legal(name):
    """Log-costs need probabilities, costs of logits the identity, the others take anything."""
    activations = [activation_named(n) for n in ("sigmoid", "tanh", "identity", "softmax")]
    assert {f.name for f in activations if legal(COSTS[name], f.range, f.name)} == LEGAL[name]


def test_own_costs_with_and_without_the_namespace():
    """A function of (a, y), or of (a, y, xp)."""
    plain, spaced = Cost("p", lambda a, y: (a * y).sum()), Cost("s", lambda a, y, xp: xp.sum(a * y))
    assert value(plain) == value(spaced) == pytest.approx(0.6)
