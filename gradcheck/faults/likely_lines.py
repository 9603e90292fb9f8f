"""Which lines of a source look as if they compute an equation: by the names they assign and read, and nothing else.

For what no trace shows: a factor on all gradients, a batch, a cost, a forward pass. It is a guess and says so; a line
that looks like nothing is not named. The source is parsed, never run.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

MOST = 3
"""With more candidates than this, names tell nothing."""
_BACKWARD = re.compile(r"back|grad|bprop|train|update|fit|pull|delta|deriv|prime", re.IGNORECASE)
_FORWARD = re.compile(r"forward|predict|activat|weighted|propagat(?!.*back)", re.IGNORECASE)
_COST = re.compile(r"^(c|e|j|mse)$|cost|loss|mse|entropy|objective", re.IGNORECASE)
_ERROR = re.compile(r"^_?(delta|error|err|dz|d_?z\w*|dloss|dout|residual|nabla_a)", re.IGNORECASE)
_BIAS = re.compile(
    r"^_?(d_?b|nabla_?b|grad_?b|b_grad|db\w*|d?_?bias\w*)$|bias.*(grad|rate)|(grad|rate).*bias", re.IGNORECASE
)
_WEIGHT = re.compile(r"^_?(d_?w|nabla_?w|grad_?w|w_grad|dw\w*|dtheta|d_?weight\w*)$|weight.*(grad|rate)|(grad|rate).*weight", re.IGNORECASE)  # noqa: E501  # fmt: skip
_WEIGHTS = re.compile(r"^_?(w\d*|weights?|theta)$", re.IGNORECASE)
_TARGET = re.compile(r"^_?(y\d*|targets?|labels?|t)$", re.IGNORECASE)
_DECAY = re.compile(r"^_?(lam|lambda_?|lmbda|l2|reg\w*|decay|weight_decay)$", re.IGNORECASE)
_PRODUCTS = frozenset({"dot", "matmul", "einsum", "outer", "tensordot"})


@dataclass(frozen=True, slots=True)
class _Line:
    """One statement with its function: what it assigns, what it reads, whether it multiplies matrices."""

    number: int
    function: str
    assigned: frozenset[str]
    read: frozenset[str]
    product: bool
    returned: bool

    def assigns(self, pattern: re.Pattern[str]) -> bool:
        return any(pattern.search(n) for n in self.assigned)

    def reads(self, pattern: re.Pattern[str]) -> bool:
        return any(pattern.search(n) for n in self.read)


def likely_lines(text: str, equation: str) -> list[int]:
    """Numbers of the lines that look like an equation (BP1 … BP4, regularisation, cost, forward); none where too many do."""
    looks = _LOOKS.get(equation)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return []
    if looks is None:
        return []
    found = sorted({line.number for line in _lines(tree) if looks(line)})
    return found if len(found) <= MOST else []


def _lines(tree: ast.Module) -> Iterator[_Line]:
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for node in ast.walk(function):
                if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return)):
                    yield _line(node, function.name)


def _line(node: ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return, function: str) -> _Line:
    targets = node.targets if isinstance(node, ast.Assign) else [] if isinstance(node, ast.Return) else [node.target]
    value = node.value
    inside = list(ast.walk(value)) if value is not None else []
    read = {n.id for n in inside if isinstance(n, ast.Name)} | {n.attr for n in inside if isinstance(n, ast.Attribute)}
    product = any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.MatMult) for n in inside) or bool(read & _PRODUCTS)
    assigned = frozenset(name for t in targets for name in _names(t))
    return _Line(node.lineno, function, assigned, frozenset(read), product, isinstance(node, ast.Return))


def _names(target: ast.AST) -> Iterator[str]:
    """The variables and attributes that are assigned, and the texts of indices: ``grads["dW"]``."""
    for node in ast.walk(target):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _is_backward(line: _Line) -> bool:
    return bool(_BACKWARD.search(line.function))


_LOOKS: Mapping[str, Callable[[_Line], bool]] = {
    "BP1": lambda n: n.assigns(_ERROR) and n.reads(_TARGET) and not n.product,
    "BP2": lambda n: (n.assigns(_ERROR) or n.returned) and n.product and n.reads(_WEIGHTS) and n.reads(_ERROR),
    "BP3": lambda n: n.assigns(_BIAS) and n.reads(_ERROR) and not n.product,
    "BP4": lambda n: n.assigns(_WEIGHT) and n.product,
    "regularisation": lambda n: n.reads(_DECAY) and (n.assigns(_WEIGHT) or _is_backward(n)),
    "cost": lambda n: n.returned and bool(_COST.search(n.function)) and not _is_backward(n),
    "forward": lambda n: n.product and bool(_FORWARD.search(n.function)) and not _is_backward(n),
}
