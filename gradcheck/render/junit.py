"""Format `junit`: one test suite for each subject, one test case for each finding, or a single one that passed.

Inconclusive is an <error>, not <skipped>: a gate that only reads the XML must not take it for green.
"""

from collections.abc import Sequence
from xml.etree import ElementTree

from gradcheck.render import wording
from gradcheck.report import Finding, Report

Element = ElementTree.Element


def render(report: Report) -> str:
    """One report as a JUnit document."""
    return collect([report])


def collect(reports: Sequence[Report]) -> str:
    """Several reports as one JUnit document."""
    root = Element("testsuites", name="gradcheck")
    suites = [_suite(report) for report in reports]
    root.extend(suites)
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    ElementTree.indent(root)
    xml = ElementTree.tostring(root, encoding="unicode")
    return wording.defused(f'<?xml version="1.0" encoding="utf-8"?>\n{xml}\n')


def _suite(report: Report) -> Element:
    cases = [_case(report, finding) for finding in report.findings] or [_verdict(report)]
    suite = Element("testsuite", name=f"gradcheck {wording.subject(report)}", tests=str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", str(sum(case.find("error") is not None for case in cases)))
    suite.set("time", _seconds(report))
    suite.append(_properties(report))
    suite.extend(cases)
    return suite


def _properties(report: Report) -> Element:
    pairs = {
        "verdict": report.verdict,
        "cases": report.tally.cases,
        "components": report.tally.components,
        "inconclusive": report.tally.inconclusive,
        **{f"convention {c.what}": c.value for c in report.conventions},
    }
    element = Element("properties")
    for name, value in pairs.items():
        ElementTree.SubElement(element, "property", name=wording.one_line(name), value=wording.one_line(str(value)))
    return element


def _case(report: Report, finding: Finding) -> Element:
    name = f"{wording.one_line(finding.rung)}: {finding.code.name} {wording.title(finding)}"
    kind = "failure" if finding.verdict == "fail" else "error"
    message = f"{wording.title(finding)}{f' ({wording.places(finding)})' if finding.places else ''}"
    case = _testcase(report, name)
    if finding.verdict != "pass":
        outcome = ElementTree.SubElement(case, kind, message=message, type=finding.code.name)
        outcome.text = "\n".join(wording.lines(finding))
    return case


def _verdict(report: Report) -> Element:
    case = _testcase(report, "gradient")
    if report.verdict != "pass":
        kind = "failure" if report.verdict == "fail" else "error"
        ElementTree.SubElement(case, kind, message=wording.tally(report.tally), type=report.verdict)
    return case


def _testcase(report: Report, name: str) -> Element:
    return Element("testcase", classname=wording.subject(report), name=name, time=_seconds(report))


def _seconds(report: Report) -> str:
    seconds = report.environment.get("seconds")
    return f"{seconds:.3f}" if isinstance(seconds, (int, float)) and 0 <= seconds < 1e9 else "0"
