"""The self-test: catalogue, state, mutants, and what is said about survivors."""

from pathlib import Path

import pytest

from gradcheck.checks import examine
from gradcheck.errors import UsageError
from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.planting import planted_state
from gradcheck.faults.sampling import draw_case
from gradcheck.faults.selftest import Plan, selftest
from gradcheck.faults.state import STATE
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.subjects.layout import Layout

REFERENCE = Path(__file__).parents[2] / "reference"
SMALL = Plan(cases=150, examined=60, limit=24, diagnosed=5)


@pytest.fixture(scope="module")
def outcome():
    """A small self-test of one reference file."""
    source = (REFERENCE / "from_to_bias_row.py").read_text(encoding="utf-8")
    return selftest(source, "from_to_bias_row", catalogue=False, plan=SMALL)


def test_observable_mutants_are_killed(outcome):
    """All of them, on a correct reference file."""
    assert outcome.passed
    assert outcome.mutants.run == 24
    assert outcome.mutants.observable >= 15


def test_the_summary_says_it_in_one_sentence(outcome):
    """The sentence that makes a pass believable."""
    n = outcome.mutants.observable
    assert outcome.summary().startswith(f"on from_to_bias_row, {n} of {n} observable planted mistakes were found")


def test_every_survivor_has_a_reason(outcome):
    """Equivalent, to the bit or within rounding."""
    assert all(s.kind == "equivalent" and s.reason.startswith("equivalent") for s in outcome.mutants.survivors)


def test_the_outcome_is_plain_json(outcome):
    """It can be written into a report."""
    import json

    assert json.loads(json.dumps(outcome.to_json()))["passed"] is True


def test_the_same_seed_gives_the_same_outcome(outcome):
    """Deterministic."""
    source = (REFERENCE / "from_to_bias_row.py").read_text(encoding="utf-8")
    assert selftest(source, "from_to_bias_row", catalogue=False, plan=SMALL) == outcome


def test_a_wrong_file_is_refused():
    """A self-test plants mistakes into correct code only."""
    source = (
        (REFERENCE / "from_to_bias_row.py").read_text(encoding="utf-8").replace("2 * (a[L] - y) *", "3 * (a[L] - y) *")
    )
    with pytest.raises(UsageError, match="not correct itself"):
        selftest(source, "wrong", catalogue=False, plan=SMALL)


def test_faults_of_the_catalogue_are_found(monkeypatch):
    """A slice of it: all found, placed and named."""
    some = dict(list(CATALOGUE.items())[::40])
    monkeypatch.setattr("gradcheck.faults.selftest.CATALOGUE", some)
    found = selftest(plan=SMALL).catalogue
    assert found.found == found.visible >= len(some)
    assert found.diagnosed == found.placed == found.named


@pytest.mark.parametrize("fault", STATE, ids=[s.name for s in STATE])
def test_mistakes_of_state_are_found(fault, generator):
    """By the effects rung, or by a later case."""
    subject = planted_state(fault)
    first, second = (draw_case(default_repertoire(), generator, 2, square=True) for _ in range(2))
    second = first.at({n: a + 0.25 for n, a in first.parameters.items()})
    found = examine(subject, first, Layout(), other=second, differences=False)
    later = examine(subject, second.at({"x": first.inputs + 0.5}), Layout(), differences=False)
    assert found.fault is not None or later.fault is not None
