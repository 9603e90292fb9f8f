"""Convention `training`: a class whose training method applies gradient descent and exposes no gradient.

    net = NeuralNetwork()            # sizes fixed in the file, or handed over
    net.train(X, y, 1)               # gradient = (weights before - weights after) / learning rate
    a = net.think(X)

The rate is an argument of the method, an attribute of the object, or one where the file names none; two rates must agree. It
declares no cost: the one that its output layer's gradient belongs to is recognised, up to its scale.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.networks import Point
from gradcheck.numerics import Array
from gradcheck.subjects.binding import bind
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.layer_trial import ETAS, RATES
from gradcheck.subjects.layout import (
    Layout,
    gradient_to_trusted,
    parameters_to_subject,
    samples_to_subject,
    subject_shapes,
)
from gradcheck.subjects.match import Match, own_classes
from gradcheck.subjects.model_calls import CONSTRUCTOR
from gradcheck.subjects.placement import fixed_widths, placed, widen
from gradcheck.subjects.protocol import Call, Malformed, Offer
from gradcheck.subjects.source import ACTIVATION_WORDS, mentioned
from gradcheck.subjects.spellings import Place, get, members_in
from gradcheck.subjects.trial import magnified, small_case
from gradcheck.subjects.updates import Step, require_plain, rounding_of_step

NAME = "training"
TEMPLATE = '''\
import numpy as np

class NeuralNetwork:
    def __init__(self):
        self.weights = np.ones((3, 1))

    def think(self, X):
        """-> outputs, one row a sample."""
        return 1 / (1 + np.exp(-X @ self.weights))

    def train(self, X, y, iterations):
        """Plain gradient descent; may take a learning rate."""
        for _ in range(iterations):
            a = self.think(X)
            self.weights += X.T @ ((y - a) * a * (1 - a))
'''
CALL = "net.train(X, y, 1); gradient = (weights before - weights after) / learning rate"
TRAIN = ("train", "fit", "learn", "train_step", "backprop", "backpropagation", "back_propagation", "gradient_descent")
OUTPUT = (
    "think",
    "predict",
    "forward",
    "feedforward",
    "feed_forward",
    "query",
    "output",
    "predict_proba",
    "forward_pass",
)
MEANINGS = {
    "X": ("X", "x", "inputs", "training_set_inputs", "training_inputs", "train_inputs", "X_train", "inputs_list", "data"),
    "y": ("y", "Y", "outputs", "targets", "training_set_outputs", "training_outputs", "train_outputs", "y_train",
          "targets_list", "labels", "target"),
    "one": ("number_of_training_iterations", "iterations", "epochs", "n_iter", "num_iterations", "n", "n_epochs",
            "num_epochs", "training_iterations", "iters", "niter", "epoch"),
    "rate": RATES,
}  # fmt: skip
LAYOUTS = (
    Layout("from_to", "rows", "none"),
    Layout("from_to", "rows", "row"),
    Layout("from_to", "rows", "vector"),
    Layout("to_from", "columns", "column"),
    Layout("to_from", "columns", "none"),
)


class Training:
    """Adapter around the class."""

    def __init__(self, network: type, train: str, output: str, name: str) -> None:
        self._class, self._train, self._output, self._name = network, train, output, name
        self._constructor = bind(network, CONSTRUCTOR)
        self._widths = None if self._constructor.takes & {"input", "sizes"} else fixed_widths(self.made((3, 4, 2)))

    @property
    def offer(self) -> Offer:
        """Everything is fixed by the file."""
        widths = self._widths
        depth = len(widths) - 1 if widths else 2
        deep = "sizes" in self._constructor.takes
        methods = [f for _, f in inspect.getmembers(self._class, inspect.isfunction)]
        return Offer(
            self._name,
            NAME,
            layouts=LAYOUTS,
            told_activations=False,
            told_cost=False,
            takes_l2=False,
            declares_cost=False,
            declares_output=True,
            depths=(1, None) if deep else (depth, depth),
            outputs=(widths[-1], widths[-1]) if widths else (1, None),
            activations=mentioned(methods, ACTIVATION_WORDS),
            widths=widths,
            notes=("gradients recovered from its update of the weights",),
        )

    def made(self, widths: Sequence[int]) -> Any:
        """A new network of these sizes, or of its own."""
        sizes = {"input": widths[0], "labels": widths[-1], "sizes": list(widths), "hiddens": list(widths[1:-1])}
        hidden = widths[min(1, len(widths) - 1)]
        net = self._constructor({**sizes, "hidden": hidden, "rate": ETAS[0], "l2": 0.0, "dtype": np.float64})
        widen(net)
        return net

    def call(self, point: Point, layout: Layout) -> Call:
        """The samples; the network is made anew for every evaluation, because training writes to it."""
        call = Call(point, layout, {})
        x, y = (samples_to_subject(a, layout, call.case.dtype) for a in (call.case.inputs, call.case.targets))
        call.arrays.update(X=x, y=y)
        return call

    def value(self, call: Call) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def output(self, call: Call) -> Array:
        """The outputs of the network."""
        net, _ = self._prepared(call)
        return np.asarray(getattr(net, self._output)(call.arrays["X"]))

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """The step divided by a finite rate, at which an error of the order of the rate (weights that are updated before the
        recursion uses them) stands out; the rounding of the weights is part of the claim's error."""
        step = self._step(call, ETAS[0])
        sizes = {n: float(np.max(np.abs(a), initial=0.0)) for n, a in call.case.parameters.items()}
        call.rest["error"] = rounding_of_step(step, sizes, call.case.dtype)
        return step.gradient

    def require_plain_descent(self) -> None:
        """Raise SubjectError where the update is that of an optimiser (seen in the first layout that runs), or none runs."""
        low = self.offer.depths[0]
        case = small_case(max(low, 2) if self._widths is None else low, 2, self._widths)

        def at(layout: Layout) -> None:
            def step(rate: float, repeat: int, factor: float) -> Step:
                return self._step(self.call(magnified(case, factor, labels=False), layout), rate, repeat)

            def fresh_after(displacement: Mapping[str, Array]) -> Step:
                moved = gradient_to_trusted(displacement, layout)
                there = case.at({n: a - moved.get(n, 0.0) for n, a in case.parameters.items()})
                return self._step(self.call(there, layout), ETAS[0])

            require_plain(step, fresh_after)

        failure: SubjectError | Malformed | None = None
        for layout in LAYOUTS:
            try:
                with subject_code():
                    at(layout)
                return
            except (SubjectError, Malformed) as error:
                if isinstance(error, SubjectError) and error.kind == "unrecognised":
                    raise
                failure = failure or error
        if failure is not None:
            raise failure

    def _step(self, call: Call, rate: float, repeat: int = 1) -> Step:
        net, places = self._prepared(call)
        method = bind(getattr(net, self._train), MEANINGS)
        attribute = next((n for n, v in members_in(net) if n.lower() in RATES and isinstance(v, (int, float))), None)
        if attribute is not None and "rate" not in method.takes:
            setattr(net, attribute, rate)
        before = {n: np.array(get(net, p)) for n, p in places.items()}
        for _ in range(1 if "one" in method.takes else repeat):
            method({**call.arrays, "one": repeat, "rate": rate})
        adjustable = attribute is not None or "rate" in method.takes
        moved = {n: before[n] - np.asarray(get(net, p)) for n, p in places.items()}
        return Step(moved, rate if adjustable else 1.0, adjustable)

    def _prepared(self, call: Call) -> tuple[Any, dict[str, Place]]:
        """A network that holds the case's parameters, and where they are."""
        net = self.made(call.case.architecture.widths)
        places = placed(net, subject_shapes(call.case.architecture, call.layout))
        weights, biases = parameters_to_subject(call.case, call.layout)
        values = {f"W{k}": w for k, w in enumerate(weights, 1)} | {f"b{k}": b for k, b in enumerate(biases or [], 1)}
        for name, place in places.items():
            np.copyto(get(net, place), values[name])
        return net, places


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by a class with a training method of known arguments and a method that gives the output."""
    adapters, missing = {}, []
    for n, c in own_classes(members).items():
        train, output = (next((m for m in names if callable(getattr(c, m, None))), None) for names in (TRAIN, OUTPUT))
        if not train or not output:
            continue
        lacks = _lacks(c, train)
        if lacks:
            missing.append(f"{n}: {lacks}")
            continue
        try:
            with subject_code():
                adapter = Training(c, train, output, name)
                adapter.require_plain_descent()
                adapters[n] = adapter
        except (SubjectError, Malformed) as error:
            missing.append(f"{n}: {error}")
    if len(adapters) == 1:
        return Match(NAME, next(iter(adapters.values())), found=tuple(adapters))
    lines = tuple(missing) or ("a class with train(X, y, iterations) and think(X)",)
    return Match(NAME, None, lines, tuple(adapters) or tuple(line.partition(":")[0] for line in missing))


def _lacks(cls: type, train: str) -> str:
    """What keeps its update from being read, in words; empty where nothing does."""
    method, constructor = bind(getattr(cls, train), MEANINGS), bind(cls, CONSTRUCTOR)
    if not {"X", "y"} <= method.takes or method.missing:
        return f"cannot tell what to hand over to {train} as {', '.join(method.missing) or 'X and y'}"
    if constructor.missing:
        return f"cannot tell what to hand over to its constructor as {', '.join(constructor.missing)}"
    return ""
