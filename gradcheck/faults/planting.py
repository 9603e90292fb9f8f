"""Plant a fault in the trusted network: a subject that is wrong in a known way, for the self-test and for tests.

The subject speaks the trusted layout and reads everything else (activations, cost, scale, λ) off the case it is handed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gradcheck.faults.backprop import backprop
from gradcheck.faults.fault import Fault, Planting, plant
from gradcheck.faults.matching import Claims, synthesise
from gradcheck.faults.state import Memory, StateFault
from gradcheck.networks import Case, Point, cost, forward
from gradcheck.numerics import Array, Arrays
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.local import LocalSubject
from gradcheck.subjects.protocol import Call, Offer

NAME = "planted"


class Planted:
    """Adapter around the trusted network; `backward` is its wrong backward pass."""

    def __init__(self, backward: Callable[[Case, dict[str, Array]], Mapping[str, Any]]) -> None:
        self._backward = backward

    @property
    def offer(self) -> Offer:
        """Everything, in the trusted layout."""
        return Offer(NAME, NAME, layouts=(Layout(),), declares_output=True)

    def call(self, point: Point, layout: Layout) -> Call:
        """Fresh copies of the parameters, the inputs and the targets."""
        call = Call(point, layout, {})
        case = call.case
        call.arrays.update({n: np.array(a) for n, a in case.parameters.items()})
        call.arrays.update(x=np.array(case.inputs), y=np.array(case.targets))
        return call

    def value(self, call: Call) -> Array:
        """The trusted cost."""
        return np.asarray(cost(case_of(call.case, call.arrays)))

    def output(self, call: Call) -> Array:
        """The trusted output."""
        return forward(case_of(call.case, call.arrays))[1][-1]

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """The wrong gradient."""
        return self._backward(call.case, call.arrays)


def case_of(case: Case, arrays: Mapping[str, Array]) -> Case:
    """The case with the arrays that were handed over."""
    return Case(case.architecture, {n: arrays[n] for n in case.parameters}, arrays["x"], arrays["y"])


def planted(fault: Fault, layer: int | None = None) -> LocalSubject:
    """A subject with one fault, at one layer or (None) wherever it can stand."""

    def backward(case: Case, arrays: dict[str, Array]) -> Mapping[str, Any]:
        return backprop(case_of(case, arrays), plant((Planting(fault, layer),), case.architecture))

    return LocalSubject(Planted(backward))


def planted_state(fault: StateFault) -> LocalSubject:
    """A subject with a mistake of state."""
    memory = Memory()

    def backward(case: Case, arrays: dict[str, Array]) -> Mapping[str, Any]:
        return fault.behaviour(memory, arrays, lambda given: backprop(case_of(case, given)))

    return LocalSubject(Planted(backward))


def claims_of(plantings: Sequence[Planting]) -> Claims:
    """The claims of the trusted network with faults in it; None where it crashes or gives another shape."""

    def claims(case: Case) -> Arrays | None:
        return synthesise(case, plantings)

    return claims
