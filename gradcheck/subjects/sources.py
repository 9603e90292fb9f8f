"""The text of a subject's file as Python 3: notebooks without their magics, Python 2 leftovers rewritten line by line.

Line numbers stay those of the file (of the cell, in a notebook). What was rewritten is said in notes, with the lines. It
must not run anything.
"""

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gradcheck.errors import UsageError

_LINES = (
    (re.compile(r"^(\s*except\s+[\w.()\s,]+?),\s*(\w+)\s*:"), r"\1 as \2:", "except E, e"),
    (re.compile(r"^(\s*raise\s+[\w.]+)\s*,\s*(.+)$"), r"\1(\2)", "raise E, message"),
    (re.compile(r"<>"), "!=", "<>"),
)
_NUMPY_NAMES = {"float": "float", "int": "int", "bool": "bool", "object": "object", "str": "str", "complex": "complex"}
_METHODS = {"iteritems": "items", "itervalues": "values", "iterkeys": "keys"}
BUILTINS_OF_2 = {"xrange": range, "raw_input": input, "unicode": str, "basestring": str, "long": int}
"""What the names of Python 2 mean in Python 3."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One text to compile: the file, or a cell of a notebook; `filename` is what tracebacks show."""

    filename: str
    text: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """A unit's text as it will run, its tree, and one note for each kind of thing that was rewritten."""

    unit: Unit
    tree: ast.Module
    notes: tuple[str, ...]


def units_of(path: Path) -> list[Unit]:
    """The file itself, or the code cells of a notebook. Raises UsageError for a notebook that is none."""
    if path.suffix != ".ipynb":
        return [Unit(str(path), "")]
    texts = cells_of(str(path), path.read_text(encoding="utf-8"))
    return [Unit(f"{path} cell {k}", without_magics(text)) for k, text in enumerate(texts, start=1)]


def cells_of(name: str, notebook: str) -> list[str]:
    """The texts of the code cells of a notebook's JSON. Raises UsageError."""
    try:
        data = json.loads(notebook)
        cells = data.get("cells") or [c for sheet in data.get("worksheets", []) for c in sheet["cells"]]
        return [_text(c) for c in cells if c.get("cell_type") == "code"]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        msg = f"{name} is not a Jupyter notebook: {type(error).__name__}: {error!s:.100}"
        raise UsageError(msg) from None


def _text(cell: dict[str, object]) -> str:
    source = cell.get("source", cell.get("input", ""))
    return "".join(source) if isinstance(source, list) else str(source)


def without_magics(text: str) -> str:
    """A cell without IPython's magics and shell lines; a cell that is a magic as a whole becomes empty."""
    if text.lstrip().startswith("%%"):
        return ""
    return "\n".join("pass" if re.match(r"[%!?]|.*\?$", line.strip()) else line for line in text.split("\n"))


def parsed(unit: Unit, source: str | bytes) -> Parsed:
    """The tree of a unit, rewritten to Python 3 where it does not parse as it stands. Raises SyntaxError."""
    notes: list[str] = []
    try:
        tree = ast.parse(source, unit.filename)
        text = source if isinstance(source, str) else source.decode("utf-8", errors="replace")
    except SyntaxError:
        text = source if isinstance(source, str) else source.decode("utf-8", errors="replace")
        text, changes = rewritten(text)
        if not changes:
            raise
        try:
            tree = ast.parse(text, unit.filename)
        except SyntaxError as error:
            error.text = None
            raise
        notes += [_note(what, lines) for what, lines in changes.items()]
    renamer = _Renamer()
    tree = ast.fix_missing_locations(renamer.visit(tree))
    notes += [_note(what, lines) for what, lines in renamer.changes.items()]
    return Parsed(Unit(unit.filename, text), tree, tuple(notes))


def _note(what: str, lines: list[int]) -> str:
    shown = ", ".join(map(str, lines[:5])) + (" …" if len(lines) > 5 else "")
    return f"rewritten for Python 3 and numpy 2: {what} (line {shown})"


