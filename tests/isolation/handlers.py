"""A handler for the child process whose operations are everything that a subject might do to gradcheck.

Imported by the child of `test_worker.py`, never by the tests themselves.
"""

import builtins
import contextlib
import ctypes
import gc
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np

from gradcheck.errors import SubjectError, UsageError


class Handler:
    """Calls the operation named in the request with its payload."""

    def handle(self, op, payload):
        return OPERATIONS[op](payload)


def make(setup):
    """Run the operation that the setup names, if any, as a subject does that misbehaves while it is loaded."""
    if setup:
        OPERATIONS[setup["op"]](setup.get("payload"))
    return Handler()


def make_from_project(setup):
    """Import a module that only the extra import path provides."""
    import lonely_module

    return lonely_module.Handler()


def divide(_):
    return 1 / 0


def deep_error(_):
    return _recurse(0)


def _recurse(depth):
    return _recurse(depth + 1)


def endless_recursion(_):
    sys.setrecursionlimit(10**9)
    return _recurse(0)


def raise_unprintable(_):
    class Unprintable(Exception):
        def __str__(self):
            raise RuntimeError("no words")

    raise Unprintable


def raise_endless_message(_):
    raise ValueError("x" * 50_000_000)


def raise_with_escape(_):
    raise ValueError("\x1b[2Jgone")


def raise_subject_error(_):
    raise SubjectError("contract", "the gradient has no name", details="W1")


def raise_usage_error(_):
    raise UsageError("no function named 'backprop' in subject.py")


def loop(_):
    while True:
        pass


def stubborn_loop(_):
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            continue


def ignore_signals_and_loop(_):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    loop(None)


def hang_in_c(_):
    return re.match(r"(a+)+$", "a" * 60 + "b")


def stop_itself(_):
    os.kill(os.getpid(), signal.SIGSTOP)


def segfault(_):
    ctypes.string_at(0)


def allocate(size):
    return np.ones(size, np.uint8).sum()


def exhaust_memory(_):
    hoard = []
    while True:
        hoard.append(bytearray(1 << 20))


def close_everything(_):
    os.closerange(0, 4096)


def close_everything_and_loop(_):
    os.closerange(0, 4096)
    loop(None)


def write_everywhere(data):
    for descriptor in range(3, 4096):
        with contextlib.suppress(OSError):
            os.write(descriptor, data)


def write_later(_):
    threading.Timer(0.1, write_everywhere, [b"garbage" * 9]).start()


def forge(_):
    """Send a well-formed frame that only lacks the token."""
    from gradcheck.isolation import protocol

    frame = b"".join(protocol.encode({"sequence": 2, "token": "0" * 32, "ok": "forged"}))
    write_everywhere(frame)


def fork_and_hold(_):
    """A C-level fork, which keeps every descriptor, outlives the child that exits at once."""
    if ctypes.PyDLL(None).fork() == 0:
        time.sleep(60)
        os._exit(0)
    os._exit(3)


def fork_and_return(_):
    os.fork()
    return os.getpid()


def fork_in_c_and_return(_):
    """A fork that Python does not notice, so that both processes keep the channel."""
    ctypes.PyDLL(None).fork()
    return os.getpid()


def fork_and_report(_):
    """The number of a grandchild that sleeps for a minute."""
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
        os._exit(0)
    return pid


def leave_threads(_):
    threading.Thread(target=time.sleep, args=(60,), daemon=False).start()
    return threading.active_count()


def print_flood(size):
    sys.stdout.write("a" * size)
    sys.stderr.write("b" * size)
    print("\nend")
    return size


def print_lines(_):
    print("to stdout")
    print("to stderr", file=sys.stderr)
    print("no newline: \x1b[31m", end="")


def print_forever(_):
    while True:
        print("more " * 1000)


def close_stdout(_):
    sys.stdout.close()
    os.close(1)
    os.close(2)
    return "still here"


def draw(_):
    return [random.random(), np.random.random()]


def fill_disk(_):
    with tempfile.TemporaryFile() as file:
        file.write(bytes(65 << 20))


def open_many(_):
    files = [open(os.devnull) for _ in range(300)]  # noqa: SIM115
    return len(files)


def warn_and_overflow(_):
    warnings.warn("careful")
    return np.exp(np.array([1e4])) * 0


def raise_signal_later(_):
    """Let a signal handler raise after the request, when gradcheck's own loop is running."""

    def interrupt(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)


def replace_streams(_):
    sys.stdout = sys.stderr = sys.stdin = None
    return "answered"


def break_interpreter(_):
    """Spoil what the loop leans on."""
    sys.stdout = sys.stderr = None
    np.empty = np.asarray = os.writev = None
    builtins.print = builtins.repr = builtins.type = None
    gc.disable()


def environment(_):
    return dict(os.environ)


def stop_later(_):
    """Answer, then leave every further request unread."""
    threading.Timer(0.1, stop_itself, [None]).start()


OPERATIONS = {
    "echo": lambda payload: payload,
    "garbage": lambda text: write_everywhere(text.encode("ascii")),
    "exit": sys.exit,
    "os_exit": os._exit,
    "interrupt": lambda _: (_ for _ in ()).throw(KeyboardInterrupt),
    "kill": lambda number: os.kill(os.getpid(), number),
    "sleep": time.sleep,
    "object": lambda _: {"gradients": {"W": [object()]}},
    "object_array": lambda _: np.array([{}]),
    "input": lambda _: input("name? "),
    "read_stdin": lambda _: sys.stdin.read(),
    "cwd": lambda _: str(Path.cwd()),
    "argv": lambda _: sys.argv,
    "fill_array": lambda array: array.resize(8, refcheck=False) or array,
    **{
        function.__name__: function
        for function in (
            *(divide, deep_error, endless_recursion, raise_unprintable, raise_endless_message, raise_with_escape),
            *(raise_subject_error, raise_usage_error, loop, stubborn_loop, ignore_signals_and_loop, hang_in_c),
            *(stop_itself, segfault, allocate, exhaust_memory, close_everything, close_everything_and_loop),
            *(
                write_everywhere,
                write_later,
                forge,
                fork_and_hold,
                fork_and_return,
                fork_in_c_and_return,
                fork_and_report,
                leave_threads,
            ),
            *(print_flood, print_lines, print_forever, close_stdout, draw, fill_disk, open_many, warn_and_overflow),
            *(raise_signal_later, break_interpreter, replace_streams, environment, stop_later),
        )
    },
}
