"""A given network becomes smaller as long as it breaks, within its repertoire and its contracts."""

from dataclasses import replace

import numpy as np
import pytest

from gradcheck.campaign.reducing import narrowed, reduced, smaller, without_layer
from gradcheck.networks import Architecture, Case, Dense, Regularisation, activation_named, case_from_json, cost_named
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.networks.sampling import sample_case

ANY = default_repertoire()


def drawn(*widths, cost="mse", head="sigmoid", samples=5, strength=0.0):
    """A network with ordinary numbers."""
    names = ["tanh"] * (len(widths) - 2) + [head]
    layers = tuple(Dense(n, activation_named(f)) for n, f in zip(widths[1:], names, strict=True))
    architecture = Architecture(widths[0], layers, cost_named(cost), regularisation=Regularisation(strength))
    return sample_case(architecture, samples, np.random.default_rng(7), hard_targets=cost == "cross_entropy")


def valid(case):
    """Whether all shapes are those of the architecture; reading a case asks for it."""
    return isinstance(case_from_json(case.to_json()), Case)


def test_all_goes_where_anything_breaks():
    """One unit to one unit, one sample, no λ."""
    case = reduced(drawn(5, 4, 3, 4, strength=0.5), ANY, lambda c: True)
    assert (case.architecture.widths, case.samples) == ((1, 1), 1)
    assert case.architecture.regularisation.strength == 0


def test_what_the_mistake_needs_stays():
    """Two units in the second layer and two samples."""
    case = reduced(
        drawn(5, 4, 3, 4), ANY, lambda c: c.architecture.depth > 1 and c.architecture.widths[1] > 1 < c.samples
    )
    assert (case.architecture.widths, case.samples) == ((1, 2, 1), 2)


def test_the_case_itself_comes_back_where_nothing_smaller_breaks():
    """And nothing of it is changed."""
    case = drawn(3, 2, 2)
    before = case.to_json()
    assert reduced(case, ANY, lambda c: False) is case
    assert case.to_json() == before


@pytest.mark.parametrize(("cost", "head"), [("mse", "sigmoid"), ("cross_entropy", "softmax"), ("hinge", "identity")])
def test_each_step_is_a_whole_case_with_legal_targets(cost, head):
    """Shapes fit, and classes stay classes."""
    for candidate in smaller(drawn(4, 3, 5, 4, cost=cost, head=head), ANY):
        assert valid(candidate)
        y = candidate.targets
        assert cost == "mse" or (np.isin(y, [0, 1]).all() and (y.sum(axis=0) == 1).all())
        assert head != "softmax" or candidate.architecture.widths[-1] >= 2


def test_each_step_is_smaller():
    """In numbers, or in λ."""
    case = drawn(4, 3, 5, 4, strength=0.5)
    size = lambda c: sum(a.size for a in c.parameters.values()) + c.inputs.size  # noqa: E731
    for candidate in smaller(case, ANY):
        assert size(candidate) < size(case) or candidate.architecture.regularisation.strength == 0


@pytest.mark.parametrize(
    ("limits", "least"),
    [
        ({"depths": (2, 3)}, (1, 1, 1)),
        ({"widths": (2, 9)}, (2, 1)),
        ({"output_widths": (3, 5)}, (1, 3)),
        ({"fixed": (4, 3, 4)}, (4, 3, 4)),
    ],
)
def test_a_repertoire_is_respected(limits, least):
    """Depths, widths, and the one architecture that some subjects have."""
    assert reduced(drawn(4, 3, 4), replace(ANY, **limits), lambda c: True).architecture.widths == least


def test_a_narrower_layer_keeps_its_first_units():
    """Rows below, columns above."""
    case = drawn(4, 3, 5)
    narrow = narrowed(case, 1, 2)
    assert np.array_equal(narrow.weight(1), case.weight(1)[:2])
    assert np.array_equal(narrow.weight(2), case.weight(2)[:, :2])


def test_the_layers_beside_a_dropped_one_stay():
    """Weights and biases keep their values under their new numbers."""
    case = drawn(4, 3, 5, 2)
    without = without_layer(case, 2)
    assert without.architecture.widths == (4, 3, 2)
    assert np.array_equal(without.weight(1), case.weight(1))
    assert np.array_equal(without.bias(2), case.bias(3))
    assert list(without.parameters) == ["W1", "b1", "W2", "b2"]


def test_the_decay_that_a_file_fixes_stays():
    """λ = 0 is another network than the subject's."""
    case = drawn(3, 2, strength=0.02)
    assert reduced(case, replace(ANY, l2_fixed=0.02), lambda c: True).architecture.regularisation.strength == 0.02
    assert reduced(case, ANY, lambda c: True).architecture.regularisation.strength == 0
