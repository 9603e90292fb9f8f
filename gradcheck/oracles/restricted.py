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
    for node in ast.walk(tree):
        _require_allowed(node, frozenset(scope))
    space: dict[str, Any] = {**scope, "np": np, "__builtins__": {}}
    exec(compile(tree, f"<transcription of {name}>", "exec"), space)
    function: Callable[..., Any] = space[name]
    return function


def _require_allowed(node: ast.AST, helpers: frozenset[str]) -> None:
    if not isinstance(node, NODES):
        raise Refused(f"{type(node).__name__} is not part of a transcription")
    match node:
        case (
            ast.FunctionDef(decorator_list=[_, *_])
            | ast.arguments(defaults=[_, *_])
            | ast.arguments(kwonlyargs=[_, *_])
        ):
            raise Refused("a decorator or a default value")
        case ast.Name(id=word) | ast.arg(arg=word) if word.startswith("__"):
            raise Refused(word)
        case ast.Name(id="np" | "consts", ctx=ast.Store()) | ast.arg(arg="np" | "consts"):
            raise Refused("it names a value like a module")
        case ast.Assign(targets=targets) if not all(isinstance(t, ast.Name) for t in targets):
            raise Refused("it assigns to a part of something")
        case ast.Attribute(value=ast.Name(id="np"), attr=attribute) if attribute not in NUMPY:
            raise Refused(f"np.{attribute}")
        case ast.Attribute(value=value, attr=attribute) if not _is_numpy(value) and attribute not in ATTRIBUTES:
            raise Refused(f".{attribute}")
        case ast.keyword(arg=word) if word not in KEYWORDS:
            raise Refused(f"{word}=")
        case ast.Constant(value=value) if not isinstance(value, (bool, int, float, str)):
            raise Refused(repr(value))


def _is_numpy(value: ast.AST) -> bool:
    return isinstance(value, ast.Name) and value.id == "np"
