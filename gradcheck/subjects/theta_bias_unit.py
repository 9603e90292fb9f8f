"""Convention `theta_bias_unit`: a batch in rows, biases in the first column of each matrix, one activation for all.

    def E(theta, X, Y, g): ...         # -> float
    def gradient(theta, X, Y, g): ...  # -> list in the shapes of theta

theta[k] (to, from + 1). The activation is handed over by name, the file fixes the cost.
"""

from collections.abc import Callable, Mapping
from typing import Any

from gradcheck.networks import Point
from gradcheck.numerics import Array
from gradcheck.subjects.functional import named_list
from gradcheck.subjects.layout import Layout, parameters_to_subject, samples_to_subject
from gradcheck.subjects.match import Match, function_member
from gradcheck.subjects.protocol import Call, Offer, scalar

NAME = "theta_bias_unit"
TEMPLATE = '''\
def E(theta, X, Y, g):
    """-> float. theta: list of (to, from + 1), the biases in the first column; X (m, n_0), Y (m, n_L), samples in rows.
    g: one configured activation for all layers, such as "tanh"."""

def gradient(theta, X, Y, g):
    """-> list in the shapes of theta."""
'''
CALL = "gradient(theta, X, Y, g) -> list of (to, from + 1), samples in rows"
SCRIPT = """\
def cost(subject, W, b, x, y):
    return subject.E(W, x, y, ACTIVATIONS[0])

def gradient(subject, W, b, x, y):
    return subject.gradient(W, x, y, ACTIVATIONS[0])
"""
PARAMETERS = ("theta", "X", "Y", "g")
LAYOUT = Layout("to_from", "rows", "first_column")


class ThetaBiasUnit:
    """Adapter around the two functions."""

    def __init__(self, cost: Callable[..., Any], gradient: Callable[..., Any], name: str) -> None:
        self._cost, self._gradient, self._name = cost, gradient, name

    @property
    def offer(self) -> Offer:
        """Told one activation; the cost is the file's own."""
        return Offer(
            self._name,
            NAME,
            layouts=(LAYOUT,),
            told_cost=False,
            takes_l2=False,
            one_activation=True,
            costs=("mse",),
            scripts={"": SCRIPT},
        )

    def call(self, point: Point, layout: Layout) -> Call:
        """theta, X, Y."""
        call = Call(point, layout, {})
        case = call.case
        theta, _ = parameters_to_subject(case, layout)
        x, y = (samples_to_subject(a, layout, case.dtype) for a in (case.inputs, case.targets))
        call.arrays.update(theta=theta, X=x, Y=y)
        return call

    def value(self, call: Call) -> Array:
        """E."""
        return scalar(self._run(self._cost, call))

    def output(self, call: Call) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """The gradients by theta, biases folded in."""
        return named_list("W", self._run(self._gradient, call), call.case.architecture.depth)

    def _run(self, function: Callable[..., Any], call: Call) -> Any:
        a = call.arrays
        return function(a["theta"], a["X"], a["Y"], call.case.architecture.activation_names[0])


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by ``E`` and ``gradient`` with exactly these parameters."""
    missing: list[str] = []
    cost = function_member(members, "E", PARAMETERS, missing)
    gradient = function_member(members, "gradient", PARAMETERS, missing)
    adapter = ThetaBiasUnit(cost, gradient, name) if cost and gradient else None
    return Match(NAME, adapter, tuple(missing), tuple(n for n in ("E", "gradient") if n in members))
