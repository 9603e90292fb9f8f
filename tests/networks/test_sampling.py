"""Numbers for an architecture: margins, kinks, short decimals, dtype, subnormals, ceilings, targets."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.networks import COSTS, Activation, activation_named, forward
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.networks.sampling import MARGIN, REGIMES, kink_distance, sample_case
from gradcheck.strategies import architectures, cases

SMOOTH = ("ordinary", "tiny", "large", "saturated")
SEEDS = range(6)


def numbers(case):
    """Every number of a case in one vector."""
    return np.concatenate([a.ravel() for a in (*case.parameters.values(), case.inputs, case.targets)])


@given(cases(regimes_among=SMOOTH))
def test_cases_keep_their_margin_from_kinks(case):
    """Relative to max(1, |z|), and of the cost's own kinks too."""
    assert kink_distance(case) >= MARGIN


@given(cases(replace(default_repertoire(), dtype="float32"), regimes_among=SMOOTH))
def test_float32_cases_hold_values_of_float32(case):
    """Every number survives the rounding, so that the oracle sees the same point."""
    values = numbers(case)
    np.testing.assert_array_equal(values.astype(np.float32).astype(np.float64), values)


@given(cases(regimes_among=REGIMES))
def test_there_are_no_subnormals_and_nothing_is_infinite(case):
    """XLA flushes subnormals to zero, numpy does not."""
    values = numbers(case)
    assert np.isfinite(values).all()
    assert (np.abs(values[values != 0]) >= np.finfo(np.float32).tiny).all()


@given(cases(regimes_among=SMOOTH))
def test_weighted_inputs_stay_in_the_range_of_naive_exponentials(case):
    """50 in hidden layers, 12 where a probability follows; shifts away from a kink may add a few units."""
    z = forward(case)[0]
    head = case.architecture.layers[-1].activation.range != "real" or case.architecture.cost.targets != "real"
    assert max((np.abs(h).max() for h in z[1:-1]), default=0) < 55
    assert np.abs(z[-1]).max() < (20 if head else 55)


@given(architectures(), st.integers(1, 5), st.sampled_from([1, 2]), st.integers(0, 99))
def test_digits_are_decimals(architecture, samples, digits, seed):
    """Inputs have so many decimals and are never rounded to zero."""
    case = sample_case(architecture, samples, np.random.default_rng(seed), digits=digits)
    np.testing.assert_array_equal(np.round(case.inputs, digits), case.inputs)
    assert (case.inputs != 0).all()


@pytest.mark.parametrize("activation", ["relu", "leaky_relu(0.2)", "elu(0.5)"])
@pytest.mark.parametrize("bias", [True, False])
def test_at_a_kink_one_unit_is_exactly_on_it(sampled, activation, bias):
    """z = 0 for every sample, whatever the order of summation."""
    for seed in SEEDS:
        case = sampled(3, 4, 2, hidden=activation, regime="at_kink", seed=seed, bias=bias)
        assert (forward(case)[0][1] == 0).all(axis=1).any()
        assert kink_distance(case) == 0


@pytest.mark.parametrize("activation", ["relu", "elu(0.5)"])
def test_near_a_kink_one_unit_is_a_hair_away(sampled, activation):
    """1e-9 … 1e-4 for one sample, on either side."""
    distances = [kink_distance(sampled(3, 4, 2, hidden=activation, regime="near_kink", seed=s)) for s in SEEDS]
    assert all(0 < d <= 1.1e-4 for d in distances)


@pytest.mark.parametrize("regime", ["at_kink", "near_kink"])
def test_a_smooth_network_has_no_kink_to_look_for(sampled, regime):
    """The case is an ordinary one."""
    case = sampled(3, 4, 2, regime=regime)
    assert kink_distance(case) == np.inf


def test_regimes_scale_the_network(sampled):
    """Tiny parameters, large inputs, saturated units."""
    size = {r: sampled(3, 4, 2, regime=r) for r in SMOOTH}
    assert np.abs(size["tiny"].weight(1)).max() < 1e-2
    assert np.abs(size["large"].inputs).max() > 50
    assert np.abs(size["saturated"].weight(1)).max() > np.abs(size["ordinary"].weight(1)).max()


@pytest.mark.parametrize("hard", [True, False])
@pytest.mark.parametrize("digits", [None, 1])
@pytest.mark.parametrize("name", COSTS)
def test_targets_are_of_the_kind_that_the_cost_wants(sampled, name, digits, hard):
    """Columns that sum to one, one-hot columns, values in [0, 1], or any number."""
    output = {"bce": "sigmoid", "cross_entropy": "softmax"}.get(name, "identity")
    y = sampled(3, 4, output=output, cost=name, digits=digits, hard=hard, samples=7).targets
    kind = COSTS[name].targets
    if kind in ("simplex", "one_hot"):
        np.testing.assert_allclose(y.sum(axis=0), 1, rtol=1e-15)
    if kind in ("simplex", "unit_interval"):
        assert ((y >= 0) & (y <= 1)).all()
    if kind == "one_hot" or (hard and kind != "real"):
        assert set(np.unique(y)) <= {0.0, 1.0}
    if digits and kind != "real":
        np.testing.assert_allclose(np.round(y, digits), y, rtol=1e-15)


