"""Modules beside a subject in Python 2: rewritten while it is loaded, with a note, and nothing else is touched."""

import sys

import pytest

from gradcheck.errors import SubjectError
from gradcheck.subjects import load
from gradcheck.subjects.loading import NOTES

SUBJECT = "from old_helpers import double\ndef quadruple(x):\n    return double(double(x))\n"
OLD = "def double(x):\n    print 'doubling'\n    return sum(x for _ in xrange(2))\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a subject and room for its sibling; what is imported from it is forgotten again."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "subject_of_siblings.py").write_text(SUBJECT)
    yield tmp_path
    sys.modules.pop("old_helpers", None)


def test_a_sibling_in_python_2_is_rewritten(folder, capsys):
    """With its lines in a note; no bytecode is left behind."""
    (folder / "old_helpers.py").write_text(OLD)
    members = load(str(folder / "subject_of_siblings.py"))
    assert members["quadruple"](3) == 12
    assert "old_helpers.py: rewritten for Python 3 and numpy 2: print statements (line 2)" in members[NOTES]
    assert not (folder / "__pycache__").exists()


def test_a_sibling_that_is_broken_is_named(folder):
    """A mistake that no rewriting mends."""
    (folder / "old_helpers.py").write_text("def double(x:\n    return x\n")
    members = load(str(folder / "subject_of_siblings.py"))
    assert any("old_helpers.py" in note and "skipped" in note for note in members[NOTES])


def test_a_finder_is_gone_afterwards(folder):
    """The caller's imports are as they were, also after a failure."""
    before = list(sys.meta_path)
    (folder / "old_helpers.py").write_text(OLD)
    load(str(folder / "subject_of_siblings.py"))
    (folder / "bad.py").write_text("1 / 0\n")
    with pytest.raises(SubjectError):
        load(str(folder / "bad.py"))
    assert sys.meta_path == before


def test_a_sibling_may_import_what_is_not_installed(folder):
    """As the subject may: the import is passed over with a note, the rest of the module is there."""
    (folder / "old_helpers.py").write_text("import nowhere_to_be_found\ndef double(x):\n    return 2 * x\n")
    members = load(str(folder / "subject_of_siblings.py"))
    assert members["quadruple"](3) == 12
    assert "old_helpers.py: the module 'nowhere_to_be_found' is not installed" in members[NOTES]


def test_a_sibling_that_needs_what_is_not_installed_is_named(folder):
    """A class cannot be made of a missing base."""
    (folder / "old_helpers.py").write_text("import nowhere\nclass Double(nowhere.Base):\n    pass\n")
    members = load(str(folder / "subject_of_siblings.py"))
    assert any("skipped" in note for note in members[NOTES])
