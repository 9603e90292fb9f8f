"""Convention `training_script`: a loop in a script, a function or a method, that trains and exposes nothing.

    for i in range(60000):                         one step of the loop is run on random samples and weights:
        l1 = sigmoid(X @ w1); l2 = sigmoid(l1 @ w2)        gradient = (weights before - weights after) / learning rate
        ...
        w2 += l1.T @ d2; w1 += X.T @ d1

The text of the file shows the loop, what it updates, and what it compares with the targets; a learning rate may be a variable.
A loop over samples is run with one sample at a time, one over batches with all in one batch.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.subjects import loop_step
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.layer_trial import ETAS
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.loading import TREE
from gradcheck.subjects.loop_objects import Given, stepping
from gradcheck.subjects.loop_space import Data, data_of, given_parameters, space_of
from gradcheck.subjects.loop_step import TrainingScript
from gradcheck.subjects.match import Match
from gradcheck.subjects.model_calls import LAYOUTS, output_limits
from gradcheck.subjects.placement import fixed_widths
from gradcheck.subjects.protocol import Malformed
from gradcheck.subjects.training_loops import Loop, loops_of, state

NAME = loop_step.NAME
TEMPLATE = """\
import numpy as np

X = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = np.array([[1.0], [1.0], [0.0]])
w = np.ones((2, 1))
for _ in range(1000):
    a = 1 / (1 + np.exp(-X @ w))
    w += X.T @ ((y - a) * a * (1 - a))
"""
CALL = "for ...: a = f(X @ w1) ...; w1 += ... (a loop of a script, a function or a method)"
_MOST = 6
"""Loops of one file that are looked at."""


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by a loop that updates parameters and compares an output with targets."""
    path = members.get("__file__")
    lacks: list[str] = []
    written = list(loops_of(Path(path), members.get(TREE)))[:_MOST] if path else []
    for loop in [*stepping(members), *written]:
        try:
            with subject_code():
                adapter = _tried(loop, members, name)
        except (SubjectError, Malformed) as error:
            lacks.append(f"{loop.where}: {_reason(error)}")
            continue
        if isinstance(adapter, TrainingScript):
            return Match(NAME, adapter, found=(loop.where,))
        lacks.append(f"{loop.where}: {adapter}")
    wanted = "a loop that updates weights from X and y"
    return Match(NAME, None, tuple(lacks[:3]) or (wanted,), tuple(line.partition(":")[0] for line in lacks[:3]))


def _reason(error: SubjectError | Malformed) -> str:
    return error.problem.message if isinstance(error, Malformed) else error.message


def _tried(loop: Loop, members: Mapping[str, Any], name: str) -> TrainingScript | str:
    data = data_of(loop, members)
    if data is None:
        return "which arrays are X and y cannot be told from their names"
    reasons: dict[str, None] = {}
    for labels in (False, True):
        said = replace(data, labels=labels)
        for adapter in _sized(loop, members, said, name):
            good = [layout for layout in LAYOUTS if adapter.runs(layout, reasons)]
            if good:
                adapter.layouts = tuple(good)
                adapter.learn(good[0])
                return adapter
    plain = "it updates nothing that is a parameter by its name"
    return next(iter(sorted(reasons, key=lambda r: r.startswith("it holds no"))), plain)


def _sized(loop: Loop, members: Mapping[str, Any], data: Data, name: str) -> Iterator[TrainingScript]:
    """The adapter at the sizes that the loop's arrays have, or at any where they follow those that are asked for."""
    given = given_parameters(loop)
    if given:
        depth = sum(n.startswith("W") for n in given.values())
        yield TrainingScript(
            loop, members, data, name, None, depth, given=given, outputs=output_limits(2, _targets(data))
        )
        return
    for asked in ((6, 4, 2), (6, 2), (6, 4, 3, 2)):
        found = _widths(loop, members, data, asked)
        if found is None or len(found) != len(asked):
            continue
        other = _widths(loop, members, data, tuple(n + 1 for n in asked))
        free = found == asked and other == tuple(n + 1 for n in asked)
        limits = output_limits(2, _targets(data)) if free else (found[-1], found[-1])
        yield TrainingScript(loop, members, data, name, None if free else found, len(found) - 1, outputs=limits)


def _targets(data: Data) -> Any:
    return "labels" if data.labels else "one_hot"


def _widths(loop: Loop, members: Mapping[str, Any], data: Data, asked: tuple[int, ...]) -> tuple[int, ...] | None:
    """The widths of the network that the loop updates when these are asked for; None where its arrays do not chain."""
    m = 5
    y = np.arange(m) % asked[-1] if data.labels else np.ones((m, asked[-1]))
    try:
        with subject_code():
            held = state(
                space_of(loop, members, data, Given(np.ones((m, asked[0])), y, m, asked, ETAS[0])), loop.updated
            )
    except (SubjectError, Malformed):
        return None
    return fixed_widths(held)


__all__ = ["CALL", "NAME", "TEMPLATE", "Layout", "match"]
