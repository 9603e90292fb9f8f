"""Training loops in the text of a file: the body of a script or of a function, so that one step of a loop can be run alone.

The statements before the loop are run with the samples of a case, the loop itself for its first element only. It must not judge
what a step does.
"""

import ast
import contextlib
import copy
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.errors import GradcheckError
from gradcheck.subjects.placement import parameters_in
from gradcheck.subjects.sources import parsed, units_of

ONCE = "__gradcheck_once__"
Space = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop. function: the name of the function that it is in, "" for the script itself.

    before: the statements before it. updated: names that it assigns and that exist before. arguments: of the function.
    """

    function: str
    arguments: ast.arguments | None
    before: tuple[ast.stmt, ...]
    loop: ast.For | ast.While
    updated: frozenset[str]

    @property
    def line(self) -> int:
        """Where the loop begins."""
        return self.loop.lineno

    def over_samples(self, data: set[str]) -> bool:
        """Whether it, or a loop in it, goes over what depends on the samples: their number, their order, batches of them."""
        known = set(data)
        for statement in [*self.before, *self.loop.body]:
            if isinstance(statement, ast.Assign) and _names(statement.value, ast.Load) & known:
                known |= {
                    n for n in set().union(*(_names(t, ast.Store) for t in statement.targets)) if n not in self.updated
                }
        loops = [n for n in ast.walk(self.loop) if isinstance(n, (ast.For, ast.comprehension))]
        inside = [n.iter for n in loops if isinstance(n, ast.For)]
        return any(_names(items, ast.Load) & known for items in inside)

    def targets(self, y: str) -> set[str]:
        """y, and what the loop calls a part of it: t = Y[i], or for x, t in zip(X, Y)."""
        known = {y}
        for node in ast.walk(self.loop):
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.value, ast.Subscript)
                and _names(node.value.value, ast.Load) & known
            ):
                known |= {t.id for t in node.targets if isinstance(t, ast.Name)}
            if isinstance(node, ast.For) and isinstance(node.iter, ast.Call) and isinstance(node.target, ast.Tuple):
                pairs = zip(node.iter.args, node.target.elts, strict=False)
                known |= {t.id for items, t in pairs if isinstance(t, ast.Name) and _names(items, ast.Load) & known}
        return known

    def rerun(self, space: Space, tainted: Iterable[str], kept: Iterable[str]) -> None:
        """Run again the assignments before the loop that depend on the samples; `kept` names stay as they are."""
        known, fixed = set(tainted), set(kept) | set(tainted)
        for statement in self.before:
            if not isinstance(statement, ast.Assign) or not _names(statement.value, ast.Load) & known:
                continue
            targets = set().union(*(_names(t, ast.Store) for t in statement.targets))
            if targets and not targets & fixed:
                _execute([statement], space)
                known |= targets

    def prepare(self, space: Space) -> None:
        """Run everything before the loop."""
        _execute(list(self.before), space)

    def step(self, space: Space) -> None:
        """Run the loop for its first element."""
        space[ONCE] = lambda items: islice(iter(items), 1)
        _execute([_once(self.loop)], space)


def loops_of(path: Path, tree: ast.Module | None = None) -> Iterator[Loop]:
    """The loops at the top of a file, then those of its functions, the one that updates most names first.

    tree: what runs in place of the file's own text.
    """
    bodies: list[tuple[str, ast.arguments | None, list[ast.stmt]]] = []
    top: list[ast.stmt] = []
    for module in _trees(path) if tree is None else (tree,):
        for statement in module.body:
            top += statement.body if _is_main(statement) else [statement]  # type: ignore[attr-defined]
            functions = [statement] if isinstance(statement, ast.FunctionDef) else []
            bodies += [(f.name, f.args, f.body) for f in functions]
    for name, arguments, body in [("", None, top), *bodies]:
        found = [_loop(name, arguments, body, k) for k, s in enumerate(body) if isinstance(s, (ast.For, ast.While))]
        yield from sorted((l for l in found if l.updated), key=lambda l: -len(l.updated))


def _trees(path: Path) -> Iterator[ast.Module]:
    for unit in units_of(path):
        try:
            yield parsed(unit, unit.text if path.suffix == ".ipynb" else path.read_bytes()).tree
        except (SyntaxError, ValueError, OSError, GradcheckError):
            continue


def _is_main(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and "__name__" in _names(statement.test, ast.Load)


def _loop(name: str, arguments: ast.arguments | None, body: list[ast.stmt], k: int) -> Loop:
    loop = body[k]
    assert isinstance(loop, (ast.For, ast.While)), "only loops are asked for"
    before = tuple(
        s for s in body[:k] if not isinstance(s, (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom))
    )
    known = set().union(*(_names(s, ast.Store) for s in before)) if before else set()
    known |= {a.arg for a in arguments.args} if arguments else set()
    stored = set().union(*(_names(s, ast.Store) for s in loop.body))
    return Loop(name, arguments, before, loop, frozenset(stored & known))


def _names(node: ast.AST, context: type[ast.expr_context]) -> set[str]:
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, context)}
    if context is ast.Store:  # W[0] = … and p["W1"] -= … write to W and p
        items = [
            n for n in ast.walk(node) if isinstance(n, (ast.Subscript, ast.Attribute)) and isinstance(n.ctx, ast.Store)
        ]
        names |= {n.value.id for n in items if isinstance(n.value, ast.Name)}
    return names


def _once(loop: ast.For | ast.While) -> ast.For:
    new = copy.deepcopy(loop)
    name = ast.Name(ONCE, ast.Load())
    if isinstance(new, ast.While):
        counter = ast.Call(name, [ast.List([ast.Constant(0)], ast.Load())], [])
        made = ast.For(ast.Name("_", ast.Store()), counter, new.body, [])
    else:
        made = ast.For(new.target, ast.Call(name, [new.iter], []), new.body, [])
    return ast.fix_missing_locations(ast.copy_location(made, loop))


def _execute(statements: list[ast.stmt], space: Space) -> None:
    code = compile(ast.Module(statements, []), str(space.get("__file__", "<script>")), "exec", dont_inherit=True)
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, space)


def state(space: Mapping[str, Any], updated: Iterable[str]) -> dict[str, Any]:
    """What a loop updates, of what holds parameters by its name."""
    held = {n: space[n] for n in sorted(updated, key=list(space).index) if n in space}
    names = {place[0] for place, _ in parameters_in(held)}
    return {n: v for n, v in held.items() if n in names}


def output_name(loop: Loop, space: Mapping[str, Any], shape: tuple[int, int], y: str) -> str | None:
    """The variable that the loop compares with the targets: the first of the outputs' shape that meets them in a statement."""
    targets = loop.targets(y)
    inside = [n for s in loop.loop.body for n in ast.walk(s) if isinstance(n, ast.stmt) and not hasattr(n, "body")]
    for statement in inside:
        loaded = _names(statement, ast.Load)
        for name in sorted(loaded - targets) if loaded & targets else ():
            value = space.get(name)
            if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or value.size != shape[0] * shape[1]:
                continue
            if value.shape in (shape, shape[::-1]) or (1 in shape and value.ndim == 1):
                return name
    return None
