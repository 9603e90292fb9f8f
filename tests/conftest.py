"""Shared by all tests: Hypothesis profiles, pytester, hand-made reports, and a stand-in for gradcheck.api."""

import importlib.util
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]

_CACHE = tempfile.TemporaryDirectory(prefix="gradcheck-cache-")
os.environ["GRADCHECK_CACHE_DIR"] = _CACHE.name  # never the user's own; subprocesses of the tests share it

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell's background job: the tests of Control-C need it
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("dev", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


@pytest.fixture(autouse=True)
def _own_import_path(monkeypatch):
    """Loading a subject puts its folder on sys.path: the next test is not to find it there."""
    monkeypatch.setattr(sys, "path", list(sys.path))


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def samples() -> ModuleType:
    """The hand-made reports of tests/report/samples.py."""
    return _load(Path(__file__).parent / "report" / "samples.py")


@pytest.fixture
def api(monkeypatch, samples):
    """A stand-in for gradcheck.api that answers with `api.report` (or raises it) and keeps its calls in `api.calls`."""
    stub = ModuleType("gradcheck.api")
    stub.calls, stub.report = [], samples.passing()

    def answer(*arguments, **options):
        progress = options.pop("progress", None)
        stub.calls.append((*arguments, options))
        if progress is not None:
            progress(1, 2)
        if isinstance(stub.report, BaseException):
            raise stub.report
        return stub.report

    stub.verify = stub.replay = stub.check_vjp = answer
    monkeypatch.setitem(sys.modules, "gradcheck.api", stub)
    return stub


ROOT = Path(__file__).parents[1]


def edited(path: Path, edits: tuple[tuple[str, str], ...]) -> str:
    """The source of a file with texts replaced; each of them must occur."""
    source = path.read_text(encoding="utf-8")
    for old, new in edits:
        assert old in source, f"{path.name} no longer holds {old!r}"
        source = source.replace(old, new)
    return source


@pytest.fixture
def tanh_file(tmp_path):
    """tanh_file((old, new), …) -> path of a copy of tests/files/tanh_mse.py with these texts replaced."""

    def write(*edits: tuple[str, str]) -> Path:
        path = tmp_path / "student.py"
        path.write_text(edited(ROOT / "tests" / "files" / "tanh_mse.py", edits), encoding="utf-8")
        return path

    return write


def _functions(path: Path, edits: tuple[tuple[str, str], ...]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    members: dict[str, Any] = {"__name__": f"mutant_of_{path.stem}"}
    exec(compile(edited(path, edits), f"<mutant of {path.stem}>", "exec"), members)
    return members["loss"], members["backprop"]


@pytest.fixture(scope="session")
def tanh_pair():
    """tanh_pair((old, new), …) -> (loss, backprop) of tests/files/tanh_mse.py with these texts replaced."""
    return lambda *edits: _functions(ROOT / "tests" / "files" / "tanh_mse.py", edits)


@pytest.fixture(scope="session")
def row_major_pair():
    """row_major_pair((old, new), …) -> (loss, backprop) of reference/row_major.py with these texts replaced."""
    return lambda *edits: _functions(ROOT / "reference" / "row_major.py", edits)
