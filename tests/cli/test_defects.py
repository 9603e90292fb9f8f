"""A defect of gradcheck ends with exit code 3 and a file to send; a corrupt oracle is one, whoever corrupted it."""

import json
from pathlib import Path

import pytest

from gradcheck.campaign import oracle_cache
from gradcheck.cli.main import main
from gradcheck.errors import Defect
from gradcheck.networks import case_from_json
from gradcheck.oracles import autodiff, store
from tests.conftest import ROOT

SUBJECT = ROOT / "tests" / "files" / "tanh_mse.py"
VERIFY = ["verify", "net.py", "--max-examples", "20", "-q", "--output-format", "concise"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a right subject; a cache of its own, and none of the rules that this process knows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADCHECK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("GRADCHECK_CACHE", raising=False)
    (tmp_path / "net.py").write_text(SUBJECT.read_text())
    forget(monkeypatch)
    yield tmp_path
    forget(monkeypatch)


def forget(monkeypatch):
    """Forget all transcriptions, as a new process has."""
    monkeypatch.setattr(autodiff, "rules", store.Rules())
    monkeypatch.setattr(oracle_cache, "rules", autodiff.rules)
    monkeypatch.setattr("gradcheck.oracles.audit.rules", autodiff.rules)
    monkeypatch.setattr("gradcheck.campaign.auditing.rules", autodiff.rules)
    for function in vars(autodiff).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()


def spoil(folder):
    """Make every cached rule of an activation's derivative wrong by one in ten thousand: whole files, ours, well-formed."""
    disk = oracle_cache.store_of({"GRADCHECK_CACHE_DIR": str(folder / "cache")})
    spoilt = 0
    for key, text in autodiff.rules.texts.items():
        if key.startswith("activation_vjp"):
            head, _, result = text.rpartition("return (")
            disk.put(key, f"{head}return (1.0001 * {result}")
            disk.put(f"audited-{key}", "")
            spoilt += 1
    assert spoilt


def test_a_corrupt_oracle_stops_the_run(folder, monkeypatch, capsys):
    """Exit code 3, no report about the subject, and a file with the case and both derivatives; the next run starts clean."""
    assert main(VERIFY) == 0
    spoil(folder)
    forget(monkeypatch)
    for report in (folder / "reports").iterdir():
        report.unlink()
    assert main(VERIFY) == 3
    out, err = capsys.readouterr()
    (file,) = (folder / "reports").iterdir()
    assert f"please report it and send us reports/{file.name}" in err
    assert "transcribed and compiled jax.grad differ" in err
    assert out.count("net.py") == 1  # of the first run
    told = json.loads(file.read_text())
    off = told["oracle"]["gradient"]["W1"]
    assert off["transcribed"] != off["compiled"]
    assert case_from_json(told["oracle"]["case"]).architecture.depth >= 1
    assert any("1.0001" in (text or "") for text in told["oracle"]["rules"].values())
    assert {"jax", "numpy", "python", "gradcheck"} <= set(told["versions"])
    assert "audit_if_due" in told["traceback"]
    forget(monkeypatch)
    assert main(VERIFY) == 0


def test_a_defect_of_another_process_keeps_its_name(run, api, folder):
    """Name, message and traceback as they were there."""
    api.report = Defect("ZeroDivisionError", "by zero", "Traceback …\n  in some_function\n")
    outcome = run("verify", "net.py")
    assert outcome.code == 3
    assert "internal error: net.py: ZeroDivisionError: by zero" in outcome.err
    (file,) = Path("reports").iterdir()
    assert "some_function" in json.loads(file.read_text())["traceback"]


def test_no_report_means_no_file(run, api, folder):
    """The message then asks for the traceback."""
    api.report = ZeroDivisionError("by zero")
    outcome = run("verify", "net.py", "--no-report")
    assert outcome.code == 3
    assert "with the output of the same command and --traceback" in outcome.err
    assert not Path("reports").exists()
