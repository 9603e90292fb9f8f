"""The child's side of a worker: take a request, let the handler answer it, send the answer, until the parent hangs up.

Requests come and answers go through two pipes of their own, so that whatever the subject prints cannot be mistaken for
an answer. Every answer repeats the number of its request and the secret of this worker. This module must not know what
the handler does, nor networks, nor subjects.
"""

import contextlib
import faulthandler
import importlib
import os
import random
import signal
import sys
import traceback
import warnings
from typing import Any, Protocol

import numpy as np

from gradcheck.isolation import limits, protocol
from gradcheck.isolation.failures import LOST_CHANNEL, Failure, describe, failure


class Handler(Protocol):
    """What a handler's callable returns for its setup."""

    def handle(self, op: str, payload: Any) -> Any:
        """The answer to one request."""
        ...


def main(boot: dict[str, Any]) -> None:
    """Serve requests on the inherited descriptors; never returns."""
    channel = _Channel(limits.out_of_reach(boot["requests"]), limits.out_of_reach(boot["replies"]))
    try:
        _prepare_process(channel, boot)
        _preload(boot["preload"])
        _serve(channel)
    except EOFError:
        os._exit(0)
    except BaseException:
        with contextlib.suppress(BaseException):  # the subject may have replaced what this needs
            traceback.print_exc()
        os._exit(LOST_CHANNEL)


class _Channel:
    """The two pipes to the parent. A process that the subject forks loses them: only one process may answer."""

    def __init__(self, requests: int, replies: int) -> None:
        self.requests = requests
        self._replies = replies
        self._ahead = memoryview(bytearray(protocol.AHEAD))
        self._owner = os.getpid()
        os.register_at_fork(after_in_child=self._close)

    def receive(self) -> dict[str, Any]:
        request: dict[str, Any] = protocol.receive(self.requests, self._ahead)
        return request

    def send(self, reply: list[memoryview]) -> None:
        if os.getpid() != self._owner:  # a fork of the subject that came back through its handler
            os._exit(0)
        while reply:
            protocol.write_some(self._replies, reply)

    def _close(self) -> None:
        for descriptor in (self.requests, self._replies):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _prepare_process(channel: _Channel, boot: dict[str, Any]) -> None:
    sys.argv[:] = ["subject"]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    faulthandler.enable(all_threads=False)
    faulthandler.register(signal.SIGUSR1, all_threads=False)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    if boot["die_with_thread"]:
        limits.die_with_thread()
    limits.die_with_writer(channel.requests)
    limits.limit_files()
    if boot["memory_limit"] is not None:
        limits.limit_memory(boot["memory_limit"])
    sys.path[:0] = boot["python_path"]


def _preload(module: str | None) -> None:
    if module is not None:
        with contextlib.suppress(Exception):  # whoever asks for it will be told
            importlib.import_module(module)


def _serve(channel: _Channel) -> None:
    session = _Session()
    while True:
        request = channel.receive()
        outcome = session.answer(request)
        _flush_output()
        channel.send(_reply(request, outcome))


class _Session:
    """The handler: first its callable is imported, then set up, then asked."""

    def __init__(self) -> None:
        self._factory: Any = None
        self._handler: Handler | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            random.seed(0)
            np.random.seed(0)
            return {"ok": self._perform(request["step"], request["op"], request["payload"])}
        except BaseException as error:
            return {"error": describe(error, request["activity"], loading=request["step"] == "setup")}

    def _perform(self, step: str, op: str, payload: Any) -> Any:
        if step == "import":
            self._factory = _import(payload)
            return None
        if step == "setup":
            self._handler = self._factory(payload)
            return None
        assert self._handler is not None, "the parent asks only after the setup"
        return self._handler.handle(op, payload)


def _import(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _flush_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):  # the subject may have put anything there
            stream.flush()


def _reply(request: dict[str, Any], outcome: dict[str, Any]) -> list[memoryview]:
    envelope = {"sequence": request["sequence"], "token": request["token"]}
    try:
        return protocol.encode(envelope | outcome)
    except BaseException as error:
        return protocol.encode(envelope | {"error": _unsendable(error, request["activity"])})


def _unsendable(error: BaseException, activity: str) -> Failure:
    return failure("protocol", f"{activity} the subject gave an answer that cannot cross to gradcheck: {error}")
