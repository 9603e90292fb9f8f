"""Balanced draws: what was drawn least comes next, and the same bytes give the same cases."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from gradcheck.networks import forward
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.strategies import Balance, decoded
from gradcheck.strategies.encoded import length

REPERTOIRE = default_repertoire()


def drawn(repertoire, count):
    """Cases of random bytes, balanced."""
    generator, balance = np.random.default_rng(3), Balance(repertoire)
    codes = [generator.bytes(length(repertoire)) for _ in range(count)]
    return [decoded(balance.balanced(code), repertoire) for code in codes]


def test_each_head_comes_as_often_as_any_other():
    """Of 40 heads, in 400 cases, none comes fewer than eight times; by luck the rarest would come four times or less."""
    cases = drawn(REPERTOIRE, 400)
    counts = Counter((c.architecture.activation_names[-1], c.architecture.cost.name) for c in cases)
    assert len(counts) == len(REPERTOIRE.heads)
    assert min(counts.values()) >= 8


@pytest.mark.parametrize("name", ["relu", "leaky_relu(0.01)", "elu(0.5)"])
def test_each_kinked_activation_stands_on_its_kink(name):
    """Three times in 300 cases at least."""
    kinked = next((f for f in REPERTOIRE.hidden if f.name == name), None)
    repertoire = REPERTOIRE if kinked else replace(REPERTOIRE, hidden=(*REPERTOIRE.hidden, _named(name)))
    at = 0
    for case in drawn(repertoire, 300):
        z, hidden = forward(case)[0], case.architecture.layers[:-1]
        at += any(layer.activation.name == name and (z[l] == 0).any() for l, layer in enumerate(hidden, start=1))
    assert at >= 3


def _named(name):
    from gradcheck.networks import activation_named

    return activation_named(name)


def test_the_same_bytes_give_the_same_cases():
    """The order of the draws decides, and nothing else."""
    one, two = (drawn(REPERTOIRE, 60) for _ in range(2))
    assert [c.to_json() for c in one] == [c.to_json() for c in two]


def test_a_repertoire_of_one_kind_stays_as_it_is():
    """One head and one activation: nothing to choose among, and networks of every depth."""
    repertoire = replace(REPERTOIRE, hidden=REPERTOIRE.hidden[:1], heads=REPERTOIRE.heads[:1])
    cases = drawn(repertoire, 60)
    assert {c.architecture.cost.name for c in cases} == {REPERTOIRE.heads[0].cost.name}
    assert {c.architecture.depth for c in cases} == set(range(1, 7))
