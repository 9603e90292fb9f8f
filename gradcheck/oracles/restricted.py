"""The little language of transcriptions: assignments of array expressions, and nothing that could do anything else.

Source is parsed and every node is looked up in the tables below before it is compiled, whether it was written a moment ago or
read back from a cache; it then runs without builtins. What the tables do not hold raises `Refused`.
"""

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

NODES = (
    ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Assign, ast.Return, ast.Tuple, ast.List, ast.Name, ast.Load,
    ast.Store, ast.Constant, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.keyword, ast.Subscript, ast.Slice,
    ast.Attribute, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.MatMult, ast.BitAnd, ast.BitOr, ast.USub, ast.Gt,
    ast.Lt, ast.GtE, ast.LtE, ast.Eq, ast.NotEq,
)  # fmt: skip
ATTRIBUTES = frozenset({"shape", "T", "reshape", "astype"})
NUMPY = frozenset(
    [
        "negative",
        "logical_not",
        "abs",
        "sign",
        "exp",
        "exp2",
        "log",
        "log1p",
        "expm1",
        "tanh",
        "sinh",
        "cosh",
        "sin",
        "cos",
        "tan",
        "arctan",
        "arcsinh",
        "arctan2",
        "sqrt",
        "cbrt",
        "maximum",
        "minimum",
        "isfinite",
        "clip",
        "floor",
        "ceil",
        "sum",
        "max",
        "min",
        "prod",
        "all",
        "any",
        "reshape",
        "transpose",
        "asarray",
        "concatenate",
        "where",
        "arange",
        "broadcast_to",
        "einsum",
        "nan",
        "inf",
    ]
)
KEYWORDS = frozenset({"axis", "dtype"})


class Refused(ValueError):
    """The source is no transcription."""


def compile_function(source: str, name: str, scope: Mapping[str, Any]) -> Callable[..., Any]:
    """The one function `name` that the source defines, run in `scope` with numpy as `np`. Raises Refused."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Refused(str(error)) from None
    body = tree.body
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef) or body[0].name != name:
        raise Refused(f"not the one function {name}")
    _require_allowed(tree)
    space: dict[str, Any] = {**scope, "np": np, "__builtins__": {}}
    exec(compile(tree, f"<transcription of {name}>", "exec"), space)
    function: Callable[..., Any] = space[name]
    return function


def _require_allowed(tree: ast.AST) -> None:
    """Look at every node; `ast.walk` would take three times as long, and a warm start waits for this."""
    pending = [tree]
    while pending:
        node = pending.pop()
        kind = type(node)
        if kind not in _ALLOWED:
            raise Refused(f"{kind.__name__} is not part of a transcription")
        check = _CHECKS.get(kind)
        if check is not None:
            check(node)
        for name in kind._fields:
            value = getattr(node, name, None)
            if type(value) is list:
                pending.extend(part for part in value if isinstance(part, ast.AST))
            elif type(value) not in _LEAVES and isinstance(value, ast.AST):
                pending.append(value)


def _check_name(node: Any) -> None:
    if node.id.startswith("__"):
        raise Refused(node.id)
    if node.id in _MODULES and type(node.ctx) is not ast.Load:
        raise Refused("it names a value like a module")


def _check_constant(node: Any) -> None:
    if not isinstance(node.value, (bool, int, float, str)):
        raise Refused(repr(node.value))


def _check_rest(node: ast.AST) -> None:
    match node:
        case (
            ast.FunctionDef(decorator_list=[_, *_])
            | ast.arguments(defaults=[_, *_])
            | ast.arguments(kwonlyargs=[_, *_])
        ):
            raise Refused("a decorator or a default value")
        case ast.arg(arg=word) if word.startswith("__"):
            raise Refused(word)
        case ast.arg(arg=word) if word in _MODULES:
            raise Refused("it names a value like a module")
        case ast.Assign(targets=targets) if not all(isinstance(t, ast.Name) for t in targets):
            raise Refused("it assigns to a part of something")
        case ast.Attribute(value=ast.Name(id="np"), attr=attribute) if attribute not in NUMPY:
            raise Refused(f"np.{attribute}")
        case ast.Attribute(value=value, attr=attribute) if not _is_numpy(value) and attribute not in ATTRIBUTES:
            raise Refused(f".{attribute}")
        case ast.keyword(arg=word) if word not in KEYWORDS:
            raise Refused(f"{word}=")


_ALLOWED: frozenset[type] = frozenset(NODES)
_LEAVES = frozenset(kind for kind in NODES if not kind._fields)
_MODULES = frozenset({"np", "consts"})
_CHECKS: Mapping[type, Callable[[Any], None]] = {
    **dict.fromkeys((ast.FunctionDef, ast.arguments, ast.arg, ast.Assign, ast.Attribute, ast.keyword), _check_rest),
    ast.Name: _check_name,
    ast.Constant: _check_constant,
}


def _is_numpy(value: ast.AST) -> bool:
    return isinstance(value, ast.Name) and value.id == "np"
