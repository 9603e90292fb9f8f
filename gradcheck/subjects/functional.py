"""Convention `functional`: the simplest contract, and the one that is checked on random activations and costs.

    def loss(weights, biases, x, y, *, activations, cost, l2): ...      # -> float
    def backprop(weights, biases, x, y, *, activations, cost, l2): ...  # -> (weight_gradients, bias_gradients)

Lists per layer; by default weights (to, from), biases (n, 1), samples in columns.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gradcheck.networks import Point
from gradcheck.numerics import Array
from gradcheck.subjects.binding import bind, signature_text
from gradcheck.subjects.layout import Layout, layouts, parameters_to_subject, samples_to_subject
from gradcheck.subjects.match import Match
from gradcheck.subjects.protocol import Call, Malformed, Offer, scalar

NAME = "functional"
TEMPLATE = '''\
def loss(weights, biases, x, y, *, activations, cost, l2):
    """-> float. Lists per layer: weights (to, from), biases (n, 1); x (n_0, m) and y (n_L, m), samples in columns.
    activations: one configured name a layer, such as "tanh" or "leaky_relu(0.1)"; cost: such as "mse"; l2: lambda."""

def backprop(weights, biases, x, y, *, activations, cost, l2):
    """-> (weight_gradients, bias_gradients), lists in the shapes of weights and biases."""
'''
CALL = "backprop(weights, biases, x, y, *, activations, cost, l2) -> (weight_gradients, bias_gradients)"
LAYOUTS = tuple(layouts(bias=("column", "vector", "row", "first_row", "first_column", "none")))
DATA = {
    "weights": ("weights", "W", "w", "Ws", "weight", "weight_matrices"),
    "biases": ("biases", "b", "bs", "B", "bias", "bias_vectors"),
    "x": ("x", "X", "xs", "inputs", "input"),
    "y": ("y", "Y", "ys", "targets", "target", "t"),
}
SCRIPT = """\
def cost(subject, W, b, x, y):
    return subject.loss(W, b or None, x, y{loss})

def gradient(subject, W, b, x, y):
    result = subject.backprop(W, b or None, x, y{backprop})
    pair = len(result) == 2 and isinstance(result[0], (tuple, list))
    return [*result[0], *(result[1] if b else [])] if pair else result
"""
TOLD = {"activations": ("activations",), "cost": ("cost",), "l2": ("l2",)}


class Functional:
    """Adapter around the two functions."""

    def __init__(
        self,
        loss: Callable[..., Any],
        backprop: Callable[..., Any],
        name: str,
        convention: str = NAME,
        candidates: Sequence[Layout] = LAYOUTS,
    ) -> None:
        self._functions = {"loss": loss, "backprop": backprop}
        self._told = {k: _told(f) for k, f in self._functions.items()}
        self._name, self._convention, self._layouts = name, convention, tuple(candidates)

    @property
    def offer(self) -> Offer:
        """Told what the signatures ask for; the layout is found by experiment."""
        told = self._told["loss"] | self._told["backprop"]
        return Offer(
            self._name,
            self._convention,
            layouts=self._layouts,
            told_activations="activations" in told,
            told_cost="cost" in told,
            takes_l2="l2" in told,
            scripts={"": self._script()},
        )

    def call(self, point: Point, layout: Layout) -> Call:
        """weights, biases, x, y in the subject's layout."""
        call = Call(point, layout, {})
        case = call.case
        weights, biases = parameters_to_subject(case, layout)
        x, y = (samples_to_subject(a, layout, case.dtype) for a in (case.inputs, case.targets))
        call.arrays.update(weights=weights, biases=biases, x=x, y=y)
        return call

    def value(self, call: Call) -> Array:
        """The loss."""
        return scalar(self._run("loss", call))

    def output(self, call: Call) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """(weight_gradients, bias_gradients) by name."""
        return read_pair(self._run("backprop", call), call)

    def _script(self) -> str:
        told = {"activations": "ACTIVATIONS", "cost": "COST", "l2": "L2"}
        asked = {n: "".join(f", {k}={v}" for k, v in told.items() if k in self._told[n]) for n in self._told}
        return SCRIPT.format(**asked)

    def _run(self, name: str, call: Call) -> Any:
        case, a = call.case, call.arrays
        told = {
            "activations": list(case.architecture.activation_names),
            "cost": case.architecture.cost.name,
            "l2": case.architecture.regularisation.strength,
        }
        asked = {k: v for k, v in told.items() if k in self._told[name]}
        return self._functions[name](a["weights"], a["biases"], a["x"], a["y"], **asked)


