"""`gradcheck verify`: arguments become one call of the API, reports become output and an exit code."""

import json
import sys
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from gradcheck.errors import SubjectError, UsageError
from gradcheck.report import SubjectInfo


def test_a_pass_is_zero(run, api):
    """No flag: the API's own defaults."""
    outcome = run("verify", "student.py")
    assert (outcome.code, api.calls) == (0, [("student.py", {})])
    assert outcome.out.startswith("PASS  student.py")


@pytest.mark.parametrize(("kind", "code"), [("failing", 1), ("broken", 1), ("inconclusive", 4), ("passing", 0)])
def test_the_verdict_is_the_exit_code(run, api, samples, kind, code):
    """0, 1 and 4."""
    api.report = getattr(samples, kind)()
    assert run("verify", "student.py").code == code


def test_every_flag_reaches_the_api(run, api):
    """Flags are the keywords of gradcheck.verify."""
    flags = (
        "--convention nielsen --weights to_from --samples rows --bias row --activations tanh,leaky_relu(0.1)"
        " --activations elu(1.0,2) --costs mse --cost-scale 1/m --l2 lambda/2 --dtype float32 --seed 0"
        " --max-examples 5 --budget 1.5 --jobs auto --sandbox --time-limit 2 --memory-limit 1G --in-process"
        " --select GC3,GC4 --select GC5 --ignore GC402"
    )
    run("verify", "student.py:Net.inner", *flags.split())
    assert api.calls[0][1] == {
        "object": "Net.inner",
        "convention": "nielsen",
        "weights": "to_from",
        "samples": "rows",
        "bias": "row",
        "activations": ("tanh", "leaky_relu(0.1)", "elu(1.0,2)"),
        "costs": ("mse",),
        "cost_scale": "1/m",
        "l2": "lambda/2",
        "dtype": "float32",
        "seed": 0,
        "max_examples": 5,
        "budget": 1.5,
        "jobs": "auto",
        "sandbox": True,
        "time_limit": 2.0,
        "memory_limit": 2**30,
        "in_process": True,
        "select": ("GC3", "GC4", "GC5"),
        "ignore": ("GC402",),
    }


def test_own_definitions_get_an_absolute_path(run, api, folder):
    """`acts.py:swish` is looked for from the current directory, wherever the child process runs."""
    run("verify", "student.py", "--activations", "acts.py:swish,tanh")
    assert api.calls[0][1]["activations"] == (f"{folder / 'acts.py'}:swish", "tanh")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.py"], "no such file: missing.py"),
        (["missing.py:Net"], "no such file: missing.py"),
        ([".:Net"], "is a folder"),
        (["student.py", "--max-examples", "0"], "--max-examples"),
        (["student.py", "--budget", "0"], "--budget"),
        (["student.py", "--jobs", "0"], "1 or more, or auto"),
        (["student.py", "--jobs", "all"], "1 or more, or auto"),
        (["student.py", "--memory-limit", "much"], "'much' is not a size"),
        (["student.py", "--weights", "sideways"], "'sideways' is not one of"),
        (["student.py", "--wieghts", "to_from"], "--weights"),
        (["student.py:A", "--object", "B"], "different objects"),
        (["student.py", "--output", "no/such/folder.txt"], "there is no folder"),
        ([], "nothing to verify"),
    ],
)
def test_usage_errors_are_two(run, api, arguments, message):
    """One clear message on stderr, nothing on stdout, no traceback, and no call."""
    outcome = run("verify", *arguments)
    assert (outcome.code, outcome.out, api.calls) == (2, "", [])
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_a_usage_error_of_the_api_is_two(run, api):
    """The API's own message is shown as it is."""
    api.report = UsageError("unknown activation 'tnah'; did you mean 'tanh'?")
    outcome = run("verify", "student.py")
    assert (outcome.code, outcome.err) == (2, f"gradcheck: error: student.py: {api.report}\n")


