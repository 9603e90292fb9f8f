"""Epochs: the report does not depend on how many processes examine the cases, whatever the subject does."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

import gradcheck
from gradcheck.campaign import epochs
from gradcheck.campaign.epochs import Judging, Spread, Visit
from gradcheck.checks import Examination, Fault
from gradcheck.errors import SubjectError
from gradcheck.isolation.crew import ProcessDied
from gradcheck.subjects import Layout
from tests.conftest import ROOT

RIGHT = (ROOT / "tests" / "specimens" / "no_average_right.py").read_text()
BODY = "    examples = [example_gradient"
COUNTING = f"    global calls\n    calls += 1\n    if calls > 60: WHAT\n{BODY}"
"""The first epoch of six cases, with its effects, takes fewer calls; a later one of six takes none as many."""


def spoilt(what):
    """The right subject that does something on every call after its sixtieth."""
    return "calls = 0\n" + RIGHT.replace(BODY, COUNTING.replace("WHAT", what))


def deep(what):
    """The right subject that does something in networks of six layers."""
    return RIGHT.replace(BODY, f"    if len(theta) == 6: {what}\n{BODY}")


SUBJECTS = {
    "right": RIGHT,
    "wrong": deep("return [0.5 * t for t in theta]"),
    "crashes": deep("import os; os.abort()"),
    "hangs": deep("[0 for _ in iter(int, 1)]"),
    "tires": spoilt("raise ValueError(f'call {calls}')"),
}


VERDICTS = {"right": "pass", "tires": "fail", "wrong": "fail", "crashes": "error", "hangs": "error"}
FEW = {
    "max_examples": 30,
    "time_limit": 3.0,
    "convention": "theta_bias_unit",
    "activations": ["tanh"],
    "costs": ["mse"],
}


def told(report):
    data = report.to_json()
    data["environment"] = {k: v for k, v in data["environment"].items() if k not in ("seconds", "audited")}
    return json.dumps(data, sort_keys=True)


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_report_does_not_depend_on_the_number_of_processes(tmp_path, monkeypatch, name):
    """The same bytes with one and three, the time apart; whatever is in the subject comes up after the first epoch."""
    monkeypatch.setattr(epochs, "EPOCH", 10)
    path = tmp_path / "student.py"
    path.write_text(SUBJECTS[name])
    one, *others = (gradcheck.verify(path, **FEW, jobs=jobs) for jobs in (1, 3))
    assert [told(r) for r in others] == [told(one)] * len(others)
    assert one.verdict == VERDICTS[name]
    assert one.tally.cases >= 10


def test_a_killed_process_changes_nothing(tmp_path, monkeypatch):
    """The epochs of a process that dies are examined by another one."""
    monkeypatch.setattr(epochs, "EPOCH", 10)
    path = tmp_path / "student.py"
    path.write_text(RIGHT)
    expected = told(gradcheck.verify(path, **FEW))
    kill = f"    import os\n    if os.getppid() != {os.getpid()}: os.kill(os.getppid(), 9)\n{BODY}"
    path.write_text(RIGHT.replace(BODY, kill))
    killed = json.loads(told(gradcheck.verify(path, **FEW, jobs=3)))
    for key in ("verdict", "tally", "power", "findings"):
        assert killed[key] == json.loads(expected)[key]


THREADS = """
import json, sys, gradcheck
sys.path.insert(0, sys.argv[2])
from tests.campaign.test_epochs import FEW, told
print(told(gradcheck.verify(sys.argv[1], **{**FEW, "in_process": True})))
"""


def test_the_report_does_not_depend_on_the_threads_of_blas(tmp_path):
    """One or two of them, in the process that judges and in the subject's."""
    path = tmp_path / "student.py"
    path.write_text(RIGHT)
    command = [sys.executable, "-c", THREADS, str(path), str(ROOT)]
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    runs = [
        subprocess.Popen(command, env={**os.environ, **dict.fromkeys(names, n)}, stdout=subprocess.PIPE, cwd=ROOT)
        for n in ("1", "2")
    ]
    one, two = (run.communicate(timeout=120)[0] for run in runs)
    assert one == two
    assert json.loads(one)["verdict"] == "pass"


