"""Several child processes of ours behind `concurrent.futures.Executor`: each runs one function at a time, one thread here each.

They are workers like those of subjects: started without the caller's ``__main__``, with one BLAS thread, in sessions of their
own (Control-C reaches this process alone), and they end when this process does, however it ends. What is submitted is a
function of a module, named and not pickled; its arguments and its result are plain values and arrays (`protocol.encode`). A
process that dies costs the call that it was running: `ProcessDied`, and the next call gets a fresh process. This module must
not know what is run.
"""

import functools
import importlib
import math
import os
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, Final, ParamSpec, TypeVar

from gradcheck.errors import Defect, OracleError, SubjectError, UsageError
from gradcheck.isolation.worker import Worker

P = ParamSpec("P")
R = TypeVar("R")
_HANDLER: Final = "gradcheck.isolation.crew:create"
_OURS: Final = "GRADCHECK_"


class ProcessDied(Exception):
    """The process that ran a call ended without an answer: killed, out of memory, or crashed."""


class Crew(Executor):
    """At most `size` processes, each started when it is first needed and kept for later calls."""

    def __init__(self, size: int) -> None:
        """Raises ValueError for a size below one."""
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="gradcheck-crew")
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._all: list[Worker] = []
        self._killed = False

    def submit(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Run ``function(*args)`` in one of the processes.

        The future's exception is what the function raised, where that is a UsageError, SubjectError or OracleError; a
        `Defect` for anything else; ProcessDied where the process ended.
        """
        if kwargs:
            msg = "calls take no keyword arguments: they cross to another process by position"
            raise TypeError(msg)
        return self._threads.submit(self._run, f"{function.__module__}:{function.__qualname__}", list(args))

    def kill(self) -> None:
        """End all processes at once; the calls under way, and those that wait, fail with ProcessDied."""
        with self._lock:
            self._killed = True
            workers = list(self._all)
        for worker in workers:
            worker.kill()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; the processes end with the last of them."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            for worker in self._all:
                worker.close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        """After an exception (Control-C, say) nothing is waited for."""
        if kind is not None:
            self.kill()
        self.shutdown(cancel_futures=kind is not None)

    def _run(self, function: str, arguments: list[Any]) -> Any:
        worker = self._worker()
        try:
            answer = worker.request("call", {"function": function, "arguments": arguments}, time_limit=math.inf)
        except SubjectError as error:
            raise ProcessDied(error.message.replace("the subject", "the process")) from None
        finally:
            self._release(worker)
        return _opened(answer)

    def _worker(self) -> Worker:
        with self._lock:
            if self._killed:
                raise ProcessDied("the crew was stopped")
            if self._idle:
                return self._idle.pop()
            worker = Worker(_HANDLER, _setup(), time_limit=math.inf, start_limit=60.0, memory_limit=None)
            self._all.append(worker)
        try:
            worker.start()
        except (SubjectError, UsageError) as error:
            self._release(worker)
            if isinstance(error, UsageError) and not self._killed:
                raise
            raise ProcessDied(f"a process could not be started: {error}") from None
        if self._killed:  # while it was being started
            self._release(worker)
            raise ProcessDied("the crew was stopped")
        return worker

    def _release(self, worker: Worker) -> None:
        with self._lock:
            if worker.alive and not self._killed:
                self._idle.append(worker)
            else:
                self._all.remove(worker)
        if not worker.alive or self._killed:
            worker.close()


def _setup() -> dict[str, Any]:
    return {"environment": {k: v for k, v in os.environ.items() if k.startswith(_OURS)}}


def _opened(answer: Any) -> Any:
    if "value" in answer:
        return answer["value"]
    raise _ERRORS[answer["raised"]](*answer["arguments"])


_ERRORS: Final[Mapping[str, Callable[..., Exception]]] = {
    "usage": UsageError,
    "subject": lambda kind, message, details: SubjectError(kind, message, details=details),
    "oracle": OracleError,
    "defect": Defect,
}


# --- In the child -----------------------------------------------------------------------------------------------------


class _Calls:
    """Runs what is named; whatever it raises is an answer too."""

    def handle(self, op: str, payload: Any) -> Any:
        try:
            return {"value": _function(payload["function"])(*payload["arguments"])}
        except UsageError as error:
            return {"raised": "usage", "arguments": [str(error)]}
        except SubjectError as error:
            return {"raised": "subject", "arguments": [error.kind, error.message, error.details]}
        except OracleError as error:
            return {"raised": "oracle", "arguments": list(error.args)}
        except Exception as error:
            told = [type(error).__name__, str(error)[:2000], traceback.format_exc()[-8000:]]
            return {"raised": "defect", "arguments": told}


def create(setup: dict[str, Any]) -> _Calls:
    """The handler; gradcheck's own variables of the parent's environment hold here too."""
    os.environ.update(setup["environment"])
    return _Calls()


@functools.cache
def _function(path: str) -> Callable[..., Any]:
    module, _, name = path.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found
