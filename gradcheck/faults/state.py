"""Mistakes that are not in an equation: arguments written to, shared memory, what an earlier call left behind, chance.

Each wraps the right backward pass of a planted subject; the effects rung of the ladder must find it.
"""

# ruff: noqa: E501 (tables: one row a line)

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.numerics import Array

Right = Callable[[Mapping[str, Array]], dict[str, Array]]
"""The right gradient for these arrays (parameters by name, x and y)."""


@dataclass(slots=True, eq=False)
class Memory:
    """What a subject keeps between calls."""

    kept: dict[Any, Any] = field(default_factory=dict)
    calls: int = 0
    chance: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))


Behaviour = Callable[[Memory, dict[str, Array], Right], dict[str, Array]]
"""(memory, the arrays handed over, the right pass) -> what is handed back."""


@dataclass(frozen=True, slots=True)
class StateFault:
    """A named mistake of state; `kind` is the effect that shows it."""

    name: str
    title: str
    kind: str
    behaviour: Behaviour
    hidden_when: str
    hint: str


def _shapes(arrays: Mapping[str, Array]) -> tuple[Any, ...]:
    return tuple((n, a.shape) for n, a in arrays.items())


def _decay_in_place(memory: Memory, arrays: dict[str, Array], right: Right) -> dict[str, Array]:
    gradient = right(arrays)
    arrays["W1"] *= 1 - 1e-3
    return gradient


def _update_in_place(memory: Memory, arrays: dict[str, Array], right: Right) -> dict[str, Array]:
    gradient = right(arrays)
    for name, g in gradient.items():
        arrays[name] -= 0.1 * g
    return gradient


def _inputs_centred(memory: Memory, arrays: dict[str, Array], right: Right) -> dict[str, Array]:
    gradient = right(arrays)
    arrays["x"] += 1.0
    return gradient


def _targets_overwritten(memory: Memory, arrays: dict[str, Array], right: Right) -> dict[str, Array]:
    gradient = right(arrays)
    arrays["y"] *= 0.5
    return gradient


def _gradient_in_parameters(memory: Memory, arrays: dict[str, Array], right: Right) -> dict[str, Array]:
    gradient = right(arrays)
    arrays["W1"][...] = gradient["W1"]
    return {**gradient, "W1": arrays["W1"]}


def _one_buffer(memory: Memory, arrays: dict[str, Array], right: Right) -> dict[str, Array]:
    """Gradients of equal shape live in one array."""
    buffers: dict[tuple[int, ...], Array] = {}
    out = {}
    for name, g in right(arrays).items():
        out[name] = buffers.setdefault(g.shape, np.empty_like(g))
        out[name][...] = g
    return out


def _returned_again(memory: Memory, arrays: dict[str, Array], right: Right) -> dict[str, Array]:
    """The same arrays are handed back at each call and written over by the next one."""
    gradient = right(arrays)
    kept = memory.kept.setdefault(_shapes(gradient), gradient)
    for name, g in gradient.items():
        kept[name][...] = g
    return dict(kept)


def _accumulated(memory: Memory, arrays: dict[str, Array], right: Right) -> dict[str, Array]:
    gradient = right(arrays)
    before = memory.kept.get(_shapes(gradient), dict.fromkeys(gradient, 0.0))
    memory.kept[_shapes(gradient)] = {n: before[n] + g for n, g in gradient.items()}
    return dict(memory.kept[_shapes(gradient)])


def _momentum(memory: Memory, arrays: dict[str, Array], right: Right) -> dict[str, Array]:
    gradient = right(arrays)
    before = memory.kept.get(_shapes(gradient), dict.fromkeys(gradient, 0.0))
    memory.kept[_shapes(gradient)] = {n: 0.9 * before[n] + g for n, g in gradient.items()}
    return dict(memory.kept[_shapes(gradient)])


