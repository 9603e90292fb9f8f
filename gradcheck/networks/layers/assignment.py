"""Which trusted layer an object computes, in its own names and arrangement: every own argument has a role in a definition.

    W=w axes 1 0      the object's W, transposed, is the definition's w
    Wf=wx@f           its Wf are the columns of gate f of wx; several that share one place are added up
    W=wx rows 0 3     its first three rows are wx
    b=+               its b is added to the output as it is (a bias for each pixel)

The definition with its roles is one function of the own arguments, so that jax differentiates by those; and a case or a claim
can be turned into the arrangement of the definition. It must not know subjects.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.networks.layers.layer import Layer, Settings
from gradcheck.numerics import Array

Move = tuple[str, *tuple[int, ...]]
"""A rearrangement: axes p0 p1 … · rows a b · flat (m, …) -> (m, −1) · last -> (−1, d) · vector -> (−1,) · one (…) -> (1, …)
· step (n, d) -> (n, 1, d) · flip, of the last two axes · zeros k, a state (n, k) of zeros · nothing, a bias of zeros."""
ADDED = "+"


@dataclass(frozen=True, slots=True)
class Role:
    """An own argument in the definition's place: the name there, the gate (its columns), and its way there."""

    own: str
    argument: str
    moves: tuple[Move, ...] = ()
    gate: str = ""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A definition, its settings, the roles of all own arguments, and the axes of its output in the own order.

    constants: own arguments that are not differentiated, by the setting that they give.
    """

    layer: str
    settings: Settings = field(default_factory=dict)
    roles: tuple[Role, ...] = ()
    output: tuple[int, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)

    def fixed(self) -> dict[str, Any]:
        """What a case holds of it, in plain JSON types."""
        roles = [[r.own, r.argument, [list(m) for m in r.moves], r.gate] for r in self.roles]
        text = json.dumps({"roles": roles, "output": list(self.output), "constants": dict(self.constants)})
        return {**self.settings, "layer": self.layer, "assigned": text}

    def described(self) -> str:
        """``conv2d, stride = 2``: the layer and the settings that say something."""
        told = {n: v for n, v in self.settings.items() if not isinstance(v, np.ndarray) and _USUAL.get(n) != v}
        if self.layer == "activation":
            return str(told["activation"])
        told.pop("first", None)
        told.pop("classes", None)
        if not told.get("guard", 1.0):
            del told["guard"]
        return "".join([self.layer, *(f", {n} = {v}" for n, v in told.items())])


_USUAL: Mapping[str, Any] = {"layout": "nchw", "dilation": 1, "groups": 1, "time_major": False, "weights": "from_to"}


def assignment_of(fixed: Mapping[str, Any]) -> Assignment | None:
    """That of a case; None where it has none: its arguments are the definition's."""
    if "assigned" not in fixed:
        return None
    told = json.loads(str(fixed["assigned"]))
    roles = tuple(Role(own, a, tuple(tuple(m) for m in moves), gate) for own, a, moves, gate in told["roles"])
    settings = {n: v for n, v in fixed.items() if n not in ("layer", "assigned")}
    return Assignment(str(fixed["layer"]), settings, roles, tuple(told["output"]), told["constants"])


def moved(a: Any, moves: tuple[Move, ...], xp: Any) -> Any:
    """An array rearranged, in any namespace."""
    for name, *numbers in moves:
        a = _MOVES[name](a, numbers, xp)
    return a


_MOVES: Mapping[str, Callable[[Any, list[int], Any], Any]] = {
    "axes": lambda a, n, xp: xp.transpose(a, tuple(n)),
    "rows": lambda a, n, xp: a[n[0] : n[1]],
    "flat": lambda a, n, xp: a.reshape((a.shape[0], -1)),
    "last": lambda a, n, xp: a.reshape((-1, a.shape[-1])),
    "vector": lambda a, n, xp: a.reshape((-1,)),
    "one": lambda a, n, xp: a[None],
    "step": lambda a, n, xp: a[:, None],
    "flip": lambda a, n, xp: xp.flip(a, (-2, -1)),
    "zeros": lambda a, n, xp: xp.zeros((a.shape[0], n[0])),
    "nothing": lambda a, n, xp: xp.zeros(a.shape[-1]),
}


def gathered(
    roles: tuple[Role, ...], own: Mapping[str, Any], gates: str, xp: Any, *, add: bool = True
) -> dict[str, Any]:
    """The definition's arguments from the own ones. add: parts of one place are added up (else the first stands for all)."""
    places: dict[str, dict[str, list[Any]]] = {}
    for role in roles:
        if role.argument != ADDED and role.own in own:
            value = moved(own[role.own], role.moves, xp)
            places.setdefault(role.argument, {}).setdefault(role.gate, []).append(value)
    whole = {}
    for name, parts in places.items():
        each = {g: sum(p[1:], p[0]) if add else p[0] for g, p in parts.items()}
        whole[name] = each[""] if "" in each else xp.concatenate([each[g] for g in gates if g in each], axis=-1)
    return whole


def arranged(y: Any, assignment: Assignment, shape: tuple[int, ...], xp: Any) -> Any:
    """The definition's output as the object gives it."""
    y = xp.transpose(y, assignment.output) if assignment.output else y
    return y.reshape(shape) if y.shape != shape else y


def defined(layer: Layer, assignment: Assignment, shape: tuple[int, ...]) -> Callable[[Mapping[str, Any], Any], Any]:
    """The definition as a function of the own arguments; shape: that of the own output."""
    settings = _settings(assignment)
    gates = str(settings.get("gates", ""))

    def define(own: Mapping[str, Any], xp: Any) -> Any:
        y = layer.define(gathered(assignment.roles, own, gates, xp), settings, xp)
        y = arranged(y, assignment, shape, xp)
        for role in assignment.roles:
            y = y + own[role.own] if role.argument == ADDED else y
        return y

    return define


def in_definition(
    assignment: Assignment, arguments: Mapping[str, Array], gradient: Mapping[str, Array]
) -> tuple[dict[str, Array], dict[str, Array], dict[str, Any]]:
    """Arguments, a claim, and the settings in the definition's arrangement; the whole of an argument or nothing."""
    gates = str(assignment.settings.get("gates", ""))
    return (
        gathered(assignment.roles, arguments, gates, np),
        gathered(assignment.roles, gradient, gates, np, add=False),
        _settings(assignment),
    )


def output_in_definition(assignment: Assignment, own: Array, shape: tuple[int, ...]) -> Array:
    """An output or a cotangent of the object as one of the definition, whose shape is given."""
    if not assignment.output:
        return own.reshape(shape)
    turned = tuple(shape[k] for k in assignment.output)
    return own.reshape(turned).transpose(np.argsort(assignment.output))


def _settings(assignment: Assignment) -> dict[str, Any]:
    """With the constants under the names that the definition has for them; classes as one-hot rows where it wants those."""
    renamed = {n: s for n, s in assignment.constants.items() if n in assignment.settings}
    told = {renamed.get(n, n): v for n, v in assignment.settings.items()}
    if "classes" in told:
        told["targets"] = np.eye(int(told.pop("classes")))[np.ravel(told["targets"])]
    return told
