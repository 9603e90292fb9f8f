"""Effort: a campaign ends when it has met what it can draw, at the same case for any number of processes."""

import json
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

import gradcheck
from gradcheck.campaign import effort, epochs
from gradcheck.campaign.effort import CEILING, FLOOR, Effort, kinds_of, wanted
from gradcheck.campaign.outcome import Options
from gradcheck.campaign.verification import _Campaign
from gradcheck.checks import Examination, Fault
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.strategies import Balance, corner_cases, decoded
from gradcheck.strategies.encoded import length
from tests.conftest import ROOT

SMALL = ROOT / "tests" / "files" / "tanh_mse.py"
TANH = {"activations": ["tanh"], "costs": ["mse"], "in_process": True}
REPERTOIRE = default_repertoire()
ADAPTIVE = Options(adaptive=True)


def stream(repertoire=REPERTOIRE, seed=0):
    """The cases of a campaign, with random bytes in the place of those that Hypothesis draws."""
    yield from corner_cases(repertoire, seed)
    generator, balance = np.random.default_rng(seed), Balance(repertoire)
    while True:
        yield decoded(balance.balanced(generator.bytes(length(repertoire))), repertoire)


def taken(effort, case, *, power=1e-9, silent=False, fault=None):
    """A case booked, with this power in all its tensors."""
    found = Examination(fault, "components", power=dict.fromkeys(case.architecture.shapes(), power))
    effort.take(case, found, silent=silent, trusted=True)


MANY = 500


def until_enough(effort, **outcome):
    """How many cases are taken, up to `MANY`."""
    for case in islice(stream(), MANY):
        taken(effort, case, **outcome)
        if effort.enough:
            break
    return effort._cases


def test_a_small_file_takes_the_floor():
    """One activation and one cost are met with power soon; the report says why it ended."""
    report = gradcheck.verify(SMALL, **TANH)
    assert report.tally.cases + report.tally.inconclusive == FLOOR
    assert report.environment["ended"] == f"power reached after {FLOOR} cases"
    assert any(n.startswith(f"power reached after {FLOOR} cases: 25 of 25 kinds") for n in report.notes)
    assert report.environment["max_examples"] is None


def test_a_number_of_cases_is_taken_at_its_word():
    """As many as are asked for, fewer and more than the floor."""
    for count in (9, FLOOR + 9):
        report = gradcheck.verify(SMALL, **TANH, max_examples=count)
        assert report.tally.cases + report.tally.inconclusive == count
        assert report.environment["ended"] == f"the {count} cases that were asked for"


def test_a_finding_ends_it_first():
    """A wrong file is no matter of power."""
    report = gradcheck.verify(ROOT / "tests" / "specimens" / "no_average_wrong.py", in_process=True)
    assert report.environment["ended"].startswith("a finding after ")
    assert not any("kinds of case" in n for n in report.notes)


def told(report):
    data = report.to_json()
    data["environment"] = {k: v for k, v in data["environment"].items() if k not in ("seconds", "audited")}
    return json.dumps(data, sort_keys=True)


def test_it_ends_at_the_same_case_for_any_number_of_processes(monkeypatch):
    """Though several are ahead of the one that decides."""
    monkeypatch.setattr(epochs, "EPOCH", 20)
    one, three = (gradcheck.verify(SMALL, **TANH, jobs=jobs) for jobs in (1, 3))
    assert told(one) == told(three)
    assert one.tally.cases + one.tally.inconclusive == FLOOR


def test_everything_built_in_is_met_before_the_ceiling():
    """Each kind that the widest repertoire is said to draw is drawn, three times."""
    effort = Effort(ADAPTIVE, REPERTOIRE)
    assert FLOOR < until_enough(effort) < CEILING
    assert effort.met().startswith(f"{len(set(wanted(REPERTOIRE)))} of ")


def test_kinds_are_read_off_a_case():
    """The first corner case of everything built in."""
    kinds = set(kinds_of(next(corner_cases(REPERTOIRE, 0))))
    assert {"depth 2", "several samples"} <= kinds
    assert any(k.startswith("hidden ") for k in kinds)
    assert any(" with " in k for k in kinds)


@pytest.mark.parametrize("outcome", [{"power": 1.0}, {"silent": True}], ids=["without power", "silent"])
def test_what_never_has_power_is_given_up_and_named(outcome):
    """It is waited for a dozen times and no longer."""
    repertoire = replace(REPERTOIRE, hidden=REPERTOIRE.hidden[:2], heads=REPERTOIRE.heads[:1])
    effort = Effort(ADAPTIVE, repertoire)
    for case in stream(repertoire):
        deep = case.architecture.depth == 2
        taken(effort, case, **(outcome if deep else {}))
        if effort.enough:
            break
    assert "; only depth 2 0×" in effort.met()


def test_a_fault_is_as_telling_as_a_clean_case():
    """A case that found something met its kinds."""
    clean, faulty = (until_enough(Effort(ADAPTIVE, REPERTOIRE), **o) for o in ({}, {"fault": Fault.UNSTABLE}))
    assert clean == faulty


def test_a_budget_ends_it_sooner(monkeypatch):
    """The report says so, and what had been met by then."""

    def late(campaign):
        campaign._out_of_time = campaign.done >= 30
        return campaign._out_of_time

    monkeypatch.setattr(_Campaign, "_late", late)
    report = gradcheck.verify(SMALL, **TANH, budget=60)
    assert report.tally.cases + report.tally.inconclusive == 30
    assert report.environment["ended"] == "the budget of 60 s"
    (note,) = [n for n in report.notes if "budget" in n]
    assert "after 30 cases: " in note
    assert " of 25 kinds of case" in note


def test_the_most_that_is_taken():
    """The ceiling, or what was asked for."""
    assert (effort.most(ADAPTIVE), effort.most(Options(1000))) == (CEILING, 1000)


def test_a_budget_ends_layers_too():
    """Before the first case of an operation: nothing was checked, and that is no pass."""
    report = gradcheck.verify(ROOT / "reference" / "layers" / "affine.py", budget=1e-9, in_process=True)
    assert report.verdict == "inconclusive"
    assert "affine: its share of the budget, 1e-09 s, ended after 0 of 200 cases" in report.notes