# --- Spread by itself -------------------------------------------------------------------------------------------------


class Underway:
    """An epoch elsewhere that has begun, and ends as it is told."""

    def __init__(self, outcome, begun=True):
        self.outcome, self.begun = outcome, begun

    def cancel(self):
        return not self.begun

    def done(self):
        return self.begun

    def result(self):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


TRUSTED = Judging(Layout(), True, False)


def spread(monkeypatch, elsewhere):
    """A Spread over epochs of two whose own subject answers "here"; the judgings that it was run with."""
    judged = []

    @contextmanager
    def fresh():
        yield None

    def visit(subject, case, judging, other=None):
        judged.append(judging.trusted)
        return Visit(Examination(None, "here"))

    monkeypatch.setattr(epochs, "EPOCH", 2)
    monkeypatch.setattr(epochs, "visit", visit)
    return Spread(fresh, elsewhere, ahead=2), judged


def outcomes(spread, judging=lambda: TRUSTED):
    """Six cases: what each came to, and how."""
    found = [b for case in range(6) for b in spread.take(case, judging())]
    return [
        (case, v.examination.rung if v.examination else v.error.kind) for case, v in [*found, *spread.finish(judging)]
    ]


def there(judging, cases):
    return Underway([Visit(Examination(None, "there"))] * len(cases))


def test_outcomes_keep_their_order(monkeypatch):
    """However many epochs are under way."""
    stream, _ = spread(monkeypatch, there)
    assert outcomes(stream) == [(k, "there") for k in range(6)]


@pytest.mark.parametrize("underway", [Underway(ProcessDied("killed")), Underway(None, begun=False)])
def test_what_died_or_waits_is_run_here(monkeypatch, underway):
    """Nothing is lost, and nobody waits for what has not begun."""
    stream, _ = spread(monkeypatch, lambda judging, cases: underway)
    assert outcomes(stream) == [(k, "here") for k in range(6)]


def test_a_judgement_that_has_changed_is_made_anew(monkeypatch):
    """What was examined as trusted is examined again once the recognition was disproved."""
    now = [TRUSTED]

    def elsewhere(judging, cases):
        now[0] = Judging(Layout(), False, False)
        return there(judging, cases)

    stream, judged = spread(monkeypatch, elsewhere)
    assert outcomes(stream, lambda: now[0]) == [(0, "here"), (1, "here"), *((k, "there") for k in range(2, 6))]
    assert judged == [False, False]


def test_an_epoch_goes_on_without_what_it_disproved(monkeypatch):
    """As the campaign does when it books the case."""
    seen = []

    def visit(subject, case, judging, other=None):
        seen.append(judging.trusted)
        return Visit(Examination(Fault.FORWARD, "primal"))

    monkeypatch.setattr(epochs, "visit", visit)
    epochs.epoch(None, [1, 2, 3], TRUSTED)
    assert seen == [True, False, False]


def test_an_epoch_ends_with_its_subject(monkeypatch):
    """A time-out is the last outcome."""
    monkeypatch.setattr(epochs, "visit", lambda *_: Visit(None, SubjectError("timeout", "too slow")))
    assert len(epochs.epoch(None, [1, 2, 3], TRUSTED)) == 1


def test_a_subject_that_does_not_load_again(monkeypatch):
    """Is a failure to load, whatever its kind was."""

    @contextmanager
    def fresh():
        raise SubjectError("exception", "no more")
        yield

    (visit,) = epochs.reloaded(fresh, [1, 2], TRUSTED)
    assert (visit.error.kind, visit.error.message) == ("load", "no more")


def test_a_budget_says_what_it_left_out(tmp_path):
    """How many cases, and that the clock decided."""
    path = tmp_path / "student.py"
    path.write_text(RIGHT)
    report = gradcheck.verify(path, **{**FEW, "max_examples": 100_000}, budget=1.5, jobs=2)
    (note,) = [n for n in report.notes if "budget" in n]
    left = 100_000 - report.tally.cases - report.tally.inconclusive
    assert note.startswith(f"the budget of 1.5 s ended the run: {left} of 100000 cases were left out; the same seed")
