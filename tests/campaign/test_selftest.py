"""The self-test: catalogue, state, mutants, and what is said about survivors."""

import json
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from gradcheck.campaign.limited import time_limit
from gradcheck.campaign.selftest import Setup, selftest
from gradcheck.campaign.selftest.mutant_trials import MutantTrials
from gradcheck.checks import examine
from gradcheck.errors import SubjectError
from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.layers import FAULTS as LAYER_FAULTS
from gradcheck.faults.outcomes import Plan, ways
from gradcheck.faults.planting import planted_state
from gradcheck.faults.sampling import draw_case
from gradcheck.faults.state import STATE
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.subjects.layout import Layout

REFERENCE = Path(__file__).parents[2] / "reference"
SMALL = Plan(cases=120, examples=60, limit=24, faults=12, diagnosed=6, jobs=0)


def setup_of(name, plan=SMALL, change=("", "")):
    """A reference file, as it is or with a piece of text replaced."""
    path = REFERENCE / f"{name}.py"
    text = path.read_text(encoding="utf-8")
    assert change[0] in text
    return Setup(plan, text.replace(*change) if change[0] else text, str(path))


@pytest.fixture(scope="module")
def outcome():
    """A small self-test of one reference file."""
    return selftest(setup_of("from_to_bias_row"), catalogue=False)


def test_observable_mutants_are_killed(outcome):
    """All of them, on a correct reference file."""
    assert (outcome.passed, outcome.exit_code, outcome.mutants.run) == (True, 0, 24)
    assert outcome.mutants.observable >= 15
    assert outcome.mutants.killed == sum(outcome.mutants.how.values())


def test_no_name_is_wrong(outcome):
    """Names hold on fresh cases, and layers are right."""
    d = outcome.mutants.diagnosed
    assert d.count == d.placed >= 1
    assert d.wrong == ()


def test_the_outcome_is_plain_json(outcome):
    """It can be written into a report."""
    assert json.loads(json.dumps(outcome.to_json()))["passed"] is True


def test_the_same_seed_gives_the_same_outcome_in_another_process(outcome):
    """Deterministic, whatever the number of processes."""
    plan = Plan(cases=120, examples=60, limit=24, faults=12, diagnosed=6, jobs=1)
    again = selftest(setup_of("from_to_bias_row", plan), catalogue=False)
    assert again.to_json() == outcome.to_json()


def test_a_wrong_file_is_refused():
    """A self-test plants mistakes into correct code only: nothing was planted, exit code 4."""
    wrong = setup_of("from_to_bias_row", change=("2 * (a[L] - y) *", "3 * (a[L] - y) *"))
    found = selftest(wrong, catalogue=False)
    assert "not correct itself" in found.refused
    assert (found.exit_code, found.passed) == (4, False)


def test_the_budget_ends_it():
    """Nothing new is begun, and the outcome says so."""
    found = selftest(
        setup_of("from_to_bias_row", Plan(cases=20, examples=10, limit=9, budget=1e-9, diagnosed=0, jobs=0)),
        catalogue=False,
    )
    assert found.exit_code == 4
    assert "the budget" in found.notes[0]


def test_a_cost_that_is_not_finite_is_found():
    """log of a negative sum: the cost is NaN at ordinary cases although the gradient is right."""
    trials = MutantTrials(setup_of("row_major", Plan(cases=60, examples=100, diagnosed=0, jobs=0)))
    index = next(i for i, m in enumerate(trials.chosen) if m.function == "log_sum_exp" and m.after == "z - largest")
    assert trials.try_one(index).how == "cost_code"


def test_a_constant_in_the_cost_is_no_blind_spot():
    """Its derivative is right: explained, and not counted."""
    trials = MutantTrials(setup_of("row_major", Plan(cases=60, examples=100, diagnosed=0, jobs=0)))
    index = next(i for i, m in enumerate(trials.chosen) if (m.function, m.after) == ("margins", "a - a_t + 1"))
    assert trials.try_one(index).survivor.kind == "constant"


