"""The sandbox: what a subject does there stays there, and its failures are told as anywhere else."""

import contextlib
import shutil
import subprocess
import time
from pathlib import Path

import pytest

import gradcheck
from gradcheck.errors import UsageError
from gradcheck.isolation import sandbox
from tests.conftest import ROOT

RIGHT = (ROOT / "tests" / "specimens" / "no_average_right.py").read_text()
BODY = "    examples = [example_gradient"
FEW = {
    "max_examples": 8,
    "sandbox": True,
    "time_limit": 5.0,
    "convention": "theta_bias_unit",
    "activations": ["tanh"],
    "costs": ["mse"],
}
MARK = "98765.4321"


def _works():
    bwrap = shutil.which("bwrap")
    trial = [
        bwrap,
        "--unshare-pid",
        "--unshare-net",
        "--ro-bind",
        "/",
        "/",
        "--size",
        "4096",
        "--tmpfs",
        "/tmp",
        "true",
    ]
    return bwrap is not None and subprocess.run(trial, capture_output=True, check=False).returncode == 0


needs_bwrap = pytest.mark.skipif(not _works(), reason="bubblewrap is not installed, or may not make namespaces here")


def doing(path, *lines):
    """The right subject that does something at every gradient; what is forbidden is tried and swallowed."""
    body = "".join(f"    {line}\n" for line in lines)
    path.write_text("import contextlib, os, pathlib, signal\n" + RIGHT.replace(BODY, body + BODY))
    return path


def command(process):
    """Its command line; nothing where it ends while it is looked at."""
    with contextlib.suppress(OSError):
        return process.read_bytes().decode(errors="replace")
    return ""


def running(text):
    return any(text in command(p) for p in Path("/proc").glob("[0-9]*/cmdline"))


@needs_bwrap
def test_what_it_does_stays_there(tmp_path):
    """It kills its verifier, writes to its neighbour, and forks what outlives its session: none of it comes to pass."""
    neighbour = tmp_path / "neighbour.py"
    neighbour.write_text("as it was")
    report = gradcheck.verify(
        doing(
            tmp_path / "student.py",
            f"with contextlib.suppress(OSError): pathlib.Path({str(neighbour)!r}).write_text('spoilt')",
            "with contextlib.suppress(OSError): os.kill(os.getppid(), signal.SIGKILL)",
            "if os.fork() == 0:",
            "    os.setsid()",
            f"    os.execvp('sleep', ['sleep', '{MARK}'])",
        ),
        **FEW,
    )
    assert report.verdict == "pass"
    assert neighbour.read_text() == "as it was"
    end = time.monotonic() + 5
    while running(MARK) and time.monotonic() < end:
        time.sleep(0.05)
    assert not running(MARK)


@needs_bwrap
@pytest.mark.parametrize(
    ("line", "code", "told"), [("while True: pass", "GC903", "in gradient"), ("os.abort()", "GC905", "SIGABRT")]
)
def test_failures_keep_their_names(tmp_path, line, code, told):
    """A hang with its stack, a crash with its signal, through the sandbox."""
    (finding,) = gradcheck.verify(doing(tmp_path / "student.py", line), **{**FEW, "time_limit": 2.0}).findings
    assert finding.code.name == code
    assert told in finding.detail


@needs_bwrap
def test_it_has_a_scratch_folder(tmp_path):
    """Temporary files are possible, and gone afterwards."""
    report = gradcheck.verify(
        doing(tmp_path / "student.py", "pathlib.Path('/tmp/gradcheck-scratch').write_text('x')"), **FEW
    )
    assert report.verdict == "pass"
    assert not Path("/tmp/gradcheck-scratch").exists()


def test_a_sandbox_that_is_not_there_is_said(tmp_path, monkeypatch):
    """Nothing runs without it."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UsageError, match="bubblewrap"):
        gradcheck.verify(doing(tmp_path / "student.py", "pass"), **FEW)


@pytest.mark.parametrize(("status", "code"), [(0, 0), (1, 1), (137, -9), (134, -6), (255, 255)])
def test_a_signal_is_told_from_an_exit_code(status, code):
    """bwrap adds 128."""
    assert sandbox.exit_code(status) == code
