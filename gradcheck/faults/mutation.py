"""Source-level mutants of a correct file: one small edit of its syntax tree each, only on lines that are executed.

An operator is a function (node, names in scope) -> (word, changed node) for every way to change that node. It must not run
anything.
"""

import ast
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Edit = tuple[str, ast.AST]
Scope = Mapping[str, frozenset[str]]
"""Names of the enclosing function by role: subscripted, called, plain."""
Operator = Callable[[ast.AST, Scope], Iterator[Edit]]
_OTHER_FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "sum": ("mean", "max"),
    "mean": ("sum",),
    "max": ("min",),
    "maximum": ("minimum",),
    "minimum": ("maximum",),
    "zeros_like": ("ones_like",),
    "ones_like": ("zeros_like",),
    "exp": ("exp2",),
    "log": ("log1p",),
    "log1p": ("log",),
    "tanh": ("sin",),
    "outer": ("multiply",),
    "vstack": ("hstack",),
}
_SWAPS: Mapping[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.MatMult, ast.Div),
    ast.MatMult: (ast.Mult,),
    ast.Div: (ast.Mult,),
}
_FLIPS: Mapping[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Gt: (ast.Lt, ast.GtE),
    ast.Lt: (ast.Gt, ast.LtE),
    ast.GtE: (ast.Lt, ast.Gt),
    ast.LtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
}
_KEPT = frozenset({"range", "len", "zip", "enumerate", "float", "int", "print", "isinstance", "list", "dict", "tuple"})


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
Path = tuple[tuple[str, int | None], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Mutant:
    """One edit: the operator's word, where, the source before and after, and how to get to the changed node."""

    operator: str
    function: str
    line: int
    before: str
    after: str
    path: Path = field(repr=False)
    changed: ast.AST = field(repr=False)

    def describe(self) -> str:
        """``line 243 of backprop: delta[k] @ W.T → delta[k] @ W (transpose removed)``."""
        return f"line {self.line} of {self.edit}"

    @property
    def edit(self) -> str:
        """The function and the edit."""
        return f"{self.function}: {self.before} → {self.after} ({self.operator})"

    def original(self, tree: ast.Module) -> ast.AST:
        """The node that is changed."""
        node: ast.AST = tree
        for name, index in self.path:
            node = _child(node, name, index)
        return node

    def applied(self, tree: ast.Module) -> ast.Module:
        """A copy of the tree with the edit in it."""
        root = copy.deepcopy(tree)
        owner: ast.AST = root
        for name, index in self.path[:-1]:
            owner = _child(owner, name, index)
        name, index = self.path[-1]
        if index is None:
            setattr(owner, name, self.changed)
        else:
            getattr(owner, name)[index] = self.changed
        return ast.fix_missing_locations(root)


def mutants(tree: ast.Module, lines: frozenset[int]) -> list[Mutant]:
    """Every mutant of the executed lines, in the order of the file, each edit once."""
    found: dict[tuple[Path, str], Mutant] = {}
    for path, node, function in _nodes(tree):
        if getattr(node, "lineno", None) not in lines:
            continue
        before = _text(node)
        for word, changed in _edits(node, _scope(function)):
            after = _text(changed)
            new = ast.copy_location(copy.deepcopy(changed), node)
            mutant = Mutant(word, _name(function), getattr(node, "lineno", 0), before, after, path, new)
            if after != before:
                found.setdefault((path, after), mutant)
    return list(found.values())


def recompiled_lines(tree: ast.Module, lines: frozenset[int]) -> frozenset[int]:
    """The lines of decorated functions in which none was executed: the decorator may have compiled their source anew."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS[:2]) and any(not _plain(d) for d in node.decorator_list):
            own = frozenset(range(node.body[0].lineno, (node.end_lineno or 0) + 1))
            found |= own if not own & lines else set()
    return frozenset(found)


def _plain(decorator: ast.expr) -> bool:
    """Whether a decorator leaves the code of its function as it is."""
    return isinstance(decorator, ast.Name) and decorator.id in ("staticmethod", "classmethod", "property")


def _nodes(tree: ast.Module) -> Iterator[tuple[Path, ast.AST, ast.AST | None]]:
    """Every expression and statement inside functions and lambdas: how to get there, itself, and its function."""

    def walk(node: ast.AST, path: Path, function: ast.AST | None) -> Iterator[tuple[Path, ast.AST, ast.AST | None]]:
        for name, value in ast.iter_fields(node):
            if name in ("decorator_list", "annotation", "returns", "args", "ctx") and not isinstance(node, ast.Call):
                continue
            children = [(None, value)] if isinstance(value, ast.AST) else list(enumerate(value)) if isinstance(value, list) else []  # noqa: E501  # fmt: skip
            for index, child in children:
                if not isinstance(child, ast.AST) or isinstance(child, (ast.Raise, ast.Assert)):
                    continue
                inside = child if isinstance(child, FUNCTIONS) else function
                here = (*path, (name, index))
                if function is not None:
                    yield here, child, function
                yield from walk(child, here, inside)

    yield from walk(tree, (), None)


def _child(owner: ast.AST, name: str, index: int | None) -> ast.AST:
    value = getattr(owner, name)
    child: ast.AST = value if index is None else value[index]
    return child


def _edits(node: ast.AST, scope: Scope) -> Iterator[Edit]:
    for operator in OPERATORS:
        yield from operator(node, scope)


def _binary(node: ast.AST, scope: Scope) -> Iterator[Edit]:
    if not isinstance(node, ast.BinOp):
        return
    for other in _SWAPS.get(type(node.op), ()):
        yield f"{_sign(node.op)} became {_sign(other())}", ast.BinOp(node.left, other(), node.right)
    if isinstance(node.op, (ast.MatMult, ast.Sub, ast.Div)):
        yield "operands swapped", ast.BinOp(node.right, node.op, node.left)
    if isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)):
        yield "term dropped" if not isinstance(node.op, ast.Mult) else "factor dropped", node.left
    if isinstance(node.op, (ast.Add, ast.Mult)):
        yield "term dropped" if isinstance(node.op, ast.Add) else "factor dropped", node.right
    if isinstance(node.op, ast.Div):
        yield "divisor dropped", node.left
    if isinstance(node.op, ast.Pow):
        yield "power dropped", node.left
    if isinstance(node.op, ast.MatMult):
        for left, right in ((_turned(node.left), node.right), (node.left, _turned(node.right))):
            yield "transpose added", ast.BinOp(left, node.op, right)


def _turned(node: ast.expr) -> ast.expr:
    return node.value if isinstance(node, ast.Attribute) and node.attr == "T" else ast.Attribute(node, "T", ast.Load())


def _unary(node: ast.AST, scope: Scope) -> Iterator[Edit]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "minus dropped", node.operand


def _transpose(node: ast.AST, scope: Scope) -> Iterator[Edit]:
    if isinstance(node, ast.Attribute) and node.attr == "T" and isinstance(node.ctx, ast.Load):
        yield "transpose removed", node.value


def _call(node: ast.AST, scope: Scope) -> Iterator[Edit]:
    if not isinstance(node, ast.Call):
        return
    for i, keyword in enumerate(node.keywords):
        rest = [k for j, k in enumerate(node.keywords) if j != i]
        if keyword.arg == "axis" and isinstance(keyword.value, ast.Constant) and keyword.value.value in (0, 1):
            other = ast.keyword("axis", ast.Constant(1 - keyword.value.value))
            yield "axis changed", ast.Call(node.func, node.args, [*rest, other])
            yield "axis dropped", ast.Call(node.func, node.args, rest)
        if keyword.arg == "keepdims":
            yield "keepdims dropped", ast.Call(node.func, node.args, rest)
    yield from _other_function(node)
    if len(node.args) == 2 and not any(isinstance(a, ast.Starred) for a in node.args):
        yield "arguments swapped", ast.Call(node.func, node.args[::-1], node.keywords)
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if len(node.args) == 1 and name not in _KEPT and not isinstance(node.args[0], ast.GeneratorExp):
        yield "call dropped", node.args[0]


def _other_function(node: ast.Call) -> Iterator[Edit]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    for other in _OTHER_FUNCTIONS.get(name, ()):
        assert isinstance(node.func, ast.Attribute)
        changed = ast.Attribute(node.func.value, other, ast.Load())
        yield f"{name} became {other}", ast.Call(changed, node.args, node.keywords)


def _index(node: ast.AST, scope: Scope) -> Iterator[Edit]:
    if not isinstance(node, ast.Subscript) or not isinstance(node.ctx, ast.Load):
        return
    if isinstance(node.slice, ast.Slice):
        yield "slice dropped", node.value
        for low, high in ((_moved(node.slice.lower), node.slice.upper), (node.slice.lower, _moved(node.slice.upper))):
            yield "slice moved", ast.Subscript(node.value, ast.Slice(low, high, node.slice.step), ast.Load())
    elif isinstance(node.slice, (ast.Name, ast.BinOp)) or _number(node.slice) is not None:
        for step in (1, -1):
            moved = _plus(node.slice, step)
            yield f"index {step:+d}", ast.Subscript(node.value, moved, ast.Load())


def _moved(bound: ast.expr | None) -> ast.expr:
    return ast.Constant(1) if bound is None else _plus(bound, 1)


def _plus(node: ast.expr, step: int) -> ast.expr:
    value = _number(node)
    if value is not None:
        return ast.parse(repr(int(value) + step), mode="eval").body
    return ast.BinOp(node, ast.Add() if step > 0 else ast.Sub(), ast.Constant(1))


def _number(node: ast.AST) -> float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return float(node.value)
    return None


def _constant(node: ast.AST, scope: Scope) -> Iterator[Edit]:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        value = node.value
        changes = (value + 1, value - 1) if isinstance(value, int) else (2 * value or 1.0, value / 2 or -1.0)
        for other in dict.fromkeys(changes):
            yield "constant changed", ast.parse(repr(other), mode="eval").body


def _comparison(node: ast.AST, scope: Scope) -> Iterator[Edit]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in _FLIPS.get(type(node.ops[0]), ()):
            yield "comparison changed", ast.Compare(node.left, [other()], node.comparators)


def _swapped_name(node: ast.AST, scope: Scope) -> Iterator[Edit]:
    """Another name of the same role; of a subscripted name the whole subscript is the node."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and isinstance(node.ctx, ast.Load):
        for other in sorted(scope["subscripted"] - {node.value.id})[:3]:
            yield "name swapped", ast.Subscript(ast.Name(other, ast.Load()), node.slice, ast.Load())
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in scope["plain"]:
        for other in sorted(scope["plain"] - {node.id})[:3]:
            yield "name swapped", ast.Name(other, ast.Load())


def _assignment(node: ast.AST, scope: Scope) -> Iterator[Edit]:
    if isinstance(node, ast.AugAssign):
        yield "accumulation became assignment", ast.Assign([node.target], node.value)
        for other in _SWAPS.get(type(node.op), ())[:1]:
            yield f"{_sign(node.op)}= became {_sign(other())}=", ast.AugAssign(node.target, other(), node.value)
        yield "statement dropped", ast.Pass()


OPERATORS: Sequence[Operator] = (
    _binary,
    _unary,
    _transpose,
    _call,
    _index,
    _constant,
    _comparison,
    _swapped_name,
    _assignment,
)


def _scope(function: ast.AST | None) -> Scope:
    """Names of a function by role; names that stand in both are subscripted."""
    subscripted, called, plain = set(), set(), set()
    for node in ast.walk(function) if function is not None else ():
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            subscripted.add(node.value.id)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called.add(node.func.id)
    for node in ast.walk(function) if function is not None else ():
        own = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        if own or isinstance(node, ast.arg):
            plain.add(node.id if isinstance(node, ast.Name) else getattr(node, "arg", ""))
    return {"subscripted": frozenset(subscripted - called), "plain": frozenset(plain - subscripted - called)}


def _name(function: ast.AST | None) -> str:
    return function.name if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) else "a lambda"


def _text(node: ast.AST) -> str:
    text = " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split())
    return text if len(text) <= 90 else f"{text[:87]}..."


def _sign(operator: ast.operator) -> str:
    signs: Mapping[type[ast.operator], str] = {
        ast.Add: "+",
        ast.Sub: "−",
        ast.Mult: "*",
        ast.MatMult: "@",
        ast.Div: "/",
    }
    return signs.get(type(operator), type(operator).__name__)