def test_soft_targets_of_many_units_get_a_finer_step(sampled):
    """Ten units do not fit into tenths."""
    y = sampled(2, 12, output="softmax", cost="cross_entropy", digits=1, samples=9).targets
    np.testing.assert_allclose(np.round(y, 2), y, rtol=1e-15)


def test_one_generator_gives_one_case(dense):
    """The same seed, the same numbers."""
    first, second = (sample_case(dense(3, 2), 4, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(numbers(first), numbers(second))


@pytest.mark.parametrize("output", ["relu", "sigmoid"])
def test_a_cost_with_kinks_is_kept_away_from_them(sampled, output):
    """mae behind an output that is 0 for many units, and hinge on probabilities."""
    cost = {"relu": "mae", "sigmoid": "hinge"}[output]
    for seed in SEEDS:
        case = sampled(2, 3, output=output, cost=cost, seed=seed, samples=6)
        assert np.abs(case.architecture.cost.kinks(forward(case)[1][-1], case.targets)).min() >= MARGIN


def test_the_distance_counts_every_layer(sampled):
    """The nearest unit of any layer decides."""
    case = sampled(2, 3, 2, hidden="relu", output="relu")
    z = forward(case)[0]
    near = min(float(np.min(np.abs(h) / np.maximum(1, np.abs(h)))) for h in z[1:])
    assert kink_distance(case) == near
    assert activation_named("relu").kinks == (0.0,)


@pytest.mark.parametrize(("cost", "output"), [("mae", "identity"), ("mae", "tanh"), ("hinge", "identity")])
def test_a_cost_can_stand_on_its_kink(sampled, cost, output):
    """a = y, or a margin of 0, exactly."""
    for seed in range(8):
        case = sampled(3, 4, 3, output=output, cost=cost, regime="at_kink", seed=seed)
        assert kink_distance(case) == 0


def test_ill_conditioned_networks_cancel(sampled):
    """In some case the terms of z are a thousand times z itself."""
    worst = 0.0
    for seed in range(60):
        case = sampled(3, 4, 2, regime="ill_conditioned", seed=seed)
        (z, a), W = forward(case), case.weight(2)
        worst = max(worst, float(np.max((np.abs(W) @ np.abs(a[1])).max() / np.abs(z[2]).max())))
    assert worst > 1e3


@pytest.mark.parametrize("units", [2, 4])
def test_a_hinge_behind_a_saturated_softmax_gets_another_class(sampled, units):
    """a is nearly 0 and 1 there, and no bias takes the margin of the largest class off 0."""
    for seed in range(10):
        case = sampled(3, units, output="softmax", cost="hinge", samples=5, regime="saturated", seed=seed)
        assert kink_distance(case) >= MARGIN


def test_a_network_without_biases_is_cleared_through_a_weight(sampled):
    """Before, its units stayed where they were."""
    for seed in range(20):
        assert (
            kink_distance(sampled(3, 5, 2, hidden="relu", output="identity", bias=False, samples=4, seed=seed))
            >= MARGIN
        )


def test_all_kinks_of_an_activation_are_cleared_at_once(dense):
    """A shift away from one does not end on another."""
    steps = Activation("steps", lambda z, xp: xp.clip(z, 0.0, 0.1) + xp.clip(z, 0.3, 0.5), kinks=(0.0, 0.1, 0.3, 0.5))
    network = dense(3, 5, 2)
    layers = (replace(network.layers[0], activation=steps), network.layers[1])
    for seed in range(10):
        case = sample_case(replace(network, layers=layers), 3, np.random.default_rng(seed))
        assert kink_distance(case) >= MARGIN


def test_any_kink_of_an_activation_may_be_stood_on(dense):
    """Not its first alone."""
    layers = dense(3, 4, 2).layers
    clip = Activation("clip", lambda z, xp: xp.clip(z, -1.0, 1.0), kinks=(-1.0, 1.0))
    network = replace(dense(3, 4, 2), layers=(replace(layers[0], activation=clip), layers[1]))
    cases_ = [sample_case(network, 2, np.random.default_rng(s), "at_kink") for s in range(8)]
    assert {k for c in cases_ for k in (-1.0, 1.0) if np.any(forward(c)[0][1] == k)} == {-1.0, 1.0}
