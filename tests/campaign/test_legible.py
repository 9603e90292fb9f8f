"""Counterexamples at simple numbers show the same finding, legally, plainly, and without gradcheck too."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gradcheck
from gradcheck.campaign.legible import minimised
from gradcheck.campaign.minimising import short
from gradcheck.networks import Architecture, Case, Dense, activation_named, case_from_json, cost_named
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.networks.sampling import MARGIN, kink_distance, sample_case

SPECIMENS = Path(__file__).parents[1] / "specimens"
ANYTHING = lambda case: True  # noqa: E731


def drawn(activation="tanh", cost="mse", units=3, dtype="float64", **how):
    """A network of two layers with three samples and ordinary numbers."""
    head = {"cross_entropy": "softmax", "bce": "sigmoid"}.get(cost, activation if cost == "mse" else "identity")
    layers = Dense(3, activation_named(activation)), Dense(units, activation_named(head))
    architecture = Architecture(2, layers, cost_named(cost), dtype=dtype)
    return sample_case(architecture, 3, np.random.default_rng(3), **how)


def simple(case, same=ANYTHING, **limits):
    """The case at the simplest numbers."""
    return minimised(case, same, replace(default_repertoire(), **limits))


def finding_of(name):
    """The counterexample of the first finding of a specimen, and the report as text."""
    report = gradcheck.verify(SPECIMENS / f"{name}_wrong.py", in_process=True)
    finding = report.findings[0]
    return finding, case_from_json(finding.counterexample)


def numbers(case):
    """All numbers of a case."""
    return np.concatenate([a.ravel() for a in (*case.parameters.values(), case.inputs, case.targets)])


@pytest.mark.parametrize("name", ["sigma_not_prime", "no_transpose", "softmax_diagonal"])
def test_a_specimen_is_shown_by_numbers_that_a_pencil_can_follow(name):
    """Short ones, most of them 0, 1 or −1; biases are zero."""
    _, case = finding_of(name)
    assert short(numbers(case)).all()
    assert np.mean(np.isin(numbers(case), [-1, 0, 1])) >= 0.7


def test_a_discrepancy_is_plain_and_no_other_mistake():
    """σ where σ′ should be: some per cent apart at least, and not by a factor of two that is an accident of z = 0."""
    finding, _ = finding_of("sigma_not_prime")
    shown = finding.discrepancies[0]
    assert abs(shown.claimed - shown.expected) > 0.01
    assert abs(shown.claimed / shown.expected - 2) > 0.1
    assert [e.fault for e in finding.explanations] == ["bp2_prime_is_value"]


def test_the_script_shows_it_at_the_simple_numbers(tmp_path):
    """Exit 1 without gradcheck, on the numbers of the report."""
    name = "no_transpose"
    path = SPECIMENS / f"{name}_wrong.py"
    finding = gradcheck.verify(path).findings[0]
    script = tmp_path / "shows_it.py"
    script.write_text(finding.script_text)
    weights = finding.counterexample["parameters"]["W2"]
    assert f"np.array({weights!r})" in finding.script_text
    ran = subprocess.run([sys.executable, script, path], capture_output=True, text=True, check=False)
    assert ran.returncode == 1, ran.stdout + ran.stderr


def test_the_same_seed_gives_the_same_numbers():
    """All of the finding, in JSON."""
    first, again = (finding_of("no_transpose")[0].counterexample for _ in range(2))
    assert json.dumps(first) == json.dumps(again)


@pytest.mark.parametrize("name", ["contracts/inputs_mutated", "contracts/shape_that_only_broadcasts"])
def test_where_numbers_do_not_matter_none_of_them_is_a_zero(name):
    """A reader would take it for the reason."""
    _, case = finding_of(name)
    assert (case.inputs == 1).all()
    assert (case.weight(1) == 1).all()


@pytest.mark.parametrize("hard", [True, False])
@pytest.mark.parametrize(("cost", "units"), [("cross_entropy", 3), ("cross_entropy", 2), ("bce", 2), ("hinge", 3)])
def test_targets_stay_legal_for_their_cost(cost, units, hard):
    """Columns of a softmax sum to one, probabilities stay between 0 and 1, classes stay classes."""
    soft = lambda c: hard or cost == "hinge" or not np.isin(c.targets[:, 0], [0, 0.5, 1]).any()  # noqa: E731
    case = simple(drawn(cost=cost, units=units, hard_targets=hard), soft)
    y = case.targets
    assert ((y >= 0) & (y <= 1)).all()
    assert cost == "bce" or np.allclose(y.sum(axis=0), 1)
    assert cost != "hinge" or np.isin(y, [0, 1]).all()


def test_labels_stay_as_they_are():
    """A subject that takes classes only."""
    case = replace(drawn(), targets=np.eye(3))
    assert np.array_equal(simple(case, labels=True).targets, np.eye(3))


@pytest.mark.parametrize(("activation", "cost"), [("relu", "mse"), ("leaky_relu(0.2)", "mae"), ("tanh", "mae")])
def test_units_and_cost_keep_away_from_their_kinks(activation, cost):
    """Zeros would put all of them there."""
    assert kink_distance(simple(drawn(activation, cost))) >= MARGIN


def test_a_case_on_a_kink_stays_on_it():
    """Where the finding is of a kink, the predicate keeps it there, and nothing else comes near one."""
    case = drawn("relu", regime="at_kink")
    on = lambda c: kink_distance(c) == 0  # noqa: E731
    assert kink_distance(simple(case, on)) == 0


def test_single_precision_stays_exact():
    """Every number is one that float32 has."""
    case = simple(drawn(dtype="float32"), lambda c: bool(np.all(c.inputs % 1)))
    assert np.array_equal(numbers(case).astype(np.float32).astype(float), numbers(case))
    assert short(numbers(case)).all()


def test_the_case_itself_comes_back_where_nothing_simpler_does():
    """And is not copied."""
    case = drawn()
    assert simple(case, lambda c: False) is case


def test_an_instability_is_shown_by_round_numbers():
    """GC602: as far beyond the range of the formula as it takes."""
    report = gradcheck.verify(SPECIMENS / "contracts" / "sigmoid_overflow_wrong.py", in_process=True)
    finding = next(f for f in report.findings if f.code.name == "GC602")
    case = case_from_json(finding.counterexample)
    assert isinstance(case, Case)
    assert short(numbers(case)).all()
    assert np.max(np.abs(numbers(case))) >= 700
