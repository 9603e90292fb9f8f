"""Convention `tape_operator`: a small autograd engine, its value class with operators, or operators as classes.

    out = a * b; out.backward(); a.grad                     Value or Tensor classes
    Op().compute(a, b); Op().gradient(out_grad, node)       operators of a graph
    Op.forward(ctx, a, b); Op.backward(ctx, g)              functions with a context

Each operator is judged by differences of its own forward pass with a random cotangent. One that uses a value three times is
checked too: its gradients must add up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.networks import Point
from gradcheck.numerics import Array
from gradcheck.subjects.claims import PLAIN_FUNCTION
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.match import Match
from gradcheck.subjects.protocol import Call, Malformed, Offer
from gradcheck.subjects.tape_trial import SYMBOLS, Engine, Operator, classes_of_operators, engine_of, expressions

NAME = "tape_operator"
TEMPLATE = '''\
class Value:
    def __init__(self, data, children=()):
        self.data, self.grad, self.children, self.push = data, 0.0, children, lambda: None

    def __mul__(self, other):
        out = Value(self.data * other.data, (self, other))
        def push():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad
        out.push = push
        return out

    def backward(self):
        """Sets self.grad to 1 and goes through the graph in reverse topological order."""
        self.grad, order = 1.0, [self]
        for value in order:
            value.push()
            order += value.children
'''
CALL = "out = a * b; out.backward(); a.grad (or Op().gradient(out_grad, node), or Op.backward(ctx, g))"
NAMES = ("x", "y", "z")


class TapeOperator:
    """Adapter around the operators that could be run."""

    def __init__(
        self, engine: Engine | None, operators: Mapping[str, Operator], skipped: tuple[str, ...], name: str
    ) -> None:
        self._engine, self._operators, self._skipped, self._name = engine, operators, skipped, name
        self._outputs = {n: self._shape_of(o) for n, o in operators.items()}

    @property
    def offer(self) -> Offer:
        """One operation for each operator."""
        return Offer(
            self._name,
            NAME,
            kind="operation",
            told_activations=False,
            told_cost=False,
            takes_l2=False,
            declares_cost=False,
            operations=tuple(self._operators),
            skipped=self._skipped,
            operation_shapes={
                n: ({**dict(zip(NAMES, o.shapes, strict=False)), "": self._outputs[n]},)
                for n, o in self._operators.items()
            },
            positive=tuple(n for n, o in self._operators.items() if o.positive),
        )

    def call(self, point: Point, layout: Layout) -> Call:
        """The numbers of the leaves, and the cotangent."""
        call = Call(point, layout, {})
        call.arrays.update({n: np.array(a) for n, a in call.operation.arguments.items()})
        call.arrays["cotangent"] = np.array(call.operation.cotangent)
        return call

    def value(self, call: Call) -> Array:
        """The numbers of the operator's value."""
        return self._value(self._operator(call), self._arguments(call))

    def output(self, call: Call) -> Array:
        """The numbers of the operator's value."""
        return self.value(call)

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """The gradients on the leaves after the backward pass, or what the operator's own pullback returns."""
        call.hand_over("cotangent", cotangent)
        operator, arrays = self._operator(call), self._arguments(call)
        return dict(zip(NAMES, self.pulled(operator, arrays, call.arrays["cotangent"]), strict=False))

    def pulled(self, operator: Operator, arrays: Sequence[Array], cotangent: Array) -> list[Any]:
        """The gradient of each argument."""
        if operator.pull is not None:
            found = list(operator.pull(arrays, cotangent))
            if len(found) != len(arrays):
                msg = f"expected {len(arrays)} gradients of {operator.name}; got {len(found)}"
                raise Malformed("count", "gradients", msg)
            return [self._as_array(g, a) for g, a in zip(found, arrays, strict=True)]
        assert self._engine is not None, "an operator without a pullback of its own belongs to a tape"
        leaves = [self._engine.make(a) for a in arrays]
        self._engine.pull(operator.run(*leaves), cotangent)
        return [self._as_array(self._engine.grad_of(leaf), a) for leaf, a in zip(leaves, arrays, strict=True)]

    def _as_array(self, g: Any, argument: Array) -> Any:
        """A copy of a gradient, for a tape hands the same array on to several values; a number for a leaf of one."""
        if g is None:
            return np.zeros(argument.shape)
        if argument.shape == (1,) and np.ndim(g) == 0:
            return np.array([float(g)])
        return np.array(g)

    def _value(self, operator: Operator, arrays: Sequence[Array]) -> Array:
        if self._engine is None or not operator.on_tape:
            return np.asarray(operator.run(*arrays), dtype=np.float64)
        return self._engine.read(operator.run(*[self._engine.make(a) for a in arrays]))

    def _operator(self, call: Call) -> Operator:
        return self._operators[call.operation.operation.removeprefix(PLAIN_FUNCTION)]

    def _arguments(self, call: Call) -> list[Array]:
        return [call.arrays[n] for n in NAMES if n in call.operation.arguments]

    def _shape_of(self, operator: Operator) -> tuple[int, ...]:
        with subject_code():
            return self._value(operator, _numbers(operator, positive=operator.positive)).shape


