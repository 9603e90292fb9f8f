"""A definition is its content: what it closes over and refers to counts, and what cannot be known gives no fingerprint."""

import functools

import numpy as np
import pytest

from gradcheck.networks import COSTS, builtin_activations
from gradcheck.networks.costs import guarded
from gradcheck.oracles.fingerprint import fingerprint

SLOPE = 0.1
TABLE = {"slope": 0.1}


def scaled(slope):
    """A definition that closes over a number."""
    return lambda z, xp: slope * xp.tanh(z)


def outer(inner):
    """A definition that closes over another one."""
    return lambda z, xp: inner(z, xp) * 2


def by_global(z, xp):
    """A definition that refers to a global number."""
    return SLOPE * z


def by_table(z, xp):
    """A definition that refers to what may change."""
    return TABLE["slope"] * z


def by_import(z, xp):
    """A definition that reads another package when it runs."""
    import random

    return z * random.random()


def test_the_built_in_definitions_are_all_known_and_different():
    """Each activation and each cost, guarded ones too."""
    functions = [f.function for f in builtin_activations()] + [c.function for c in COSTS.values()]
    functions += [guarded("bce", e).function for e in (1e-7, 1e-8)]
    digests = [fingerprint(f) for f in functions]
    assert None not in digests
    assert len(set(digests)) == len(digests)


def test_equal_content_has_an_equal_fingerprint():
    """Two closures over the same number."""
    assert fingerprint(scaled(0.5)) == fingerprint(scaled(0.5)) != fingerprint(scaled(0.25))


def test_what_a_function_closes_over_counts_at_any_depth():
    """The inner function's number changes the outer function's fingerprint."""
    assert fingerprint(outer(scaled(1.0))) != fingerprint(outer(scaled(2.0)))


def test_global_numbers_count():
    """Another value is another definition."""
    before = fingerprint(by_global)
    by_global.__globals__.update(SLOPE=0.2)
    assert fingerprint(by_global) != before
    by_global.__globals__.update(SLOPE=0.1)


@pytest.mark.parametrize(
    "function",
    [by_table, by_import, outer(TABLE.get), outer(np.random.default_rng(0)), functools.partial(by_global, xp=np)],
)
def test_what_cannot_be_known_has_none(function):
    """Mutable objects, imports, methods, callables of another kind."""
    assert fingerprint(function) is None
