"""A crew: calls in other processes, each answered or failed by its own; none is left when the crew is."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from gradcheck.errors import Defect, OracleError, SubjectError, UsageError
from gradcheck.isolation.crew import Crew, ProcessDied

sys.path.append(str(Path(__file__).parent))
import calls


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def gone_soon(pid, seconds=5.0):
    end = time.monotonic() + seconds
    while running(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not running(pid)


def appears(path, seconds=20.0):
    end = time.monotonic() + seconds
    while not (path.exists() and path.read_text()) and time.monotonic() < end:
        time.sleep(0.01)
    return int(path.read_text())


@pytest.fixture(scope="module")
def crew():
    with Crew(2) as crew:
        yield crew


def test_values_and_arrays_cross(crew):
    """Arguments go there and the result comes back, bit for bit."""
    x = np.array([0.1, -0.0, np.inf])
    there, text = crew.submit(calls.echo, x, {"a": (1, None)}).result()
    assert there.tobytes() == x.tobytes()
    assert text == {"a": (1, None)}


def test_processes_are_kept_and_bounded(monkeypatch):
    """Many calls, at most two processes, one BLAS thread each, gradcheck's own variables and no others."""
    monkeypatch.setenv("GRADCHECK_CACHE", "off")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    with Crew(2) as crew:
        found = [f.result() for f in [crew.submit(calls.identity) for _ in range(8)]]
    assert 1 <= len({pid for pid, *_ in found} - {os.getpid()}) <= 2
    assert {tuple(rest) for _, *rest in found} == {("1", "off")}


@pytest.mark.parametrize(
    ("kind", "error"), [("usage", UsageError), ("subject", SubjectError), ("oracle", OracleError), ("other", Defect)]
)
def test_errors_cross(crew, kind, error):
    """The families keep their class; anything else is a defect that names its own."""
    with pytest.raises(error, match=str(calls.RAISED[kind])) as caught:
        crew.submit(calls.fail, kind).result()
    if error is SubjectError:
        assert (caught.value.kind, caught.value.details) == ("timeout", "a stack")
    if error is Defect:
        assert caught.value.name == "ZeroDivisionError"
        assert "in fail" in caught.value.trace


def test_memory_that_runs_out_is_a_defect_with_its_name(crew):
    """No call is lost to it, and the process goes on."""
    with pytest.raises(Defect) as caught:
        crew.submit(calls.fail, "memory").result()
    assert caught.value.name == "MemoryError"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_dies_costs_one_call(crew, number):
    """The others are answered, and so are later ones."""
    others = [crew.submit(calls.echo, k) for k in range(4)]
    with pytest.raises(ProcessDied, match=signal.Signals(number).name):
        crew.submit(calls.die, int(number)).result()
    assert [f.result() for f in others] == [[k] for k in range(4)]
    assert crew.submit(calls.echo, "after").result() == ["after"]


def interrupted(crew, mark):
    """Control-C while one call is under way and another waits: the process of the first, the future of the second."""
    with crew:
        crew.submit(calls.stay, str(mark))
        pid, waiting = appears(mark), crew.submit(calls.echo, 1)
        yield pid, waiting
        raise KeyboardInterrupt


def test_an_interrupt_leaves_nothing(tmp_path):
    """What was under way is killed, what waits is dropped, and nobody waits for a minute."""
    began = time.monotonic()
    steps = interrupted(Crew(1), tmp_path / "pid")
    pid, waiting = next(steps)
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    assert waiting.cancelled()
    assert gone_soon(pid)
    assert time.monotonic() - began < 30


def test_killing_while_a_process_starts(tmp_path):
    """However early: the call fails, nothing hangs."""
    crew = Crew(1)
    future = crew.submit(calls.stay, str(tmp_path / "pid"))
    threading.Timer(0.05, crew.kill).start()
    with pytest.raises(ProcessDied):
        future.result(timeout=20)
    crew.shutdown()


def test_keyword_arguments_are_refused(crew):
    """They would be silently lost."""
    with pytest.raises(TypeError, match="keyword"):
        crew.submit(calls.echo, k=1)
