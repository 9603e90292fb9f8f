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
