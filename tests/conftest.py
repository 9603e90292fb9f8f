"""Shared by all tests: Hypothesis profiles, pytester, hand-made reports, and a stand-in for gradcheck.api."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("dev", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


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
