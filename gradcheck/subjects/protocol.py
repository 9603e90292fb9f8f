"""What a subject is: the `Subject` protocol that the checks use, the `Adapter` protocol that each convention fills.

An adapter translates between a case and one calling convention; it never judges. Subjects run wherever the caller
wants: `LocalSubject` in this process, the isolation package in a child process; the checks see no difference.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from gradcheck.networks import Case, OperationCase, Point
from gradcheck.numerics import Array, Arrays
from gradcheck.subjects.layout import Layout

ProblemKind = Literal["missing", "count", "type", "shape", "dtype"]


@dataclass(frozen=True, slots=True)
class Offer:
    """What a subject can be asked, found from its source and signature; plain JSON types, it crosses processes.

    kind: a whole network with a scalar cost, or single operations (layers) with a pullback.
    layouts: candidates that remain to be told apart by experiment, the likeliest first.
    told_activations, told_cost, takes_l2: whether the call hands these over by name and value, or the file fixes them.
    one_activation: the same activation in every layer.
    declares_cost, declares_output: whether cost values and output activations can be asked for.
    input_gradient: whether the gradient with respect to the input x is returned too.
    depths: smallest and largest L it accepts; None where there is no limit.
    batch: False when it takes one sample a call (the adapter then adds up over samples).
    activations, costs: the names its source mentions, where that is known; they order the search, no more.
    operations: for kind "operation", the layers it offers. skipped: what else was found there, each with the reason.
    cost_derivative: whether ∂C/∂a can be asked for (`Subject.cost_derivative`), where the cost itself is not declared.
    outputs: smallest and largest number of output units it accepts; None where there is no limit.
    operation_fixed: for an operation with a parameter, what `OperationCase.fixed` must hold, such as
        {"leaky_relu": {"activation": "leaky_relu(0.01)"}}.
    widths: (n_0, …, n_L) where the file fixes the sizes: it is checked at those.
    notes: what the reader of a report should know of how the subject was loaded and read.
    operation_shapes: for operations without a trusted definition, the shapes that their arguments may have together, and
        under "" that of the output; they are judged by differences of their own forward pass.
    chain: operations that are the layers of one network, the last layer first, and at the end the network as a whole.
    candidates: for an operation that may be any of several layers, the layers that its signature fits, the likeliest first,
        each with what the forward pass takes: {"conv": {"conv2d": ["b", "pad", "stride", "w", "x"]}}.
    operation_numbers: for layer objects, numbers that occur in the object or in its source, such as its epsilon.
    operation_draws: how arguments of an operation are drawn that are not Gaussian or not differentiated, by name:
        {"Embedding": {"x": "integers 6"}}; see `campaign.layer_objects.constant`.
    labels: whether it takes the class of each sample as its target, so that targets must be one-hot.
    positive: operations whose arguments must be positive, such as a logarithm.
    scripts: how a stand-alone script calls the subject, by operation ("" for a network): Python text that defines
        gradient(subject, …) and cost(subject, …), or output(subject, W, b, x) without a cost, of the arrays in its
        layout: W, b, x, y (theta, x, y in one vector; the operation's arguments and dout). It may use ACTIVATIONS, COST,
        L2, SIZES and SAMPLES.
    """

    name: str
    convention: str
    kind: Literal["network", "operation"] = "network"
    layouts: tuple[Layout, ...] = (Layout(),)
    told_activations: bool = True
    told_cost: bool = True
    takes_l2: bool = True
    one_activation: bool = False
    declares_cost: bool = True
    declares_output: bool = False
    input_gradient: bool = False
    depths: tuple[int, int | None] = (1, None)
    batch: bool = True
    activations: tuple[str, ...] | None = None
    costs: tuple[str, ...] | None = None
    operations: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    parameters_names: Mapping[str, str] = field(default_factory=dict)
    cost_derivative: bool = False
    outputs: tuple[int, int | None] = (1, None)
    operation_fixed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    widths: tuple[int, ...] | None = None
    operation_shapes: Mapping[str, tuple[Mapping[str, tuple[int, ...]], ...]] = field(default_factory=dict)
    operation_numbers: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    operation_draws: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    chain: tuple[str, ...] = ()
    candidates: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    labels: bool = False
    positive: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """The structure of a claim is broken: `kind` is missing, count, type, shape or dtype; `parameter` says where."""

    kind: ProblemKind
    parameter: str
    message: str


class Malformed(Exception):
    """What was returned has not the form of its convention at all: raised by adapters, a problem of the claim."""

    def __init__(
        self, kind: Literal["missing", "count", "type", "shape", "dtype"], parameter: str, message: str
    ) -> None:
        super().__init__(message)
        self.problem = Problem(kind, parameter, message)


@dataclass(frozen=True, slots=True)
class Effect:
    """A broken promise about state: `kind` says which, `what` names the array or call, in words."""

    kind: Literal["mutation", "aliasing", "nondeterminism", "stale_state", "accumulation", "memory_order"]
    what: str


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """The derivative the subject returned, in the trusted layout and float64, and what is wrong with its form.

    gradient holds only what could be read; `dtypes` are the dtypes it came in. error: what reading the gradient adds to its
    error, component by component, where it was not returned but recovered from an update.
    """

    gradient: Arrays
    problems: tuple[Problem, ...] = ()
    dtypes: Mapping[str, str] = field(default_factory=dict)
    error: Arrays = field(default_factory=dict)


Pullback = Callable[[Array], Claim]


class Subject(Protocol):
    """The code under test. Every method may raise SubjectError with the reason (crash, time limit, exception …)."""

    @property
    def offer(self) -> Offer:
        """What it can be asked."""
        ...

    def forward(self, points: Sequence[Point], layout: Layout) -> list[Array]:
        """Primal values, one a point: the cost () of a network, the output array of an operation."""
        ...

    def output(self, case: Case, layout: Layout) -> Array:
        """The output activations a_L (n_L, m) of a network, where `offer.declares_output`."""
        ...

    def cost_derivative(self, case: Case, a: Array, y: Array, layout: Layout) -> Array:
        """The subject's ∂C/∂a for outputs a and targets y, all (n_L, m), where `offer.cost_derivative`."""
        ...

    def vjp(self, point: Point, layout: Layout) -> tuple[Array | None, Pullback]:
        """Primal value (None where no cost is declared) and the pullback, cotangent -> claim."""
        ...

    def effects(self, point: Point, other: Point, layout: Layout) -> list[Effect]:
        """Mutated arguments, aliased results, calls that differ when repeated or after another point."""
        ...


class Adapter(Protocol):
    """One calling convention around one loaded file; every method works on the form the subject itself uses.

    A `call` is a fresh set of arguments in the subject's layout (deep copies, writable, C order): what is handed over
    by name, so that mutation and aliasing can be observed afterwards. An adapter that keeps the subject's object
    (Nielsen) puts its arrays there too.
    """

    @property
    def offer(self) -> Offer:
        """What the subject can be asked."""
        ...

    def call(self, point: Point, layout: Layout) -> "Call":
        """Fresh arguments for one evaluation."""
        ...

    def value(self, call: "Call") -> Array:
        """Run the forward pass: the scalar cost (shape ()) or the operation's output."""
        ...

    def output(self, call: "Call") -> Array:
        """The output activations in the subject's own layout."""
        ...

    def cost_derivative(self, call: "Call", a: Array, y: Array) -> Array:
        """The file's own ∂C/∂a for outputs a and targets y, all (n_L, m); only where `offer.cost_derivative`."""
        ...

    def gradient(self, call: "Call", cotangent: Array) -> Mapping[str, Any]:
        """Run forward and backward: what was returned for W1, b1, … (or the operation's arguments), untouched."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """Arguments of one evaluation: the point they came from, and `arrays`, everything handed over, by readable name.

    `rest` holds whatever else the adapter needs (the subject's object, names, sizes); a function under "between" there is
    run between the forward and the backward pass, where the convention has both. `refresh` reads what the
    subject's own object holds by now, under the names of `arrays`: it may have assigned new arrays to its attributes.
    """

    point: Point
    layout: Layout
    arrays: dict[str, Any]
    rest: dict[str, Any] = field(default_factory=dict)
    refresh: Callable[[], Mapping[str, Any]] | None = None

    def hand_over(self, name: str, values: Array) -> None:
        """Write a cotangent into its array, unless an experiment arranged the arrays as they are to be."""
        if "arranged" not in self.rest:
            self.arrays[name][...] = values

    def between(self) -> None:
        """What happens between forward and backward: nothing, unless an experiment put something there."""
        if "between" in self.rest:
            self.rest["between"]()

    def now(self) -> dict[str, Any]:
        """Everything handed over, as it is now."""
        return {**self.arrays, **(self.refresh() if self.refresh else {})}

    @property
    def case(self) -> Case:
        """The point as a network case."""
        if not isinstance(self.point, Case):
            msg = f"a network convention was handed {type(self.point).__name__}"
            raise TypeError(msg)
        return self.point

    @property
    def operation(self) -> OperationCase:
        """The point as an operation case."""
        if not isinstance(self.point, OperationCase):
            msg = f"an operation convention was handed {type(self.point).__name__}"
            raise TypeError(msg)
        return self.point


def scalar(value: Any) -> Array:
    """A subject's cost as a float64 array of shape (): Python numbers, numpy scalars and arrays with one entry count.

    Raises TypeError for anything else, with what it was.
    """
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "fiub":
        shape = f" of shape {array.shape}" if isinstance(value, np.ndarray) else ""
        msg = f"the cost must be one real number; the subject returned {type(value).__name__}{shape}: {value!r:.80}"
        raise TypeError(msg)
    return array.astype(np.float64).reshape(())
