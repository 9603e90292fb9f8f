"""A subject made of source text: compiled, adapted, asked; with the lines that its forward and backward pass execute.

It runs in this process: only for files that are known to be correct, and for their mutants.
"""

import ast
import linecache
import re
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.faults.source_text import whole
from gradcheck.networks import Case, Point
from gradcheck.numerics import Array, Arrays
from gradcheck.subjects.configuration import SubjectConfiguration
from gradcheck.subjects.detect import detect
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.loading import NOTES, TREE, defines, extend_path, resolve, statements
from gradcheck.subjects.local import LocalSubject
from gradcheck.subjects.protocol import Subject
from gradcheck.subjects.sources import BUILTINS_OF_2


@dataclass(frozen=True, slots=True)
class Source:
    """A file's text, its name or path, what the user says about it, and the object in it that is meant."""

    text: str
    name: str
    configuration: SubjectConfiguration
    object: str | None = None

    def subject(self, tree: ast.Module | None = None, text: str | None = None) -> LocalSubject:
        """The subject of this source, or of a changed tree with its text. Raises SubjectError when it cannot be loaded."""
        if tree is None:
            found = whole(self.name, self.text)
            tree, text = found.tree, found.text
        members = execute(tree, self.name, self.text if text is None else text)
        notes = members[NOTES]
        if self.object:
            members = dict(resolve(members, self.object, self.name))
        return LocalSubject(detect(members, self.name, self.configuration), notes)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a subject says at one case: its cost (of a layer: its output), its gradient, or how it failed."""

    value: float | Array | None
    gradient: Arrays | None
    failure: str = ""
    unsupported: bool = False


def execute(tree: ast.Module, name: str, text: str) -> dict[str, Any]:
    """Run a module's tree as the loader does, and give its members. Raises SubjectError of whatever it raises.

    text: what decorators, dataclasses and adapters find when they ask for the source of a function.
    """
    path = Path(name)
    file, called = f"<{name}>", f"mutant_of_{path.stem}"
    module = types.ModuleType(called)
    module.__file__ = str(path.with_suffix(".py"))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    vars(module).update({n: v for n, v in BUILTINS_OF_2.items() if n in used})
    extend_path(path.resolve())
    sys.modules[called] = module
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    failed: list[SubjectError] = []
    notes: list[str] = []
    with subject_code():
        statements(tree, file, module, notes, failed)
    if failed and not defines(module):
        raise failed[0]
    vars(module).update({NOTES: tuple(notes), TREE: tree})
    return vars(module)


def without_training(tree: ast.Module, notes: Sequence[str]) -> ast.Module:
    """The tree without the statements at the top that the loader stopped, going by its notes: they train at import."""
    stopped = {int(found[1]) for note in notes if (found := re.match(r"line (\d+): stopped after", note))}
    return ast.Module([s for s in tree.body if s.lineno not in stopped], [])


def answer(subject: Subject, case: Point, layout: Layout) -> Answer:
    """Ask for cost and gradient; failures are answers too."""
    try:
        value, pullback = subject.vjp(case, layout)
        claim = pullback(case.cotangent)
    except SubjectError as error:
        return Answer(None, None, error.kind, error.kind == "unsupported")
    if claim.problems:
        return Answer(None, None, claim.problems[0].kind)
    return Answer(value if value is None or np.ndim(value) else float(value), claim.gradient)


def same_bits(one: Answer, other: Answer) -> bool:
    """Whether two answers are the same to the last bit, NaN included."""
    if one.gradient is None or other.gradient is None or one.failure or other.failure:
        return one.failure == other.failure and one.gradient is other.gradient
    if not np.array_equal(_number(one), _number(other), equal_nan=True) or one.gradient.keys() != other.gradient.keys():
        return False
    return all(np.array_equal(g, other.gradient[n], equal_nan=True) for n, g in one.gradient.items())


def _number(answer: Answer) -> np.ndarray[Any, Any]:
    return np.asarray(np.nan if answer.value is None else answer.value)


def executed_lines(subject: LocalSubject, cases: Sequence[Case], layout: Layout, name: str) -> frozenset[int]:
    """The lines of the source that cost and gradient run through at these cases."""
    return traced_lines(lambda: [answer(subject, case, layout) for case in cases], name)


def traced_lines(run: Callable[[], object], name: str) -> frozenset[int]:
    """The lines of the source of this name that a call runs through."""
    lines: set[int] = set()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != f"<{name}>":
            return None
        lines.add(frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)
    return frozenset(lines)
