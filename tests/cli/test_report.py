"""`gradcheck report`: saved reports in other formats."""

import csv
import json
from dataclasses import replace
from io import StringIO

import pytest

from gradcheck.report import SubjectInfo


@pytest.fixture
def saved(folder, samples):
    """A folder of three reports."""
    for kind in ("passing", "failing", "inconclusive"):
        file = folder / "reports" / f"{kind}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(getattr(samples, kind)().to_json()))
    return folder / "reports"


def test_one_report_is_printed_as_it_was(run, saved):
    """With the exit code of its verdict; nothing is verified."""
    assert run("report", saved / "failing.json").out.startswith("FAIL  student.py")
    assert [run("report", saved / f"{k}.json").code for k in ("passing", "failing", "inconclusive")] == [0, 1, 4]


def test_a_folder_is_a_class(run, saved):
    """All its reports in one document."""
    rows = list(csv.DictReader(StringIO(run("report", saved, "--output-format", "csv").out)))
    assert [row["verdict"] for row in rows] == ["fail", "inconclusive", "pass"]


def test_a_page_is_written(run, saved, folder):
    """To --output."""
    assert run("report", saved, "--output-format", "html", "--output", "class.html").code == 1
    assert (folder / "class.html").read_text().startswith("<!DOCTYPE html>")


def test_paths_are_relative_for_code_scanning(run, saved, folder, samples, monkeypatch):
    """To the root of the repository, subject and line."""
    (finding,) = samples.failing().findings
    line = replace(finding.lines[0], path=str(folder / "student.py"))
    subject = SubjectInfo(str(folder / "student.py"), None, None, None)
    report = replace(samples.failing(), subject=subject, findings=(replace(finding, lines=(line,)),))
    (saved / "absolute.json").write_text(json.dumps(report.to_json()))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(folder.parent))
    (result,) = json.loads(run("report", saved / "absolute.json", "--output-format", "sarif").out)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == f"{folder.name}/student.py"


@pytest.mark.parametrize(("name", "uri"), [("net.py", "other/net.py"), ("helper.py", None)])
def test_a_line_outside_the_current_folder(run, folder, samples, monkeypatch, name, uri):
    """It has a bare name: that of the subject is found again, another one's place is not known."""
    (finding,) = samples.failing().findings
    found = replace(finding, lines=(replace(finding.lines[0], path=name),))
    report = replace(samples.failing(), subject=SubjectInfo("../other/net.py", None, None, None), findings=(found,))
    (folder / "r.json").write_text(json.dumps(report.to_json()))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(folder.parent))
    (result,) = json.loads(run("report", "r.json", "--output-format", "sarif").out)["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "other/net.py"
    assert place["region"]["startLine"] == (12 if uri else 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "no such file"), ("{", "not a JSON file"), ("{}", "names no schema"), ("[1]", "names no schema")],
)
def test_what_is_no_report_is_a_usage_error(run, folder, text, words):
    """With the file and what is wrong with it."""
    if text is not None:
        (folder / "bad.json").write_text(text)
    outcome = run("report", "bad.json")
    assert (outcome.code, words in outcome.err, "bad.json" in outcome.err) == (2, True, True)


def test_an_empty_folder_is_a_usage_error(run, folder):
    """Nothing to print is never 0."""
    (folder / "none").mkdir()
    assert run("report", "none").code == 2
