"""The record of a subject's lines as the parent reads it: nothing in it is believed beyond its form.

A record is what `gradcheck.subjects.tracing.Recorder` saw. Whatever has another form is no record.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.numerics import Array

Held = tuple[str, int]
"""A variable and the number of the value it holds."""


@dataclass(frozen=True, slots=True)
class Step:
    """One run of one line: see `Recorder`."""

    file: str
    line: int
    text: str
    function: str
    call: int
    operands: tuple[Held, ...]
    results: tuple[Held, ...]
    held: tuple[Held, ...]
    calls: tuple[int, ...]
    arguments: tuple[int, ...]
    returned: bool
    names: tuple[str, ...]
    hands_on: bool


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """The steps in the order in which they ended, the values they speak of, and the step that raised, if one did."""

    steps: tuple[Step, ...]
    values: tuple[Array, ...]
    crash: Step | None = None


def read_record(data: Any) -> Record:
    """The record in an answer of the child. Raises ValueError, TypeError, KeyError or IndexError for anything else."""
    values = tuple(_values(v) for v in data["values"])
    steps = tuple(_step(s, len(values)) for s in data["steps"])
    for k, step in enumerate(steps):
        if any(not 0 <= c < k for c in step.calls):
            raise ValueError("a call that ended after its line")
    return Record(steps, values, _step(data["crash"], len(values)) if "crash" in data else None)


def _values(value: Any) -> Array:
    if not isinstance(value, np.ndarray) or value.dtype != np.float64:
        raise TypeError("a value that is no array of float64")
    return value


def _step(s: Mapping[str, Any], count: int) -> Step:
    def number(n: Any) -> int:
        if type(n) is not int or not 0 <= n < count:
            raise ValueError("a value that is not in the record")
        return n

    def pairs(key: str) -> tuple[Held, ...]:
        return tuple((str(name), number(n)) for name, n in s[key])

    return Step(
        str(s["file"]),
        int(s["line"]),
        str(s["text"])[:200],
        str(s["function"]),
        int(s["call"]),
        pairs("operands"),
        pairs("results"),
        pairs("held"),
        tuple(int(c) for c in s["calls"]),
        tuple(number(n) for n in s["arguments"]),
        bool(s["returned"]),
        tuple(str(n) for n in s["names"]),
        bool(s["hands_on"]),
    )
