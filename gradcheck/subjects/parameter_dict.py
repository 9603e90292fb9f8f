"""Convention `parameter_dict`: parameters in a dict, gradients in a dict, a cache in between (the style of Coursera).

    AL, caches = L_model_forward(X, parameters)
    cost = compute_cost(AL, Y)
    grads = L_model_backward(AL, Y, caches)   # -> {"dW1": …, "db1": …}

Other names of the three functions and other orders of their arguments are recognised by the parameters' names. The file
fixes activations and cost.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.networks import Point
from gradcheck.numerics import Array
from gradcheck.subjects.binding import Binding, bind, signature_text
from gradcheck.subjects.layout import Layout, parameters_to_subject, samples_to_subject
from gradcheck.subjects.match import Match
from gradcheck.subjects.protocol import Call, Malformed, Offer, scalar
from gradcheck.subjects.source import ACTIVATION_WORDS, COST_WORDS, constants, mentioned, reachable

NAME = "parameter_dict"
TEMPLATE = '''\
def forward_propagation(X, parameters):
    """-> (AL, cache). parameters: {"W1": (to, from), "b1": (to, 1), ...}; X (n_0, m), samples in columns."""

def compute_cost(AL, Y):
    """-> float; may also take parameters and lambd."""

def backward_propagation(parameters, cache, X, Y):
    """-> {"dW1": ..., "db1": ..., ...}; any of AL, X, Y, parameters, cache, lambd in any order."""
'''
CALL = 'backward_propagation(parameters, cache, X, Y) -> {"dW1": ..., "db1": ...}, samples in columns'
LAYOUTS = (
    Layout("to_from", "columns", "column"),
    Layout("from_to", "rows", "row"),
    Layout("from_to", "rows", "vector"),
    Layout("to_from", "rows", "vector"),
)
SCRIPT = """\
def forward(subject, W, b, x):
    p = {{f"{weight}{{k}}": w for k, w in enumerate(W, start=1)}} | {{f"{bias}{{k}}": v for k, v in enumerate(b, start=1)}}
    result = {forward}
    AL, cache = result if isinstance(result, (tuple, list)) and len(result) == 2 else (result, result)
    AL, cache = (cache, AL) if isinstance(cache, np.ndarray) and not isinstance(AL, np.ndarray) else (AL, cache)
    last = (f"A{{len(W)}}", f"a{{len(W)}}", "AL", "aL", "y_hat", "output")
    return p, next(AL[n] for n in last if n in AL) if isinstance(AL, dict) else AL, cache

{value}
def gradient(subject, W, b, x, y):
    p, AL, cache = forward(subject, W, b, x)
    grads = {backward}
    spellings = lambda n, k: (f"d{{n}}{{k}}", f"d{{n.swapcase()}}{{k}}", f"d{{n}}_{{k}}", f"{{n}}{{k}}")
    return [next(grads[s] for s in spellings(n, k) if s in grads) for n in {keys} for k in range(1, len(W) + 1)]
"""
COST = """\
def cost(subject, W, b, x, y):
    p, AL, cache = forward(subject, W, b, x)
    return {cost}
"""
OUTPUT = """\
def output(subject, W, b, x):
    return forward(subject, W, b, x)[1]