def _numbers(operator: Operator, *, positive: bool) -> list[Array]:
    """Arguments for a trial, none of them special; some negative unless they are to be positive."""
    ramps = [np.linspace(-1.3, 1.9, int(np.prod(s))).reshape(s) + 0.07 * k for k, s in enumerate(operator.shapes)]
    ramps = [r if r.size > 1 else np.full(r.shape, -0.7 + k) for k, r in enumerate(ramps)]
    return [np.abs(r) + 0.4 for r in ramps] if positive else ramps


class _Trial:
    """Runs operators; those that work are kept, the rest is named with the reason."""

    def __init__(self, engine: Engine | None, name: str) -> None:
        self._adapter = TapeOperator(engine, {}, (), name)
        self.kept: dict[str, Operator] = {}
        self.skipped: list[str] = []

    def take(self, name: str, candidates: Sequence[Operator]) -> None:
        """Keep the first candidate that runs, and gives a gradient for each of its arguments."""
        reason = "no way was found to call it"
        for candidate in candidates:
            for positive in (False, True):
                operator = replace(candidate, positive=positive)
                found = self._reason(operator)
                if not found:
                    self.kept[name] = operator
                    return
                reason = found
        self.skipped.append(f"{name}: {reason}")

    def _reason(self, operator: Operator) -> str:
        arrays = _numbers(operator, positive=operator.positive)
        try:
            with subject_code():
                value = self._adapter._value(operator, arrays)
                if not np.all(np.isfinite(value)):
                    return "its value is not finite on ordinary numbers"
                pulled = self._adapter.pulled(operator, [a.copy() for a in arrays], np.ones(value.shape))
        except (SubjectError, Malformed) as error:
            return str(error)
        if " row" in operator.name and np.shape(pulled[1]) != arrays[1].shape:
            return "its gradient is not summed over the rows to which a row is broadcast"
        return ""


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by a value class with backward and grad, or by classes that are operators."""
    engine = engine_of(members)
    classes = list(classes_of_operators(members, engine))
    if engine is None and not classes:
        wanted = (
            "a value class with data, grad, backward() and operators, or operator classes with compute and gradient"
        )
        return Match(NAME, None, (wanted,))
    trial = _Trial(engine, name)
    for n, operators in classes:
        trial.take(n, operators)
    if engine is not None and (not classes or engine.cls.__module__ == members.get("__name__")):
        for operator in expressions(engine):
            trial.take(operator.name, [operator])
    if not trial.kept:
        return Match(NAME, None, tuple(trial.skipped[:3]) or ("an operator that runs",), tuple(n for n, _ in classes))
    skipped = tuple(s for s in trial.skipped if not s.startswith(tuple(f"{n}:" for n in SYMBOLS)))
    return Match(NAME, TapeOperator(engine, trial.kept, skipped, name), found=tuple(trial.kept))