def _told(function: Callable[..., Any]) -> frozenset[str]:
    """Which of activations, cost and l2 the function takes by name; all of them when it takes ``**kwargs``."""
    binding = bind(function, {**DATA, **TOLD})
    return frozenset(TOLD) if binding.rest else binding.takes & frozenset(TOLD)


def read_pair(result: Any, call: Call) -> dict[str, Any]:
    """(weight_gradients, bias_gradients) as {"W1": …, "b1": …}; the claim reader judges them."""
    depth = call.case.architecture.depth
    if call.layout.folded or call.layout.bias == "none":
        paired = isinstance(result, (tuple, list)) and len(result) == 2 and isinstance(result[0], (tuple, list))
        return named_list("W", result[0] if paired else result, depth)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        count = f" of {len(result)}" if isinstance(result, (tuple, list)) else ""
        msg = f"expected the pair (weight_gradients, bias_gradients); got {type(result).__name__}{count}"
        raise Malformed("count" if count else "type", "gradients", msg)
    return {**named_list("W", result[0], depth), **named_list("b", result[1], depth)}


def named_list(letter: str, gradients: Any, depth: int) -> dict[str, Any]:
    """[g_1, …, g_L] as {"W1": g_1, …}. Raises Malformed when it is no sequence or has another length than L."""
    what = {"W": "weight", "b": "bias"}.get(letter, letter)
    if (
        not hasattr(gradients, "__len__")
        or not hasattr(gradients, "__getitem__")
        or isinstance(gradients, (str, Mapping))
    ):
        msg = f"expected a list of {depth} {what} gradients, one a layer; got {type(gradients).__name__}"
        raise Malformed("type", letter, msg)
    if len(gradients) != depth:
        msg = f"expected {depth} {what} gradients, one a layer; got {len(gradients)}"
        raise Malformed("count", letter, msg)
    return {f"{letter}{k}": gradients[k - 1] for k in range(1, depth + 1)}


def find_functions(members: Mapping[str, Any]) -> tuple[dict[str, Callable[..., Any]], list[str], list[str]]:
    """The two functions where they take the contract's parameters, what is missing, and what was found."""
    functions, missing, found = {}, [], []
    for name in ("loss", "backprop"):
        candidate, wanted = members.get(name), f"{name}(weights, biases, x, y, …)"
        if not callable(candidate) or inspect.isclass(candidate):
            missing.append(f"a function {wanted}")
            continue
        found.append(name)
        if _fits(candidate):
            functions[name] = candidate
        else:
            missing.append(f"{wanted}: it is {signature_text(name, candidate)}")
    return functions, missing, found


def _fits(function: Callable[..., Any]) -> bool:
    """Four leading parameters that can be the data, and no other required ones than those that are told."""
    binding = bind(function, {**DATA, **TOLD})
    if binding.missing:
        return False
    data = [meaning for meaning in (*binding.positional, *binding.keywords.values()) if meaning in DATA]
    return data == list(DATA) or (binding.rest and not data)


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by the two functions with the four leading parameters and no other shape of call."""
    functions, missing, found = find_functions(members)
    adapter = None if missing else Functional(functions["loss"], functions["backprop"], name)
    return Match(NAME, adapter, tuple(missing), tuple(found))
