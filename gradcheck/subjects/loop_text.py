"""What the text of a loop reads and writes: names with their attributes and keys, and what depends on samples and targets.

A dotted name is `y`, `self.y` or `outputs['last']`. It must not run anything.
"""

import ast
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

_SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return)


def dotted(node: ast.AST) -> str | None:
    """The dotted name of an expression; None for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := dotted(node.value)) is not None:
        return f"{base}.{node.attr}"
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        base = dotted(node.value)
        return None if base is None else f"{base}[{node.slice.value!r}]"
    return None


def loads(node: ast.AST) -> set[str]:
    """Every dotted name that is read, with what it is read from: of `self.X.shape` also `self.X` and `self`."""
    found = (n for n in ast.walk(node) if isinstance(getattr(n, "ctx", None), ast.Load))
    return {name for n in found if (name := dotted(n)) is not None}


def stores(node: ast.AST) -> set[str]:
    """Every dotted name that is written to, an element of an array as its array."""
    found = [n for n in ast.walk(node) if isinstance(getattr(n, "ctx", None), ast.Store)]
    plain = [n.value if isinstance(n, ast.Subscript) and dotted(n) is None else n for n in found]
    return {name for n in plain if (name := dotted(n)) is not None}


def bases(names: Iterable[str]) -> set[str]:
    """The first names: self of self.W, params of params['W1']."""
    return {n.partition(".")[0].partition("[")[0] for n in names}


def last_name(name: str) -> str:
    """The last part: W of self.W, W1 of params['W1']."""
    return name.rstrip("]'\"").rpartition("['")[2].rpartition(".")[2]


def assignments(node: ast.AST) -> Iterator[tuple[set[str], ast.expr]]:
    """What an assignment writes to, with its value; x, y = a, b as two."""
    for target in node.targets if isinstance(node, ast.Assign) else ():
        value = node.value  # type: ignore[attr-defined]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            yield from ((stores(t), v) for t, v in zip(target.elts, value.elts, strict=True))
        else:
            yield stores(target), value


def statements_in(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The simple statements of a body, in order, those of inner blocks too."""
    for statement in body:
        if isinstance(statement, _SIMPLE):
            yield statement
        for field in ("body", "orelse", "finalbody"):
            if not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                yield from statements_in(getattr(statement, field, []))


def targets_in(before: Iterable[ast.stmt], body: Iterable[ast.stmt], x: str, y: str) -> set[str]:
    """y, and what stands for it or a part of it: t = Y[i], Y_hot = one_hot(y), for x, t in zip(X, Y)."""
    known, inputs = {y}, {x}
    for written, value in (pair for s in before for pair in assignments(s)):
        if loads(value) & known and not loads(value) & inputs:
            known |= written
    inside = list(body)
    computed = {n for s in statements_in(inside) for n in stores(s)}
    for node in (n for s in inside for n in ast.walk(s)):
        for written, value in assignments(node):
            if _is_part(value, known, computed) or _sets_ones(node, known):
                known |= written
        if isinstance(node, ast.For) and isinstance(node.iter, ast.Call) and isinstance(node.target, ast.Tuple):
            pairs = zip(node.iter.args, node.target.elts, strict=False)
            known |= {t.id for items, t in pairs if isinstance(t, ast.Name) and loads(items) & known}
    return known


def _sets_ones(node: ast.AST, known: set[str]) -> bool:
    """I[np.arange(m), y] = 1: the array becomes one of targets."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant):
        return False
    return any(loads(t.slice) & known for t in node.targets if isinstance(t, ast.Subscript))


def _is_part(value: ast.expr, known: set[str], computed: set[str]) -> bool:
    """Whether a value is an element of targets, or a function of nothing but targets and what is fixed before the loop."""
    if isinstance(value, ast.Subscript):
        return bool(loads(value.value) & known)
    if not isinstance(value, ast.Call):
        return False
    arguments = set().union(*(loads(a) for a in [*value.args, *(k.value for k in value.keywords)]))
    return bool(arguments & known) and not (arguments - known) & computed


def unmangled(tree: ast.AST, owner: str) -> ast.AST:
    """`self.__x` of a class's method as it is stored: `self._Class__x`."""
    for node in ast.walk(tree):
        if owner and isinstance(node, ast.Attribute) and node.attr.startswith("__") and not node.attr.endswith("__"):
            node.attr = f"_{owner.lstrip('_')}{node.attr}"
    return tree


ORDER = "__gradcheck_order__"
_SHUFFLES = ("shuffle", "permutation", "permuted")


class InOrder(ast.NodeTransformer):
    """Leaves samples in their order: whatever shuffles its argument, or gives a permutation, gives what was in order."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A call of shuffle or permutation, of whatever module or generator."""
        self.generic_visit(node)
        name = dotted(node.func)
        if name is None or last_name(name) not in _SHUFFLES:
            return node
        return ast.copy_location(ast.Call(ast.Name(ORDER, ast.Load()), node.args, []), node)


def in_order(*values: Any) -> Any:
    """What such a call gives instead: its arguments, or 0, 1, ... for a number of samples."""
    found = [range(v) if isinstance(v, int) else v for v in values]
    plain = [np.array(v) if isinstance(v, range) else v for v in found]
    return plain[0] if len(plain) == 1 else tuple(plain)