def _stale_parameters(memory: Memory, arrays: dict[str, Array], right: Right) -> dict[str, Array]:
    kept = memory.kept.setdefault(_shapes(arrays), {n: a.copy() for n, a in arrays.items()})
    return right(kept)


def _stale_inputs(memory: Memory, arrays: dict[str, Array], right: Right) -> dict[str, Array]:
    kept = memory.kept.setdefault(_shapes(arrays), arrays["x"].copy())
    return right({**arrays, "x": kept})


def _previous_gradient(memory: Memory, arrays: dict[str, Array], right: Right) -> dict[str, Array]:
    gradient = right(arrays)
    before = memory.kept.get(_shapes(gradient), gradient)
    memory.kept[_shapes(gradient)] = gradient
    return {n: g.copy() for n, g in before.items()}


def _dropout(memory: Memory, arrays: dict[str, Array], right: Right) -> dict[str, Array]:
    return {n: g * (memory.chance.random(g.shape) < 0.9) / 0.9 for n, g in right(arrays).items()}


def _noise(memory: Memory, arrays: dict[str, Array], right: Right) -> dict[str, Array]:
    return {n: g + 1e-3 * memory.chance.standard_normal(g.shape) for n, g in right(arrays).items()}


def _every_other_call(memory: Memory, arrays: dict[str, Array], right: Right) -> dict[str, Array]:
    memory.calls += 1
    return {n: g * (memory.calls % 2) for n, g in right(arrays).items()}


_KEEP = "work on copies: the backward pass reads its arguments and writes to none of them"
_FRESH = "make new arrays for each call and each layer: np.zeros_like, not a buffer that is kept"
_FORGET = "compute everything that depends on the arguments anew at each call"
STATE: tuple[StateFault, ...] = (
    StateFault("alias_weight_decay_inplace", "the weights are decayed in place", "mutation", _decay_in_place, "nobody looks at the parameters afterwards", _KEEP),
    StateFault("alias_update_inplace", "the parameters are updated in place", "mutation", _update_in_place, "nobody looks at the parameters afterwards", _KEEP),
    StateFault("alias_inputs_inplace", "the inputs are changed in place", "mutation", _inputs_centred, "nobody looks at the inputs afterwards", _KEEP),
    StateFault("alias_targets_inplace", "the targets are changed in place", "mutation", _targets_overwritten, "nobody looks at the targets afterwards", _KEEP),
    StateFault("alias_gradient_in_parameters", "the gradient is written into the array of the weights", "mutation", _gradient_in_parameters, "nobody looks at the parameters afterwards", _KEEP),
    StateFault("alias_shared_buffer", "gradients of equal shape share one array", "aliasing", _one_buffer, "all shapes differ", _FRESH),
    StateFault("alias_returned_again", "the arrays of the last call are handed back again", "aliasing", _returned_again, "one call", _FRESH),
    StateFault("state_accumulated", "gradients pile up across calls", "accumulation", _accumulated, "one call", _FRESH),
    StateFault("state_momentum", "a share of the gradient before is added", "stale_state", _momentum, "one call", _FORGET),
    StateFault("state_stale_parameters", "the forward pass of the first call is kept", "stale_state", _stale_parameters, "one point, as every checker of one point uses", _FORGET),
    StateFault("state_stale_inputs", "the inputs of the first call are kept", "stale_state", _stale_inputs, "one batch", _FORGET),
    StateFault("state_previous_gradient", "the gradient of the call before is handed back", "stale_state", _previous_gradient, "one point", _FORGET),
    StateFault("nondet_dropout", "components are dropped at random", "nondeterminism", _dropout, "one call", "draw no random numbers in the backward pass; reuse the mask of the forward pass"),
    StateFault("nondet_noise", "noise is added", "nondeterminism", _noise, "a tolerance above the noise", "draw no random numbers in the backward pass"),
    StateFault("nondet_every_other_call", "every other call gives nothing", "nondeterminism", _every_other_call, "one call", _FORGET),
)  # fmt: skip
