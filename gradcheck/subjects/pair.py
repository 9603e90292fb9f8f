"""A (primal, pullback) pair of plain functions as a subject: positional arrays in, one cotangent for each out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gradcheck.networks import Point
from gradcheck.numerics import Array
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Call, Malformed, Offer

NAME = "vjp"


class Pair:
    """Adapter: primal(*arrays) and pullback(cotangent, *arrays)."""

    def __init__(
        self, primal: Callable[..., Any], pullback: Callable[..., Any], names: Sequence[str], name: str
    ) -> None:
        self._primal, self._pullback, self._names, self._name = primal, pullback, list(names), name

    @property
    def offer(self) -> Offer:
        """One operation: the function itself."""
        return Offer(self._name, NAME, kind="operation", operations=(self._name,))

    def call(self, point: Point, layout: Layout) -> Call:
        """Fresh copies of all arguments, and of the cotangent."""
        call = Call(point, layout, {})
        call.arrays.update({n: np.array(a) for n, a in call.operation.arguments.items()})
        call.arrays["cotangent"] = np.array(call.operation.cotangent)
        return call

    def value(self, call: Call) -> Array:
        """The primal."""
        return np.asarray(self._primal(*(call.arrays[n] for n in self._names)))

    def output(self, call: Call) -> Array:
        """The primal."""
        return self.value(call)

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """The pullback's cotangents by argument name."""
        call.arrays["cotangent"][...] = cotangent
        result = self._pullback(call.arrays["cotangent"], *(call.arrays[n] for n in self._names))
        several = list(result) if isinstance(result, (tuple, list)) else [result]
        if len(several) != len(self._names):
            msg = f"expected {len(self._names)} cotangents, one an argument; the pullback returned {len(several)}"
            raise Malformed("count", "cotangents", msg)
        return dict(zip(self._names, several, strict=True))
