"""Many subjects in several processes: the reports of one process, in order, whatever happens to a process."""

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import gradcheck
from gradcheck.cli.main import main
from gradcheck.errors import UsageError
from tests.conftest import ROOT

SPECIMENS = ROOT / "tests" / "specimens"
FEW = 8
BODY = "    examples = [example_gradient"


def same(report):
    """A report without what may differ between runs: its time, and how often the oracle itself was audited."""
    data = report.to_json()
    data["environment"] = {k: v for k, v in data["environment"].items() if k not in ("seconds", "audited")}
    return json.dumps(data, sort_keys=True)


KILLER = """
import os, signal
os.kill(os.getppid(), signal.SIGKILL)
"""


@pytest.fixture
def folder(tmp_path):
    """A right file, a wrong one, one that hangs, one that crashes, one that does not load."""
    right = (SPECIMENS / "no_average_right.py").read_text()
    files = {
        "a_right.py": right,
        "b_wrong.py": (SPECIMENS / "no_average_wrong.py").read_text(),
        "c_hangs.py": right.replace(BODY, f"    while True: pass\n{BODY}"),
        "d_crashes.py": right.replace(BODY, f"    import os; os.abort()\n{BODY}"),
        "e_unfinished.py": "def backprop(",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_reports_do_not_depend_on_the_number_of_processes(folder):
    """The same bytes in the same order, for a pass, a fail, a hang, a crash and a file that does not load."""
    files = sorted(folder.glob("*.py"))
    options = {"max_examples": FEW, "time_limit": 3.0}
    one = [same(gradcheck.verify(f, **options)) for f in files]
    assert [json.loads(r)["verdict"] for r in one] == ["pass", "fail", "error", "error", "error"]
    assert [same(r) for r in gradcheck.verify_many(files, jobs=3, **options)] == one


def test_a_subject_that_kills_its_verifier(folder):
    """It gets a report of its own that says so; its neighbours get theirs."""
    (folder / "b_wrong.py").write_text(KILLER)
    files = [folder / "a_right.py", folder / "b_wrong.py", folder / "e_unfinished.py"]
    right, killer, unfinished = gradcheck.verify_many(files, jobs=2, max_examples=FEW)
    assert (right.verdict, unfinished.findings[0].code.name) == ("pass", "GC901")
    assert (killer.verdict, killer.findings[0].code.name) == ("error", "GC905")
    assert "SIGKILL" in killer.findings[0].detail


def test_a_missing_file_is_said_at_once(folder):
    """Before anything runs."""
    with pytest.raises(UsageError, match="no such file"):
        next(gradcheck.verify_many([folder / "a_right.py", folder / "nosuch.py"], jobs=2))


def test_any_executor_will_do(folder):
    """The seam is concurrent.futures.Executor."""
    with ThreadPoolExecutor(1) as executor:
        (report,) = gradcheck.verify_many([folder / "e_unfinished.py"], executor=executor)
    assert report.findings[0].code.name == "GC901"


def test_a_report_keeps_its_scripts(folder):
    """What the JSON form leaves out crosses beside it."""
    (report,) = gradcheck.verify_many([folder / "b_wrong.py"], jobs=2, max_examples=FEW)
    assert "import numpy" in (report.findings[0].script_text or "")


@pytest.mark.parametrize("jobs", [0, -1, True, "many", 1.5])
def test_a_number_of_processes_is_checked(jobs):
    """With what was given and what is expected."""
    with pytest.raises(UsageError, match="jobs must be"):
        gradcheck.verify("nosuch.py", jobs=jobs)


def test_the_command_line(folder, monkeypatch, capsys):
    """One line a subject in the order of the files, reports in the folder, the worst exit code."""
    monkeypatch.chdir(folder)
    code = main(
        ["verify", ".", "--jobs", "2", "--max-examples", "8", "--time-limit", "3", "--output-format", "concise"]
    )
    lines = [line for line in capsys.readouterr().out.splitlines() if " · seed 0" in line]
    assert [line.partition(".py")[0] for line in lines] == [f.stem for f in sorted(folder.glob("*.py"))]
    assert code == 1
    assert len(list((folder / "reports").glob("*.json"))) == 5


def test_an_interrupted_command_leaves_no_process(folder):
    """Control-C ends it soon, with 130, and every process that it started."""
    mark = (
        f"import os\nwith open({str(folder / 'pids')!r}, 'a') as f: f.write(f'{{os.getpid()}} {{os.getppid()}}\\n')\n"
    )
    hanging = (folder / "c_hangs.py").read_text()
    for k in range(3):
        (folder / f"h{k}.py").write_text(mark + hanging)
    files = [str(folder / f"h{k}.py") for k in range(3)]
    command = [sys.executable, "-m", "gradcheck", "verify", *files, "--jobs", "2", "--no-report", "--time-limit", "50"]
    running = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 40
    pids = folder / "pids"
    while not (pids.exists() and pids.read_text().count("\n") == 2) and time.monotonic() < end:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=20) == 130
    assert "interrupted" in running.stderr.read()
    started = [int(p) for p in pids.read_text().split()]
    assert len(started) == 4
    time.sleep(0.3)
    assert not [
        p for p in started if Path(f"/proc/{p}/stat").exists() and " Z " not in Path(f"/proc/{p}/stat").read_text()
    ]
