"""The power that a pass states is true, and a run of cases without power is vacuous."""

from collections import Counter

import jax.numpy as jnp
import numpy as np
import pytest

import gradcheck
from gradcheck.campaign.power import Evidence, smallest_seen, vacuous
from gradcheck.checks import Examination, examine
from gradcheck.checks.examination import VACUOUS
from gradcheck.checks.projection import miss_scale
from gradcheck.networks import Architecture, Dense, activation_named, cost_named
from gradcheck.networks.sampling import sample_case
from gradcheck.subjects import Layout, LocalSubject
from gradcheck.subjects.functional import Functional
from tests.benchmarks.subjects import STABLE, STABLE_COSTS, Columns, stable_softmax

W = np.random.default_rng(1).standard_normal((4, 5))
X = np.random.default_rng(2).standard_normal((5, 3))
U = np.random.default_rng(3).standard_normal(W.shape) / np.sqrt(W.size)


def primal(w, x):
    """A smooth function of several components."""
    return np.tanh(w @ x)


def pullback_with(relative_error):
    """Its pullback with an error of that norm in the gradient of w, relative to the gradient's own."""

    def pullback(g, w, x):
        delta = g * (1 - np.tanh(w @ x) ** 2)
        dw = delta @ x.T
        along = np.vdot(g, np.ones_like(g)) / g.size  # linear in g, as a mistake in code is
        return dw + relative_error * U * along / max(abs(along), 1e-300) * np.linalg.norm(dw), w.T @ delta

    return pullback


def stated(report, parameter):
    """The power of one parameter."""
    return next(p for p in report.power if p.parameter.endswith(parameter))


@pytest.mark.parametrize(("n", "confidence"), [(1, 0.9), (3, 0.9), (3, 0.999), (10, 0.999)])
def test_an_error_of_the_stated_size_escapes_as_seldom_as_stated(n, confidence):
    """|⟨e, v⟩| ≤ b in all of n cases, by simulation: never more often than stated, and not absurdly less."""
    kappa = [miss_scale([10.0**-k], 1.0) for k in range(n)]
    rho = smallest_seen(kappa, confidence)
    v = np.abs(np.random.default_rng(0).standard_normal((200_000, n))) * rho
    missed = np.mean(np.all(v <= 10.0 ** -np.arange(n), axis=1))
    assert (1 - confidence) / 30 < missed <= 1.1 * (1 - confidence) + 2e-5


def test_a_case_that_shows_less_takes_nothing_away():
    """The best cases make the statement."""
    assert smallest_seen([1e-9, 1e-9, 1e3]) == smallest_seen([1e-9, 1e-9]) < smallest_seen([1e-9])


def test_components_are_stated_rather_than_directions():
    """There is no chance in them."""
    evidence = Evidence()
    evidence.note(Examination(None, "components", power={"w": 1e-12}, miss={"w": 1e-9, "x": 1e-9}))
    assert [(p.parameter, p.confidence) for p in evidence.powers()] == [("w", 1.0), ("x", 0.999)]


def test_a_function_judged_by_differences_states_the_confidence_of_its_directions():
    """And components compared with a reference are certain."""
    alone = gradcheck.check_vjp(primal, pullback_with(0), [W, X], max_examples=4)
    beside = gradcheck.check_vjp(
        primal, pullback_with(0), [W, X], reference=lambda w, x: jnp.tanh(w @ x), max_examples=4
    )
    assert (stated(alone, "w").confidence, stated(beside, "w").confidence) == (0.999, 1.0)


@pytest.mark.parametrize("seed", range(12))
def test_a_planted_error_of_the_stated_size_is_found_in_a_function(seed):
    """Whatever the seed; a thousandth of it mostly is not."""
    rho = stated(
        gradcheck.check_vjp(primal, pullback_with(0), [W, X], max_examples=5, seed=seed), "w"
    ).smallest_relative_error
    assert rho < 1e-6
    planted = gradcheck.check_vjp(primal, pullback_with(rho), [W, X], max_examples=5, seed=seed)
    assert planted.verdict == "fail"
    assert gradcheck.check_vjp(primal, pullback_with(rho / 1e3), [W, X], max_examples=5, seed=seed).verdict == "pass"


def test_cases_without_power_are_no_evidence_for_a_function():
    """Dead units whose wrong slope cannot show."""
    report = gradcheck.check_vjp(
        lambda x: np.maximum(x, 0), lambda g, x: (np.where(x > 0, 3 * g, 0),), [-50 * np.ones(3)], max_examples=4
    )
    assert report.verdict == "inconclusive"
    assert "vacuous" in report.findings[0].detail


@pytest.mark.parametrize("reference", [None, lambda x: 0.0 * x])
def test_a_gradient_of_zero_is_vacuous(reference):
    """With a reference and without."""
    report = gradcheck.check_vjp(
        lambda x: 0 * x, lambda g, x: (0 * g,), [np.ones(3)], reference=reference, max_examples=3
    )
    assert (report.verdict, report.findings[0].code.name) == ("inconclusive", "GC952")


def test_a_layer_without_power_is_vacuous():
    """A forward pass that no trusted layer has and that is constant."""
    functions = {
        "flat_forward": lambda x: (np.zeros_like(x), x),
        "flat_backward": lambda dout, cache: np.zeros_like(dout),
    }
    report = gradcheck.verify(functions, max_examples=4)
    assert report.verdict == "inconclusive"
    assert "vacuous" in report.findings[0].detail


@pytest.mark.parametrize("trusted", [True, False])
def test_a_dead_network_is_no_evidence(trusted):
    """All its relu units are dead and nothing but zeros is compared, by jax and by its own differences."""
    functions = Columns(STABLE, STABLE_COSTS, stable_softmax)
    subject = LocalSubject(Functional(functions.loss, functions.backprop, "columns"))
    layers = (Dense(3, activation_named("relu")), Dense(2, activation_named("relu")))
    case = sample_case(Architecture(2, layers, cost_named("mse")), 4, np.random.default_rng(0))
    case = case.at({"b1": case.bias(1) - 100, "b2": case.bias(2) - 100})
    found = examine(subject, case, Layout("to_from", "columns", "column"), trusted=trusted)
    assert (found.fault, found.silent) == (None, VACUOUS)


def test_the_finding_counts_the_reasons():
    """Each with its number of cases."""
    finding = vacuous(Counter({"dead": 3, "saturated": 1}))
    assert finding.detail == "vacuous: no case was evidence: dead (3 cases); saturated (1 case)"
