"""The real command in a process of its own: bad input, hostile subjects, output formats, exit codes, imports."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from gradcheck.report import schema

ROOT = Path(__file__).parents[1]
RETURN = "    return d_weights, d_biases"
WRONG = ("(1 - a[l] ** 2)", "(1 - a[l])")
QUICK = ("--max-examples", "12", "--no-report")
VARIABLES = ("GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE", "GRADCHECK_TRACEBACK", "NO_COLOR", "FORCE_COLOR", "COLUMNS")


class Ended(NamedTuple):
    """What a shell sees."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(tmp_path):
    """command(*arguments) -> Ended: `python -m gradcheck` in a temporary folder, a repository root of its own."""
    (tmp_path / ".git").mkdir()
    environment = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}

    def run(*arguments, **more):
        line = [sys.executable, "-m", "gradcheck", *map(str, arguments)]
        done = subprocess.run(
            line, cwd=tmp_path, env=environment | more, capture_output=True, text=True, timeout=120, check=False
        )
        assert "Traceback (most recent call last)" not in done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


def finding_of(ended):
    """The first finding of a JSON report on stdout."""
    finding, *_ = json.loads(ended.out)["findings"]
    return finding


# Bad input


def test_no_such_file_is_two(command):
    """Usage: one line on stderr, nothing on stdout."""
    assert command("verify", "nowhere.py") == (2, "", "gradcheck: error: no such file: nowhere.py\n")


def test_a_syntax_error_is_one(command, tanh_file):
    """The subject's failure, with file and line."""
    path = tanh_file(("def loss(", "def loss(("))
    ended = command("verify", path.name, "--no-report")
    assert ended.code == 1
    assert "ERROR" in ended.out
    assert "SyntaxError" in ended.out
    assert "student.py:" in ended.out


def test_an_import_that_trains_for_ever_is_none(command, tanh_file):
    """The loop is stopped, what is defined is loaded, and a note says at which line; that is no fault of the backprop."""
    path = tanh_file(("import numpy as np\n", "import numpy as np\n\nwhile True:\n    pass\n"))
    ended = command("verify", path.name, *QUICK, "--output-format", "json")
    report = json.loads(ended.out)
    assert (ended.code, report["verdict"]) == (0, "pass")
    assert any(re.match(r"line \d+: .* it seems to train at import", note) for note in report["notes"])


@pytest.mark.parametrize(
    ("broken", "code", "message"),
    [
        ("return d_weights[:-1], d_biases", "GC102", "gradients"),
        ("return d_weights, [g.T for g in d_biases]", "GC104", "(1, 2)"),
        ("return [g * np.nan for g in d_weights], d_biases", "GC106", "not finite"),
        ("return [object() for g in d_weights], d_biases", "GC103", "object"),
        ("return None", "GC103", "None"),
    ],
    ids=["count", "bias row", "nan", "objects", "none"],
)
def test_a_malformed_gradient_is_one(command, tanh_file, broken, code, message):
    """Structure is named before any value is compared."""
    path = tanh_file((RETURN, f"    {broken}"))
    ended = command("verify", path.name, *QUICK, "--output-format", "json")
    finding = finding_of(ended)
    assert (ended.code, finding["verdict"], finding["code"]) == (1, "fail", code)
    assert message in finding["detail"]


def test_a_transposed_gradient_is_one(command, tanh_file):
    """The mistake that explains the wrong shapes comes first, and the shape is told too."""
    path = tanh_file((RETURN, "    return [g.T for g in d_weights], d_biases"))
    ended = command("verify", path.name, *QUICK, "--output-format", "json")
    first, *others = json.loads(ended.out)["findings"]
    assert (ended.code, first["verdict"]) == (1, "fail")
    assert first["explanations"]
    assert "it is the transpose" in next(f["detail"] for f in others if f["code"] == "GC104")


@pytest.mark.parametrize(
    ("hostile", "code", "message"),
    [
        ("import sys; sys.exit(0)", "GC906", "sys.exit(0)"),
        ("import os; os._exit(0)", "GC906", "ended its process with exit code 0"),
        ("import os; os.abort()", "GC905", "SIGABRT"),
        ("while True: pass", "GC903", "did not finish within 1 s"),
    ],
    ids=["sys.exit", "os._exit", "abort", "hang"],
)
def test_a_hostile_backprop_is_one(command, tanh_file, hostile, code, message):
    """Verdict error with the reason; the parent neither dies nor passes."""
    path = tanh_file((RETURN, f"    {hostile}"))
    ended = command("verify", path.name, *QUICK, "--time-limit", "1", "--output-format", "json")
    finding = finding_of(ended)
    assert (ended.code, finding["verdict"], finding["code"]) == (1, "error", code)
    assert message in finding["detail"]


def test_a_hundred_megabytes_on_stdout_are_still_verified(command, tanh_file):
    """The flood stays in the child."""
    flood = (
        "    if not printed:\n        printed.append(1)\n        for _ in range(100):\n            print('x' * 2**20)\n"
    )
    path = tanh_file((RETURN, flood + RETURN), ("import numpy as np\n", "import numpy as np\n\nprinted = []\n"))
    ended = command("verify", path.name, *QUICK, "--output-format", "concise")
    assert ended.code == 0
    assert len(ended.out) < 1000


def test_two_subjects_have_the_worse_exit_code(command, tanh_file):
    """One passes, the other fails."""
    right = tanh_file().rename(tanh_file().with_name("right.py"))
    ended = command("verify", right.name, tanh_file(WRONG).name, *QUICK, "--output-format", "concise")
    assert ended.code == 1
    assert "right.py: pass" in ended.out
    assert "student.py: fail" in ended.out


