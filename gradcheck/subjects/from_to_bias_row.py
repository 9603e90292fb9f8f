"""Convention `from_to_bias_row`: weights (from + 1, to) with the biases in row 0; nothing is handed over by name.

    def C(w, x, y): ...              # -> float, of one training pair
    def gradient(w, x, y): ...       # -> list in the shapes of w
    def MSE(w, xs, ys): ...          # -> float, pairs in rows
    def MSE_gradient(w, xs, ys): ... # -> list in the shapes of w

One of the two pairs is enough. Where both are there, the first is used for one sample and the second for more; where
the second is missing, the first is added up over the samples.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.networks import Point
from gradcheck.numerics import Array
from gradcheck.subjects.functional import named_list
from gradcheck.subjects.layout import Layout, parameters_to_subject, samples_to_subject
from gradcheck.subjects.match import Match, function_member
from gradcheck.subjects.protocol import Call, Offer, scalar
from gradcheck.subjects.samples import add_up, columns

NAME = "from_to_bias_row"
TEMPLATE = '''\
def MSE(w, xs, ys):
    """-> float. w: list of (from + 1, to), the biases in row 0; xs (m, n_0), ys (m, n_L), pairs in rows."""

def MSE_gradient(w, xs, ys):
    """-> list in the shapes of w. For a single pair likewise, or instead: C(w, x, y) and gradient(w, x, y)."""
'''
CALL = "MSE_gradient(w, xs, ys) -> list of (from + 1, to), samples in rows; gradient(w, x, y) for one pair"
BATCH = """\
def cost(subject, W, b, x, y):
    return subject.MSE(W, x, y)

def gradient(subject, W, b, x, y):
    return subject.MSE_gradient(W, x, y)
"""
SINGLE = """\
def cost(subject, W, b, x, y):
    return sum(float(np.squeeze(subject.C(W, *pair))) for pair in zip(x, y))

def gradient(subject, W, b, x, y):
    samples = [copy.deepcopy(list(subject.gradient(W, *pair))) for pair in zip(x, y)]
    return [sum(tensor) for tensor in zip(*samples)]
"""
BOTH = """\
def cost(subject, W, b, x, y):
    return subject.MSE(W, x, y) if len(x) > 1 else subject.C(W, x[0], y[0])

def gradient(subject, W, b, x, y):
    return subject.MSE_gradient(W, x, y) if len(x) > 1 else subject.gradient(W, x[0], y[0])
"""
LAYOUT = Layout("from_to", "rows", "first_row")


@dataclass(frozen=True, slots=True)
class Pair:
    """A cost and its gradient."""

    cost: Callable[..., Any]
    gradient: Callable[..., Any]


class FromToBiasRow:
    """Adapter around one or both pairs of functions."""

    def __init__(self, single: Pair | None, batch: Pair | None, name: str) -> None:
        self._single, self._batch, self._name = single, batch, name

    @property
    def offer(self) -> Offer:
        """Everything is fixed by the file."""
        return Offer(
            self._name,
            NAME,
            layouts=(LAYOUT,),
            told_activations=False,
            told_cost=False,
            takes_l2=False,
            batch=self._batch is not None,
            activations=("sigmoid",),
            costs=("mse",),
            scripts={"": BOTH if self._batch and self._single else BATCH if self._batch else SINGLE},
        )

    def call(self, point: Point, layout: Layout) -> Call:
        """w, and xs and ys in rows, or x and y as lists of vectors where the single pair is used."""
        call = Call(point, layout, {})
        case = call.case
        w, _ = parameters_to_subject(case, layout)
        if self._in_batch(call):
            x, y = (samples_to_subject(a, layout, case.dtype) for a in (case.inputs, case.targets))
            call.arrays.update(w=w, xs=x, ys=y)
        else:
            vectors = [columns(a, case.dtype, vector=True) for a in (case.inputs, case.targets)]
            call.arrays.update(w=w, x=vectors[0], y=vectors[1])
        return call

    def value(self, call: Call) -> Array:
        """MSE of the batch, or C added up over its pairs."""
        a = call.arrays
        if self._batch and self._in_batch(call):
            return scalar(self._batch.cost(a["w"], a["xs"], a["ys"]))
        assert self._single, "match needs one of the two pairs"
        pairs = zip(a["x"], a["y"], strict=True)
        return np.asarray(sum(scalar(self._single.cost(a["w"], x, y)) for x, y in pairs), dtype=np.float64)

    def output(self, call: Call) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """The gradients by w, biases folded in."""
        a, depth = call.arrays, call.case.architecture.depth
        if self._batch and self._in_batch(call):
            return named_list("W", self._batch.gradient(a["w"], a["xs"], a["ys"]), depth)
        assert self._single, "match needs one of the two pairs"
        one = self._single.gradient
        return add_up(lambda s: named_list("W", one(a["w"], a["x"][s], a["y"][s]), depth), call.case.samples)

    def _in_batch(self, call: Call) -> bool:
        return self._batch is not None and (self._single is None or call.case.samples > 1)


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by ``C`` and ``gradient`` (w, x, y), or ``MSE`` and ``MSE_gradient`` (w, xs, ys), or both."""
    no_single: list[str] = []
    no_batch: list[str] = []
    single = _pair(members, ("C", "gradient"), ("w", "x", "y"), no_single)
    batch = _pair(members, ("MSE", "MSE_gradient"), ("w", "xs", "ys"), no_batch)
    found = tuple(n for n in ("C", "gradient", "MSE", "MSE_gradient") if n in members)
    if single or batch:
        return Match(NAME, FromToBiasRow(single, batch, name), found=found)
    return Match(NAME, None, tuple(no_single if len(no_single) <= len(no_batch) else no_batch), found)


def _pair(
    members: Mapping[str, Any], names: tuple[str, str], parameters: tuple[str, ...], missing: list[str]
) -> Pair | None:
    cost, gradient = (function_member(members, n, parameters, missing) for n in names)
    return Pair(cost, gradient) if cost and gradient else None
