"""Convention `forward_backward`: layers as pairs of pure functions with a cache in between (the style of cs231n).

    out, cache = affine_forward(x, w, b)
    dx, dw, db = affine_backward(dout, cache)

Recognised are affine layers and activations (``relu_forward(x)``, ``dx = relu_backward(dout, cache)``), and every layer of
`networks.layers` (`layer_pairs`); other pairs are named as skipped.
Samples in rows, w (from, to), b (to,) unless an experiment shows another layout.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.networks import Point, activation_named
from gradcheck.networks.namespace import xp_numpy
from gradcheck.numerics import Array
from gradcheck.subjects.binding import Binding, bind, signature_text
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.layer_pairs import LayerPair, layer_pair
from gradcheck.subjects.layout import Layout, operation_to_subject, samples_to_subject
from gradcheck.subjects.match import Match, own_classes
from gradcheck.subjects.protocol import Call, Malformed, Offer
from gradcheck.subjects.tensors import as_function

NAME = "forward_backward"
TEMPLATE = '''\
def affine_forward(x, w, b):
    """-> (out, cache). x (m, from), w (from, to), b (to,); out (m, to)."""

def affine_backward(dout, cache):
    """-> (dx, dw, db), in the shapes of x, w and b."""

def relu_forward(x):
    """-> (out, cache). Also sigmoid, tanh, leaky_relu, elu, softplus, gelu, identity, softmax."""

def relu_backward(dout, cache):
    """-> dx."""
'''
CALL = "dx, dw, db = affine_backward(dout, cache); dx = relu_backward(dout, cache)"
LAYOUTS = (
    Layout("from_to", "rows", "vector"),
    Layout("to_from", "columns", "column"),
    Layout("from_to", "rows", "row"),
    Layout("to_from", "rows", "vector"),
    Layout("from_to", "columns", "column"),
)
OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "affine": ("affine", "linear", "fc", "dense", "fully_connected"),
    "relu": ("relu",),
    "sigmoid": ("sigmoid", "logistic"),
    "tanh": ("tanh",),
    "leaky_relu": ("leaky_relu", "lrelu", "leakyrelu"),
    "elu": ("elu",),
    "softplus": ("softplus",),
    "gelu": ("gelu",),
    "identity": ("identity",),
    "softmax": ("softmax",),
}
SCRIPT = """\
def run(subject, {arguments}):
    result = {forward}
    return result if isinstance(result, tuple) and len(result) == 2 else (result, x)

def cost(subject, {arguments}, dout):
    return np.sum(run(subject, {arguments})[0] * dout)

def gradient(subject, {arguments}, dout):
    out, cache = run(subject, {arguments})
    result = {backward}
    return result if isinstance(result, (tuple, list)) else [result]
