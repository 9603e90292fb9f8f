"""Cases from bytes: monotone, within the repertoire, all of it reached; and sixteen to an example."""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck.networks import forward, forward_once
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.networks.sampling import REGIMES
from gradcheck.strategies import decoded, encoded_cases
from gradcheck.strategies.encoded import length
from tests.strategies.test_networks import LIMITS, SMALL, assert_within

DEFAULT = default_repertoire()
MANY = [random.Random(5).randbytes(length(DEFAULT) * 1500)[k::1500] for k in range(1500)]


def test_zeros_are_the_smallest_network():
    """One unit to one unit, one sample, one decimal, the first head, no λ."""
    case = decoded(bytes(length(SMALL)), SMALL)
    assert (case.architecture.widths, case.samples) == ((1, 1), 1)
    assert case.architecture.regularisation.strength == 0
    np.testing.assert_array_equal(np.round(case.inputs, 1), case.inputs)


@given(st.binary(min_size=length(DEFAULT), max_size=length(DEFAULT)), st.integers(0, length(DEFAULT) - 5))
def test_a_smaller_byte_is_no_larger_network(code, position):
    """Depth, widths and samples fall with every byte of the choices, so that bytes shrink to small networks."""
    smaller = code[:position] + bytes([code[position] // 2]) + code[position + 1 :]
    before, after = (decoded(c, replace(DEFAULT, heads=DEFAULT.heads[:1])) for c in (code, smaller))
    assert after.architecture.depth <= before.architecture.depth
    assert after.samples <= before.samples
    if position != 1 and code[1] < 64:  # the free style: the others choose widths themselves
        assert after.architecture.inputs <= before.architecture.inputs


@pytest.mark.parametrize("name", LIMITS)
@given(st.data())
@settings(max_examples=30)
def test_a_repertoire_is_respected(name, data):
    """By everything that is drawn."""
    r = replace(SMALL, **LIMITS[name])
    for code in data.draw(encoded_cases(r, 2)):
        assert_within(decoded(code, r), r)


def test_all_of_a_repertoire_is_reached():
    """Each head, hidden activation, depth, width, number of samples, λ, and square and distinct networks."""
    cases = [decoded(c, DEFAULT) for c in MANY]
    networks = [c.architecture for c in cases]
    assert {(a.layers[-1].activation, a.cost) for a in networks} == {(h.activation, h.cost) for h in DEFAULT.heads}
    assert {layer.activation for a in networks for layer in a.layers[:-1]} == set(DEFAULT.hidden)
    assert {a.depth for a in networks} == set(range(1, 7))
    assert {n for a in networks for n in a.widths[:-1]} == set(range(1, 7))
    assert {c.samples for c in cases} == set(range(1, 7))
    assert len({a.regularisation.strength for a in networks}) == 4
    deep = [a for a in networks if a.depth >= 4]
    assert any(len(set(a.widths[:-1])) == 1 for a in deep)
    assert any(len(set(a.widths[:-1])) == a.depth for a in deep)
    assert sum(len(set(a.widths)) == 1 for a in deep) > len(deep) / 6


def test_choices_are_even():
    """No depth has twice the share of another."""
    depths = Counter(decoded(c, DEFAULT).architecture.depth for c in MANY)
    assert max(depths.values()) < 2 * min(depths.values())


def test_the_same_bytes_are_the_same_case():
    """Numbers too, whatever the regime."""
    for code in MANY[:40]:
        first, again = decoded(code, DEFAULT, REGIMES), decoded(code, DEFAULT, REGIMES)
        assert first.to_json() == again.to_json()


@given(encoded_cases(SMALL, 7))
@settings(max_examples=10)
def test_an_example_is_many_cases(codes):
    """As many as were asked for."""
    assert [len(c) for c in codes] == [length(SMALL)] * 7


def test_labels_are_drawn_where_the_subject_takes_nothing_else():
    """One-hot columns, or 0 and 1 behind a single output."""
    for code in MANY[:60]:
        y = decoded(code, replace(DEFAULT, labels=True)).targets
        assert set(np.unique(y)) <= {0.0, 1.0}
        assert len(y) == 1 or (y.sum(axis=0) == 1).all()


@given(st.binary(min_size=length(DEFAULT), max_size=length(DEFAULT)))
def test_what_drawing_has_computed_is_the_forward_pass(code):
    """The draw remembers it for the checks: to the last bit, whatever was moved off a kink or scaled on the way."""
    case = decoded(code, DEFAULT, REGIMES)
    for remembered, right in zip(forward_once(case), forward(case), strict=True):
        assert all(np.array_equal(r, f) for r, f in zip(remembered, right, strict=True))
