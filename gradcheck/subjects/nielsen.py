"""Convention `nielsen`: a class with `weights` and `biases`, `feedforward(a)` and `backprop(x, y)`, one column a call.

    net = Network(sizes)
    nabla_b, nabla_w = net.backprop(x, y)

weights[l] (to, from), biases[l] (to, 1). The file fixes activation and cost: the cost is ``net.cost.fn(a, y)`` where
there is one, else only its derivative ``net.cost_derivative(a, y)`` is known, or nothing.
"""

import inspect
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.networks import Point
from gradcheck.numerics import Array
from gradcheck.subjects.binding import signature_text
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.functional import named_list
from gradcheck.subjects.layout import Layout, parameters_to_subject
from gradcheck.subjects.match import Match, own_classes, parameter_names
from gradcheck.subjects.protocol import Call, Malformed, Offer, scalar
from gradcheck.subjects.samples import add_up, columns
from gradcheck.subjects.source import ACTIVATION_WORDS, COST_WORDS, mentioned

NAME = "nielsen"
TEMPLATE = '''\
class Network:
    def __init__(self, sizes):
        """self.weights: list of (to, from); self.biases: list of (to, 1)."""

    def feedforward(self, a):
        """-> output activations (n_L, 1) of the input column a."""

    def backprop(self, x, y):
        """-> (nabla_b, nabla_w), lists in the shapes of biases and weights, of one sample."""

    def cost_derivative(self, output_activations, y):
        """-> dC/da (n_L, 1); or an attribute cost with cost.fn(a, y) -> float."""
'''
CALL = "nabla_b, nabla_w = Network(sizes).backprop(x, y), one column vector a call"
SCRIPT = """\
def network(subject, W, b):
    net = subject.{name}(SIZES)
    net.weights, net.biases = W, b
    return net

{value}
def gradient(subject, W, b, x, y):
    samples = [network(subject, W, b).backprop(x[:, [s]], y[:, [s]]) for s in range(x.shape[1])]
    return [sum(tensor) for part in {order} for tensor in zip(*[pair[part] for pair in samples])]
"""
COST = """\
def cost(subject, W, b, x, y):
    net = network(subject, W, b)
    one = lambda s: net.cost.fn(np.reshape(net.feedforward(x[:, [s]]), (-1, 1)), y[:, [s]])
    return sum(float(np.squeeze(one(s))) for s in range(x.shape[1]))
"""
OUTPUT = """\
def output(subject, W, b, x):
    one = lambda s: network(subject, W, b).feedforward(x[:, [s]])
    return np.hstack([np.reshape(one(s), (-1, 1)) for s in range(x.shape[1])])
"""
LAYOUT = Layout("to_from", "columns", "column")
_PROBE = (3, 2, 4)  # sizes at which no weight matrix has the shape of a bias


class Nielsen:
    """Adapter around the class: each call gets a network of its own."""

    def __init__(self, network: type, name: str, member: str) -> None:
        self._network, self._name, self._member = network, name, member
        self._probe = self._make(_PROBE)

    @property
    def offer(self) -> Offer:
        """Everything is fixed by the file; what it declares is seen on a small network."""
        methods = [f for _, f in inspect.getmembers(self._network, inspect.isfunction)]
        cost = getattr(self._probe, "cost", None)
        declares_cost = callable(getattr(cost, "fn", None))
        return Offer(
            self._name,
            NAME,
            layouts=(LAYOUT,),
            told_activations=False,
            told_cost=False,
            takes_l2=False,
            declares_cost=declares_cost,
            declares_output=True,
            batch=False,
            activations=mentioned(methods, ACTIVATION_WORDS),
            costs=mentioned([cost] if inspect.isclass(cost) else methods, COST_WORDS),
            cost_derivative=callable(getattr(self._probe, "cost_derivative", None)),
            scripts=self._scripts(declares_cost),
        )

    def call(self, point: Point, layout: Layout) -> Call:
        """A new network that holds the case's parameters, and the samples as lists of columns."""
        case = Call(point, layout, {}).case
        net = self._make(case.architecture.widths)
        weights, biases = parameters_to_subject(case, layout)
        net.weights, net.biases = weights, biases
        x, y = (columns(a, case.dtype) for a in (case.inputs, case.targets))
        arrays = {"weights": weights, "biases": biases, "x": x, "y": y}
        return Call(point, layout, arrays, {"net": net}, lambda: {"weights": net.weights, "biases": net.biases})

    def value(self, call: Call) -> Array:
        """``net.cost.fn`` of the outputs, added up over the samples."""
        net, y = call.rest["net"], call.arrays["y"]
        return np.asarray(sum(scalar(net.cost.fn(a, y[s])) for s, a in enumerate(self._outputs(call))))

    def output(self, call: Call) -> Array:
        """The outputs of ``feedforward``, one column a sample."""
        return np.hstack(self._outputs(call))

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """The outputs of ``cost_derivative``, one column a sample."""
        net, dtype = call.rest["net"], call.point.dtype
        pairs = zip(columns(a, dtype), columns(y, dtype), strict=True)
        return np.hstack([np.reshape(net.cost_derivative(a_s, y_s), (-1, 1)) for a_s, y_s in pairs])

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """nabla_w and nabla_b, added up over the samples."""
        net, x, y = call.rest["net"], call.arrays["x"], call.arrays["y"]
        return add_up(lambda s: self._named(net.backprop(x[s], y[s]), call), call.case.samples)

    def _scripts(self, declares_cost: bool) -> Mapping[str, str]:
        """The order of the pair is known where a small network can be run."""
        try:
            with subject_code():
                order = (0, 1) if self._probed_order else (1, 0)
        except (SubjectError, Malformed):
            return {}
        return {"": SCRIPT.format(name=self._member, value=COST if declares_cost else OUTPUT, order=order)}

    def _outputs(self, call: Call) -> list[Array]:
        return [np.reshape(call.rest["net"].feedforward(x), (-1, 1)) for x in call.arrays["x"]]

    def _named(self, result: Any, call: Call) -> Mapping[str, Any]:
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            count = f" of {len(result)}" if isinstance(result, (tuple, list)) else ""
            msg = f"expected the pair (nabla_b, nabla_w); got {type(result).__name__}{count}"
            raise Malformed("count" if count else "type", "gradients", msg)
        depth = call.case.architecture.depth
        weights, biases = ([np.shape(a) for a in call.arrays[n]] for n in ("weights", "biases"))
        first = _weights_first(result, weights, biases) if weights != biases else self._probed_order
        w, b = result if first else result[::-1]
        return {**named_list("W", w, depth), **named_list("b", b, depth)}

    @cached_property
    def _probed_order(self) -> bool:
        """Whether the weights' gradients come first, seen where no two shapes are equal; Nielsen's order where it raises."""
        net = self._make(_PROBE)
        try:
            result = net.backprop(np.zeros((_PROBE[0], 1)), np.zeros((_PROBE[-1], 1)))
        except Exception:  # of the subject: networks as deep as this one will show it, this one is nobody's case
            return False
        return _weights_first(result, [(2, 3), (4, 2)], [(2, 1), (4, 1)])

    def _make(self, sizes: tuple[int, ...]) -> Any:
        return self._network(list(sizes))


