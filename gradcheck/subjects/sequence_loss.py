"""Convention `sequence_loss`: the loss of a recurrent network over a sequence of symbols, with gradients of module globals.

    loss, dWxh, dWhh, dWhy, dbh, dby, h = lossFun(inputs, targets, hprev)

inputs and targets are lists of numbers of symbols; the parameters are arrays in the module's globals, and each gradient is
returned under its parameter's name. Sequences of one step and of several are checked. Gradients that are clipped on purpose
are looked at where the clip does not act: parameters are a tenth of what is drawn.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.networks import Point
from gradcheck.numerics import Array
from gradcheck.subjects.binding import bind, signature_text
from gradcheck.subjects.claims import PLAIN_FUNCTION
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.gradient_reading import returned_names
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.match import Match, own_functions
from gradcheck.subjects.model_calls import loss_in
from gradcheck.subjects.protocol import Call, Malformed, Offer, scalar
from gradcheck.subjects.source import globals_used, tree_of, words
from gradcheck.subjects.spellings import gradient_names

NAME = "sequence_loss"
TEMPLATE = '''\
import numpy as np

Wxh, Whh, Why = np.ones((4, 3)), np.ones((4, 4)), np.ones((3, 4))

def lossFun(inputs, targets, hprev):
    """-> loss, dWxh, dWhh, dWhy, h. inputs, targets: lists of numbers of symbols; hprev (H, 1)."""
    h, loss, kept = hprev, 0.0, []
    for i, t in zip(inputs, targets):
        x = np.eye(3)[:, [i]]
        before, h = h, np.tanh(Wxh @ x + Whh @ h)
        p = np.exp(Why @ h) / np.exp(Why @ h).sum()
        loss -= np.log(p[t, 0])
        kept.append((x, before, h, p, t))
    dWxh, dWhh, dWhy, dh = 0 * Wxh, 0 * Whh, 0 * Why, 0 * h
    for x, before, h, p, t in reversed(kept):
        dy = p - np.eye(3)[:, [t]]
        dz = (Why.T @ dy + dh) * (1 - h * h)
        dWhy, dWxh, dWhh, dh = dWhy + dy @ h.T, dWxh + dz @ x.T, dWhh + dz @ before.T, Whh.T @ dz
    return loss, dWxh, dWhh, dWhy, kept[-1][2]
'''
CALL = "loss, dWxh, dWhh, ..., h = lossFun(inputs, targets, hprev), parameters in the module's globals"
MEANINGS = {
    "inputs": ("inputs", "xs", "x", "X", "input", "input_seq", "ix", "seq"),
    "targets": ("targets", "ys", "y", "Y", "target", "target_seq", "labels"),
    "h": ("hprev", "h_prev", "h0", "h", "hidden", "state", "h_init", "prev_h", "hstart"),
    "c": ("cprev", "c_prev", "c0", "c", "cell"),
}
STEPS = {"one step": 1, "four steps": 4}
SCALE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class SequenceLoss:
    """Adapter around one function; places: parameter -> where its gradient is in the result; sizes of symbols and state."""

    function: Callable[..., Any]
    member: str
    name: str
    places: Mapping[str, int]
    returned: tuple[str | None, ...]
    symbols: int
    state: tuple[int, ...]

    @property
    def offer(self) -> Offer:
        """One operation for each length of the sequence."""
        space = self.function.__globals__
        shapes = {**{n: np.shape(space[n]) for n in self.places}, "": ()}
        operations = tuple(f"{self.member} over {steps}" for steps in STEPS)
        clipped = " its gradients are clipped on purpose, and are checked where the clip does not act" * self.clips
        return Offer(
            self.name,
            NAME,
            kind="operation",
            told_activations=False,
            told_cost=False,
            takes_l2=False,
            declares_cost=False,
            operations=operations,
            operation_shapes=dict.fromkeys(operations, (shapes,)),
            notes=(
                f"checked: {self.member} with {', '.join(self.places)} in the module's globals;{clipped}".rstrip(";"),
            ),
        )

    @property
    def clips(self) -> bool:
        """Whether its source says that it clips."""
        return "clip" in words(tree_of(self.function))

    def call(self, point: Point, layout: Layout) -> Call:
        """The parameters, a tenth of what was drawn."""
        call = Call(point, layout, {})
        call.arrays.update({n: SCALE * np.array(a) for n, a in call.operation.arguments.items()})
        return call

    def value(self, call: Call) -> Array:
        """The loss."""
        return scalar(loss_in(self._run(call), self.returned))

    def output(self, call: Call) -> Array:
        """The loss."""
        return self.value(call)

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """Each gradient times the cotangent, by what was drawn."""
        result = self._run(call)
        if not isinstance(result, (tuple, list)) or len(result) <= max(self.places.values()):
            raise Malformed("count", "gradients", f"expected a tuple of {1 + len(self.places)} values or more")
        found = {n: np.array(result[k], dtype=np.float64) for n, k in self.places.items()}
        self._require_no_clipping(found)
        return {n: SCALE * float(cotangent) * g for n, g in found.items()}

    def _require_no_clipping(self, found: Mapping[str, Array]) -> None:
        top = max((float(np.max(np.abs(g), initial=0.0)) for g in found.values()), default=0.0)
        at_top = sum(int(np.sum(np.abs(g) == top)) for g in found.values())
        if self.clips and at_top > 1 and top > 0:
            msg = (
                f"its gradients are clipped at ±{top:g}, which acts even on small weights: nothing can be told of them"
            )
            raise SubjectError("unrecognised", msg)

    def _run(self, call: Call) -> Any:
        steps = STEPS[call.operation.operation.removeprefix(PLAIN_FUNCTION).partition(" over ")[2]]
        return self.ran(call.arrays, steps)

    def ran(self, parameters: Mapping[str, Array], steps: int) -> Any:
        """The function on a sequence, with these parameters in its globals."""
        space = self.function.__globals__
        before = {n: space[n] for n in parameters}
        symbols = [(2 * k + 1) % self.symbols for k in range(steps + 1)]
        state = 0.3 * np.cos(np.arange(np.prod(self.state))).reshape(self.state)
        values = {"inputs": symbols[:-1], "targets": symbols[1:], "h": state, "c": state[::-1].copy()}
        space.update(parameters)
        try:
            return bind(self.function, MEANINGS)(values)
        finally:
            space.update(before)


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by a function of inputs and targets whose result names the gradients of arrays in the module."""
    lacks: list[str] = []
    for n, function in own_functions(members).items():
        binding = bind(function, MEANINGS)
        if not {"inputs", "targets"} <= binding.takes or binding.missing:
            continue
        adapter = _tried(function, n, name)
        if isinstance(adapter, SequenceLoss):
            return Match(NAME, adapter, found=(n,))
        lacks.append(f"{signature_text(n, function)}: {adapter}")
    wanted = "a function lossFun(inputs, targets, hprev) that returns the loss and the gradients of the module's arrays"
    return Match(NAME, None, tuple(lacks) or (wanted,), tuple(line.partition("(")[0] for line in lacks))


