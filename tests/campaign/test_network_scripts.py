"""The stand-alone scripts of whole networks: functions in every structure, classes, updates; run without gradcheck."""

import subprocess
import sys

import pytest

import gradcheck
from tests.subjects import test_model_functions as functions
from tests.subjects import test_model_object as objects
from tests.subjects import test_training as training

PAIRS = {
    f"functions: {n}": (functions.HEAD, functions.RIGHT[n][0], s[0])
    for n, s in functions.WRONG.items()
    if n in functions.RIGHT
}
PAIRS |= {f"class: {n}": (objects.HEAD, objects.RIGHT[n], s[0]) for n, s in objects.WRONG.items() if n in objects.RIGHT}
PAIRS |= {"training": ("", training.SIZED, training.SIZED.replace("(1 - self.a1 ** 2)", "(1 - self.a1)"))}


def run(folder, text, file):
    """The script's exit code and output on a file, in a folder whose gradcheck cannot be imported."""
    (folder / "gradcheck.py").write_text("raise ImportError('gradcheck is not needed here')")
    (folder / "counterexample.py").write_text(text)
    line = [sys.executable, "counterexample.py", str(file)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=folder)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", PAIRS)
def test_the_script_fails_on_the_wrong_file_and_passes_on_the_right_one(name, tmp_path):
    """With a line a tensor that says what is claimed and what is expected."""
    head, right, wrong = PAIRS[name]
    assert right != wrong
    (tmp_path / "right.py").write_text(head + right)
    (tmp_path / "wrong.py").write_text(head + wrong)
    finding = gradcheck.verify(tmp_path / "wrong.py", max_examples=12, in_process=True).findings[0]
    assert finding.script_text is not None
    code, out = run(tmp_path, finding.script_text, "wrong.py")
    assert (code, "claimed" in out, "Traceback" in out) == (1, True, False), out
    assert run(tmp_path, finding.script_text, "right.py")[0] == 0