def _weights_first(result: Any, weights: list[tuple[int, ...]], biases: list[tuple[int, ...]]) -> bool:
    """Whether a pair is (nabla_w, nabla_b): its shapes say so; Nielsen's own order is (nabla_b, nabla_w)."""
    first, second = (_shapes(part) for part in result)
    if first == biases or second == weights:
        return False
    return first == weights or second == biases


def _shapes(gradients: Any) -> list[tuple[int, ...]] | None:
    try:
        return [np.shape(g) for g in gradients]
    except (TypeError, ValueError):
        return None


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by a class with these methods whose instances hold lists of weights and biases."""
    near = {n: c for n, c in own_classes(members).items() if _found(c)}
    missing = {n: _missing(c) for n, c in near.items()}
    fits = [n for n in near if not missing[n]]
    if len(fits) == 1:
        return Match(NAME, Nielsen(near[fits[0]], name, fits[0]), found=tuple(fits))
    if fits:
        return Match(NAME, None, ("one class, not several",), found=tuple(fits), candidates=tuple(fits))
    lines = [f"{n}: {line}" for n in near for line in missing[n]]
    return Match(NAME, None, tuple(lines) or ("a class with backprop(x, y) and feedforward(a)",), tuple(near))


def _found(network: type) -> list[str]:
    return [m for m in ("backprop", "feedforward") if inspect.isfunction(getattr(network, m, None))]


def _missing(network: type) -> list[str]:
    lines = [f"a method {m}{p}" for m, p in _METHODS.items() if not inspect.isfunction(getattr(network, m, None))]
    lines += [
        f"{m}{p}: it is {signature_text(m, f)}" for m, p, f in _methods(network) if len(_required(f)) != _takes(p)
    ]
    return lines or _missing_attributes(network)


def _missing_attributes(network: type) -> list[str]:
    try:
        with subject_code():
            net = network(list(_PROBE))
    except SubjectError as error:
        return [
            f"a constructor that takes the list of sizes: {network.__name__}({list(_PROBE)}) raised {error.message}"
        ]
    expected = {"weights": [(2, 3), (4, 2)], "biases": [(2, 1), (4, 1)]}
    return [
        f"an attribute {attribute}, a list of arrays {shapes} for sizes {list(_PROBE)}"
        for attribute, shapes in expected.items()
        if _shapes(getattr(net, attribute, None)) != shapes
    ]


_METHODS = {"backprop": "(x, y)", "feedforward": "(a)"}


def _methods(network: type) -> list[tuple[str, str, Any]]:
    found = [(m, p, getattr(network, m, None)) for m, p in _METHODS.items()]
    return [(m, p, f) for m, p, f in found if inspect.isfunction(f)]


def _required(method: Any) -> list[str]:
    parameters = inspect.signature(method).parameters
    return [n for n in parameter_names(method) if parameters[n].default is inspect.Parameter.empty]


def _takes(parameters: str) -> int:
    return parameters.count(",") + 1