def _tried(function: Any, member: str, name: str) -> SequenceLoss | str:
    returned = tuple(returned_names(function))
    space = getattr(function, "__globals__", {})
    used = globals_used([function])
    arrays = {n: v for n, v in space.items() if n in used and isinstance(v, np.ndarray) and v.dtype.kind == "f"}
    places = {n: returned.index(g) for n in arrays for g in gradient_names(n) if g in returned}
    if not places or len(places) < len(arrays):
        return f"no gradient of {', '.join(n for n in arrays if n not in places) or 'any array'} is named in its result"
    matrices = [v for v in arrays.values() if v.ndim == 2]
    squares = [v.shape[0] for v in matrices if v.shape[0] == v.shape[1]]
    for hidden in dict.fromkeys(squares):
        others = [n for v in matrices for n in v.shape if n != hidden and n > 1]
        for state in ((hidden, 1), (1, hidden), (hidden,)):
            adapter = SequenceLoss(function, member, name, places, returned, min(others or [hidden]), state)
            try:
                with subject_code():
                    result = adapter.ran(
                        {n: SCALE * np.cos(np.arange(v.size)).reshape(v.shape) for n, v in arrays.items()}, 3
                    )
                    shapes = {n: np.shape(result[k]) for n, k in places.items()}
            except (SubjectError, Malformed) as error:
                reason = str(error)
                continue
            if all(shapes[n] == v.shape for n, v in arrays.items()):
                return adapter
            reason = "its gradients have not the shapes of their parameters"
    return reason if squares else "no matrix from state to state is among its arrays"
