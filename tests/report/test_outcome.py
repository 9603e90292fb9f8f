"""Exit codes and file names of reports."""

from dataclasses import replace

import pytest

from gradcheck.report import SubjectInfo, Tally, digest, exit_code, file_name, worst


@pytest.mark.parametrize(
    ("kind", "code"), [("passing", 0), ("failing", 1), ("inconclusive", 4), ("broken", 1), ("hostile", 1)]
)
def test_exit_code_of_a_verdict(samples, kind, code):
    """0 pass, 1 fail or error, 4 inconclusive."""
    assert exit_code(getattr(samples, kind)()) == code


@pytest.mark.parametrize("tally", [Tally(), Tally(cases=3), Tally(components=3)])
def test_a_pass_that_checked_nothing_is_not_zero(samples, tally):
    """ "Nothing checked" is never 0, whatever the verdict says."""
    assert exit_code(replace(samples.passing(), tally=tally)) == 4


@pytest.mark.parametrize(
    ("codes", "expected"), [([0, 0], 0), ([0, 4], 4), ([4, 1], 1), ([1, 2], 2), ([2, 3, 1], 3), ([], 4)]
)
def test_the_worst_of_several(codes, expected):
    """3 before 2 before 1 before 4 before 0; nothing at all is 4."""
    assert worst(codes) == expected


def test_the_file_name_does_not_depend_on_time(samples):
    """The same findings on the same subject give the same file."""
    later = replace(samples.failing(), environment={"seconds": 9.0})
    assert file_name(later) == file_name(samples.failing()) == f"student-{digest(later)}.json"


def test_the_file_name_depends_on_the_verdict(samples):
    """A pass does not overwrite the counterexample of an earlier fail."""
    assert file_name(samples.passing()) != file_name(samples.failing())


@pytest.mark.parametrize("path", ["../../etc/a b.py", "x\x00y.py", "", "/", "..", "a" * 500, "ünï.py", "-rf.py"])
def test_the_file_name_is_safe(samples, path):
    """No separator, no control character, no leading dash or dot, no name too long."""
    name = file_name(replace(samples.passing(), subject=SubjectInfo(path, None, None, None)))
    assert name.isascii()
    assert not set(name) & set("/\\\0 ")
    assert name[0] not in ".-"
    assert len(name) < 128
