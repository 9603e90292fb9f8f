"""A subject made of source text: compiled, adapted, asked; with the lines that its forward and backward pass execute.

It runs in this process: only for files that are known to be correct, and for their mutants.
"""

import ast
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.networks import Case
from gradcheck.numerics import Arrays
from gradcheck.subjects.configuration import SubjectConfiguration
from gradcheck.subjects.detect import detect
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.loading import resolve
from gradcheck.subjects.local import LocalSubject
from gradcheck.subjects.protocol import Subject


@dataclass(frozen=True, slots=True)
class Source:
    """A file's text, its name or path, what the user says about it, and the object in it that is meant."""

    text: str
    name: str
    configuration: SubjectConfiguration
    object: str | None = None

    def subject(self, tree: ast.Module | None = None) -> LocalSubject:
        """The subject of this source, or of a changed tree of it. Raises SubjectError when it cannot be loaded."""
        members = execute(tree or ast.parse(self.text), self.name)
        if self.object:
            members = dict(resolve(members, self.object, self.name))
        return LocalSubject(detect(members, self.name, self.configuration))


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a subject says at one case: its cost, its gradient, or how it failed."""

    value: float | None
    gradient: Arrays | None
    failure: str = ""
    unsupported: bool = False


def execute(tree: ast.Module, name: str) -> dict[str, Any]:
    """Run a module's tree and give its members. Raises SubjectError of whatever it raises."""
    path = Path(name)
    members: dict[str, Any] = {"__name__": f"mutant_of_{path.stem}", "__file__": str(path.with_suffix(".py"))}
    folder = str(path.resolve().parent)
    if path.suffix == ".py" and folder not in sys.path:
        sys.path.insert(0, folder)  # where the file's own imports are
    with subject_code():
        code: CodeType = compile(tree, f"<{name}>", "exec", dont_inherit=True)
        exec(code, members)
    return members


def answer(subject: Subject, case: Case, layout: Layout) -> Answer:
    """Ask for cost and gradient; failures are answers too."""
    try:
        value, pullback = subject.vjp(case, layout)
        claim = pullback(case.cotangent)
    except SubjectError as error:
        return Answer(None, None, error.kind, error.kind == "unsupported")
    if claim.problems:
        return Answer(None, None, claim.problems[0].kind)
    return Answer(None if value is None else float(value), claim.gradient)


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
    lines: set[int] = set()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != f"<{name}>":
            return None
        lines.add(frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for case in cases:
            answer(subject, case, layout)
    finally:
        sys.settrace(before)
    return frozenset(lines)