def test_faults_of_the_catalogue_are_found():
    """A slice of it: found by the campaign's own cases, placed, and never named wrongly."""
    found = selftest(Setup(SMALL), names=list(CATALOGUE)[::120]).catalogue
    assert found.found == found.visible == len(list(CATALOGUE)[::120]) + len(STATE)
    assert found.diagnosed.count == found.diagnosed.placed >= 1
    assert found.diagnosed.wrong == ()


def test_ways_add_up():
    """Names of the ladder's faults, in groups."""
    assert ways(Counter(shape=2, backward=3, forward=1, exception=4, timeout=1)) == {
        "wrong numbers": 4, "exception": 4, "structure": 2, "timeout": 1,
    }  # fmt: skip


def test_a_loop_without_end_is_ended():
    """An alarm, as a failure of the subject."""

    def forever():
        while True:
            pass

    started = time.monotonic()
    with pytest.raises(SubjectError, match="took more than") as caught, time_limit(0.05):
        forever()
    assert caught.value.kind == "timeout"
    assert time.monotonic() - started < 5


def test_waiting_is_ended_too():
    """It takes no time of the processor: after ten times the limit."""
    with pytest.raises(SubjectError, match="took more than"), time_limit(0.02):
        time.sleep(30)


def test_a_call_in_time_is_left_alone():
    """No alarm rings afterwards."""
    with time_limit(0.05):
        pass
    time.sleep(0.08)


@pytest.mark.parametrize("fault", STATE, ids=[s.name for s in STATE])
def test_mistakes_of_state_are_found(fault):
    """By the effects rung, or by a later case."""
    subject, generator = planted_state(fault), np.random.default_rng(5)
    first, second = (draw_case(default_repertoire(), generator, 2, square=True) for _ in range(2))
    second = first.at({n: a + 0.25 for n, a in first.parameters.items()})
    found = examine(subject, first, Layout(), other=second, differences=False)
    later = examine(subject, second.at({"x": first.inputs + 0.5}), Layout(), differences=False)
    assert found.fault is not None or later.fault is not None


FUNCTIONAL = '''
import functools, inspect, textwrap
import numpy as np


def compiled(function):
    """As numba does: from the source, not from the code."""
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    names = {}
    text = "\\n".join(line for line in lines if not line.startswith("@"))
    exec(compile(text, "<compiled>", "exec"), function.__globals__, names)
    return functools.wraps(function)(names[function.__name__])


@compiled
def forward(weights, biases, x):
    a = [x]
    for w, b in zip(weights, biases):
        a.append(1 / (1 + np.exp(-(w @ a[-1] + b))))
    return a


def loss(weights, biases, x, y, *, activations, cost, l2):
    return float(np.sum((forward(weights, biases, x)[-1] - y) ** 2))


def backprop(weights, biases, x, y, *, activations, cost, l2):
    a = forward(weights, biases, x)
    delta = 2 * (a[-1] - y) * a[-1] * (1 - a[-1])
    dw, db = [], []
    k = len(weights)
    while k > 0:
        k -= 1
        dw.insert(0, delta @ a[k].T)
        db.insert(0, delta.sum(axis=1, keepdims=True))
        delta = (weights[k].T @ delta) * a[k] * (1 - a[k])
    return dw, db
'''
SAID = {"activations": ("sigmoid",), "costs": ("mse",), "convention": "functional"}


def trials_of(text, name="net.py", **options):
    """The trials of a functional subject."""
    plan = Plan(cases=40, examples=30, diagnosed=0, time_limit=0.3, jobs=0)
    return MutantTrials(Setup(plan, text, name, None, options or SAID))


def trial(trials, after, function):
    """The outcome of one edit."""
    index = next(i for i, m in enumerate(trials.chosen) if (m.after, m.function) == (after, function))
    return trials.try_one(index).how


@pytest.fixture(scope="module")
def functional():
    """Of a file with a decorator and a loop."""
    return trials_of(FUNCTIONAL)


def test_mistakes_are_planted_where_a_decorator_reads_the_source(functional):
    """The decorated function runs what its source says: the mutant must be in it."""
    assert trial(functional, "w @ a[-1] - b", "forward")


