"""`gradcheck replay`: fixed, still failing or error."""

import json
from types import SimpleNamespace

import pytest


@pytest.fixture
def case(folder, samples):
    """A JSON report on disk."""
    (folder / "case.json").write_text(json.dumps(samples.failing().to_json()))
    return "case.json"


@pytest.fixture
def answer(api, samples):
    """answer(outcome, kind): what the API will say."""

    def prepare(outcome, kind="passing"):
        api.report = SimpleNamespace(outcome=outcome, report=getattr(samples, kind)(), message="in words")

    return prepare


@pytest.mark.parametrize(
    ("outcome", "kind", "code"), [("fixed", "passing", 0), ("still failing", "failing", 1), ("error", "broken", 1)]
)
def test_the_outcome_is_said_and_is_the_exit_code(run, answer, case, outcome, kind, code):
    """The first line says the outcome, the report follows."""
    answer(outcome, kind)
    result = run("replay", case)
    assert result.code == code
    assert result.out.startswith(f"{outcome}: in words\n\n{kind[:4].upper() if kind != 'broken' else 'ERROR'}")


def test_the_parsed_report_and_the_options_reach_the_api(run, answer, api, case, folder, samples):
    """--subject names another file, limits are passed on."""
    answer("fixed")
    run("replay", case, "--subject", "student.py:Net", "--time-limit", "3", "--in-process")
    options = {"target": "student.py", "object": "Net", "time_limit": 3.0, "in_process": True}
    assert api.calls == [(samples.failing().to_json(), options)]


def test_json_holds_outcome_message_and_report(run, answer, case):
    """For machines."""
    answer("fixed")
    data = json.loads(run("replay", case, "--output-format", "json").out)
    assert (data["outcome"], data["message"], data["report"]["verdict"]) == ("fixed", "in words", "pass")


def test_output_goes_to_a_file(run, answer, case, folder):
    """As for verify."""
    answer("fixed")
    assert run("replay", case, "--output", "out.txt", "--output-format", "concise").out == ""
    assert (folder / "out.txt").read_text().startswith("fixed: in words\nstudent.py: pass")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"{", "not a JSON file"),
        (b"\xff\xfe\x00", "not a JSON file"),
        (b"[" * 100_000, "not a JSON file"),
        (b"[1]", "expected a JSON object"),
    ],
)
def test_what_is_no_report_is_a_usage_error(run, folder, content, message):
    """Exit code 2 and one message."""
    if content is not None:
        (folder / "case.json").write_bytes(content)
    outcome = run("replay", "case.json")
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err


def test_a_subject_that_is_not_there_is_a_usage_error(run, case):
    """Said before anything runs."""
    assert run("replay", case, "--subject", "missing.py").code == 2
