"""The parent's side: a worker runs a handler with an untrusted subject in a child process and asks it questions.

Whatever the subject does, a request ends within its time limit with an answer or a `SubjectError`. The child is not
believed: its answers are checked for form, and only values come out of it. This module must not know what is asked.
"""

import os
import secrets
import signal
import threading
import weakref
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final

from gradcheck.errors import SubjectError, UsageError
from gradcheck.isolation import spare
from gradcheck.isolation.failures import KINDS, LOST_CHANNEL, Failure, failure
from gradcheck.isolation.output import printable
from gradcheck.isolation.process import ChildProcess
from gradcheck.isolation.protocol import ProtocolError, encode

GIB: Final = 1 << 30
_OWN_START: Final = 60.0
"""Seconds for Python, numpy and our own code to come up, on a loaded machine too: no code of the subject runs until then."""


ACTIVITIES = {
    "forward": "while its forward pass was run",
    "output": "while its forward pass was run",
    "vjp": "while its gradient was computed",
    "effects": "while its gradient was computed twice",
    "cost_derivative": "while its derivative of the cost was computed",
    "trace": "while its lines were watched",
}
"""What a subject was asked, in the words of a message."""


class Worker:
    """Runs ``handler(setup)`` in a child process and passes requests to the ``handle(op, payload)`` of what it returns.

    Use it as a context manager, or call `start` and `close`. The worker survives an answer that is an error (see
    `alive`); after a time-out, a crash or a broken protocol it is dead until `restart`. Threads may share a worker:
    their requests queue up.
    """

    def __init__(
        self,
        handler: str,
        setup: dict[str, Any],
        *,
        time_limit: float = 10.0,
        start_limit: float = 20.0,
        memory_limit: int | None = 2 * GIB,
        cwd: str | os.PathLike[str] | None = None,
        python_path: Sequence[str | os.PathLike[str]] = (),
        sandboxed: Sequence[str] | None = None,
    ) -> None:
        """
        Args:
            handler: our code to run in the child, as "package.module:callable".
            setup: the argument of the callable; like every payload, plain values and arrays (`protocol.encode`).
            time_limit: seconds for one request, unless the request says otherwise.
            start_limit: seconds for loading the subject.
            memory_limit: bytes of address space beyond those of Python with numpy; None for no limit.
            cwd: the child's working folder.
            sandboxed: run the child in a sandbox (`isolation.sandbox`) from which these folders can be read.
            python_path: folders from which the child may import besides those of this process; they come first.
        """
        _require_handler(handler)
        _require_positive("time_limit", time_limit)
        _require_positive("start_limit", start_limit)
        self._handler = handler
        self._setup = setup
        self._time_limit = time_limit
        self._start_limit = start_limit
        self._memory_limit = memory_limit
        self._cwd = None if cwd is None else os.fspath(cwd)
        self._python_path = [os.path.abspath(entry) for entry in python_path]
        self._sandboxed = sandboxed
        self._lock = threading.RLock()
        self._child: ChildProcess | None = None
        self._finalizer: weakref.finalize[[], Worker] | None = None
        self._output = ""
        self._token = ""
        self._sequence = 0

    @property
    def alive(self) -> bool:
        """Whether the worker can take a request."""
        return self._child is not None

    def __enter__(self) -> "Worker":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the child and load the subject.

        Raises SubjectError, of kind "load" among others, when the subject cannot be loaded; UsageError when the child
        does not come up at all, or the handler cannot be imported.
        """
        with self._lock:
            if self._child is None:
                self._spawn()
                self._import_handler()
                self._set_up()

    def restart(self) -> None:
        """Replace the child, dead or alive, by a fresh one."""
        with self._lock:
            self.close()
            self.start()

    def close(self) -> None:
        """Kill the child and everything it started; harmless when there is none."""
        with self._lock:
            if self._child is not None:
                self._output = self._child.output()
                self._kill()

    def kill(self) -> None:
        """End the child at once, from any thread: a request under way fails, and closes the worker as after a crash."""
        child = self._child
        if child is not None:
            child.kill()

    def request(self, op: str, payload: Any, *, time_limit: float | None = None, calls: int = 1) -> Any:
        """The handler's answer; raises SubjectError when there is none, UsageError when the worker is not alive.

        calls: of the subject, each with the worker's time limit.
        """
        limit = calls * self._time_limit if time_limit is None else time_limit
        _require_positive("time_limit", limit)
        with self._lock:
            return self._ask("handle", op, payload, limit, ACTIVITIES.get(op, f"while answering {op!r}"), calls)

    def output_tail(self) -> str:
        """What the child printed since its start: the first 2 and the last 6 KiB, control characters spelt out."""
        with self._lock:
            return self._output if self._child is None else self._child.output()

    # --- Starting -----------------------------------------------------------------------------------------------------

    def _spawn(self) -> None:
        if os.name != "posix":
            raise UsageError("subjects can be isolated on Linux and macOS only; on Windows, use WSL")
        self._token = secrets.token_hex(16)
        self._sequence = 0
        try:
            waiting = spare.taken(self._python_path, self._memory_limit, self._cwd) if self._sandboxed is None else None
            self._child = waiting or ChildProcess(self._python_path, self._memory_limit, self._cwd, self._sandboxed)
        except OSError as error:
            raise UsageError(f"cannot start a child process in {self._cwd or os.getcwd()}: {error}") from error
        self._finalizer = weakref.finalize(self, self._child.destroy)

    def _import_handler(self) -> None:
        try:
            self._ask("import", "", self._handler, max(self._start_limit, _OWN_START), "while starting")
        except SubjectError as error:  # no code of the subject has run yet
            self.close()
            output = self.output_tail().strip()
            msg = f"cannot start a child process with the handler {self._handler!r}: {error.message}"
            raise UsageError(f"{msg}\n{error.details or output}".rstrip()) from None

    def _set_up(self) -> None:
        try:
            self._ask("setup", "", self._setup, self._start_limit, "while loading")
        except BaseException:
            self.close()
            raise

    # --- Asking -------------------------------------------------------------------------------------------------------

    def _ask(self, step: str, op: str, payload: Any, limit: float, activity: str, calls: int = 1) -> Any:
        child = self._living_child()
        self._sequence += 1
        head = {"sequence": self._sequence, "token": self._token}
        frame = encode(head | {"step": step, "op": op, "activity": activity, "payload": payload})
        try:
            reply = child.exchange(frame, limit)
        except TimeoutError:
            child.dump_stack()
            seconds = f"{limit:g} s" if calls == 1 else f"{limit:g} s, {limit / calls:g} s a call"
            raise self._fatal("timeout", f"{activity} the subject did not finish within {seconds}") from None
        except EOFError:
            raise self._fatal(*_death(child.exit_code(), activity)) from None
        except ProtocolError as error:
            msg = f"{activity} the subject wrote to gradcheck's channel what is no answer: {error}"
            raise self._fatal("protocol", msg) from None
        except BaseException:
            self._kill()  # interrupted: a late answer must not meet the next request
            raise
        return self._open(reply, head, activity)

    def _living_child(self) -> ChildProcess:
        if self._child is None:
            raise UsageError("the worker is not running: it was not started, or its last request killed it; restart it")
        return self._child

    def _open(self, reply: Any, head: dict[str, Any], activity: str) -> Any:
        """The value in a reply, or the error in it, provided that its form, number and token are right."""
        genuine = type(reply) is dict and all(type(reply.get(key)) is type(head[key]) for key in head)
        if genuine and all(reply.pop(key) == head[key] for key in head):
            match reply:
                case {"ok": value} if len(reply) == 1:
                    return value
                case {"error": {"kind": str(kind), "message": str(message), "details": str(details)}} if kind in KINDS:
                    raise _subject_error(failure(kind, message, details))
        msg = f"{activity} the subject forged an answer, or one to an earlier request came late"
        raise self._fatal("protocol", msg)

    def _fatal(self, kind: str, message: str) -> SubjectError:
        self.close()
        return SubjectError(kind, message, details=self._output)

    def _kill(self) -> None:
        if self._finalizer is not None:
            self._finalizer()
        self._child = None


def _death(exit_code: int | None, activity: str) -> tuple[str, str]:
    """The kind and message for a child that closed its channel."""
    if exit_code is None or exit_code == LOST_CHANNEL:
        return "protocol", f"{activity} the subject closed its channel to gradcheck"
    if exit_code >= 0:
        return "exit", f"{activity} the subject ended its process with exit code {exit_code}, without an answer"
    hint = " (the system does this when memory runs out)" if -exit_code == signal.SIGKILL else ""
    return "crash", f"{activity} the subject died of {_signal_name(-exit_code)}{hint}"


def _subject_error(told: Failure) -> SubjectError:
    return SubjectError(told["kind"], printable(told["message"]), details=printable(told["details"]))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _require_handler(handler: str) -> None:
    module, colon, name = handler.partition(":")
    if not (module and colon and name.isidentifier()):
        raise UsageError(f"handler is {handler!r}; expected 'package.module:callable'")


def _require_positive(name: str, value: float) -> None:
    if not value > 0:
        raise UsageError(f"{name} is {value!r}; expected a positive number of seconds")
