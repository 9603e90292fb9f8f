"""Convention `flat_theta`: all parameters in one vector (the style of Octave's fmincg and of scipy.optimize).

    J, grad = f(theta, input_layer_size, hidden_layer_size, num_labels, X, y, lambda_)

or a cost and a gradient function apart, or a class with getParams, setParams, a cost and its gradients. Arguments are
recognised by their names; ``layer_sizes`` stands for networks of any depth. How theta is unrolled (with the bias unit's
column or apart, C or Fortran order, layer by layer or weights first) is left to be told apart by experiment.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from gradcheck.networks import Architecture, Point
from gradcheck.numerics import Array
from gradcheck.subjects.flat_calls import FlatCalls, search
from gradcheck.subjects.layout import (
    Bias,
    Grouping,
    Layout,
    Order,
    Samples,
    Weights,
    parameters_to_subject,
    samples_to_subject,
    subject_shapes,
)
from gradcheck.subjects.match import Match
from gradcheck.subjects.protocol import Call, Malformed, Offer, scalar
from gradcheck.subjects.source import ACTIVATION_WORDS, COST_WORDS, mentioned

NAME = "flat_theta"
TEMPLATE = '''\
def cost_and_gradient(theta, input_size, hidden_size, num_labels, X, y, lambda_):
    """-> (J, grad), grad (P,) like theta: each layer's (to, from + 1) matrix, biases in the first column, unrolled.
    X (m, n_0), y (m, n_L), samples in rows; y one-hot."""

def cost_and_gradient_of_any_depth(theta, layer_sizes, X, y, lambda_):
    """-> (J, grad); layer_sizes: [n_0, n_1, ..., n_L]."""
'''
CALL = "J, grad = f(theta, input_size, hidden_size, num_labels, X, y, lambda_), samples in rows"
_PARAMETERS: tuple[tuple[Weights, Bias, Grouping], ...] = (
    ("to_from", "first_column", "layers"),
    ("to_from", "column", "layers"),
    ("from_to", "vector", "layers"),
    ("from_to", "first_row", "layers"),
    ("to_from", "column", "weights_first"),
    ("from_to", "vector", "weights_first"),
    ("from_to", "none", "layers"),
    ("to_from", "none", "layers"),
)
_ORDERS: tuple[Order, ...] = ("C", "F")
_SAMPLES: tuple[Samples, ...] = ("rows", "columns")
LAYOUTS = tuple(
    Layout(weights, samples, bias, order, grouping)
    for order, samples, (weights, bias, grouping) in product(_ORDERS, _SAMPLES, _PARAMETERS)
)
"""Fortran order comes last: it unrolls a matrix just as C order unrolls its transpose, so that the first half is
complete; the second half is for users who say ``weights = "to_from"`` of a file in the style of Octave."""


class FlatTheta:
    """Adapter around the functions or the class."""

    def __init__(self, calls: FlatCalls, name: str) -> None:
        self._calls, self._name = calls, name

    @property
    def offer(self) -> Offer:
        """Fixed activations and cost; two layers unless it takes the list of sizes."""
        calls = self._calls
        return Offer(
            self._name,
            NAME,
            layouts=LAYOUTS,
            told_activations=False,
            told_cost=False,
            takes_l2="l2" in calls.takes,
            depths=(1, None) if calls.takes & {"sizes", "hiddens"} else (2, 2),
            activations=mentioned(calls.functions, ACTIVATION_WORDS),
            costs=mentioned(calls.functions, COST_WORDS),
            outputs=calls.outputs,
            scripts={"": calls.script} if calls.script else {},
        )

    def call(self, point: Point, layout: Layout) -> Call:
        """theta, X, y."""
        call = Call(point, layout, {})
        case = call.case
        x, y = (samples_to_subject(a, layout, case.dtype) for a in (case.inputs, case.targets))
        call.arrays.update(theta=unroll(*parameters_to_subject(case, layout), layout), X=x, y=y)
        return call

    def value(self, call: Call) -> Array:
        """J."""
        return scalar(self._calls.cost(values_of(call)))

    def output(self, call: Call) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """The entries of grad for each parameter, views into it."""
        grad = self._calls.gradient(values_of(call))
        return split(read_grad(grad, call.arrays["theta"].size), call.case.architecture, call.layout)


def values_of(call: Call) -> dict[str, Any]:
    """Everything that a function may ask for."""
    network = call.case.architecture
    widths = list(network.widths)
    sizes = {"input": widths[0], "labels": widths[-1], "sizes": widths, "hiddens": widths[1:-1]}
    hidden = {"hidden": widths[1]} if len(widths) > 2 else {}
    return {**call.arrays, **sizes, **hidden, "l2": network.regularisation.strength}


def unroll(weights: list[Array], biases: list[Array] | None, layout: Layout) -> Array:
    """All parameters as one vector."""
    if biases is None:
        pieces = weights
    elif layout.grouping == "weights_first":
        pieces = [*weights, *biases]
    else:
        pieces = [a for pair in zip(weights, biases, strict=True) for a in pair]
    return np.concatenate([a.ravel(order=layout.order) for a in pieces])


def split(theta: Array, architecture: Architecture, layout: Layout) -> dict[str, Array]:
    """The inverse of `unroll`, by name, in the subject's layout."""
    shapes = subject_shapes(architecture, layout)
    names = sorted(shapes, key=lambda n: n[0] != "W") if layout.grouping == "weights_first" else list(shapes)
    ends = np.cumsum([int(np.prod(shapes[n])) for n in names])
    pieces = np.split(theta, ends[:-1])
    return {n: piece.reshape(shapes[n], order=layout.order) for n, piece in zip(names, pieces, strict=True)}


def read_grad(grad: Any, size: int) -> Array:
    """grad as a vector (P,), also from one row or column of P components. Raises Malformed for anything else."""
    try:
        array = np.asarray(grad)
    except ValueError as error:
        raise Malformed("type", "grad", f"grad is no array of numbers: {error}") from None
    if array.dtype.kind not in "fiub":
        raise Malformed("type", "grad", f"grad must be real numbers; got {type(grad).__name__} of dtype {array.dtype}")
    if array.size != size or array.ndim > 2 or (array.ndim == 2 and 1 not in array.shape):
        msg = f"grad has shape {array.shape}; expected ({size},), the shape of theta"
        raise Malformed("shape", "grad", msg)
    return array.reshape(size)


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by a function (or two, or a class) whose arguments are theta, layer sizes, X and y."""
    found = search(members)
    if found.calls is None:
        return Match(NAME, None, found.missing, found.found, found.candidates)
    return Match(NAME, FlatTheta(found.calls, name), found=found.calls.found)
