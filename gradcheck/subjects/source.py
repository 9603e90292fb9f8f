"""Read a function's or class's source without running it: names that occur, constant keys, how many values it returns.

Everything here is a hint; where there is no source (a C function, an interactive session) the answer is empty or None.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

ACTIVATION_WORDS = {
    "sigmoid": ("sigmoid", "logistic", "sigma"),
    "tanh": ("tanh",),
    "relu": ("relu", "ReLU"),
    "leaky_relu(0.01)": ("leaky_relu", "lrelu", "leakyrelu"),
    "softmax": ("softmax",),
    "softplus": ("softplus",),
    "elu(1.0)": ("elu",),
    "gelu": ("gelu",),
    "identity": ("identity", "linear"),
}
COST_WORDS = {
    "cross_entropy": ("cross_entropy", "crossentropy", "CrossEntropyCost", "log_loss", "softmax_loss"),
    "bce": ("bce", "logprobs", "binary_cross_entropy"),
    "mse": ("mse", "QuadraticCost", "mean_squared_error", "quadratic", "square"),
    "mae": ("mae", "mean_absolute_error"),
    "hinge": ("hinge", "svm_loss"),
}


def tree_of(thing: Any) -> ast.AST | None:
    """The syntax tree of a function or class; None where its source is out of reach."""
    try:
        return _parsed(thing)
    except TypeError:  # a callable that has no hash
        return _parsed.__wrapped__(thing)


@lru_cache(maxsize=256)
def _parsed(thing: Any) -> ast.AST | None:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(thing))))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None


def reachable(functions: Iterable[Any]) -> list[Any]:
    """The functions, and those of the same file that they name, and so on."""
    found: list[Any] = []
    queue = list(functions)
    while queue:
        function = queue.pop(0)
        if function in found:
            continue
        found.append(function)
        file_names = getattr(inspect.unwrap(function), "__globals__", {})
        queue += [file_names[w] for w in words(tree_of(function)) if inspect.isfunction(file_names.get(w))]
    return found


def globals_used(functions: Iterable[Any]) -> set[str]:
    """The names that the functions, and those of the same file that they call, look up outside themselves."""
    codes = [getattr(inspect.unwrap(f), "__code__", None) for f in reachable(functions)]
    return {n for code in codes if code is not None for n in code.co_names}


def words(tree: ast.AST | None) -> set[str]:
    """All identifiers, attribute names and short strings of a tree."""
    return {w for node in _nodes(tree) for w in _words_of(node)}


def mentioned(functions: Iterable[Any], vocabulary: dict[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    """The configured names whose words occur in the functions and what they call; None when none does."""
    seen = {w.lower() for f in reachable(functions) for w in words(tree_of(f))}
    names = tuple(n for n, spellings in vocabulary.items() if seen & {s.lower() for s in spellings})
    return names or None


def constants(functions: Iterable[Any]) -> set[str]:
    """All string constants, such as the keys "W1" and "W2"."""
    nodes = (node for f in functions for node in _nodes(tree_of(f)))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def returned_values(function: Any) -> int | None:
    """How many values its return statements deliver as a tuple, when they agree; None when that cannot be seen."""
    tree = tree_of(function)
    returns = [node.value for node in _own_nodes(tree) if isinstance(node, ast.Return)] if tree else []
    counts = {len(value.elts) if isinstance(value, ast.Tuple) else None for value in returns}
    return counts.pop() if len(counts) == 1 else None


def _words_of(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=word) | ast.Attribute(attr=word):
            yield word
        case ast.FunctionDef(name=word):
            yield word
        case ast.Constant(value=str(word)) if len(word) < 30:
            yield word


def _nodes(tree: ast.AST | None) -> Iterator[ast.AST]:
    return ast.walk(tree) if tree else iter(())


def _own_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of the outer function, without those of functions defined inside it."""
    outer = next((n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))), None)
    queue: list[ast.AST] = list(outer.body) if outer else []
    while queue:
        node = queue.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            queue += list(ast.iter_child_nodes(node))
