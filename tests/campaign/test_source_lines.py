"""A finding says which line of the subject's file computes what is wrong; in a child process as in this one."""

from pathlib import Path

import numpy as np
import pytest

import gradcheck
from gradcheck.faults.record import read_record

SPECIMENS = Path(__file__).parents[1] / "specimens"
STEP = {
    "file": "f.py", "line": 3, "text": "a = b", "function": "f", "call": 1, "operands": [["b", 0]], "results": [["a", 0]],
    "held": [], "calls": [], "arguments": [], "returned": False, "names": [], "hands_on": False,
}  # fmt: skip


@pytest.mark.parametrize("in_process", [True, False])
def test_the_line_of_a_wrong_recursion_is_named(in_process):
    """The one that differs from the right neighbour."""
    path = SPECIMENS / "sigma_not_prime_wrong.py"
    (finding,) = gradcheck.verify(str(path), max_examples=12, in_process=in_process).findings
    (line,) = finding.lines
    assert line.sure
    assert "sigma(z_prev)" in line.text
    assert line.text == path.read_text().splitlines()[line.number - 1].strip()


def test_a_subject_that_dies_when_it_is_watched_loses_the_line_only(tmp_path):
    """In its child process; the finding stands with its name."""
    text = (SPECIMENS / "sigma_not_prime_wrong.py").read_text()
    head = "def backprop(W, b, x, y, sigma, lam):\n"
    path = tmp_path / "network.py"
    path.write_text(text.replace(head, head + "    import os, sys\n    if sys.gettrace():\n        os._exit(3)\n"))
    (finding,) = gradcheck.verify(str(path), max_examples=12, in_process=False).findings
    assert finding.code.name == "GC402"
    assert all(not line.sure and line.reason.startswith("a guess") for line in finding.lines)
    assert finding.explanations


def test_where_nothing_is_wrong_nothing_is_traced(monkeypatch):
    """It costs nothing."""
    monkeypatch.setattr("gradcheck.subjects.local.recording", None)
    report = gradcheck.verify(str(SPECIMENS / "sigma_not_prime_right.py"), max_examples=12, in_process=True)
    assert report.verdict == "pass"


def test_a_record_is_read():
    """Numbers of values, names, flags."""
    record = read_record({"steps": [STEP], "values": [np.ones(2)]})
    assert record.steps[0].operands == (("b", 0),)


@pytest.mark.parametrize(
    "edit",
    [{"operands": [["b", 1]]}, {"results": [["a", -1]]}, {"calls": [0]}, {"line": None}, {"held": [["a"]]}],
)
def test_a_record_of_another_form_is_refused(edit):
    """A child may say anything."""
    with pytest.raises((ValueError, TypeError)):
        read_record({"steps": [STEP | edit], "values": [np.ones(2)]})