"""
ARGUMENTS = {"affine": ("x", "w", "b")}
SYNONYMS = {
    "x": ("x", "X", "A", "A_prev", "z", "Z", "inputs", "input", "inp", "h", "a", "a_prev", "x_in"),
    "w": ("w", "W", "weights", "weight", "theta"),
    "b": ("b", "B", "bias", "biases"),
    "dout": ("dout", "dA", "dZ", "da", "dz", "dy", "dY", "d_out", "grad", "grad_output", "grad_out", "upstream", "g",
             "delta", "dL_dout", "dL_dy", "dh", "doutput", "grads", "d"),
    "cache": ("cache", "caches", "memory", "mem", "ctx", "saved", "linear_cache", "activation_cache", "c", "state"),
    "out": ("out", "y", "output", "s", "probs"),
    "parameter": ("alpha", "slope", "negative_slope", "leak", "leakiness"),
}  # fmt: skip


Pair = tuple[Callable[..., Any], Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Layer:
    """One recognised pair; `fixed`: the activation's configured name, parameter included (empty for affine)."""

    operation: str
    forward: Binding
    backward: Binding
    fixed: Mapping[str, str]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The differentiable arguments, in the order of their gradients."""
        return ARGUMENTS.get(self.operation, ("x",))

    @property
    def script(self) -> str:
        """The calls as text, as in `Offer.scripts`."""
        values = {n: n for n in (*self.arguments, "dout", "cache", "out")}
        values["parameter"] = repr(_parameter(self.fixed.get("activation", "")))
        forward = self.forward.text(f"subject.{self.forward.function.__name__}", values)
        second = self.backward.takes - {"dout", "parameter"}
        if len(second) == 1:  # whatever its name: what forward returned second
            meaning = next(iter(second))
            values[meaning] = "out if cache is x else cache" if meaning == "out" else "cache"
        backward = self.backward.text(f"subject.{self.backward.function.__name__}", values)
        return SCRIPT.format(arguments=", ".join(self.arguments), forward=forward, backward=backward)


class ForwardBackward:
    """Adapter around all recognised pairs of a file."""

    def __init__(
        self,
        layers: Mapping[str, Layer],
        skipped: tuple[str, ...],
        name: str,
        pairs: Mapping[str, LayerPair] | None = None,
    ) -> None:
        self._layers, self._skipped, self._name, self._pairs = layers, skipped, name, pairs or {}

    @property
    def offer(self) -> Offer:
        """One operation for each pair."""
        return Offer(
            self._name,
            NAME,
            kind="operation",
            layouts=LAYOUTS,
            told_activations=False,
            told_cost=False,
            takes_l2=False,
            declares_cost=False,
            declares_output=True,
            operations=(*self._layers, *self._pairs),
            skipped=self._skipped,
            operation_fixed={n: layer.fixed for n, layer in self._layers.items() if layer.fixed},
            candidates={n: pair.candidates for n, pair in self._pairs.items()},
            scripts={n: layer.script for n, layer in self._layers.items()},
        )

    def call(self, point: Point, layout: Layout) -> Call:
        """x (w, b) and dout in the subject's layout."""
        call = Call(point, layout, {})
        case = call.operation
        if case.operation in self._pairs:
            call.arrays.update(self._pairs[case.operation].arrays(case))
            return call
        for name, a in case.arguments.items():
            call.arrays[name] = operation_to_subject(name, a, layout, case.dtype)
        call.arrays["dout"] = samples_to_subject(case.cotangent, layout, case.dtype)
        return call

    def value(self, call: Call) -> Array:
        """The output of the forward function."""
        pair = self._pairs.get(call.operation.operation)
        return np.asarray((pair.forward(call) if pair else self._forward(call))[0])

    def output(self, call: Call) -> Array:
        """The output of the forward function."""
        return self.value(call)

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """Forward, then backward of the cotangent."""
        if call.operation.operation in self._pairs:
            return self._pairs[call.operation.operation].gradient(call, cotangent)
        layer = self._layer(call)
        call.hand_over("dout", cotangent if call.layout.samples == "columns" else cotangent.T)
        out, cache = self._forward(call)
        call.between()
        values = {**self._values(call), "out": out, "cache": cache}
        second = layer.backward.takes - {"dout", "parameter"}
        if len(second) == 1 and cache is not call.arrays["x"]:  # whatever its name: what forward returned second
            values[next(iter(second))] = cache
        return read_result(layer.backward(values), layer.arguments)

    def _layer(self, call: Call) -> Layer:
        return self._layers[call.operation.operation]

    def _forward(self, call: Call) -> tuple[Any, Any]:
        """Output and cache; without a cache of its own the input is what backward gets."""
        values = self._values(call)
        result = self._layer(call).forward(values)
        if isinstance(result, tuple) and len(result) == 2:
            return result
        return result, values["x"]

    def _values(self, call: Call) -> dict[str, Any]:
        return {**call.arrays, "parameter": _parameter(call.operation.fixed.get("activation", ""))}


