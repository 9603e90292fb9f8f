"""Watch a subject's own lines compute: what each line read and what arrays it left behind, as plain data.

Nothing here judges a value. The tracer is that of one thread and one call; a subject that sets its own gets it, and the
record ends there.
"""

import contextlib
import linecache
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from gradcheck.subjects import expressions
from gradcheck.subjects.failures import LIBRARIES, OURS

MOST_STEPS = 4000
MOST_VALUES = 4000
LARGEST = 1024
"""Components of an array, at most; a larger one is not recorded."""
_MOST_ITEMS = 64
_DEPTH = 3
_MOST_LEAVES = 200


@dataclass(slots=True)
class _Watched:
    """One call of a function of the subject that is going on."""

    number: int
    line: int
    held: dict[str, int]
    arguments: list[int]
    operands: list[list[Any]] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    names: tuple[str, ...] = ()
    hands_on: bool = False


class Recorder:
    """A trace function for `sys.settrace`; `steps` and `values` are what it saw, `crash` the step that raised last.

    A step is one run of one line: file, line, text, function, call (its number), operands [variable, value], results
    [variable, value], held [variable, value] (what the call held when the line began), calls (the steps that ended the
    calls made on the line), arguments (values handed to the call), returned, names (see `expressions.Reading`), hands_on.
    Values are numbered; `values` holds the arrays.
    """

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.values: list[Any] = []
        self.crash: dict[str, Any] | None = None
        self._raised: BaseException | None = None
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._stack: list[tuple[FrameType, _Watched]] = []
        self._calls = 0

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        """Called by Python at each call: watches those of the subject's files."""
        if event != "call" or not _is_subject(frame.f_code.co_filename) or self._full():
            return None
        self._calls += 1
        held = dict(self._leaves(frame.f_locals))
        watched = _Watched(self._calls, frame.f_lineno, held, list(held.values()))
        self._stack.append((frame, watched))
        return self._local

    def _full(self) -> bool:
        return len(self.steps) >= MOST_STEPS or len(self.values) >= MOST_VALUES

    def _local(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        if not self._stack or self._stack[-1][0] is not frame or self._full():
            return None
        watched = self._stack[-1][1]
        if event == "line":
            self._end_line(frame, watched, None)
            self._begin_line(frame, watched)
        elif event == "exception" and argument[1] is not self._raised:  # the innermost frame hears of it first
            self._raised, self.crash = argument[1], self._step(frame, watched, [], None)
        elif event == "return":
            self._end_line(frame, watched, list(islice(self._tree("return", argument, _DEPTH), _MOST_LEAVES)))
            self._stack.pop()
            if self._stack:
                self._stack[-1][1].calls.append(len(self.steps) - 1)
        return self._local

    def _begin_line(self, frame: FrameType, watched: _Watched) -> None:
        watched.line = frame.f_lineno
        read = expressions.reading(frame.f_code, frame.f_lineno)
        variables = frame.f_locals
        watched.operands = [
            [expressions.root(p), number]
            for p in read.places
            for _, number in islice(self._tree("", expressions.value_of(p, variables), _DEPTH), _MOST_LEAVES)
        ]
        watched.calls = []
        watched.names = tuple(n for n in read.names if type(variables.get(n)) is int)
        watched.hands_on = read.hands_on

    def _end_line(self, frame: FrameType, watched: _Watched, returned: list[tuple[str, int]] | None) -> None:
        held = dict(self._leaves(frame.f_locals))
        results = [[_variable(p), n] for p, n in held.items() if watched.held.get(p) != n]
        if results or returned is not None:
            self.steps.append(self._step(frame, watched, results, returned))
        watched.held = held

    def _step(
        self, frame: FrameType, watched: _Watched, results: list[list[Any]], returned: list[tuple[str, int]] | None
    ) -> dict[str, Any]:
        code = frame.f_code
        return {
            "file": code.co_filename,
            "line": watched.line,
            "text": linecache.getline(code.co_filename, watched.line).strip()[:200],
            "function": code.co_name,
            "call": watched.number,
            "operands": watched.operands,
            "results": [*results, *([_variable(p), n] for p, n in returned or ())],
            "held": [[_variable(p), n] for p, n in watched.held.items()],
            "calls": watched.calls,
            "arguments": watched.arguments,
            "returned": returned is not None,
            "names": list(watched.names),
            "hands_on": watched.hands_on,
        }

    def _leaves(self, variables: dict[str, Any]) -> Iterator[tuple[str, int]]:
        for name, value in list(variables.items())[:_MOST_ITEMS]:
            yield from islice(self._tree(name, value, _DEPTH), _MOST_LEAVES)

    def _tree(self, path: str, value: Any, depth: int) -> Iterator[tuple[str, int]]:
        kind = type(value)
        if kind is np.ndarray or kind is float or isinstance(value, np.floating):
            number = self._number(np.asarray(value))
            if number is not None:
                yield path, number
        elif depth and kind in (list, tuple):
            for k, item in enumerate(value[:_MOST_ITEMS]):
                yield from self._tree(f"{path}[{k}", item, depth - 1)
        elif depth and kind is dict:
            for key, item in list(value.items())[:_MOST_ITEMS]:
                if type(key) in (int, str):
                    yield from self._tree(f"{path}[{key}", item, depth - 1)
        elif depth and _is_subject_instance(kind):
            for key, item in list(vars(value).items())[:_MOST_ITEMS]:
                yield from self._tree(f"{path}.{key}", item, depth - 1)

    def _number(self, array: Any) -> int | None:
        if array.dtype.kind not in "fiub" or array.size > LARGEST:
            return None
        values = np.array(array, dtype=np.float64)
        key = (values.shape, values.tobytes(), array.dtype.kind == "b")
        if key not in self._numbers:
            self._numbers[key] = len(self.values)
            self.values.append(values)
        return self._numbers[key]


def _variable(path: str) -> str:
    """``delta`` of ``delta[2``; ``self.z`` of ``self.z[2``."""
    return path.partition("[")[0]


def _is_subject(filename: str) -> bool:
    return not filename.startswith((OURS, "<", *LIBRARIES)) and Path(filename).suffix != ""


def _is_subject_instance(kind: type) -> bool:
    module = sys.modules.get(getattr(kind, "__module__", ""))
    filename = getattr(module, "__file__", None)
    return "__dict__" in dir(kind) and isinstance(filename, str) and _is_subject(filename)


@contextlib.contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Trace this thread; what was there before comes back."""
    before = sys.gettrace()
    sys.settrace(recorder)
    try:
        yield
    finally:
        sys.settrace(before)
