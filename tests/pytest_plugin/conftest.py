"""A project that uses the plug-in, run in a process of its own with a stand-in for gradcheck.api."""

from importlib.metadata import entry_points
from pathlib import Path

import pytest

import gradcheck

ROOT = Path(gradcheck.__file__).parents[1]
SAMPLES = Path(__file__).parents[1] / "report" / "samples.py"
STUB = f"""
import sys, types
from dataclasses import replace

stub = types.ModuleType("gradcheck.api")

def verify(subject, **options):
    import importlib.util
    from gradcheck.errors import UsageError
    spec = importlib.util.spec_from_file_location("samples", {str(SAMPLES)!r})
    samples = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(samples)
    if "raises" in str(subject):
        raise UsageError("unknown convention 'nielson'; did you mean 'nielsen'?")
    kind = next((k for k in ("failing", "inconclusive", "broken", "hostile") if k in str(subject)), "passing")
    report = getattr(samples, kind)()
    info = replace(report.subject, path=str(subject))
    return replace(report, subject=info, environment={{"options": options, "subject": repr(subject)}})

stub.verify = verify
stub.check_vjp = lambda primal, pullback, arguments, **options: verify(primal(arguments), **options)
stub.check_jvp = stub.check_hvp = stub.check_vjp
sys.modules["gradcheck.api"] = stub
"""


@pytest.fixture
def plugin_arguments():
    """-p gradcheck.pytest_plugin, unless the entry point of an installed gradcheck loads it already."""
    installed = entry_points(group="pytest11", name="gradcheck")
    return [] if installed else ["-p", "gradcheck.pytest_plugin"]


@pytest.fixture
def project(pytester, monkeypatch, plugin_arguments):
    """project(test source, *arguments) -> the result of a pytest run with subjects of every verdict beside the test."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeconftest(STUB)
    for name in ("passing", "failing", "inconclusive", "broken", "hostile", "raises"):
        pytester.path.joinpath(f"{name}.py").write_text("")

    def run(source, *arguments):
        pytester.makepyfile(source)
        return pytester.runpytest_subprocess(
            *plugin_arguments, "-p", "no:cacheprovider", "--strict-markers", *arguments
        )

    return run