def read_result(result: Any, arguments: tuple[str, ...]) -> dict[str, Any]:
    """(dx, dw, db) or dx by the name of the argument."""
    if len(arguments) == 1:
        single = isinstance(result, (tuple, list)) and len(result) == 1
        return {arguments[0]: result[0] if single else result}
    if not isinstance(result, (tuple, list)) or len(result) != len(arguments):
        count = f" of {len(result)}" if isinstance(result, (tuple, list)) else ""
        msg = f"expected ({', '.join('d' + a for a in arguments)}); got {type(result).__name__}{count}"
        raise Malformed("count" if count else "type", "gradients", msg)
    return dict(zip(arguments, result, strict=True))


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by at least one pair of an affine layer or an activation."""
    pairs = find_pairs(members)
    layers: dict[str, Layer] = {}
    others: dict[str, LayerPair] = {}
    skipped = []
    for stem, (forward, backward) in pairs.items():
        known = stem.lower() in {n for names in OPERATIONS.values() for n in names}
        if not known and (other := layer_pair(stem, forward, backward)) is not None:
            others[stem] = other
            continue
        layer = _layer_of(stem, forward, backward)
        if isinstance(layer, str):
            skipped.append(f"{stem}: {layer}")
        elif layer.operation in layers:
            skipped.append(f"{stem}: another {layer.operation} layer; name it as PATH:{stem} to check it")
        else:
            layers[layer.operation] = layer
    if layers or others:
        return Match(NAME, ForwardBackward(layers, tuple(skipped), name, others), found=tuple(pairs))
    lacks = skipped or ["a pair of functions such as affine_forward(x, w, b) and affine_backward(dout, cache)"]
    return Match(NAME, None, tuple(lacks), tuple(pairs))


def find_pairs(members: Mapping[str, Any]) -> dict[str, Pair]:
    """NAME_forward (or forward_NAME, or NAME) with NAME_backward (or backward_NAME), by NAME."""
    functions: dict[str, Callable[..., Any]] = {n: f for n, f in members.items() if inspect.isroutine(f)}
    stems = [n.removesuffix("_backward").removeprefix("backward_") for n in functions]
    pairs: dict[str, Pair] = {}
    for stem in dict.fromkeys(stems):
        forward = next((functions[n] for n in (f"{stem}_forward", f"forward_{stem}", stem) if n in functions), None)
        backward = next((functions[n] for n in (f"{stem}_backward", f"backward_{stem}") if n in functions), None)
        if forward and backward:
            pairs[stem] = (forward, backward)
    for name, cls in own_classes(members).items():  # a class that only groups them
        static = [inspect.getattr_static(cls, n, None) for n in ("forward", "backward")]
        functions_of = [f.__func__ for f in static if isinstance(f, staticmethod)]
        if len(functions_of) == 2:
            pairs[name] = (as_function(functions_of[0]), as_function(functions_of[1]))
    for name, backward in functions.items():  # conv_backward_naive with conv_forward_naive
        forward = functions.get(name.replace("_backward_", "_forward_"))
        if "_backward_" in name and forward is not None:
            pairs[name.replace("_backward_", "_")] = (forward, backward)
    return pairs


def _layer_of(stem: str, forward: Callable[..., Any], backward: Callable[..., Any]) -> Layer | str:
    """The layer of a pair, or why it is skipped."""
    operation = next((o for o, names in OPERATIONS.items() if stem.lower() in names), None)
    if operation is None:
        return f"no layer of gradcheck has the arguments of {signature_text(forward.__name__, forward)}"
    arguments = ARGUMENTS.get(operation, ("x",))
    down, up = (
        _by_position(bind(forward, SYNONYMS), arguments),
        _by_position(bind(backward, SYNONYMS), ("dout", "cache")),
    )
    for b, f, needed in ((down, forward, set(arguments)), (up, backward, {"dout"})):
        if b.missing or not needed <= b.takes:
            return f"the arguments of {signature_text(f.__name__, f)} are not understood"
    fixed = {} if operation == "affine" else {"activation": _configured_name(operation, down)}
    return Layer(operation, down, up, fixed)


def _by_position(binding: Binding, meanings: tuple[str, ...]) -> Binding:
    """Where names say nothing, and there are just as many required arguments as expected: their meaning by position."""
    if not binding.missing:
        return binding
    required = [p.name for p in inspect.signature(binding.function).parameters.values() if p.default is p.empty]
    if len(required) != len(meanings):
        return binding
    named = {n: m for n, m in binding.keywords.items() if n not in required}
    keywords = {**named, **dict(zip(required, meanings, strict=True))}
    return Binding(binding.function, (), keywords, (), binding.rest)


def _configured_name(operation: str, forward: Binding) -> str:
    """The activation's name with the parameter that the signature's default or a trial run shows."""
    if operation == "gelu":
        return min(("gelu", "gelu_tanh"), key=lambda n: abs(_trial(forward, 1.0) - _trusted(n, 1.0)))
    if operation not in ("leaky_relu", "elu"):
        return operation
    if "parameter" in forward.takes:
        default = _default_parameter(forward)
        return f"{operation}({default if default is not None else 0.1!r})"
    ratio = _trial(forward, -1.0) / _trusted(f"{operation}(1.0)", -1.0)
    return f"{operation}({ratio:.12g})" if np.isfinite(ratio) else activation_named(operation).name


def _default_parameter(forward: Binding) -> float | None:
    names = [n for n, meaning in forward.keywords.items() if meaning == "parameter"]
    default = inspect.signature(forward.function).parameters[names[0]].default
    return float(default) if isinstance(default, (int, float)) else None


def _trusted(name: str, z: float) -> float:
    return float(activation_named(name)(np.array([[z]]), xp_numpy)[0, 0])


def _trial(forward: Binding, z: float) -> float:
    """The subject's activation of one number; NaN where it cannot be run."""
    try:
        with subject_code():
            result = forward({"x": np.array([[z]])})
            return float(np.ravel(result[0] if isinstance(result, tuple) else result)[0])
    except (SubjectError, Malformed):
        return float("nan")


def _parameter(configured: str) -> float:
    """The number in ``leaky_relu(0.1)``; the customary 0.01 where there is none."""
    inside = configured.partition("(")[2].rstrip(") ")
    return float(inside) if inside else 0.01
