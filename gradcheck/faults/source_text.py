"""The source of a file that is planted with mistakes, as the loader would run it: rewritten for Python 3, cells of a notebook
joined into one text; and a mutant as text, for decorators that read their function's source.

Line numbers are those of the joined text; `Place` leads back to the cell. Nothing is run here.
"""

import ast
import copy
from bisect import bisect_right
from dataclasses import dataclass

from gradcheck.faults.mutation import Mutant
from gradcheck.subjects.sources import Unit, cells_of, parsed, without_magics


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """text and tree of a file; starts: the first line of each cell of a notebook in the text, empty for a file."""

    text: str
    tree: ast.Module
    starts: tuple[int, ...] = ()

    def place(self, line: int) -> str:
        """``line 12``, or ``line 3 of cell 4``."""
        if not self.starts:
            return f"line {line}"
        cell = bisect_right(self.starts, line)
        return f"line {line - self.starts[cell - 1] + 1} of cell {cell}"


def whole(name: str, text: str) -> Whole:
    """The file of this name and content. Raises SyntaxError, and UsageError for a notebook that is none."""
    if not name.endswith(".ipynb"):
        found = parsed(Unit(name, ""), text)
        return Whole(found.unit.text, found.tree)
    texts: list[str] = []
    starts: list[int] = []
    body: list[ast.stmt] = []
    for k, cell in enumerate(cells_of(name, text), start=1):
        starts.append(sum(t.count("\n") + 1 for t in texts) + 1)
        try:
            found = parsed(Unit(f"{name} cell {k}", cell), without_magics(cell))
        except (SyntaxError, ValueError):  # the loader skips such a cell too
            texts.append("\n" * cell.count("\n"))
            continue
        texts.append(found.unit.text)
        body += [ast.increment_lineno(statement, starts[-1] - 1) for statement in found.tree.body]
    return Whole("\n".join(texts), ast.Module(body, []), tuple(starts))


def mutated_text(source: Whole, mutant: Mutant) -> str:
    """The text with the mutant in it, line numbers kept; the original's where the edit cannot be written into it."""
    node = mutant.original(source.tree)
    start, end = getattr(node, "lineno", None), getattr(node, "end_lineno", None)
    if start is None or end is None or not hasattr(node, "end_col_offset"):
        return source.text
    lines = source.text.split("\n")
    if end > len(lines):
        return source.text
    first, last = lines[start - 1].encode(), lines[end - 1].encode()
    new = ast.unparse(copy.deepcopy(mutant.changed))
    gap = "\n" * (end - start)
    inner = f"({new}{gap})" if isinstance(node, ast.expr) else f"{new}{gap}"
    head, tail = first[: node.col_offset].decode(), last[node.end_col_offset :].decode()  # type: ignore[attr-defined]
    text = "\n".join([*lines[: start - 1], f"{head}{inner}{tail}", *lines[end:]])
    return text if _is(text, mutant.applied(source.tree)) else source.text


def _is(text: str, tree: ast.Module) -> bool:
    try:
        return ast.dump(ast.parse(text)) == ast.dump(tree)
    except (SyntaxError, ValueError):
        return False