def test_a_subject_error_that_escapes_is_one(run, api):
    """It is the subject's failure, not ours."""
    api.report = SubjectError("crash", "the process died")
    assert run("verify", "student.py").code == 1


def test_a_subject_that_exits_in_process_is_one(run, api):
    """sys.exit(0) in a subject is no pass."""
    api.report = SystemExit(0)
    outcome = run("verify", "student.py", "--in-process")
    assert outcome.code == 1
    assert "ended its own process" in outcome.err


def test_an_unexpected_exception_is_three(run, api):
    """A short message that asks for a report, and no traceback."""
    api.report = ZeroDivisionError("oops\nsecond line")
    outcome = run("verify", "student.py")
    assert outcome.code == 3
    assert "internal error: student.py: ZeroDivisionError: oops second line" in outcome.err
    assert "please report it" in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("how", ["flag", "environment"])
def test_the_traceback_is_shown_when_asked_for(run, api, monkeypatch, how):
    """By --traceback or GRADCHECK_TRACEBACK=1."""
    api.report = ZeroDivisionError()
    if how == "environment":
        monkeypatch.setenv("GRADCHECK_TRACEBACK", "1")
    outcome = run("verify", "student.py", *(["--traceback"] if how == "flag" else []))
    assert (outcome.code, "Traceback (most recent call last)" in outcome.err) == (3, True)


def test_an_interrupt_is_130(run, api):
    """Control-C ends the run with the shell's code for it."""
    api.report = KeyboardInterrupt()
    assert run("verify", "student.py").code == 130


def test_the_json_report_is_written_and_told(run, folder):
    """In reports/, and stderr says where."""
    outcome = run("verify", "student.py")
    (file,) = (folder / "reports").iterdir()
    assert outcome.err == f"report: reports/{file.name}\n"
    assert json.loads(file.read_text())["verdict"] == "pass"


def test_no_report_and_quiet(run, folder):
    """--no-report writes nothing, --quiet says nothing."""
    assert run("verify", "student.py", "--no-report").err == ""
    assert not (folder / "reports").exists()
    assert run("verify", "student.py", "--quiet").err == ""
    assert (folder / "reports").exists()


def test_the_script_goes_beside_the_report(run, api, samples, folder):
    """Under the name of its case, and the terminal names it."""
    case = {"digest": "0123456789abcdef"}
    finding = replace(samples.FINDING, script=None, script_text="print('shown')\n", counterexample=case)
    api.report = replace(samples.failing(), findings=(finding,))
    outcome = run("verify", "student.py")
    (script,) = (folder / "reports").glob("*-0123456789abcdef.py")
    assert script.read_text() == "print('shown')\n"
    assert f"python reports/{script.name}" in outcome.out


def test_the_replay_command_names_the_report(run, api, samples, folder):
    """A finding without a command gets one, in the file and on the terminal."""
    api.report = replace(samples.failing(), findings=(replace(samples.FINDING, replay=None),))
    outcome = run("verify", "student.py", "--reports", "my reports")
    (file,) = (folder / "my reports").iterdir()
    command = f"gradcheck replay 'my reports/{file.name}'"
    assert command in outcome.out
    assert json.loads(file.read_text())["findings"][0]["replay"] == command


def test_a_folder_of_reports_that_cannot_be_made_loses_nothing(run):
    """A warning on stderr; result and exit code stay."""
    outcome = run("verify", "student.py", "--reports", "student.py")
    assert (outcome.code, outcome.out[:4]) == (0, "PASS")
    assert "warning: the JSON report was not written" in outcome.err


def test_output_goes_to_a_file(run, folder):
    """With --output, stdout stays empty."""
    assert run("verify", "student.py", "--output", "out.txt").out == ""
    assert (folder / "out.txt").read_text().startswith("PASS")


def test_an_output_that_cannot_be_written_goes_to_stdout(run, folder):
    """The result is printed, and the exit code says usage."""
    folder.joinpath("a.txt").symlink_to("no/such/place")
    outcome = run("verify", "student.py", "--output", "a.txt")
    assert (outcome.code, outcome.out[:4]) == (2, "PASS")


