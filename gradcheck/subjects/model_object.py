"""Convention `model_object`: a class that is a whole network, with the gradients in what it returns or on the object.

    loss, grads = net.loss(X, y)                     or net.loss(X, y) and net.gradient(X, y)
    a = net.forward(X); net.backward(X, y)           then net.dW1, net.grads["W1"] …, or returned
    net.forward(X); net.backward(X, y); net.update(rate)      or backward(X, y, rate) itself: (before - after) / rate

Sizes are arguments of the constructor, or fixed in the file. Where each parameter is kept is found on a network whose widths
are all different.
"""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.networks import Case
from gradcheck.subjects import whole_class
from gradcheck.subjects.binding import Binding, bind
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.gradient_names import is_number
from gradcheck.subjects.gradient_reading import Reader, returned_names
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.match import Match, own_classes
from gradcheck.subjects.model_calls import (
    CONSTRUCTOR,
    LAYOUTS,
    WORDS,
    Samples,
    Targets,
    fits,
    loss_in,
    output_limits,
)
from gradcheck.subjects.placement import fixed_widths
from gradcheck.subjects.protocol import Malformed
from gradcheck.subjects.whole_class import BACKWARD, COST, FORWARD, UPDATE, WHOLE, Method, ModelObject

NAME = whole_class.NAME
TEMPLATE = '''\
import numpy as np

class Network:
    def __init__(self, input_size, output_size):
        self.W1, self.b1 = np.ones((input_size, output_size)), np.zeros(output_size)

    def loss(self, X, y):
        """-> float, or (loss, grads). Optional where there is a forward: the cost is recognised."""
        return 0.5 * np.sum((self.forward(X) - y) ** 2)

    def forward(self, X):
        """-> outputs (m, n_L)."""
        return X @ self.W1 + self.b1

    def backward(self, X, y):
        """Stores self.dW1, self.db1, ... (or grads["W1"] ...), returns them, or updates with a learning rate."""
        error = self.forward(X) - y
        self.dW1, self.db1 = X.T @ error, error.sum(axis=0)
'''
CALL = 'net.forward(X); net.backward(X, y); gradients returned or stored: net.dW1, net.grads["W1"] ...'


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by a class that can be constructed, holds parameters, and on a small network gives their gradients."""
    adapters: dict[str, ModelObject] = {}
    near: list[str] = []
    for n, cls in own_classes(members).items():
        if not _plausible(cls):
            continue
        try:
            adapter = tried(cls, name)
        except SubjectError as refused:  # an optimiser
            adapter = refused.message
        if isinstance(adapter, ModelObject):
            adapters[n] = adapter
        else:
            near.append(f"{n}: {adapter}")
    if len(adapters) == 1:
        return Match(NAME, next(iter(adapters.values())), found=tuple(adapters))
    if adapters:
        return Match(NAME, None, ("one class, not several",), tuple(adapters), tuple(adapters))
    lines = tuple(near[:3]) or ("a class with forward(X) and backward(X, y), or loss(X, y) that returns gradients",)
    return Match(NAME, None, lines, tuple(line.partition(":")[0] for line in near[:3]))


def _plausible(cls: type) -> bool:
    """Whether it has a method that is called like a backward pass, in any spelling, and takes targets."""
    wanted = {n.replace("_", "").lower() for n in BACKWARD}
    methods = {n: f for n, f in inspect.getmembers(cls, inspect.isfunction) if n.replace("_", "").lower() in wanted}
    return any("Y" in bind(f, WORDS).takes for f in methods.values())


def tried(cls: type, name: str) -> ModelObject | str:
    """The adapter in the first way that gives gradients of all parameters, or why none does."""
    constructor = bind(cls, CONSTRUCTOR)
    if constructor.missing:
        return f"cannot tell what to hand over to its constructor as {', '.join(constructor.missing)}"
    reasons: dict[str, None] = {}
    second: ModelObject | None = None
    for adapter in _ways(cls, constructor, name):
        for samples, targets, outputs in _variants(adapter):
            way = replace(adapter, samples=samples, targets=targets, reader=Reader(), _places={}, _gradients={})
            way.outputs = (way.widths[-1],) * 2 if way.widths else output_limits(outputs, targets)
            for depth in _depths(way):
                good, runs = _layouts(way, depth, reasons)
                limits = (1, None) if constructor.takes & {"sizes", "hiddens"} and not way.widths else (depth, depth)
                if good:
                    return replace(way, layouts=tuple(good), depths=limits)
                if runs and second is None:
                    second = replace(way, layouts=tuple(runs), depths=limits)
    told = sorted(reasons, key=lambda reason: reason.startswith("it holds no array"))
    return second or next(iter(told), "no way was found to run it")


def _ways(cls: type, constructor: Binding, name: str) -> Iterator[ModelObject]:
    """The methods in the roles that they may play, the likeliest first."""
    widths: tuple[int, ...] | None = None
    if not constructor.takes & {"input", "sizes"}:
        try:
            with subject_code():
                widths = fixed_widths(
                    constructor({"hidden": 4, "labels": 2, "rate": 0.1, "l2": 0.0, "hiddens": [4], "dtype": np.float64})
                )
        except (SubjectError, Malformed, KeyError):
            return
    forwards = [_of_inputs(m) for m in _methods(cls, FORWARD)]
    forwards = [m for m in forwards if "X" in m.binding.takes and "Y" not in m.binding.takes]
    costs = [m for m in _methods(cls, COST) if "Y" in m.binding.takes]
    updates = [m for m in _methods(cls, UPDATE) if m.binding.takes <= {"rate", "samples"}]
    for gradient in _methods(cls, BACKWARD):
        if "Y" not in gradient.binding.takes:
            continue
        needs_forward = bool(gradient.binding.takes & {"AL", "cache", "result"}) or gradient.name not in WHOLE
        for forward in [*forwards, None]:
            for cost in [*costs, None]:
                needs = cost is not None and bool(cost.binding.takes & {"AL", "cache", "result"})
                if (needs_forward or needs) and forward is None and forwards:
                    continue
                yield ModelObject(cls, constructor, name, gradient, forward, cost, next(iter(updates), None), widths)


def _methods(cls: type, names: tuple[str, ...]) -> list[Method]:
    wanted = {n.replace("_", "").lower() if n != "__call__" else n: k for k, n in enumerate(reversed(names))}
    found = []
    for n, f in inspect.getmembers(cls, callable):
        plain = n if n == "__call__" else n.replace("_", "").lower()
        if (
            plain not in wanted
            or not (inspect.isfunction(f) or inspect.ismethod(f))
            or (n[:1] == "_" and n != "__call__")
        ):
            continue
        binding = bind(f, WORDS)
        if not binding.missing:
            found.append((-wanted[plain], Method(n, binding, tuple(returned_names(f)))))
    return [m for _, m in sorted(found, key=lambda pair: pair[0])]


def _of_inputs(method: Method) -> Method:
    """A forward pass that takes one thing, such as `feedforward(a)`, takes the inputs, whatever it calls them."""
    if len(method.binding.keywords) != 1 or method.binding.takes & {"X", "Y", "parameters", "rate"}:
        return method
    return replace(method, binding=replace(method.binding, keywords=dict.fromkeys(method.binding.keywords, "X")))


def _variants(adapter: ModelObject) -> Iterator[tuple[Samples, Targets, int]]:
    yield "batch", "one_hot", 2
    yield "batch", "labels", 2
    if not adapter.widths:
        yield "batch", "one_hot", 1
    yield "column", "one_hot", 2
    yield "vector", "one_hot", 2


def _depths(adapter: ModelObject) -> tuple[int, ...]:
    if adapter.widths:
        return (len(adapter.widths) - 1,)
    takes = adapter.constructor.takes
    return (2, 1, 3) if takes & {"sizes", "hiddens"} else (2,) if "hidden" in takes else (1, 2)


def _layouts(adapter: ModelObject, depth: int, reasons: dict[str, None]) -> tuple[list[Layout], list[Layout]]:
    good: list[Layout] = []
    runs: list[Layout] = []
    case = adapter.trial_case(depth)
    adapter.reading = ""
    for layout in LAYOUTS:
        try:
            with subject_code():
                _require_parts(adapter, case, layout)
                found = good if adapter.learn(depth, layout) else runs
                if adapter.reading.startswith("recovered"):
                    adapter.require_plain_descent(depth, layout)
                found.append(layout)
        except (SubjectError, Malformed) as error:
            if isinstance(error, SubjectError) and error.kind == "unrecognised":
                raise
            message = error.problem.message if isinstance(error, Malformed) else error.message
            reasons.setdefault(message)
    return good, runs


def _require_parts(adapter: ModelObject, case: Case, layout: Layout) -> None:
    """The output has the shape of outputs, and the cost is one number."""
    call = adapter.call(case, layout)
    a, t = next(adapter._each(call))
    net = adapter.prepared(case, layout)[0]
    values = adapter._values(net, call, a, t)
    if adapter.forward is not None and not fits(
        np.asarray(values["AL"]), case.architecture.widths[-1], values["samples"]
    ):
        raise Malformed("shape", "output", f"{adapter.forward.name} returned no array of outputs")
    if adapter.cost is not None:
        loss = loss_in(adapter.cost(net, values), adapter.cost.returned)
        if not is_number(loss) and np.size(loss) != 1:
            raise Malformed("type", "loss", f"{adapter.cost.name} returned no loss")
