"""Projections: the probabilities are what they say, and bisection finds the entries in few checks."""

import math

import numpy as np
import pytest

from gradcheck.checks.projection import (
    CONFIDENCE,
    DIRECTIONS,
    Projection,
    chi_square_quantile,
    directions_of,
    error_norm_bound,
    miss_probability,
    visible_error,
    visible_in_tensor,
    wrong_entries,
)

PATTERNS = {
    "one entry": np.eye(1, 40)[0],
    "equal": np.ones(40),
    "alternating": np.where(np.arange(40) % 2, -1.0, 1.0),
    "graded": 2.0 ** -np.arange(40.0),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_an_error_is_missed_as_rarely_as_stated(name):
    """At a confidence low enough to count misses; whatever the pattern of the error."""
    generator, confidence, bound = np.random.default_rng(0), 0.8, 1.0
    size = visible_error([bound] * DIRECTIONS, confidence)
    e = PATTERNS[name] * size / np.linalg.norm(PATTERNS[name])
    trials = 4000
    projected = generator.standard_normal((trials, DIRECTIONS, 40)) @ e
    missed = np.mean(np.all(np.abs(projected) <= bound, axis=1))
    assert missed <= 1 - confidence + 4 * math.sqrt(0.2 * 0.8 / trials)
    assert missed > 0.02  # the statement is not idle either


def test_a_smaller_error_is_missed_more_often():
    """The neighbour: a tenth of the stated size passes nearly always."""
    bounds = [1.0] * DIRECTIONS
    assert miss_probability(bounds, visible_error(bounds)) <= 1 - CONFIDENCE
    assert miss_probability(bounds, visible_error(bounds) / 10) > 0.5
    assert miss_probability(bounds, 0.0) == 1.0


def test_the_confidence_bound_covers_the_error_norm():
    """‖e‖ ≤ √(S/q), in all but α of the trials."""
    generator, e = np.random.default_rng(1), np.array([3.0, -4.0, 0.0])
    covered = 0
    for _ in range(600):
        ps = [Projection(float(e @ v), 0.0, 0.0) for v in generator.standard_normal((DIRECTIONS, 3))]
        covered += error_norm_bound(ps, 0.9) >= 5.0
    assert 0.86 < covered / 600 < 0.94


@pytest.mark.parametrize(
    ("k", "p", "x"), [(1, 0.5, 0.454936), (2, 0.01, 0.0201007), (5, 0.95, 11.0705), (6, 0.001, 0.381067)]
)
def test_quantiles_of_the_chi_square_distribution(k, p, x):
    """Against tables (Abramowitz & Stegun 26.8)."""
    assert chi_square_quantile(k, p) == pytest.approx(x, rel=1e-5)


def test_without_projections_nothing_is_stated():
    """Infinite, not zero."""
    assert visible_error([]) == visible_error([1.0, math.inf]) == error_norm_bound([]) == math.inf
    assert visible_in_tensor(3, [1.0, 1.0])[0] == math.inf


def test_a_small_tensor_is_taken_component_by_component():
    """Unit directions, with certainty."""
    assert np.array_equal([v.ravel() for v in directions_of((3, 1), np.random.default_rng(0))], np.eye(3))
    assert visible_in_tensor(3, [1.0, 2.0, 2.0]) == (6.0, 1.0)
    assert len(directions_of((10, 7), np.random.default_rng(0))) == DIRECTIONS


def test_excess_without_a_bound():
    """A zero bound is exact: equal or infinitely far."""
    assert Projection(1.0, 1.0, 0.0).excess == 0.0
    assert Projection(1.0, 1.1, 0.0).excess == math.inf


@pytest.mark.parametrize("wrong", [[0], [1_000_000 - 1], [5, 77_777, 500_000]])
def test_bisection_finds_the_entries_in_few_checks(wrong):
    """s entries among a million cost about 2 s log₂ P checks."""
    asked = []

    def check(groups):
        asked.append(len(groups))
        return [10.0 if np.isin(wrong, g).any() else 0.0 for g in groups]

    assert sorted(wrong_entries(check, 1_000_000)) == wrong
    assert sum(asked) <= 2 * len(wrong) * 21


def test_bisection_of_a_dense_error_stays_small():
    """No more than the worst sets are followed."""
    asked = []

    def check(groups):
        asked.append(len(groups))
        return [float(2 + g[0]) for g in groups]

    assert len(wrong_entries(check, 4096)) == 6
    assert sum(asked) <= 12 * 13


def test_bisection_that_loses_the_trace_says_nothing():
    """An error that is seen in neither half."""
    assert wrong_entries(lambda groups: [0.5] * len(groups), 100) == []