"""
EXPRESSIONS = {
    "X": "x", "Y": "y", "parameters": "p", "AL": "AL", "cache": "cache", "lambd": "L2", "depth": "len(W)",
    "samples": "SAMPLES",
}  # fmt: skip
ROLES: Mapping[str, tuple[str, ...]] = {
    "forward": (
        "L_model_forward", "forward_propagation", "model_forward", "forward_prop", "forward_pass", "forwardprop",
        "feed_forward", "feedforward", "forward_propagate", "propagate_forward", "forward",
    ),
    "cost": (
        "compute_cost", "cost_function", "compute_loss", "cost", "loss", "loss_function", "calculate_cost",
        "cross_entropy_cost", "get_cost", "compute_cost_with_regularization",
    ),
    "backward": (
        "L_model_backward", "backward_propagation", "model_backward", "backward_prop", "backward_pass", "backprop",
        "back_propagation", "backpropagation", "backward_propagate", "back_prop", "propagate_backward", "backward",
        "backward_propagation_with_regularization",
    ),
}  # fmt: skip
REGULARISED = {
    "cost": "compute_cost_with_regularization",
    "backward": "backward_propagation_with_regularization",
}
SYNONYMS = {
    "X": ("X", "x", "inputs", "input", "A0", "data", "X_train", "X_batch"),
    "Y": ("Y", "y", "targets", "target", "labels", "y_true", "T", "Y_train", "Y_batch"),
    "parameters": ("parameters", "params", "P", "param", "parameter", "model", "weights_and_biases"),
    "cache": ("cache", "caches", "memory", "mem", "forward_cache", "stored", "activations_cache"),
    "AL": ("AL", "A1", "A2", "A3", "A4", "A5", "A", "a2", "a3", "y_hat", "Y_hat", "A_last", "output", "outputs",
           "y_pred", "predictions", "probs", "A_final"),
    "lambd": ("lambd", "lambda_", "lam", "reg", "l2", "lmbda", "reg_lambda", "regularization", "reg_strength"),
    "depth": ("L", "num_layers", "n_layers", "number_of_layers"),
    "samples": ("m", "num_samples", "n_samples"),
}  # fmt: skip
NEEDED = {"forward": {"X", "parameters"}, "backward": {"Y"}, "cost": {"Y"}}


@dataclass(frozen=True, slots=True)
class Keys:
    """How the file spells the keys of its parameters, and up to which layer it names them one by one (0: it loops)."""

    weight: str
    bias: str
    named_layers: int


class ParameterDict:
    """Adapter around the functions; `cost` may be missing."""

    def __init__(self, functions: Mapping[str, Binding], name: str, members: Mapping[str, str]) -> None:
        self._functions, self._name, self._members = functions, name, members
        self._keys = read_keys([b.function for b in functions.values()])

    @property
    def offer(self) -> Offer:
        """Fixed activations and cost; a fixed depth where the keys are spelled out."""
        functions = [b.function for b in self._functions.values()]
        layers = self._keys.named_layers
        return Offer(
            self._name,
            NAME,
            layouts=LAYOUTS,
            told_activations=False,
            told_cost=False,
            takes_l2=any("lambd" in b.takes for b in self._functions.values()),
            declares_cost="cost" in self._functions,
            declares_output=True,
            depths=(layers, layers) if layers else (1, None),
            activations=mentioned(functions, ACTIVATION_WORDS),
            costs=mentioned(functions, COST_WORDS),
            scripts={"": self._script()},
        )

    def call(self, point: Point, layout: Layout) -> Call:
        """X, Y and the dict of parameters."""
        call = Call(point, layout, {})
        case = call.case
        weights, biases = parameters_to_subject(case, layout)
        x, y = (samples_to_subject(a, layout, case.dtype) for a in (case.inputs, case.targets))
        named = {f"{self._keys.weight}{k}": w for k, w in enumerate(weights, start=1)}
        named |= {f"{self._keys.bias}{k}": b for k, b in enumerate(biases or [], start=1)}
        call.arrays.update(X=x, Y=y, parameters=dict(sorted(named.items(), key=_layer_first)))
        return call

    def value(self, call: Call) -> Array:
        """The cost of the forward pass's output."""
        return scalar(self._functions["cost"](self._values(call)))

    def output(self, call: Call) -> Array:
        """The forward pass's output."""
        output: Array = self._values(call)["AL"]
        return output

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """Forward, then backward: the entries of `grads` that belong to parameters."""
        values = self._values(call)
        call.between()
        return self._named(self._functions["backward"](values), call)

    def _script(self) -> str:
        calls = {role: b.text(f"subject.{self._members[role]}", EXPRESSIONS) for role, b in self._functions.items()}
        value = COST.format(**calls) if "cost" in calls else OUTPUT
        weight, bias = self._keys.weight, self._keys.bias
        return SCRIPT.format(weight=weight, bias=bias, keys=(weight, bias), **{**calls, "value": value})

    def _values(self, call: Call) -> dict[str, Any]:
        """Run the forward pass: every value that cost and backward may ask for."""
        case = call.case
        known = {
            **call.arrays,
            "lambd": case.architecture.regularisation.strength,
            "depth": case.architecture.depth,
            "samples": case.samples,
        }
        output, cache = split_forward(self._functions["forward"](known), case.architecture.depth)
        return {**known, "AL": output, "cache": cache}

    def _named(self, grads: Any, call: Call) -> Mapping[str, Any]:
        if not isinstance(grads, Mapping):
            msg = f'expected a dict of gradients such as {{"dW1": …}}; got {type(grads).__name__}'
            raise Malformed("type", "grads", msg)
        keys = {"W": self._keys.weight, "b": self._keys.bias}
        wanted = [(letter, k) for k in range(1, call.case.architecture.depth + 1) for letter in "Wb"]
        spelled = {(letter, k): _spelling(grads, keys[letter], k) for letter, k in wanted}
        return {f"{letter}{k}": grads[key] for (letter, k), key in spelled.items() if key is not None}


