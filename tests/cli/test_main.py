"""The command as a process: start-up, versions, pipes, interrupts, and the list of conventions."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gradcheck
from gradcheck import __version__
from gradcheck.cli.options import CHOICES, FORMATS, parse_size, split_list, split_target
from gradcheck.render import RENDERERS
from gradcheck.subjects.layout import BIAS, SAMPLES, WEIGHTS

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(gradcheck.__file__).parents[1]), "PYTHONUTF8": "1"}
STUB = """
import sys, types
stub = types.ModuleType("gradcheck.api")
def verify(target, **options):
    import time
    print("running", file=sys.stderr, flush=True)
    time.sleep(60)
stub.verify = stub.verify_many = stub.replay = stub.check_vjp = verify
stub.check_jvp = stub.check_hvp = verify
stub.ReplayResult = object
sys.modules["gradcheck.api"] = stub
from gradcheck.cli.main import main
sys.exit(main(["verify", "x.py"]))
"""


def test_the_version(run):
    """One line on stdout."""
    assert run("--version")[:2] == (0, f"gradcheck {__version__}\n")


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], ["-h"], ["verify", "-h"], ["replay", "-h"], ["conventions", "-h"]]
)
def test_help(run, arguments):
    """Help is help, with or without asking."""
    outcome = run(*arguments)
    assert outcome.code == (0 if arguments else 2)
    assert "Usage: gradcheck" in outcome.out + outcome.err


def test_an_unknown_command_is_a_usage_error(run):
    """Exit code 2, and no traceback."""
    outcome = run("verfy")
    assert (outcome.code, outcome.out) == (2, "")
    assert "No such command 'verfy'" in outcome.err


def test_the_choices_are_those_of_the_code_behind():
    """They are repeated for a fast start-up; here they are compared."""
    assert tuple(RENDERERS) == FORMATS
    assert (CHOICES["weights"], CHOICES["samples"], set(CHOICES["bias"])) == (WEIGHTS, SAMPLES, set(BIAS))


def test_starting_imports_nothing_heavy():
    """--help loads neither numpy nor jax, hypothesis, rich or pytest."""
    code = (
        "import sys; from gradcheck.cli.main import main; main(['verify', '--help']);"
        "sys.exit(bool({'numpy', 'jax', 'hypothesis', 'rich', 'pytest'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, check=False)
    assert result.returncode == 0


def test_python_m_gradcheck():
    """`python -m gradcheck` is the command."""
    command = [sys.executable, "-m", "gradcheck", "--version"]
    result = subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=True)
    assert result.stdout.decode().strip() == f"gradcheck {__version__}"


def test_a_closed_pipe_is_no_error(tmp_path):
    """`gradcheck conventions | head -0` ends quietly."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "gradcheck", "conventions"]
    result = subprocess.run(command, env=ENVIRONMENT, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_control_c_is_130_without_a_traceback(tmp_path):
    """An interrupted run says so, and nothing else."""
    (tmp_path / "x.py").write_text("")
    process = subprocess.Popen(
        [sys.executable, "-c", STUB], env=ENVIRONMENT, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stderr.readline() == b"running\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in err


def test_conventions_lists_them_all(run):
    """Name, call and template of each."""
    from gradcheck.subjects.detect import CONVENTIONS

    outcome = run("conventions")
    assert outcome.code == 0
    assert all(f"{name}\n  {module.CALL}\n" in outcome.out for name, module in CONVENTIONS.items())


def test_conventions_shows_one_template(run):
    """To start a file from: `gradcheck conventions functional > net.py`."""
    from gradcheck.subjects.functional import TEMPLATE

    assert run("conventions", "functional").out == TEMPLATE


def test_conventions_helps_with_names(run):
    """The nearest one is named."""
    outcome = run("conventions", "functionl")
    assert (outcome.code, outcome.out) == (2, "")
    assert "did you mean 'functional'?" in outcome.err


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1), ("512M", 2**29), ("2g", 2**31), ("2GiB", 2**31), ("1 KB", 1024), (7, 7)]
)
def test_sizes(text, size):
    """Powers of 1024."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5G", "G", "1e9", "9" * 30, True, "1X"])
def test_what_is_no_size(text):
    """It is a ValueError, with an example of what is."""
    with pytest.raises(ValueError, match="such as 2G"):
        parse_size(text)


def test_lists_are_split_at_commas_outside_parentheses():
    """Parameters of an activation stay with it."""
    assert split_list(["a, b(1, 2),c", "d"]) == ("a", "b(1, 2)", "c", "d")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("net.py", ("net.py", None)),
        ("net.py:Net", ("net.py", "Net")),
        ("a/net.py:Net.inner", ("a/net.py", "Net.inner")),
        ("C:\\net.py", ("C:\\net.py", None)),
        ("C:\\net.py:Net", ("C:\\net.py", "Net")),
        ("net.py:", ("net.py:", None)),
        ("net.py:3", ("net.py:3", None)),
        ("name:other", ("name:other", None)),
    ],
)
def test_targets_are_a_path_and_perhaps_an_object(text, expected):
    """Drive letters and odd names are no objects."""
    assert split_target(text) == expected
