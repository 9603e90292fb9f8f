"""The stand-alone script of a finding, run where gradcheck cannot be imported: 1 on the wrong file, 0 on the right one."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import gradcheck
from gradcheck.campaign.scripts import LINES, with_script
from gradcheck.report import Code
from gradcheck.subjects import Layout, Offer
from gradcheck.subjects.column_vector import SCRIPT

FILES = Path(__file__).parents[1] / "subjects" / "files"
SPECIMENS = Path(__file__).parents[1] / "specimens"
EDITS = {
    "functional": ("functional.py", "error = weights[k].T @ delta", "error = 2 * (weights[k].T @ delta)"),
    "row_major": ("rows.py", "a[k].T @ delta, delta.sum(axis=0)", "a[k].T @ delta, delta.mean(axis=0)"),
    "nielsen": ("nielsen_cost.py", "* a[k] * (1 - a[k])", "* a[k]"),
    "nielsen without a cost": ("nielsen.py", "error * a[k + 1] * (1 - a[k + 1])", "error * a[k + 1]"),
    "parameter_dict": ("parameter_dict.py", "(1 - A_prev**2)", "(1 - A_prev)"),
    "flat_theta": ("flat_theta.py", "d2.T * a1 / m", "d2.T * a1"),
    "flat_theta of any depth": ("flat_sizes.py", "(1 - a[k] ** 2)", "(1 - a[k])"),
    "forward_backward": ("layers.py", "dout.sum(axis=0)", "2 * dout.sum(axis=0)"),
    "forward_backward without a cache": ("layers.py", "* sigmoid(z) * (1 - sigmoid(z))", "* sigmoid(z)"),
}
TEXTS = {
    "column_vector": "sum_of_weights",
    "theta_bias_unit": "bias_delta_of_unit_0",
    "layer_error": "z_of_last_layer",
    "from_to_bias_row": "yhat_minus_y",
}


def pair_of(name, folder):
    """The wrong file and its right neighbour."""
    if name in TEXTS:
        return SPECIMENS / f"{TEXTS[name]}_wrong.py", SPECIMENS / f"{TEXTS[name]}_right.py"
    file, right, wrong = EDITS[name]
    text = (FILES / file).read_text()
    assert right in text
    planted = folder / f"planted_{file}"
    planted.write_text(text.replace(right, wrong))
    return planted, FILES / file


def run(folder, text, *arguments):
    """The script's exit code and output, in a folder whose gradcheck cannot be imported."""
    (folder / "gradcheck.py").write_text("raise ImportError('gradcheck is not needed here')")
    script = folder / "counterexample.py"
    script.write_text(text)
    line = [sys.executable, str(script), *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=folder)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", [*EDITS, *TEXTS])
def test_the_script_fails_on_the_wrong_file_and_passes_on_the_right_one(name, tmp_path):
    """By itself, in at most `LINES` lines, with a line a tensor."""
    wrong, right = pair_of(name, tmp_path)
    finding = gradcheck.verify(wrong, max_examples=40, in_process=True).findings[0]
    assert finding.script_text.count("\n") <= LINES
    code, out = run(tmp_path, finding.script_text)
    assert (code, "claimed" in out, "Traceback" in out) == (1, True, False), out
    assert run(tmp_path, finding.script_text, right)[0] == 0


@pytest.fixture(scope="module")
def finding():
    """A wrong recursion."""
    return gradcheck.verify(SPECIMENS / "sum_of_weights_wrong.py", max_examples=20, in_process=True).findings[0]


def rewritten(finding, offer, path="student.py", **edits):
    """The script for that finding, edited."""
    bare = replace(finding, script_text=None, **edits)
    return with_script(bare, path, None, offer, {"": Layout()}).script_text


def test_there_is_no_script_where_it_would_not_be_honest(finding):
    """No call stated, a file that is rewritten to load, another kind of finding, a difference that is too small."""
    offer = Offer("student", "column_vector", scripts={"": SCRIPT})
    tiny = tuple(replace(d, claimed=d.expected + 1e-7) for d in finding.discrepancies)
    assert rewritten(finding, offer) is not None
    assert rewritten(finding, replace(offer, scripts={})) is None
    assert rewritten(finding, replace(offer, notes=("its calls of plot were skipped",))) is None
    assert rewritten(finding, offer, "student.ipynb") is None
    assert rewritten(finding, offer, code=Code.GC201) is None
    assert rewritten(finding, offer, discrepancies=tiny) is None


def test_float32_has_no_script(finding):
    """Central differences would see rounding alone."""
    architecture = {**finding.counterexample["architecture"], "dtype": "float32"}
    case = {**finding.counterexample, "architecture": architecture}
    offer = Offer("student", "column_vector", scripts={"": SCRIPT})
    assert rewritten(finding, offer, counterexample=case) is None
