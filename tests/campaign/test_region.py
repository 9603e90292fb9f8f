"""Right but unstable formulas: GC602 with the region where they break, never a wrong gradient."""

import re

import numpy as np
import pytest

import gradcheck
from gradcheck.campaign.region import region, smallest_probability
from gradcheck.networks import Architecture, Dense, activation_named, cost_named, forward
from gradcheck.networks.sampling import sample_case
from tests.benchmarks.subjects import STABLE, STABLE_COSTS, Columns, naive_softmax, stable_softmax


def case_of(output="identity", cost="mse", seed=0):
    """One layer with |z| up to 3000."""
    architecture = Architecture(2, (Dense(2, activation_named(output)),), cost_named(cost))
    case = sample_case(architecture, 2, np.random.default_rng(seed), hard_targets=True)
    top = np.abs(forward(case)[0][1]).max()
    return case.at({n: a * 3000 / top for n, a in case.parameters.items()})


def largest_z(case):
    """|z| of the only layer."""
    return float(np.abs(forward(case)[0][1]).max())


@pytest.mark.parametrize("edge", [20.0, 709.8])
def test_the_edge_is_found_by_bisection(edge):
    """To a few parts in a thousand."""
    text = region(case_of(), lambda c: largest_z(c) > edge)
    assert float(re.search(r"\|z\| > ([\d.]+)", text)[1]) == pytest.approx(edge, rel=0.01)


def test_what_breaks_everywhere_has_no_region():
    """Nothing is said rather than something wrong."""
    assert region(case_of(), lambda _: True) == ""


@pytest.mark.parametrize(("output", "cost"), [("sigmoid", "bce"), ("identity", "cross_entropy_logits")])
def test_probabilities_are_stated_where_there_are_any(output, cost):
    """Their distance from 0 or 1, even where they round to 1."""
    text = region(case_of(output, cost), lambda c: largest_z(c) > 30)
    assert "probability" in text
    case = case_of(output, cost)
    assert smallest_probability(case, np.full((2, 2), 40.0)) <= 0.5
    assert smallest_probability(case_of(), np.zeros((2, 2))) is None


NAIVE_EXP = {**STABLE, "softplus": (lambda z: np.log(1 + np.exp(z)), lambda z: 1 / (1 + np.exp(-z)))}
GUARDED = (lambda a, y: -np.sum(y * np.log(a + 1e-7)), lambda a, y: -y / (a + 1e-7))
UNSTABLE = {
    "softplus": (Columns(NAIVE_EXP, STABLE_COSTS, stable_softmax), "softplus", "mse", r"\|z\| > 7[01]\d"),
    "softmax": (Columns(STABLE, STABLE_COSTS, naive_softmax), "softmax", "cross_entropy", r"\|z\| > \d+"),
    "guarded": (
        Columns(STABLE, {**STABLE_COSTS, "cross_entropy": GUARDED}, stable_softmax), "softmax", "cross_entropy", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSTABLE)
def test_an_unstable_formula_is_never_a_wrong_gradient(name):
    """GC602 at most, with the region, and a pass."""
    subject, activation, cost, where = UNSTABLE[name]
    report = gradcheck.verify(subject, activations=[activation], costs=[cost], max_examples=25)
    assert report.verdict == "pass"
    assert {f.code.name for f in report.findings} <= {"GC602"}
    assert not where or re.search(where, report.findings[0].detail)
