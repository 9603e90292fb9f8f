"""Convention `layer_object`: classes with forward and backward, one object a layer.

    y = L.forward(x); dx = L.backward(dy)            gradients stored: L.dW, L.grads["w"], L.W_grad …
    dx, [dW, db] = L.backward(dy)                    gradients returned beside dx
    dx = L.backward(dy, learning_rate)               the update is applied: gradient = (before − after) / rate

Recurrent cells take h (and c) after x. Each class is judged by differences of its own forward pass with a random
cotangent; the gradient of every input and parameter counts. Where layers stand in a network (`layer_chain`), each is judged
there, and the network as a whole.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.networks import Point
from gradcheck.numerics import Array
from gradcheck.subjects.cells import Cell, cells
from gradcheck.subjects.claims import PLAIN_FUNCTION
from gradcheck.subjects.layer_chain import chain_of
from gradcheck.subjects.layer_trial import ETAS, Trial, cost_methods_of, derivative_methods_of, methods_of, tried
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.match import Match, own_classes
from gradcheck.subjects.protocol import Call, Offer
from gradcheck.subjects.spellings import get

NAME = "layer_object"
TEMPLATE = '''\
import numpy as np

class Linear:
    def __init__(self, input_size, output_size):
        self.W, self.b = np.zeros((input_size, output_size)), np.zeros(output_size)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        """-> dx, and stores self.dW, self.db (or grads["W"], W_grad ...); or -> dx, [dW, db];
        or backward(self, dy, learning_rate) -> dx, and updates self.W and self.b."""
        self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.W.T
'''
CALL = "y = L.forward(x); dx = L.backward(dy); L.dW, L.db (or returned beside dx, or applied with a learning rate)"
_READINGS = {
    "stored": "gradients stored on the object",
    "returned": "gradients returned beside dx",
    "recorded": "gradients as handed to its optimizer",
    "update": "gradients recovered from its update at two learning rates",
}


class LayerObject:
    """Adapter around all classes of a file that could be run."""

    def __init__(
        self, trials: Mapping[str, Trial], skipped: tuple[str, ...], name: str, chain: tuple[str, ...] = ()
    ) -> None:
        self._trials, self._skipped, self._name, self._chain = trials, skipped, name, chain

    @property
    def offer(self) -> Offer:
        """One operation for each class."""
        return Offer(
            self._name,
            NAME,
            kind="operation",
            told_activations=False,
            told_cost=False,
            takes_l2=False,
            declares_cost=False,
            operations=tuple(self._trials),
            skipped=self._skipped,
            notes=tuple(f"{n}: {self._described(t)}" for n, t in self._trials.items()),
            chain=self._chain,
            operation_numbers={n: t.numbers for n, t in self._trials.items()},
            operation_draws={n: t.draws for n, t in self._trials.items() if t.draws},
            operation_shapes={n: t.shapes for n, t in self._trials.items()},
        )

    def call(self, point: Point, layout: Layout) -> Call:
        """An object that holds the parameters, its inputs and the cotangent."""
        call = Call(point, layout, {})
        trial, arguments = self._trial(call), call.operation.arguments
        layer = trial.fresh(arguments)
        given = {**call.operation.fixed, **arguments}
        call.arrays.update({n: np.array(given[n]) for n in trial.inputs})
        call.arrays["cotangent"] = np.array(call.operation.cotangent)
        if trial.reading != "update":
            call.arrays.update({n: get(layer, p) for n, p in trial.parameters.items()})
        call.rest["layer"] = layer
        return call

    def value(self, call: Call) -> Array:
        """The output of the forward pass."""
        trial = self._trial(call)
        return trial.run(self._layer(call), [call.arrays[n] for n in trial.inputs])

    def output(self, call: Call) -> Array:
        """The output of the forward pass."""
        return self.value(call)

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """Forward, then backward of the cotangent; an update is measured at two rates, which must agree."""
        trial = self._trial(call)
        call.hand_over("cotangent", cotangent)
        inputs = [call.arrays[n] for n in trial.inputs]
        first = trial.pull(self._layer(call), inputs, call.arrays["cotangent"])
        if trial.reading == "update":
            again = trial.pull(trial.fresh(call.operation.arguments), inputs, call.arrays["cotangent"], ETAS[1])
            _require_linear(first, again, call.operation.arguments, trial)
        return {n: _readable(g, call, n) for n, g in first.items()}

    def _trial(self, call: Call) -> Trial:
        return self._trials[call.operation.operation.removeprefix(PLAIN_FUNCTION)]

    def _layer(self, call: Call) -> Any:
        """The observed object for the first evaluation, a new one after that: gradients may accumulate on purpose."""
        if "layer" in call.rest:
            return call.rest.pop("layer")
        return self._trial(call).fresh(call.operation.arguments)

    def _described(self, trial: Trial) -> str:
        if isinstance(trial.template, Cell):
            roles = trial.template.roles
            return f"{roles.forward} and {roles.backward}; x is kept fixed, no gradient of it is given"
        single = len(trial.shapes) == 1 and trial.shapes[0]["x"] != (5, 4)
        what = _READINGS[trial.reading] if trial.parameters else "no parameters"
        what = f"{trial.backward} is its derivative, times the upstream gradient" if trial.derivative else what
        first = "; no gradient of x is given, and none is asked for" * (trial.draws.get("x") == "real")
        return what + "; one sample a call" * single + first


def _readable(g: Any, call: Call, name: str) -> Any:
    """A gradient as it came, except what is customary and harmless in a chain of layers: dx may be dy itself or a view of
    it, and (n,) stands for (1, n), to which it broadcasts without another meaning."""
    shape = call.operation.arguments[name].shape
    if not isinstance(g, np.ndarray):
        return g
    if np.shares_memory(g, call.arrays["cotangent"]):
        g = g.copy()
    if (
        g.shape != shape
        and g.size == np.prod(shape)
        and g.ndim < len(shape)
        and shape[len(shape) - g.ndim :] == g.shape
    ):
        return g.reshape(shape)
    line = len(shape) == 1 and g.ndim == 2 and g.size == shape[0] and 1 in g.shape  # one sample, as a row or a column
    return g.reshape(shape) if line else g


def _require_linear(first: Mapping[str, Any], again: Mapping[str, Any], at: Mapping[str, Array], trial: Trial) -> None:
    """Plain gradient descent moves in proportion to its rate; momentum, Adam, clipping or a schedule may not."""
    for n in trial.parameters:
        size = float(np.max(np.abs(at[n]), initial=0.0)) + float(np.max(np.abs(first[n]), initial=0.0))
        if not np.allclose(first[n], again[n], rtol=1e-9, atol=1e-13 * size / ETAS[1]):
            msg = (
                f"the update of {n} is not in proportion to {trial.rate}: it is no plain gradient descent (momentum, Adam, "
                "clipping or a schedule), and no gradient can be read from it"
            )
            raise SubjectError("unrecognised", msg)


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by a class with forward and backward that can be run on small sizes."""
    known = (methods_of, cost_methods_of, derivative_methods_of)
    classes = {n: c for n, c in own_classes(members).items() if any(methods(c) for methods in known)}
    chain = chain_of(members)
    trials: dict[str, Trial] = dict(chain.trials) if chain else {}
    skipped = list(chain.skipped) if chain else []
    chained = chain.classes if chain else frozenset()
    for n, c in classes.items():
        if c in chained:
            continue
        found, why = tried(n, c)
        trials.update(found)
        if not found:
            skipped.append(f"{n}: {why}")
    for n, trial in cells(members):
        if isinstance(trial, Trial):
            trials[n] = trial
        else:
            skipped.append(f"{n}: {trial}")
    if trials:
        adapter = LayerObject(trials, tuple(skipped), name, chain.order if chain else ())
        return Match(NAME, adapter, found=tuple(trials), weak=all(t.derivative for t in trials.values()))
    return Match(NAME, None, tuple(skipped) or ("a class with forward(x) and backward(dy)",), tuple(classes))
