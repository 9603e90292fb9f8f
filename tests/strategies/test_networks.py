"""Strategies: what a counterexample shrinks to, the limits of a repertoire, what the corner cases cover."""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from gradcheck.networks import activation_named, cost_named, forward
from gradcheck.networks.repertoire import Head, Repertoire, default_repertoire
from gradcheck.networks.sampling import REGIMES
from gradcheck.strategies import (
    architectures,
    cases,
    corner_cases,
    directions,
    extreme_cases,
    regimes,
    repertoires,
)

TANH, RELU, SOFTMAX = (activation_named(n) for n in ("tanh", "relu", "softmax"))
SMALL = Repertoire((TANH, RELU), (Head(TANH, cost_named("mse")), Head(SOFTMAX, cost_named("cross_entropy"))))
DEFAULT = default_repertoire()


def minimal(strategy, condition=lambda value: True):
    """What the strategy shrinks to."""
    quiet = settings(max_examples=500, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    return find(strategy, condition, settings=quiet, random=random.Random(0))


# Shrinking


def test_the_smallest_architecture():
    """One unit to one unit, the first head, no λ."""
    smallest = minimal(architectures(SMALL))
    assert (smallest.widths, smallest.activation_names, smallest.cost.name) == ((1, 1), ("tanh",), "mse")
    assert smallest.regularisation.strength == 0


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_smallest_of_a_depth(depth):
    """Every width 1, the first activation in all layers."""
    smallest = minimal(architectures(SMALL), lambda a: a.depth >= depth)
    assert smallest.widths == (1,) * (depth + 1)
    assert set(smallest.activation_names) == {"tanh"}


CONDITIONS = {
    "a wide hidden layer": (lambda a: max(a.widths[1:-1], default=0) >= 3, (1, 3, 1)),
    "several outputs": (lambda a: a.widths[-1] >= 2, (1, 2)),
    "several inputs": (lambda a: a.inputs >= 4, (4, 1)),
    "relu inside": (lambda a: "relu" in a.activation_names, (1, 1, 1)),
    "softmax": (lambda a: a.activation_names[-1] == "softmax", (1, 2)),
    "λ": (lambda a: a.regularisation.strength > 0, (1, 1)),
    "unequal neighbours": (lambda a: a.depth == 2 and a.widths[1] != a.widths[2], (1, 1, 2)),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_smallest_with_a_condition(name):
    """Nothing is larger than the condition needs: as many units as it takes, and no more layers."""
    condition, widths = CONDITIONS[name]
    found = minimal(architectures(SMALL), condition)
    assert len(found.widths) == len(widths)
    assert sum(found.widths) == sum(widths)


def test_the_smallest_case_has_short_decimals():
    """One sample, one decimal."""
    case = minimal(cases(SMALL))
    assert case.samples == 1
    for a in (*case.parameters.values(), case.inputs, case.targets):
        np.testing.assert_array_equal(np.round(a, 1), a)


def test_samples_shrink_to_what_is_needed():
    """Three for a condition that needs three, with short decimals."""
    case = minimal(cases(SMALL), lambda c: c.samples >= 3)
    assert (case.architecture.widths, case.samples) == ((1, 1), 3)
    np.testing.assert_array_equal(np.round(case.inputs, 1), case.inputs)


def test_the_ordinary_regime_is_the_simplest():
    """It comes first."""
    assert minimal(regimes()) == "ordinary"
    assert minimal(regimes(("tiny", "large"))) == "tiny"


# Limits

LIMITS = {
    "depths": {"depths": (2, 3)},
    "widths": {"widths": (2, 3)},
    "one output": {"output_widths": (1, 1)},
    "samples": {"samples": (1, 1)},
    "no bias": {"bias": False},
    "float32": {"dtype": "float32"},
    "no λ": {"l2": False},
    "one activation": {"one_activation": True},
    "L2 with biases": {"l2_form": "lambda/m", "l2_biases": True},
}


@pytest.mark.parametrize("name", LIMITS)
@given(st.data())
@settings(max_examples=30)
def test_a_repertoire_is_respected(name, data):
    """By everything that is drawn."""
    r = replace(SMALL, **LIMITS[name])
    assert_within(data.draw(cases(r)), r)


@pytest.mark.parametrize("name", [n for n in LIMITS if n != "widths"])
def test_corner_cases_respect_it_too(name):
    """Except for widths, which they choose themselves."""
    r = replace(SMALL, **LIMITS[name])
    for case in corner_cases(r, 0):
        assert_within(case, replace(r, widths=(1, 6)))


def assert_within(case, r):
    """Every limit of a repertoire."""
    a = case.architecture
    assert r.depths[0] <= a.depth <= r.depths[1]
    assert all(r.widths[0] <= n <= r.widths[1] for n in a.widths[:-1])
    assert r.output_widths[0] <= a.widths[-1] <= r.output_widths[1]
    assert r.samples[0] <= case.samples <= r.samples[1]
    assert (a.bias, a.dtype, a.regularisation.form, a.regularisation.biases) == (
        r.bias,
        r.dtype,
        r.l2_form,
        r.l2_biases,
    )
    assert r.l2 or a.regularisation.strength == 0
    assert any((a.layers[-1].activation, a.cost, a.scale) == (h.activation, h.cost, h.scale) for h in r.heads)
    allowed = {a.layers[-1].activation} if r.one_activation else set(r.hidden)
    assert {layer.activation for layer in a.layers[:-1]} <= allowed


def test_distinct_and_square_networks_are_both_drawn():
    """Every width different, and all hidden widths equal to the input's."""
    deep = replace(SMALL, depths=(3, 3))
    assert minimal(architectures(deep), lambda a: len(set(a.widths[:-1])) == 3).depth == 3
    assert minimal(architectures(deep), lambda a: len(set(a.widths[:-1])) == 1 and a.inputs > 1).inputs == 2


@given(st.data())
def test_directions_are_like_the_point(data):
    """Names and shapes."""
    like = {"W1": np.zeros((2, 3)), "b1": np.zeros((2, 1))}
    v = data.draw(directions(like))
    assert {n: a.shape for n, a in v.items()} == {"W1": (2, 3), "b1": (2, 1)}


def test_the_repertoire_of_everything():
    """It is there to be narrowed."""
    assert [h.cost.name for h in minimal(repertoires()).heads] == [h.cost.name for h in DEFAULT.heads]


# Corner cases

CORNERS = list(corner_cases(DEFAULT, 0))
SOFT = ("simplex", "unit_interval")


def test_corner_cases_cover_every_head_and_every_hidden_activation():
    """By construction and not by luck."""
    heads = {(c.architecture.layers[-1].activation.name, c.architecture.cost.name) for c in CORNERS}
    hidden = {f for c in CORNERS for f in c.architecture.activation_names[:-1]}
    assert heads == {(h.activation.name, h.cost.name) for h in DEFAULT.heads}
    assert hidden == {f.name for f in DEFAULT.hidden}


@pytest.mark.parametrize(
    ("what", "condition"),
    [
        ("one sample", lambda c: c.samples == 1),
        ("several samples", lambda c: c.samples >= 3),
        ("depth 1", lambda c: c.architecture.depth == 1),
        ("depth 2", lambda c: c.architecture.depth == 2),
        ("depth 3", lambda c: c.architecture.depth == 3),
        ("a square hidden layer", lambda c: c.architecture.depth == 3 and len(set(c.architecture.widths[1:3])) == 1),
        ("all widths different", lambda c: len(set(c.architecture.widths)) == len(c.architecture.widths) >= 3),
        ("λ = 0", lambda c: c.architecture.regularisation.strength == 0),
        ("λ > 0", lambda c: c.architecture.regularisation.strength > 0),
        ("biases", lambda c: all(c.bias(l).any() for l in range(1, c.architecture.depth + 1))),
        ("soft targets", lambda c: c.architecture.cost.name == "cross_entropy" and 0 < c.targets.flat[0] < 1),
        ("hard targets", lambda c: c.architecture.cost.targets in SOFT and set(c.targets.flat) == {0.0, 1.0}),
    ],
)
def test_corner_cases_cover(what, condition):
    """What must not be left to luck, with everything built in and with a small repertoire."""
    assert any(condition(c) for c in CORNERS), what
    if "targets" not in what:
        assert any(condition(c) for c in corner_cases(SMALL, 3)), what


def test_the_seed_of_corner_cases_is_that_of_their_numbers():
    """Other seed, other numbers, same networks."""
    first, again, other = (list(corner_cases(SMALL, s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first[0].inputs, again[0].inputs)
    assert (first[0].inputs != other[0].inputs).any()
    assert [c.architecture for c in first] == [c.architecture for c in other]


def test_depths_without_a_usual_shape_still_have_one():
    """A subject that takes five layers only."""
    (depth,) = {c.architecture.depth for c in corner_cases(replace(SMALL, depths=(5, 5)), 0)}
    assert depth == 5


def test_extreme_cases_leave_the_usual_range():
    """Weighted inputs of 40 up to 800, in the output layer and in a hidden one."""
    largest = [max(float(np.abs(z).max()) for z in forward(c)[0][1:]) for c in extreme_cases(SMALL, 0)]
    assert min(largest) >= 39
    assert max(largest) >= 790


@pytest.mark.parametrize(
    "limits",
    [{}, {"one_activation": True}, {"depths": (2, 4)}, {"depths": (3, 3)}, {"fixed": (3, 4, 2), "depths": (2, 2)}],
)
def test_extreme_cases_cover_every_head_and_every_hidden_activation(limits):
    """Whatever the depths; where the layers share one activation, in a hidden layer too."""
    r = replace(DEFAULT, **limits)
    networks = [c.architecture for c in extreme_cases(r, 0)]
    assert {(a.layers[-1].activation, a.cost) for a in networks} == {(h.activation, h.cost) for h in r.heads}
    wanted = {h.activation for h in r.heads} if r.one_activation else set(r.hidden)
    assert {a.layers[0].activation for a in networks if a.depth > 1} == wanted
    assert all(r.depths[0] <= a.depth <= r.depths[1] for a in networks)


@pytest.mark.parametrize("regime", REGIMES)
@given(st.data())
@settings(max_examples=5)
def test_every_regime_can_be_asked_for(regime, data):
    """Cases of one regime alone, within the repertoire."""
    assert_within(data.draw(cases(SMALL, (regime,))), SMALL)