def test_nothing_checked_is_four(command, tanh_file):
    """A budget that is over before the first case."""
    ended = command("verify", tanh_file().name, "--budget", "1e-9", "--no-report", "--output-format", "concise")
    assert ended.code == 4
    assert "inconclusive" in ended.out


# Faces


def test_a_failure_is_shown_kept_and_replayed(command, tanh_file):
    """The report lies in reports/; replay says still failing, and fixed after the mistake is mended."""
    ended = command("verify", tanh_file(WRONG).name, "--max-examples", "12")
    assert ended.code == 1
    assert "BP2" in ended.out
    replay = next(line.strip() for line in ended.out.splitlines() if "gradcheck replay " in line)
    report = replay.partition("gradcheck replay ")[2].strip()
    again = command("replay", report)
    assert (again.code, again.out.splitlines()[0].partition(":")[0]) == (1, "still failing")
    tanh_file()
    after = command("replay", report, "--output-format", "json")
    assert (after.code, json.loads(after.out)["outcome"]) == (0, "fixed")


@pytest.mark.parametrize(("edits", "code"), [((), 0), ((WRONG,), 1)], ids=["pass", "fail"])
def test_json_is_valid_by_the_packaged_schema(command, tanh_file, edits, code):
    """The whole of stdout is one report of gradcheck.report/1."""
    jsonschema = pytest.importorskip("jsonschema")
    ended = command("verify", tanh_file(*edits).name, *QUICK, "--output-format", "json")
    jsonschema.validate(json.loads(ended.out), schema())
    assert ended.code == code


def test_markdown_names_the_equation(command, tanh_file):
    """It begins with a heading."""
    ended = command("verify", tanh_file(WRONG).name, *QUICK, "--output-format", "markdown")
    assert ended.out.startswith("#")
    assert "GC402" in ended.out


def test_github_annotates_and_writes_the_summary(command, tanh_file, tmp_path):
    """An error command on stdout, Markdown in the step summary."""
    summary = tmp_path / "summary.md"
    ended = command(
        "verify", tanh_file(WRONG).name, *QUICK, "--output-format", "github", GITHUB_STEP_SUMMARY=str(summary)
    )
    assert ended.out.startswith("::error file=student.py,title=gradcheck GC402")
    assert "GC402" in summary.read_text()


def test_junit_counts_the_failure(command, tanh_file):
    """One test case that failed."""
    ended = command("verify", tanh_file(WRONG).name, *QUICK, "--output-format", "junit")
    root = ElementTree.fromstring(ended.out)
    assert len(list(root.iter("testcase"))) == 1
    assert len(list(root.iter("failure"))) == 1


def test_concise_is_one_line_a_finding(command, tanh_file):
    """And one for the verdict."""
    ended = command("verify", tanh_file(WRONG).name, *QUICK, "--output-format", "concise")
    finding, verdict = ended.out.splitlines()
    assert finding.startswith("student.py: GC402 layer 1:")
    assert verdict.startswith("student.py: fail")


def test_a_configured_subject(command, tanh_file, tmp_path):
    """gradcheck.toml names it, and what it is measured against."""
    tanh_file()
    (tmp_path / "gradcheck.toml").write_text(
        'max_examples = 9\n\n[subjects.net]\npath = "student.py"\nconvention = "functional"\n'
        'activations = ["tanh"]\ncosts = ["mse"]\ncost_scale = "1/m"\n'
    )
    report = json.loads(command("verify", "net", "--no-report", "--output-format", "json").out)
    assert report["verdict"] == "pass"
    assert report["environment"]["max_examples"] == 9
    assert {"what": "cost", "value": "mse · 1/m", "how": "configured"} in report["conventions"]


def test_a_configuration_that_contradicts_the_file_fails(command, tanh_file, tmp_path):
    """The cost has no ½: with cost_scale 1/(2m) it is not the declared one."""
    tanh_file()
    ended = command("verify", "student.py", "--cost-scale", "1/(2m)", *QUICK, "--output-format", "json")
    assert (ended.code, finding_of(ended)["code"]) == (1, "GC301")


# Imports


def loaded_by(code, *names, folder=None):
    """Which of the modules a fresh interpreter holds after running the code."""
    program = f"{code}\nimport sys\nprint(*[n for n in {names!r} if n in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1].split() if done.stdout.strip() else []


def test_import_gradcheck_is_light():
    """No numpy, no jax, no hypothesis."""
    assert loaded_by("import gradcheck", "gradcheck.api", "numpy", "jax", "hypothesis") == ["gradcheck.api"]


def test_collecting_tests_with_the_plugin_is_light(tmp_path):
    """`pytest --collect-only` in another project imports neither."""
    (tmp_path / "test_other.py").write_text("def test_one():\n    pass\n")
    installed = entry_points(group="pytest11", name="gradcheck")  # then its entry point loads it already
    options = [*([] if installed else ["-p", "gradcheck.pytest_plugin"]), "-p", "no:hypothesispytest"]
    code = f"import pytest\nassert pytest.main(['--collect-only', '-q', '-p', 'no:cacheprovider', *{options}]) == 0"
    loaded = loaded_by(code, "gradcheck.pytest_plugin", "numpy", "jax", "hypothesis", folder=tmp_path)
    assert loaded == ["gradcheck.pytest_plugin"]
