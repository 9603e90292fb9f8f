"""Convention `column_vector`: one sample a call, as a column (n, 1); activations and cost handed over by name.

    def cost(w, b, x, y, sigma, C): ...      # -> float
    def backprop(w, b, x, y, sigma, C): ...  # -> (nabla_w, nabla_b, nabla_x), or without nabla_x

w[l] (to, from), b[l] (to, 1). The adapter adds up over the samples of a case.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gradcheck.networks import Point
from gradcheck.numerics import Array
from gradcheck.subjects.functional import named_list
from gradcheck.subjects.layout import Layout, parameters_to_subject
from gradcheck.subjects.match import Match, function_member
from gradcheck.subjects.protocol import Call, Malformed, Offer, scalar
from gradcheck.subjects.samples import add_up, columns
from gradcheck.subjects.source import returned_values

NAME = "column_vector"
TEMPLATE = '''\
def cost(w, b, x, y, sigma, C):
    """-> float, of one sample. Lists per layer: w (to, from), b (to, 1); x (n_0, 1), y (n_L, 1).
    sigma: one configured activation a layer, such as "tanh"; C: the configured cost, such as "mse"."""

def backprop(w, b, x, y, sigma, C):
    """-> (nabla_w, nabla_b, nabla_x) of that sample; nabla_x, the gradient by the input, may be left out."""
'''
CALL = "backprop(w, b, x, y, sigma, C) -> (nabla_w, nabla_b, nabla_x), one column vector a call"
SCRIPT = """\
def cost(subject, W, b, x, y):
    one = lambda s: subject.cost(W, b, x[:, [s]], y[:, [s]], ACTIVATIONS, COST)
    return sum(float(np.squeeze(one(s))) for s in range(x.shape[1]))

def gradient(subject, W, b, x, y):
    one = lambda s: subject.backprop(W, b, x[:, [s]], y[:, [s]], ACTIVATIONS, COST)
    samples = [copy.deepcopy([*r[0], *r[1]]) for r in map(one, range(x.shape[1]))]
    return [sum(tensor) for tensor in zip(*samples)]
"""
PARAMETERS = ("w", "b", "x", "y", "sigma", "C")
LAYOUT = Layout("to_from", "columns", "column")


class ColumnVector:
    """Adapter around the two functions."""

    def __init__(self, cost: Callable[..., Any], backprop: Callable[..., Any], name: str) -> None:
        self._cost, self._backprop, self._name = cost, backprop, name

    @property
    def offer(self) -> Offer:
        """Told activations and cost, no L2; the input's gradient where the function returns three things."""
        three = returned_values(self._backprop) in (3, None)
        return Offer(
            self._name,
            NAME,
            layouts=(LAYOUT,),
            takes_l2=False,
            input_gradient=three,
            batch=False,
            scripts={"": SCRIPT},
        )

    def call(self, point: Point, layout: Layout) -> Call:
        """w, b, and the samples as lists of columns x and y."""
        call = Call(point, layout, {})
        case = call.case
        w, b = parameters_to_subject(case, layout)
        x, y = (columns(a, case.dtype) for a in (case.inputs, case.targets))
        call.arrays.update(w=w, b=b, x=x, y=y)
        return call

    def value(self, call: Call) -> Array:
        """The costs of the samples, added up."""
        costs = [scalar(self._run(self._cost, call, s)) for s in range(call.case.samples)]
        return np.asarray(sum(costs), dtype=np.float64)

    def output(self, call: Call) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """nabla_w and nabla_b added up over the samples, nabla_x with one column a sample."""
        x: list[Any] = []

        def of_sample(s: int) -> Mapping[str, Any]:
            named = read_triple(self._run(self._backprop, call, s), call.case.architecture.depth)
            x.extend([named.pop("x")] if "x" in named else [])
            return named

        total = dict(add_up(of_sample, call.case.samples))
        return {**total, "x": _side_by_side(x)} if x else total

    def _run(self, function: Callable[..., Any], call: Call, s: int) -> Any:
        a, architecture = call.arrays, call.case.architecture
        return function(
            a["w"], a["b"], a["x"][s], a["y"][s], list(architecture.activation_names), architecture.cost.name
        )


def read_triple(result: Any, depth: int) -> dict[str, Any]:
    """(nabla_w, nabla_b) or (nabla_w, nabla_b, nabla_x) by name."""
    if not isinstance(result, (tuple, list)) or len(result) not in (2, 3):
        count = f" of {len(result)}" if isinstance(result, (tuple, list)) else ""
        msg = f"expected (nabla_w, nabla_b, nabla_x) or (nabla_w, nabla_b); got {type(result).__name__}{count}"
        raise Malformed("count" if count else "type", "gradients", msg)
    named = {**named_list("W", result[0], depth), **named_list("b", result[1], depth)}
    return {**named, "x": result[2]} if len(result) == 3 else named


def _side_by_side(x: list[Any]) -> Any:
    """The samples' nabla_x as the columns of one array; left as they are where they do not fit together."""
    if len(x) == 1:
        return x[0]
    try:
        return np.hstack(x)
    except (ValueError, TypeError):
        return x[0]


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by ``cost`` and ``backprop`` with exactly these parameters."""
    missing: list[str] = []
    cost = function_member(members, "cost", PARAMETERS, missing)
    backprop = function_member(members, "backprop", PARAMETERS, missing)
    adapter = ColumnVector(cost, backprop, name) if cost and backprop else None
    return Match(NAME, adapter, tuple(missing), tuple(n for n in ("cost", "backprop") if n in members))