def test_several_paths_are_verified_each(run, api, folder):
    """The exit code is the worst, an error does not stop the others."""
    (folder / "other.py").write_text("")
    outcome = run("verify", "student.py", "other.py")
    assert [call[0] for call in api.calls] == ["student.py", "other.py"]
    assert outcome.out.count("PASS  student.py") == 2


def test_several_end_with_a_table(run):
    """One line for each, and how many there are of each verdict."""
    assert run("verify", "student.py", "student.py").out.endswith("2 subjects: 2 pass\n")


def test_a_folder_is_all_its_public_files(run, api, folder):
    """Sorted, without private files and other folders."""
    for name in ("b.py", "a.py", "_private.py", "notes.txt", "deep/c.py"):
        (folder / "work" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "work" / name).write_text("")
    run("verify", "work")
    assert [call[0] for call in api.calls] == ["work/a.py", "work/b.py"]


def test_an_empty_folder_is_a_usage_error(run, folder):
    """Nothing checked is never 0."""
    (folder / "empty").mkdir()
    assert run("verify", "empty").code == 2


def test_json_of_one_is_an_object(run):
    """One subject, one object; nothing but JSON on stdout."""
    assert json.loads(run("verify", "student.py", "--output-format", "json").out)["verdict"] == "pass"


def test_json_of_several_is_a_list(run, folder):
    """Two subjects, one document."""
    assert len(json.loads(run("verify", "student.py", "student.py", "--output-format", "json").out)) == 2


def test_junit_of_several_is_one_document(run):
    """Two suites below one root."""
    assert len(ElementTree.fromstring(run("verify", "student.py", "student.py", "--output-format", "junit").out)) == 2


def test_github_writes_the_step_summary(run, folder, monkeypatch, api, samples):
    """Annotations on stdout, Markdown appended to the file that GitHub names, paths relative to the workspace."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(folder.parent))
    api.report = replace(samples.passing(), subject=SubjectInfo("student.py", None, None, None))
    outcome = run("verify", "student.py", "student.py", "--output-format", "github")
    assert outcome.out.startswith(f"::notice file={folder.name}/student.py,")
    assert (folder / "summary.md").read_text().count("## ✅ PASS") == 2


def test_a_step_summary_that_cannot_be_written_is_a_warning(run, folder, monkeypatch):
    """The verdict stays."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder))
    outcome = run("verify", "student.py", "--output-format", "github")
    assert outcome.code == 0
    assert "step summary was not written" in outcome.err


def test_a_full_step_summary_is_left_alone(run, folder, monkeypatch):
    """GitHub rejects more than a mebibyte."""
    summary = folder / "summary.md"
    summary.write_bytes(b"x" * 2**20)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    run("verify", "student.py", "--output-format", "github")
    assert summary.stat().st_size == 2**20


def test_a_character_that_the_terminal_lacks_is_escaped(run, monkeypatch, folder, api, samples):
    """An ASCII terminal is no internal error."""
    import io

    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    api.report = samples.failing()
    assert run("verify", "student.py").code == 1
    assert b"\\u2192" in stream.buffer.getvalue()


@pytest.mark.parametrize(("variables", "coloured"), [({}, False), ({"FORCE_COLOR": "1"}, True)])
def test_colours_follow_the_environment(run, monkeypatch, variables, coloured):
    """None in a pipe, unless forced."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[" in run("verify", "student.py").out) is coloured


def test_no_color_wins(run, monkeypatch):
    """NO_COLOR goes before FORCE_COLOR."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run("verify", "student.py").out


def test_the_progress_bar_is_on_stderr_and_only_on_a_terminal(run, monkeypatch):
    """With a terminal the bar appears; stdout holds the result alone."""
    assert run("verify", "student.py", "--no-report").err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    outcome = run("verify", "student.py", "--no-report")
    assert "1/2" in outcome.err
    assert "1/2" not in outcome.out
