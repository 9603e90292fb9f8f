"""A command line in a temporary folder, with the stand-in for gradcheck.api."""

from typing import NamedTuple

import pytest

from gradcheck.cli.main import main


class Outcome(NamedTuple):
    """What a shell sees."""

    code: int
    out: str
    err: str


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current directory: a repository root of its own with one subject."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "GITHUB_STEP_SUMMARY",
        "GITHUB_WORKSPACE",
        "GRADCHECK_TRACEBACK",
        "NO_COLOR",
        "FORCE_COLOR",
        "COLUMNS",
    ):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".git").mkdir()
    (tmp_path / "student.py").write_text("")
    return tmp_path


@pytest.fixture
def run(folder, api, capsys):
    """run(*arguments) -> Outcome."""

    def call(*arguments):
        code = main([str(a) for a in arguments])
        return Outcome(code, *capsys.readouterr())

    return call
