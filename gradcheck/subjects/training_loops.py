"""Training loops in the text of a file: in a script, in a function or in a method, so that one step of a loop can be run alone.

The statements before the loop are run with the samples of a case, the loop itself for its first element only. It must not judge
what a step does.
"""

import ast
import contextlib
import copy
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import CodeType
from typing import Any

from gradcheck.errors import GradcheckError
from gradcheck.subjects.loop_text import (
    ORDER,
    InOrder,
    bases,
    in_order,
    loads,
    stores,
    targets_in,
    unmangled,
)
from gradcheck.subjects.loop_watch import SEE, Watch, watched
from gradcheck.subjects.placement import parameters_in
from gradcheck.subjects.sources import parsed, units_of

ONCE = "__gradcheck_once__"
Space = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop. owner, function: the names of the class and of the function that it is in, "" for none.

    before: the statements before it. updated: names that it assigns, or writes into, and that exist before.
    arguments: of the function. stem: the file's own name.
    """

    owner: str
    function: str
    arguments: ast.arguments | None
    before: tuple[ast.stmt, ...]
    loop: ast.For | ast.While
    updated: frozenset[str]

    @property
    def where(self) -> str:
        """The loop in words."""
        if self.owner and not self.function:
            return f"the methods of {self.owner}"
        name = ".".join(n for n in (self.owner, self.function) if n)
        return f"the loop in line {self.loop.lineno}" + (f" of {name}" if name else "")

    @property
    def names(self) -> list[str]:
        """The names of the function's parameters, the object of a method first."""
        a = self.arguments
        return [p.arg for p in [*a.posonlyargs, *a.args, *a.kwonlyargs]] if a else []

    @property
    def this(self) -> str:
        """What the method calls its object; "" where there is none."""
        return self.names[0] if self.owner and self.names else ""

    @property
    def reads(self) -> set[str]:
        """Every dotted name that the loop and what is before it read."""
        return set().union(*(loads(s) for s in (*self.before, self.loop)))

    def rerun(self, space: Space, tainted: Iterable[str], kept: Iterable[str]) -> None:
        """Run again the assignments before the loop that depend on the samples; `kept` names stay as they are."""
        known, fixed = set(tainted), set(kept) | set(tainted)
        for statement in self.before:
            if not isinstance(statement, ast.Assign) or not loads(statement.value) & known:
                continue
            targets = set().union(*(bases(stores(t)) for t in statement.targets))
            if targets and not targets & fixed:
                _run(_compiled([statement], self.owner, _file(space)), space)
                known |= targets

    def prepare(self, space: Space) -> None:
        """Run everything before the loop."""
        _run(_before(self, _file(space)), space)

    def step(self, space: Space, x: str, y: str, shape: tuple[int, int]) -> Watch:
        """Run the loop for its first element, and see what meets the targets y in the shape of the outputs."""
        space[ONCE] = lambda items: islice(iter(items), 1)
        space[SEE] = watch = Watch(shape)
        _run(_first(self, x, y, _file(space)), space)
        return watch


def loops_of(path: Path, tree: ast.Module | None = None) -> Iterator[Loop]:
    """The loops at the top of a file, then those of its functions and methods, those that update most names first.

    tree: what runs in place of the file's own text.
    """
    top: list[ast.stmt] = []
    inner: list[Loop] = []
    for module in _trees(path) if tree is None else (tree,):
        for statement in module.body:
            top += statement.body if _is_main(statement) else [statement]  # type: ignore[attr-defined]
            if isinstance(statement, ast.FunctionDef):
                inner += _loops("", statement.name, statement.args, statement.body)
            for method in statement.body if isinstance(statement, ast.ClassDef) else ():
                if isinstance(method, ast.FunctionDef):
                    inner += _loops(statement.name, method.name, method.args, method.body)  # type: ignore[attr-defined]
    yield from sorted(_loops("", "", None, top), key=lambda l: -len(l.updated))
    yield from sorted(inner, key=lambda l: -len(l.updated))


def _loops(owner: str, function: str, arguments: ast.arguments | None, body: list[ast.stmt]) -> list[Loop]:
    found = [
        _loop(owner, function, arguments, body, k) for k, s in enumerate(body) if isinstance(s, (ast.For, ast.While))
    ]
    return [l for l in found if l.updated]


def _trees(path: Path) -> Iterator[ast.Module]:
    for unit in units_of(path):
        try:
            yield parsed(unit, unit.text if path.suffix == ".ipynb" else path.read_bytes()).tree
        except (SyntaxError, ValueError, OSError, GradcheckError):
            continue


def _is_main(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and "__name__" in loads(statement.test)


def _loop(owner: str, function: str, arguments: ast.arguments | None, body: list[ast.stmt], k: int) -> Loop:
    loop = body[k]
    assert isinstance(loop, (ast.For, ast.While)), "only loops are asked for"
    skipped = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    before = tuple(s for s in body[:k] if not isinstance(s, skipped))
    made = Loop(owner, function, arguments, before, loop, frozenset())
    known = set().union(*(bases(stores(s)) for s in before), made.names)
    stored = set().union(*(bases(stores(s)) for s in loop.body))
    touched = {made.this} & set().union(*(loads(s) for s in loop.body))  # a method of the object may update it
    return Loop(owner, function, arguments, before, loop, frozenset((stored & known) | touched))


def _once(loop: ast.For | ast.While, body: list[ast.stmt]) -> ast.For:
    new = copy.deepcopy(loop)
    name = ast.Name(ONCE, ast.Load())
    if isinstance(new, ast.While):
        counter = ast.Call(name, [ast.List([ast.Constant(0)], ast.Load())], [])
        made = ast.For(ast.Name("_", ast.Store()), counter, body, [])
    else:
        made = ast.For(new.target, ast.Call(name, [new.iter], []), body, [])
    return ast.fix_missing_locations(ast.copy_location(made, loop))


@lru_cache(maxsize=32)
def _before(loop: Loop, file: str) -> CodeType:
    return _compiled([_Returns(ast.Pass).visit(copy.deepcopy(s)) for s in loop.before], loop.owner, file)


@lru_cache(maxsize=32)
def _first(loop: Loop, x: str, y: str, file: str) -> CodeType:
    body = watched(loop.loop.body, targets_in(loop.before, loop.loop.body, x, y))
    return _compiled([_Returns(ast.Break).visit(_once(loop.loop, body))], loop.owner, file)


class _Returns(ast.NodeTransformer):
    """Puts another statement where a function returns: its body runs outside of it."""

    def __init__(self, other: type[ast.stmt]) -> None:
        self._other = other

    def visit_Return(self, node: ast.Return) -> ast.stmt:
        """The other statement, in its place."""
        return ast.copy_location(self._other(), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """A function inside returns as it did."""
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        """So does an expression."""
        return node


def _compiled(statements: list[ast.stmt], owner: str, file: str) -> CodeType:
    module = InOrder().visit(unmangled(copy.deepcopy(ast.Module(statements, [])), owner))
    ast.fix_missing_locations(module)
    return compile(module, file, "exec", dont_inherit=True)


def _file(space: Space) -> str:
    return str(space.get("__file__", "<script>"))


def _run(code: CodeType, space: Space) -> None:
    space[ORDER] = in_order
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        exec(code, space)


def state(space: Mapping[str, Any], updated: Iterable[str]) -> dict[str, Any]:
    """What a loop updates, of what holds parameters by its name."""
    held = {n: space[n] for n in sorted(updated, key=list(space).index) if n in space}
    names = {place[0] for place, _ in parameters_in(held)}
    return {n: v for n, v in held.items() if n in names}
