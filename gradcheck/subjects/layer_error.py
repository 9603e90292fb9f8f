"""Convention `layer_error`: one sample a call, as a vector (n,); activations and loss handed over by name.

    def loss(W, b, x, y, sigma, lam): ...      # -> float
    def backprop(W, b, x, y, sigma, lam): ...  # -> (dW, db)

W[l] (to, from), b[l] (to,). The adapter adds up over the samples of a case.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gradcheck.networks import Point
from gradcheck.numerics import Array
from gradcheck.subjects.functional import read_pair
from gradcheck.subjects.layout import Layout, parameters_to_subject
from gradcheck.subjects.match import Match, function_member
from gradcheck.subjects.protocol import Call, Offer, scalar
from gradcheck.subjects.samples import add_up, columns

NAME = "layer_error"
TEMPLATE = '''\
def loss(W, b, x, y, sigma, lam):
    """-> float, of one sample. Lists per layer: W (to, from), b (to,); x (n_0,), y (n_L,).
    sigma: one configured activation a layer, such as "tanh"; lam: the configured cost, such as "mse"."""

def backprop(W, b, x, y, sigma, lam):
    """-> (dW, db), lists in the shapes of W and b."""
'''
CALL = "backprop(W, b, x, y, sigma, lam) -> (dW, db), one vector a call"
SCRIPT = """\
def cost(subject, W, b, x, y):
    one = lambda s: subject.loss(W, b, x[:, s].copy(), y[:, s].copy(), ACTIVATIONS, COST)
    return sum(float(np.squeeze(one(s))) for s in range(x.shape[1]))

def gradient(subject, W, b, x, y):
    one = lambda s: subject.backprop(W, b, x[:, s].copy(), y[:, s].copy(), ACTIVATIONS, COST)
    samples = [copy.deepcopy([*r[0], *r[1]]) for r in map(one, range(x.shape[1]))]
    return [sum(tensor) for tensor in zip(*samples)]
"""
PARAMETERS = ("W", "b", "x", "y", "sigma", "lam")
LAYOUT = Layout("to_from", "columns", "vector")


class LayerError:
    """Adapter around the two functions."""

    def __init__(self, loss: Callable[..., Any], backprop: Callable[..., Any], name: str) -> None:
        self._loss, self._backprop, self._name = loss, backprop, name

    @property
    def offer(self) -> Offer:
        """Told activations and cost, no L2."""
        return Offer(self._name, NAME, layouts=(LAYOUT,), takes_l2=False, batch=False, scripts={"": SCRIPT})

    def call(self, point: Point, layout: Layout) -> Call:
        """W, b, and the samples as lists of vectors x and y."""
        call = Call(point, layout, {})
        case = call.case
        weights, biases = parameters_to_subject(case, layout)
        x, y = (columns(a, case.dtype, vector=True) for a in (case.inputs, case.targets))
        call.arrays.update(W=weights, b=biases, x=x, y=y)
        return call

    def value(self, call: Call) -> Array:
        """The losses of the samples, added up."""
        losses = [scalar(self._run(self._loss, call, s)) for s in range(call.case.samples)]
        return np.asarray(sum(losses), dtype=np.float64)

    def output(self, call: Call) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """dW and db, added up over the samples."""
        return add_up(lambda s: read_pair(self._run(self._backprop, call, s), call), call.case.samples)

    def _run(self, function: Callable[..., Any], call: Call, s: int) -> Any:
        a, network = call.arrays, call.case.architecture
        return function(a["W"], a["b"], a["x"][s], a["y"][s], list(network.activation_names), network.cost.name)


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by ``loss`` and ``backprop`` with exactly these parameters."""
    missing: list[str] = []
    loss = function_member(members, "loss", PARAMETERS, missing)
    backprop = function_member(members, "backprop", PARAMETERS, missing)
    adapter = LayerError(loss, backprop, name) if loss and backprop else None
    return Match(NAME, adapter, tuple(missing), tuple(n for n in ("loss", "backprop") if n in members))
