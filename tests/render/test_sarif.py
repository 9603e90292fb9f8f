"""SARIF 2.1.0 and GitLab Code Quality: what code scanning needs, and fingerprints that last."""

import json
from dataclasses import replace

import pytest

from gradcheck.render import COLLECTORS, gitlab, sarif
from gradcheck.report import Difference, Explanation, Line, Place, SubjectInfo


def run(*reports):
    """The only run of the log."""
    (one,) = json.loads(sarif.collect(reports))["runs"]
    return one


def test_a_finding_is_a_result_with_rule_level_and_line(samples):
    """The rule is found by its index too, and has the page of explain as help."""
    (result,) = run(samples.failing())["results"]
    rule = run(samples.failing())["tool"]["driver"]["rules"][result["ruleIndex"]]
    place = result["locations"][0]["physicalLocation"]
    assert (result["ruleId"], result["level"], rule["id"]) == ("GC402", "error", "GC402")
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("student.py", 12)
    assert rule["help"]["text"].startswith("GC402: ")


def test_there_is_no_address_to_look_up(samples):
    """It must work offline: no helpUri, no informationUri."""
    text = sarif.collect(samples.every())
    assert "helpUri" not in text
    assert "informationUri" not in text


@pytest.mark.parametrize(("kind", "level"), [("failing", "error"), ("broken", "error"), ("inconclusive", "warning")])
def test_levels(samples, kind, level):
    """A subject that could not be run is an error, what could not be judged a warning."""
    assert run(getattr(samples, kind)())["results"][0]["level"] == level


def test_a_pass_has_no_result(samples):
    """It would be an alert."""
    assert run(samples.passing())["results"] == []
    assert run(samples.passing())["invocations"][0]["executionSuccessful"] is True


def test_a_subject_that_could_not_run_is_a_notification(samples):
    """The run was not a success."""
    invocation = run(samples.broken())["invocations"][0]
    assert invocation["executionSuccessful"] is False
    assert "student.py" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_an_unknown_line_is_said(samples):
    """GitHub wants a line for every result: it is 1, and a property says that nobody knows."""
    (result,) = run(samples.inconclusive())["results"]
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 1}
    assert result["properties"]["line"] == "unknown"


def test_a_sure_line_comes_first(samples):
    """Of two, the one that is sure."""
    (finding,) = samples.failing().findings
    report = replace(
        samples.failing(), findings=(replace(finding, lines=(*finding.lines, Line("student.py", 7, "x", True, ""))),)
    )
    (result,) = run(report)["results"]
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 7


def changed(samples, **fields):
    """The failing report with another finding."""
    report = samples.failing()
    return replace(report, findings=(replace(report.findings[0], **fields),))


@pytest.mark.parametrize(
    ("fields", "same"),
    [
        ({"detail": "other words", "evidence": ()}, True),
        ({"lines": (Line("student.py", 99, "moved", True, ""),)}, True),
        ({"discrepancies": (Difference("W1", (0, 0), 1.0, 2.0, 1e-9, "jax"),), "counterexample": None}, True),
        ({"places": (Place("BP2", 2),)}, False),
        ({"explanations": (Explanation("other", "…", 1),)}, False),
    ],
)
def test_fingerprints_last(samples, fields, same):
    """Numbers, words and lines may change from run to run; what is wrong, and where, may not."""
    before, after = (
        run(r)["results"][0]["partialFingerprints"] for r in (samples.failing(), changed(samples, **fields))
    )
    assert (before == after) is same


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("./a b/net.py", "a%20b/net.py"),
        ("a\\net.py", "a/net.py"),
        ("/home/x/net.py", "file:///home/x/net.py"),
        ("C:\\x\\net.py", "file:///C:/x/net.py"),
        ("<Network>", "%3CNetwork%3E"),
    ],
)
def test_addresses_are_uris(path, address):
    """Relative ones with forward slashes, absolute ones as file URIs."""
    assert sarif.uri(path) == address


def test_several_subjects_are_one_run(samples):
    """A code scanning upload takes one run of a tool; every rule stands once."""
    one = run(*samples.every())
    rules = [rule["id"] for rule in one["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    assert all(rules[r["ruleIndex"]] == r["ruleId"] for r in one["results"])


def test_gitlab_has_what_the_widget_needs(samples):
    """Description, check_name, fingerprint, severity, path and line, for each finding of each report."""
    issues = json.loads(COLLECTORS["gitlab"](samples.every()))
    assert [i["severity"] for i in issues] == ["critical", "minor", "blocker", "critical"]
    assert {"description", "check_name", "fingerprint", "severity", "location"} == set(issues[0])
    assert issues[0]["location"] == {"path": "student.py", "lines": {"begin": 12}}


def test_gitlab_paths_are_relative(samples):
    """Without a leading ./, as the merge request names files."""
    report = replace(samples.failing(), subject=SubjectInfo("./a/net.py", None, None, None))
    assert json.loads(gitlab.render(report))[0]["location"]["path"] == "a/net.py"