def rewritten(text: str) -> tuple[str, dict[str, list[int]]]:
    """The text with print statements and other old syntax replaced, and the lines where; line numbers do not change."""
    lines = text.expandtabs(8).split("\n")
    changes: dict[str, list[int]] = {}
    for number, line in enumerate(lines, start=1):
        for pattern, by, what in _LINES:
            new = pattern.sub(by, lines[number - 1])
            if new != lines[number - 1] and not line.lstrip().startswith("#"):
                lines[number - 1] = new
                changes.setdefault(what, []).append(number)
    for start, end in reversed(list(_print_statements("\n".join(lines)))):
        _wrap(lines, start, end)
        changes.setdefault("print statements", []).insert(0, start[0])
    return "\n".join(lines), changes


Position = tuple[int, int]


def _print_statements(text: str) -> Iterator[tuple[Position, Position]]:
    """(end of the word print, end of its statement) for print statements that are no calls of the function."""
    tokens: list[tokenize.TokenInfo] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            tokens.append(token)
    except (tokenize.TokenError, SyntaxError, IndentationError):
        pass
    fresh = True
    for k, token in enumerate(tokens):
        if fresh and token.type == tokenize.NAME and token.string == "print":
            end = next((j for j in range(k + 1, len(tokens)) if _ends(tokens[j])), None)
            if end is not None and not _is_call(tokens[k + 1 : end]):
                yield token.end, tokens[end - 1].end
        if token.type not in (tokenize.COMMENT, tokenize.NL):
            kinds = (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
            fresh = token.type in kinds or token.string in (":", ";")


def _ends(token: tokenize.TokenInfo) -> bool:
    return token.type in (tokenize.NEWLINE, tokenize.COMMENT, tokenize.ENDMARKER) or token.string == ";"


def _is_call(rest: list[tokenize.TokenInfo]) -> bool:
    """Whether what follows print is one pair of parentheses around everything (or an assignment to the name)."""
    if not rest or rest[0].string != "(":
        return bool(rest) and rest[0].string in ("=", ".")
    depth = 0
    for k, token in enumerate(rest):
        depth += (token.string in "([{") - (token.string in ")]}") if token.type == tokenize.OP else 0
        if depth == 0:
            return k == len(rest) - 1
    return True


def _wrap(lines: list[str], start: Position, end: Position) -> None:
    """Put parentheses around the rest of a print statement."""
    last = lines[end[0] - 1]
    lines[end[0] - 1] = f"{last[: end[1]]}){last[end[1] :]}"
    first = lines[start[0] - 1]
    rest = first[start[1] :]
    redirected = re.match(r"\s*>>\s*[\w.]+\s*,?", rest)
    lines[start[0] - 1] = f"{first[: start[1]]}({rest[redirected.end() :] if redirected else rest.lstrip()}"


class _Renamer(ast.NodeTransformer):
    """np.float and its kind, dict.iteritems, cPickle: names that went away."""

    def __init__(self) -> None:
        self.changes: dict[str, list[int]] = {}

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Aliases that numpy removed, and dictionary methods of Python 2."""
        self.generic_visit(node)
        is_numpy = isinstance(node.value, ast.Name) and node.value.id in ("np", "numpy")
        if is_numpy and node.attr in _NUMPY_NAMES:
            self.changes.setdefault(f"np.{node.attr}", []).append(node.lineno)
            return ast.copy_location(ast.Name(_NUMPY_NAMES[node.attr], node.ctx), node)
        if node.attr in _METHODS:
            self.changes.setdefault(f".{node.attr}()", []).append(node.lineno)
            node.attr = _METHODS[node.attr]
        return node

    def visit_alias(self, node: ast.alias) -> ast.alias:
        """``import cPickle``."""
        if node.name == "cPickle":
            self.changes.setdefault("cPickle", []).append(node.lineno)
            return ast.copy_location(ast.alias("pickle", node.asname or "cPickle"), node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.Name:
        """Built-in functions of Python 2."""
        if node.id in BUILTINS_OF_2 and isinstance(node.ctx, ast.Load):
            self.changes.setdefault(node.id, []).append(node.lineno)
        return node
