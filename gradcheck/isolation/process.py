"""A child process of ours: started with its own pipes and session, exchanged frames with by deadline, killed for good.

Everything here is bounded in time, whatever the child does; the module must not know what the frames mean.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gradcheck.isolation import sandbox
from gradcheck.isolation.output import Output
from gradcheck.isolation.protocol import AHEAD, FrameReader, ProtocolError, read_some, write_some

_BOOTSTRAP: Final = (
    "import json, sys; boot = json.loads(sys.argv[1]); sys.path[:] = boot['sys_path']; "
    "from gradcheck.isolation.child import main; main(boot)"
)
_PACKAGE_FOLDER: Final = str(Path(__file__).parents[2])
_LOOK_UP: Final = 0.05  # seconds between looks at whether the child still lives; only a held-open pipe makes us wait
_EXIT_GRACE: Final = 1.0  # seconds for a child that closed its channel to end by itself
_REAP_LIMIT: Final = 5.0
_DUMP_LIMIT: Final = 0.1
_CHUNK: Final = 1 << 16
_PIPE: Final = 1 << 20
_MAX_CHUNKS: Final = 256

_KEPT_VARIABLES: Final = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "PYTHONHOME", "VIRTUAL_ENV"),
    *("CONDA_PREFIX", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
)
_KEPT_PREFIXES: Final = ("LC_", "XDG_")
_SET_VARIABLES: Final = {
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"),
        "1",
    ),
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "MPLBACKEND": "Agg",
}


class ChildProcess:
    """One running child, from its start to `destroy`, which may be called at any time and more than once."""

    def __init__(
        self,
        python_path: Sequence[str],
        memory_limit: int | None,
        cwd: str | None,
        sandboxed: Sequence[str] | None = None,
        preload: str | None = None,
    ) -> None:
        """Start the child; raises OSError when the operating system refuses.

        sandboxed: run it in a sandbox, from which these folders can be read; UsageError where there is none.
        preload: a module of ours to import before it is asked for anything.
        """
        self._sandboxed = sandboxed is not None
        with contextlib.ExitStack() as undo:
            requests, self._requests = _pipe(undo)
            self._replies, replies = _pipe(undo)
            self._prints, prints = _pipe(undo)
            boot = {
                "requests": requests,
                "replies": replies,
                "memory_limit": memory_limit,
                "preload": preload,
                "python_path": list(python_path),
                "sys_path": _importable_from(sys.path),
                "die_with_thread": threading.current_thread() is threading.main_thread(),
            }
            self._process = _spawn(boot, prints, cwd, sandboxed)
            undo.pop_all()
        for descriptor in (requests, replies, prints):
            os.close(descriptor)
        for descriptor in (self._requests, self._replies, self._prints):
            os.set_blocking(descriptor, False)
        self._poller = select.poll()
        self._poller.register(self._replies, select.POLLIN)
        self._poller.register(self._prints, select.POLLIN)
        self._output = Output()
        self._ahead = memoryview(bytearray(AHEAD))
        self._writing = self._surplus = False
        self._owner = os.getpid()
        self._destroyed = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self._destroyed and self._exit_code_if_dead() is None

    def exchange(self, frame: list[memoryview], limit: float) -> Any:
        """Send a frame and return the value of the frame that comes back, within `limit` seconds.

        Raises TimeoutError; EOFError when the child ended or closed its channel; ProtocolError for any other bytes.
        """
        deadline = time.monotonic() + limit
        if self._surplus or self._reply_is_waiting():
            raise ProtocolError("it came before it was asked for")
        reader = FrameReader(self._ahead)
        while not reader.complete:
            self._write(frame)
            if self._wait(deadline):
                self._read(reader)
        self._surplus = bool(reader.beyond)
        return reader.value

    def _reply_is_waiting(self) -> bool:
        return any(descriptor == self._replies and event & select.POLLIN for descriptor, event in self._poller.poll(0))

    def _write(self, frame: list[memoryview]) -> None:
        if not frame:
            return
        try:
            write_some(self._requests, frame)
        except BlockingIOError:
            pass
        except BrokenPipeError:
            raise EOFError from None
        if frame and not self._writing:
            self._poller.register(self._requests, select.POLLOUT)
        elif self._writing and not frame:
            self._poller.unregister(self._requests)
        self._writing = bool(frame)

    def _wait(self, deadline: float) -> bool:
        """Wait until something can be done, and drain what the child printed; true when a part of a reply is there."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        events = self._poller.poll(min(left, _LOOK_UP) * 1000 + 1)
        if not events and self._exit_code_if_dead() is not None and not self._poller.poll(0):
            raise EOFError  # dead, and someone else holds its pipes open
        ready = [descriptor for descriptor, _ in events]
        if self._prints in ready:
            self._drain()
        return self._replies in ready

    def _read(self, reader: FrameReader) -> None:
        with contextlib.suppress(BlockingIOError):
            if not read_some(self._replies, reader):
                raise EOFError

    def _drain(self) -> bool:
        """Take one piece of what the child printed; false when there is none."""
        try:
            data = os.read(self._prints, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            with contextlib.suppress(KeyError):
                self._poller.unregister(self._prints)
        self._output.add(data)
        return bool(data)

    def output(self) -> str:
        """The first and last KiB of what the child printed so far."""
        if not self._destroyed:
            self._drain_for(0.0)
        return self._output.text()

    def _drain_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        poller = select.poll()
        poller.register(self._prints, select.POLLIN)
        for _ in range(_MAX_CHUNKS):  # a flood never ends
            if not poller.poll(max(0.0, end - time.monotonic()) * 1000) or not self._drain():
                return

    def dump_stack(self) -> None:
        """Let the child's faulthandler print where its Python code stands, which it does even when stuck in C."""
        pid = sandbox.inner_pid(self.pid) if self._sandboxed else self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGUSR1)
        self._drain_for(_DUMP_LIMIT)

    def exit_code(self) -> int | None:
        """The exit code, negative for a signal, of a child that closed its channel; None if it lives on."""
        end = time.monotonic() + _EXIT_GRACE
        while (code := self._exit_code_if_dead()) is None and time.monotonic() < end:
            self._drain_for(0.0)
            time.sleep(0.002)
        return code

    def _exit_code_if_dead(self) -> int | None:
        """Look without reaping: until the group is killed, its number must not be given to another process."""
        if not hasattr(os, "waitid"):
            return self._process.poll()
        try:
            state = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return self._process.poll()
        if state is None:
            return None
        if state.si_code != os.CLD_EXITED:
            return -state.si_status
        return sandbox.exit_code(state.si_status) if self._sandboxed else state.si_status

    def kill(self) -> None:
        """Send the child and its group to their end; whoever waits for it, in another thread, reaps it."""
        if not self._destroyed and os.getpid() == self._owner:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def destroy(self) -> None:
        """Kill the child with everything it started in its session, reap it, and close the pipes."""
        if self._destroyed or os.getpid() != self._owner:
            return
        self._destroyed = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_REAP_LIMIT)
        for descriptor in (self._requests, self._replies, self._prints):
            os.close(descriptor)


