"""CPU time, peak memory and processes for the speed benchmark: what a figure is, in one place.

Times are CPU seconds (user + system) of this process, or of the children where a whole process is timed: other users of the
machine hardly show. Memory is resident memory as the kernel counts it (Linux; elsewhere it is left out).
"""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def cpu_of(work: Callable[[], Any]) -> float:
    """CPU seconds of one call."""
    started = time.process_time()
    work()
    return time.process_time() - started


def best_of(work: Callable[[], Any], rounds: int = 3) -> float:
    """The least of several rounds, in CPU seconds."""
    return min(cpu_of(work) for _ in range(rounds))


@dataclass(frozen=True)
class Ran:
    """A finished process: CPU and wall seconds, what it printed, its exit code."""

    cpu: float
    wall: float
    output: str
    code: int


def process(arguments: Sequence[str], environment: Mapping[str, str] | None = None, cwd: str | Path = ROOT) -> Ran:
    """Run ``python arguments`` from the root of the repository; the CPU time includes that of its own children.

    Bytecode is kept, as that of an installed package is.
    """
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before, started = _children(), time.monotonic()
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**inherited, "PYTHONPATH": paths, **(environment or {})},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout if done.returncode in (0, 1, 4) else done.stdout + done.stderr
    return Ran(_children() - before, time.monotonic() - started, output, done.returncode)


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def resident() -> int | None:
    """Bytes resident now."""
    return _status("VmRSS")


def peak() -> int | None:
    """Largest number of bytes resident since `forget_peak`."""
    return _status("VmHWM")


def forget_peak() -> None:
    """Start `peak` anew."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _status(key: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(key + ":")), None)
