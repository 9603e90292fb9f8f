"""What a line of a subject reads: the variables and elements in its expressions, found in the syntax tree.

Only plain containers are looked into, and no code of the subject is run: an attribute is taken from an instance's own
dictionary, an index from integers, strings and their sums.
"""

import ast
import linecache
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

Place = ast.Name | ast.Attribute | ast.Subscript
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_COMPOUND = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MUTATORS = frozenset({"append", "insert", "extend", "update", "setdefault"})
_FIELDS = ("test", "iter", "items", "subject")
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Reading:
    """What one line reads. names: integers in it that were computed before, which nobody has followed."""

    places: tuple[Place, ...]
    names: tuple[str, ...]
    hands_on: bool
    """It only hands on what it reads: a return or a tuple of names."""


_NOTHING = Reading((), (), False)


@lru_cache(maxsize=4096)
def reading(code: CodeType, line: int) -> Reading:
    """Of a line of a function; nothing where there is no source."""
    tree = _tree(code.co_filename)
    roots = [] if tree is None else list(_roots(tree, code, line))
    if not roots:
        return _NOTHING
    places = tuple(p for root in roots for p in _places(root))
    names = {n.id for root in roots for n in ast.walk(root) if isinstance(n, ast.Name)}
    computed = _computed(tree, code) if tree is not None else set()
    return Reading(places, tuple(sorted(names & computed)), all(_hands_on(r) for r in roots))


@lru_cache(maxsize=16)
def _tree(filename: str) -> ast.Module | None:
    try:
        return ast.parse("".join(linecache.getlines(filename)))
    except (SyntaxError, ValueError, RecursionError):
        return None


def _roots(tree: ast.Module, code: CodeType, line: int) -> Iterator[ast.AST]:
    """The expressions that a line of this code runs: those of a lambda or comprehension, else of the innermost statement."""
    if code.co_name == "<lambda>":
        parameters = code.co_varnames[: code.co_argcount]
        for node in ast.walk(tree):
            here = isinstance(node, ast.Lambda) and _covers(node.body, line)
            if isinstance(node, ast.Lambda) and here and tuple(a.arg for a in node.args.args) == parameters:
                yield node.body
    elif code.co_name.startswith("<"):
        yield from (n for n in ast.walk(tree) if isinstance(n, _COMPREHENSIONS) and _covers(n, line))
    else:
        covering = [n for n in ast.walk(tree) if isinstance(n, ast.stmt) and _covers(n, line)]
        if covering:
            yield from _header(max(covering, key=lambda n: n.lineno))


def _header(statement: ast.stmt) -> Iterator[ast.AST]:
    if isinstance(statement, _COMPOUND):
        return
    heads = [getattr(statement, f) for f in _FIELDS if hasattr(statement, f) and hasattr(statement, "body")]
    if heads:
        for head in heads:
            yield from head if isinstance(head, list) else [head]
    elif not hasattr(statement, "body"):
        yield statement


def _covers(node: ast.AST, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or 0)  # type: ignore[attr-defined, no-any-return]


def _places(node: ast.AST) -> Iterator[Place]:
    """Names, attributes and elements that are read, the longest of each chain."""
    if isinstance(node, ast.AugAssign):
        yield from _places(node.value)
        if isinstance(node.target, Place):
            yield node.target
        return
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATORS:
        for argument in node.args:
            yield from _places(argument)
        return
    if isinstance(node, Place) and isinstance(node.ctx, ast.Load) and _root(node) is not None:
        yield node
        return
    for child in ast.iter_child_nodes(node):
        yield from _places(child)


def _root(node: ast.AST) -> str | None:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def root(place: Place) -> str:
    """The variable at the beginning of a chain; of an instance, with the attribute: ``self.z``."""
    chain: list[str] = []
    node: ast.AST = place
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        chain += [node.attr] if isinstance(node, ast.Attribute) and node.attr != "T" else []
        node = node.value
    name = node.id if isinstance(node, ast.Name) else ""
    return ".".join([name, *chain[-1:]]) if name in ("self", "cls") else name


def _hands_on(node: ast.AST) -> bool:
    if isinstance(node, ast.Return):
        return node.value is None or _hands_on(node.value)
    if isinstance(node, (ast.Tuple, ast.List)):
        return all(_hands_on(e) for e in node.elts)
    return isinstance(node, ast.Name)


def _computed(tree: ast.Module, code: CodeType) -> set[str]:
    """Names that a function assigns from an expression other than a length or a constant."""
    found: set[str] = set()
    for function in ast.walk(tree):
        if isinstance(function, _COMPOUND) and getattr(function, "name", "") == code.co_name.split(".")[-1]:
            for node in ast.walk(function):
                if isinstance(node, ast.Assign) and not _simple(node.value):
                    found |= {t.id for t in node.targets if isinstance(t, ast.Name)}
                if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                    found.add(node.target.id)
    return found


def _simple(value: ast.AST) -> bool:
    if isinstance(value, ast.BinOp):
        return _simple(value.left) and _simple(value.right)
    if isinstance(value, ast.Constant):
        return True
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id == "len"
    return any(isinstance(n, ast.Attribute) and n.attr == "shape" for n in ast.walk(value))


# -- values ---------------------------------------------------------------------------------------------------------------


def value_of(place: ast.AST, variables: Mapping[str, Any]) -> Any:
    """What a place holds: the element where its index can be told, else the whole container; None where it is unknown."""
    found = _value(place, variables)
    return None if found is _MISSING else found


def _value(node: ast.AST, variables: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return variables.get(node.id, _MISSING)
    if isinstance(node, ast.Attribute):
        held = _value(node.value, variables)
        own = getattr(type(held), "__dict__", {}).get("__dict__") and vars(held)
        return own.get(node.attr, held) if type(own) is dict else held
    if isinstance(node, ast.Subscript):
        held = _value(node.value, variables)
        return _element(held, index_of(node.slice, variables))
    return _MISSING


def _element(held: Any, index: Any) -> Any:
    try:
        if index is not None and type(held) in (list, tuple, dict):
            return held[index]
    except (LookupError, TypeError):
        return _MISSING
    return held


def index_of(node: ast.AST, variables: Mapping[str, Any]) -> int | str | None:
    """An integer or string index; None for anything else."""
    match node:
        case ast.Constant(value=int() | str() as value):
            return value
        case ast.Name(id=name):
            held = variables.get(name)
            return held if type(held) is int or type(held) is str else None
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            positive = index_of(operand, variables)
            return -positive if type(positive) is int else None
        case ast.Call(func=ast.Name(id="str"), args=[argument]):
            spelt = index_of(argument, variables)
            return None if spelt is None else str(spelt)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
            return _sum(index_of(left, variables), index_of(right, variables), op)
        case ast.JoinedStr(values=values):
            parts = [index_of(v, variables) for v in values]
            return None if None in parts else "".join(map(str, parts))
        case ast.FormattedValue(value=inner, format_spec=None):
            return index_of(inner, variables)
    return None


def _sum(left: Any, right: Any, op: ast.operator) -> int | str | None:
    if type(left) is int and type(right) is int:
        return left + right if isinstance(op, ast.Add) else left - right
    both = type(left) is str and type(right) is str and isinstance(op, ast.Add)
    return str(left + right) if both else None
