"""What a fault is: a named edit of one equation of the trusted backprop, at one layer or at all it can stand at.

title   completes the sentence "your gradient equals, to the last bits, the one you get when …"
hint    the suggested edit, in words and in the equation
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gradcheck.faults.backprop import TRUSTED, Edit, Equations, Slot, edited
from gradcheck.networks import Architecture

Sites = Literal["output", "hidden", "every", "upper", "first", "deep"]
SITES: Mapping[Sites, Callable[[int], range]] = {
    "output": lambda L: range(L, L + 1),
    "hidden": lambda L: range(1, L),
    "every": lambda L: range(1, L + 1),
    "upper": lambda L: range(2, L + 1),
    "first": lambda L: range(1, min(L, 2)),
    "deep": lambda L: range(1, L - 1),
}
"""Layers of a network of depth L: the output layer, the hidden ones, all, all but the first, the first where it is hidden,
and the hidden ones but the last."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A named wrong edit of one equation.

    equation: BP1 … BP4, "regularisation", or "activation" (BP1 at the output, BP2 below). slot: the equation of
    `Equations` that is edited. activation: only in layers with the activation of that name. hidden_when: where no case
    can show it. shape: it gives a wrong shape rather than wrong numbers. others: further equations that the same mistake edits.
    """

    name: str
    title: str
    equation: str
    slot: Slot
    edit: Edit
    sites: Sites
    hidden_when: str
    hint: str
    activation: str | None = None
    shape: bool = False
    others: tuple[tuple[Slot, Edit], ...] = ()

    def layers(self, architecture: Architecture) -> tuple[int, ...]:
        """Where it can stand in a network, the lowest layer first."""
        return tuple(l for l in SITES[self.sites](architecture.depth) if self._fits(architecture, l))

    def place(self, layer: int, depth: int) -> str:
        """BP1 … BP4 or regularisation, at a layer."""
        return ("BP1" if layer == depth else "BP2") if self.equation == "activation" else self.equation

    def _fits(self, architecture: Architecture, l: int) -> bool:
        if self.slot in ("bias_gradient", "bias_decay", "bias_result") and not architecture.bias:
            return False
        name = architecture.layers[l - 1].activation.name
        return self.activation is None or name.partition("(")[0] == self.activation


@dataclass(frozen=True, slots=True)
class Planting:
    """A fault at one layer, or (None) at every layer where it can stand."""

    fault: Fault
    layer: int | None = None

    def layers(self, architecture: Architecture) -> tuple[int, ...]:
        """The layers whose equation is edited."""
        possible = self.fault.layers(architecture)
        return possible if self.layer is None else tuple(l for l in possible if l == self.layer)

    def into(self, equations: Equations, architecture: Architecture) -> Equations:
        """The equations with this fault in them; unchanged where it cannot stand."""
        layers = self.layers(architecture)
        for slot, edit in ((self.fault.slot, self.fault.edit), *self.fault.others) if layers else ():
            equations = edited(equations, slot, dict.fromkeys(layers, edit))
        return equations

    def places(self, architecture: Architecture) -> tuple[tuple[str, int], ...]:
        """(equation, layer), topmost first."""
        depth = architecture.depth
        return tuple((self.fault.place(l, depth), l) for l in sorted(self.layers(architecture), reverse=True))


def plant(plantings: Sequence[Planting], architecture: Architecture) -> Equations:
    """The trusted equations with faults in them."""
    equations = TRUSTED
    for planting in plantings:
        equations = planting.into(equations, architecture)
    return equations