def _pipe(undo: contextlib.ExitStack) -> tuple[int, int]:
    """Large, where the system lets it be: a message that fits costs two switches between the processes, not two for 64 KiB."""
    reading, writing = os.pipe()
    with contextlib.suppress(OSError, ImportError, AttributeError):
        import fcntl  # Windows has none, and imports this module too

        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE)
    undo.callback(os.close, reading)
    undo.callback(os.close, writing)
    return reading, writing


def _spawn(
    boot: Mapping[str, Any], prints: int, cwd: str | None, sandboxed: Sequence[str] | None
) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-P", "-B", "-c", _BOOTSTRAP, json.dumps(boot)]
    if sandboxed is not None:
        readable = [*boot["sys_path"], *boot["python_path"], *sandboxed]
        command = sandbox.command(command, readable, os.path.abspath(cwd or os.getcwd()))
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=prints,
        stderr=prints,
        pass_fds=(boot["requests"], boot["replies"]),
        start_new_session=True,
        cwd=cwd,
        env=_environment(os.environ),
    )


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Only what a program needs to run: the subject is not shown tokens that happen to be set."""
    kept = {name: text for name, text in ours.items() if name in _KEPT_VARIABLES or name.startswith(_KEPT_PREFIXES)}
    return kept | _SET_VARIABLES


def _importable_from(path: Sequence[str]) -> list[str]:
    """The parent's import path, absolute, so that the child imports the very same gradcheck and numpy."""
    entries = [os.path.abspath(entry) for entry in path if entry]
    return entries if _PACKAGE_FOLDER in entries else [*entries, _PACKAGE_FOLDER]