def split_forward(result: Any, depth: int) -> tuple[Any, Any]:
    """Output activations and cache from (AL, cache), (cache, AL), AL alone, or a dict of all activations."""
    if isinstance(result, (tuple, list)) and len(result) == 2:
        first, second = result
        swapped = isinstance(second, np.ndarray) and not isinstance(first, np.ndarray)
        return (second, first) if swapped else (first, second)
    if isinstance(result, Mapping):
        names = (f"A{depth}", f"a{depth}", "AL", "aL", "y_hat", "output")
        return next((result[n] for n in names if n in result), None), result
    return result, None


def read_keys(functions: list[Callable[..., Any]]) -> Keys:
    """The spelling of the keys, from the strings in the functions and in what they call."""
    strings = constants(reachable(functions))
    weight = next((w for w in ("W", "w") if any(re.fullmatch(rf"d?{w}\d*", s) for s in strings)), "W")
    bias = next((b for b in ("b", "B") if any(re.fullmatch(rf"d?{b}\d*", s) for s in strings)), "b")
    built = {weight, f"d{weight}"} & strings
    numbers = [int(m[1]) for s in strings if (m := re.fullmatch(rf"d?{weight}(\d+)", s))]
    return Keys(weight, bias, 0 if built else max(numbers, default=0))


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by a forward and a backward function whose every required argument has a known meaning."""
    found: dict[str, str] = {role: n for role in ROLES if (n := _name_of(role, members))}
    bindings = {role: bind(members[n], SYNONYMS) for role, n in found.items()}
    missing = [f"a {role} function, such as {_example(role)}" for role in ("forward", "backward") if role not in found]
    for role, b in bindings.items():
        lacks = [*b.missing, *sorted(NEEDED[role] - b.takes)]
        missing += [
            f"{signature_text(found[role], b.function)}: cannot tell what to hand over as {', '.join(lacks)}"
        ] * bool(lacks)
    adapter = None if missing else ParameterDict(bindings, name, found)
    return Match(NAME, adapter, tuple(missing), tuple(found.values()) if len(found) > 1 else ())


def _name_of(role: str, members: Mapping[str, Any]) -> str | None:
    """The function for a role; the regularised one where both regularised ones are there."""
    if role in REGULARISED and all(callable(members.get(n)) for n in REGULARISED.values()):
        return REGULARISED[role]
    names = [n for n in ROLES[role] if callable(members.get(n)) and not isinstance(members.get(n), type)]
    return names[0] if names else None


def _example(role: str) -> str:
    return {"forward": "forward_propagation(X, parameters)", "backward": "backward_propagation(X, Y, cache)"}[role]


def _spelling(grads: Mapping[str, Any], letter: str, layer: int) -> str | None:
    spellings = (f"d{letter}{layer}", f"d{letter.swapcase()}{layer}", f"d{letter}_{layer}", f"{letter}{layer}")
    return next((key for key in spellings if key in grads), None)


def _layer_first(item: tuple[str, Any]) -> tuple[int, str]:
    return int(re.sub(r"\D", "", item[0])), item[0]
