"""See what a loop compares with its targets, at the moment when it does: its outputs, before anything writes into them.

Before each statement that reads a target, a call is put that hands over what else the statement reads, the nearest to the
target first. It must not judge what it sees.
"""

import ast
import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from gradcheck.numerics import Array
from gradcheck.subjects.loop_text import dotted, loads, stores

SEE = "__gradcheck_see__"
Offered = Sequence[tuple[str, Callable[[], Any]]]


def watched(body: Sequence[ast.stmt], targets: set[str]) -> list[ast.stmt]:
    """The statements with the calls put in; nested blocks too."""
    assigned: dict[str, int] = {}
    return _watched(copy.deepcopy(list(body)), targets, assigned)


def _watched(body: Iterable[ast.stmt], targets: set[str], assigned: dict[str, int]) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for statement in body:
        blocks = [f for f in ("body", "orelse", "finalbody") if isinstance(getattr(statement, f, None), list)]
        names = [] if blocks else nearest(statement, targets, assigned)
        if names:
            found.append(ast.copy_location(_call(names), statement))
        for block in blocks:
            setattr(statement, block, _watched(getattr(statement, block), targets, assigned))
        assigned |= dict.fromkeys(stores(statement), len(assigned) + statement.lineno)
        found.append(statement)
    return found


def nearest(statement: ast.stmt, targets: set[str], assigned: dict[str, int]) -> list[str]:
    """What a statement reads beside targets: in the smallest expression with one first, then what was assigned last."""
    if not loads(statement) & targets:
        return []
    sizes: dict[str, int] = {}
    for node in ast.walk(statement):
        read = loads(node)
        if not read & targets:
            continue
        size = sum(1 for _ in ast.walk(node))
        for name in read - targets - _called(statement):
            sizes[name] = min(size, sizes.get(name, size))
    return sorted(sizes, key=lambda n: (sizes[n], -assigned.get(n, 0), n))


def _called(statement: ast.stmt) -> set[str]:
    return {name for n in ast.walk(statement) if isinstance(n, ast.Call) and (name := dotted(n.func)) is not None}


def _call(names: Sequence[str]) -> ast.Expr:
    pairs = ", ".join(f"({n!r}, lambda: {n})" for n in names)
    return ast.Expr(ast.parse(f"{SEE}([{pairs}])", mode="eval").body)


class Watch:
    """Keeps a copy of the first thing of the outputs' shape that it is offered."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self.seen: tuple[str, Array] | None = None

    def __call__(self, offered: Offered) -> None:
        """Look at what a statement is about to read."""
        for name, value_of in offered if self.seen is None else ():
            try:
                value = np.asarray(value_of())
            except Exception:  # a name that is not there yet, or whatever a property of the subject's own raises
                continue
            if value.dtype.kind == "f" and self._fits(value):
                self.seen = name, np.array(value, dtype=np.float64)
                return

    def _fits(self, value: Array) -> bool:
        rows, columns = self._shape
        flat = value.ndim == 1 and 1 in self._shape and value.size == rows * columns
        return value.shape in (self._shape, self._shape[::-1]) or flat
