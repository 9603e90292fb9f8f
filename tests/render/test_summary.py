"""One line for each subject: the table and the CSV."""

import csv
from dataclasses import replace
from io import StringIO

from gradcheck.render import summary
from gradcheck.report import SubjectInfo


def test_the_worst_comes_first(samples):
    """Error, fail, inconclusive, pass; then the counts."""
    text = summary.collect(samples.every())
    verdicts = [line.split()[0] for line in text.splitlines() if line and line[0].isupper()]
    assert verdicts == ["ERROR", "FAIL", "FAIL", "INCONCLUSIVE", "PASS"]
    assert text.endswith("5 subjects: 1 error, 2 fail, 1 inconclusive, 1 pass\n")


def test_a_line_says_what_is_wrong_and_where(samples):
    """Code, the first explanation, the place and the line."""
    (line, *_) = summary.render(samples.failing()).splitlines()
    assert "GC402 σ′ is left out of the recursion [layer 1, BP2: recursion], line 12" in line


def test_a_crash_says_how(samples):
    """The first line of what happened."""
    assert "GC902 Traceback" in summary.render(samples.broken())


def test_every_subject_is_one_line(samples):
    """Whatever newlines are in a name."""
    reports = samples.every()
    assert summary.collect(reports).count("\n") == len(reports) + 2


def test_the_csv_can_be_read_back(samples):
    """A header, and a row for each, in the order of the table."""
    rows = list(csv.DictReader(StringIO(summary.to_csv(samples.every()))))
    assert [r["verdict"] for r in rows] == ["error", "fail", "fail", "inconclusive", "pass"]
    assert rows[-1]["seconds"] == "1.25"
    assert (
        next(r for r in rows if r["subject"] == "student.py" and r["verdict"] == "fail")["explanation"]
        == "missing_derivative"
    )


def test_no_cell_is_a_formula(samples):
    """A spreadsheet would run it."""
    report = replace(samples.passing(), subject=SubjectInfo("=cmd|' /C calc'!A0", None, "+1", None))
    (row,) = csv.DictReader(StringIO(summary.render_csv(report)))
    assert row["subject"] == "'=cmd|' /C calc'!A0"
    assert row["convention"] == "'+1"


def test_the_folder_of_all_is_said_once(samples):
    """A class is one folder: lines begin with what tells them apart."""
    reports = [
        replace(samples.passing(), subject=SubjectInfo(f"class/{n}.py", None, None, None)) for n in ("ada", "bob")
    ]
    head, _, first, *_ = summary.collect(reports).splitlines()
    assert (head, first.split()[1]) == ("in class/", "ada.py")


def test_an_exception_is_told_even_where_it_is_a_fault(samples):
    """The message says more than the title."""
    (finding,) = samples.broken().findings
    report = replace(
        samples.broken(), verdict="fail", findings=(replace(finding, verdict="fail", detail="ValueError: shapes"),)
    )
    assert "GC902 ValueError: shapes" in summary.render(report)
