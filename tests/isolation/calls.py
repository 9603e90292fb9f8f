"""Functions that a crew runs in its processes; imported there and by `test_crew.py`."""

import os
import signal
import time
from pathlib import Path

from gradcheck.errors import OracleError, SubjectError, UsageError

RAISED = {
    "usage": UsageError("said wrongly"),
    "subject": SubjectError("timeout", "too slow", details="a stack"),
    "oracle": OracleError("differ"),
    "other": ZeroDivisionError("ours"),
    "memory": MemoryError("none left"),
}


def echo(*values):
    return list(values)


def identity():
    return [os.getpid(), os.environ.get("OPENBLAS_NUM_THREADS"), os.environ.get("GRADCHECK_CACHE")]


def fail(kind):
    raise RAISED[kind]


def die(number):
    os.kill(os.getpid(), number)
    time.sleep(60)


def die_once(mark):
    """The first call ends its process; later ones answer."""
    path = Path(mark)
    if not path.exists():
        path.write_text("")
        die(signal.SIGKILL)
    return "survived"


def stay(mark):
    """Say who we are, then stay."""
    Path(mark).write_text(str(os.getpid()))
    time.sleep(60)