def test_a_mutant_that_never_ends_is_found_by_the_limit_of_time(functional):
    """k += 1 in the loop."""
    assert trial(functional, "k += 1", "backprop") in ("timeout", "exception", "memory")


def test_training_at_import_is_left_out():
    """The definitions are mutated; no mutant waits for the training."""
    trials = trials_of(f"{FUNCTIONAL}\nwhile True:\n    pass\n")
    assert not any(m.line > FUNCTIONAL.count("\n") for m in trials.possible)
    started = time.monotonic()
    assert trial(trials, "delta * a[k].T", "backprop")
    assert time.monotonic() - started < 30


def test_a_notebook_is_mutated_cell_by_cell():
    """Lines are those of the cell; a cell that is no Python is passed over."""
    head, *functions = FUNCTIONAL.split("\n\n\n")
    cells = [f"%matplotlib inline\n{head}", "!ls (", *functions]
    data = {"cells": [{"cell_type": "code", "source": c.splitlines(keepends=True)} for c in cells]}
    trials = trials_of(json.dumps(data), "net.ipynb")
    index = next(i for i, m in enumerate(trials.chosen) if m.after == "delta * a[k].T")
    assert trials.describe(trials.chosen[index]).startswith("line 8 of cell 6 of backprop")
    assert trials.try_one(index).how


def test_dataclasses_and_postponed_annotations_load():
    """They look their module up by its name."""
    head = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass Kept:\n    a: list\n"
    )
    assert trials_of(head + FUNCTIONAL).original_fault() == ""


def test_python_2_is_read_as_the_loader_reads_it():
    """print statements and xrange."""
    old = FUNCTIONAL.replace(
        "    k = len(weights)", "    k = sum(1 for _ in xrange(len(weights)))\n    if k < 0: print 'no'"
    )
    assert trials_of(old).original_fault() == ""


AFFINE = """
def affine_forward(x, w, b):
    return x @ w + b, (x, w)


def affine_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)
"""


@pytest.mark.parametrize("layer", ["affine", "rmsnorm"])
def test_layers_are_mutated_too(layer):
    """Forward and backward pass of a pair, recognised by name or by what it computes; the argument is said."""
    text = AFFINE if layer == "affine" else (REFERENCE / "layers" / f"{layer}.py").read_text(encoding="utf-8")
    plan = Plan(cases=40, examples=30, limit=24, diagnosed=8, jobs=0)
    found = selftest(Setup(plan, text, f"{layer}.py"), catalogue=False).mutants
    assert found.killed == found.observable >= 20
    assert found.diagnosed.placed == found.diagnosed.count >= 1
    assert found.diagnosed.wrong == ()


def test_the_reference_of_a_layer_gets_the_faults_of_that_layer():
    """Those of the catalogue, with their places and names; other files get none."""
    path = REFERENCE / "layers" / "layernorm.py"
    plan = Plan(cases=20, examples=20, limit=1, diagnosed=3, jobs=0)
    found = selftest(Setup(plan, path.read_text(encoding="utf-8"), str(path)), catalogue=False).catalogue
    assert found.layer == "layernorm"
    assert found.found == found.visible == sum(f.layer == "layernorm" for f in LAYER_FAULTS) > 3
    assert found.diagnosed.named == found.diagnosed.placed == found.diagnosed.count > 0
    assert selftest(Setup(plan, AFFINE, "layernorm.py"), catalogue=False).catalogue is None


def test_a_wrong_layer_is_refused():
    """As a wrong network is."""
    found = selftest(Setup(SMALL, AFFINE.replace("sum(axis=0)", "mean(axis=0)"), "affine.py"), catalogue=False)
    assert "not correct itself" in found.refused


def test_what_runs_is_the_mutant_and_not_the_file():
    """Conventions that read loops from the source are given the tree that runs; the file may not even exist."""
    source, _ = Setup(SMALL, FUNCTIONAL, "nowhere.py", None, SAID).source()
    assert source.subject().offer.convention == "functional"
