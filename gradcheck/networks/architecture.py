"""A network as data: what is drawn, shrunk, sent to subjects and written into reports.

L   number of layers; layer l = 1 … L holds the weights from layer l − 1 to layer l; layer 0 is the input
n_l units of layer l
m   samples
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

from gradcheck.errors import UsageError
from gradcheck.networks.activations import Activation, activation_named
from gradcheck.networks.costs import L2_FORMS, Cost, cost_named, guarded, scale_named

DType = Literal["float64", "float32"]


@dataclass(frozen=True, slots=True)
class Dense:
    """One dense layer: `units` outputs, a = f(W a + b)."""

    units: int
    activation: Activation


@dataclass(frozen=True, slots=True)
class Regularisation:
    """λ · factor(m) · ΣW² in the cost, `form` names the factor (a key of `L2_FORMS`); `biases`: Σb² is penalised too."""

    strength: float = 0.0
    form: str = "lambda/2"
    biases: bool = False

    def factor(self, samples: int) -> float:
        """λ times the form's factor, for m samples."""
        return self.strength * L2_FORMS[self.form](samples)


@dataclass(frozen=True, slots=True)
class Architecture:
    """Layers, cost, scale of the cost, L2 term and dtype of a dense network; `bias=False`: layers without biases."""

    inputs: int
    layers: tuple[Dense, ...]
    cost: Cost
    scale: str = "1/m"
    regularisation: Regularisation = field(default_factory=Regularisation)
    dtype: DType = "float64"
    bias: bool = True

    @property
    def depth(self) -> int:
        """L, the number of weight layers."""
        return len(self.layers)

    @property
    def widths(self) -> tuple[int, ...]:
        """(n_0, n_1, …, n_L)."""
        return (self.inputs, *(layer.units for layer in self.layers))

    @property
    def activation_names(self) -> tuple[str, ...]:
        """Configured names, layer 1 first."""
        return tuple(layer.activation.name for layer in self.layers)

    def shapes(self) -> dict[str, tuple[int, int]]:
        """Shapes of the parameters W1, b1, …, WL, bL in the trusted layout: W (to, from), b (to, 1)."""
        shapes: dict[str, tuple[int, int]] = {}
        for k, (before, after) in enumerate(pairwise(self.widths), start=1):
            shapes[f"W{k}"] = (after, before)
            if self.bias:
                shapes[f"b{k}"] = (after, 1)
        return shapes

    def cost_scale(self, samples: int) -> float:
        """The factor in front of the summed cost for m samples."""
        return scale_named(self.scale)(samples, self.widths[-1])

    def describe(self) -> str:
        """One line for people: ``3 → 4 tanh → 2 softmax, cross_entropy · 1/m, λ = 0.1``."""
        steps = [str(self.inputs), *(f"{layer.units} {layer.activation.name}" for layer in self.layers)]
        decay = f", λ = {self.regularisation.strength:g}" if self.regularisation.strength else ""
        return f"{' → '.join(steps)}, {self.cost.name} · {self.scale}{decay}"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The activations and costs that names resolve to: the built-in ones, and the user's own before them."""

    activations: Mapping[str, Activation] = field(default_factory=dict)
    costs: Mapping[str, Cost] = field(default_factory=dict)

    def activation(self, name: str) -> Activation:
        """The user's activation of that name, else the built-in one; UsageError if there is neither."""
        return self.activations[name] if name in self.activations else activation_named(name)

    def cost(self, name: str) -> Cost:
        """The user's cost of that name, else the built-in one; UsageError if there is neither."""
        return self.costs[name] if name in self.costs else cost_named(name)


def architecture_to_json(architecture: Architecture) -> dict[str, Any]:
    """Plain JSON types; user definitions are named with their source."""
    a = architecture
    return {
        "inputs": a.inputs,
        "layers": [_with_source({"units": layer.units, "activation": layer.activation.name}, layer.activation.source)
                   for layer in a.layers],
        "cost": _with_source(
            {"name": a.cost.name, **({"guard": a.cost.guard} if a.cost.guard else {})}, a.cost.source
        ),
        "scale": a.scale,
        "regularisation": {
            "strength": a.regularisation.strength,
            "form": a.regularisation.form,
            "biases": a.regularisation.biases,
        },
        "dtype": a.dtype,
        "bias": a.bias,
    }  # fmt: skip


def architecture_from_json(data: Mapping[str, Any], vocabulary: Vocabulary | None = None) -> Architecture:
    """The inverse of `architecture_to_json`. Raises UsageError for unknown names and missing keys."""
    words = vocabulary or Vocabulary()
    try:
        return Architecture(
            inputs=int(data["inputs"]),
            layers=tuple(Dense(int(d["units"]), words.activation(d["activation"])) for d in data["layers"]),
            cost=_cost(data["cost"], words),
            scale=_scale(data["scale"]),
            regularisation=Regularisation(
                float(data["regularisation"]["strength"]),
                _known(data["regularisation"]["form"], L2_FORMS, "form of the L2 term"),
                bool(data["regularisation"].get("biases", False)),
            ),
            dtype=data["dtype"],
            bias=bool(data.get("bias", True)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"this is not an architecture of gradcheck: {type(error).__name__}: {error}"
        raise UsageError(msg) from error


def with_regularisation(architecture: Architecture, strength: float) -> Architecture:
    """The same network with another λ."""
    return replace(architecture, regularisation=replace(architecture.regularisation, strength=strength))


def _with_source(data: dict[str, Any], source: str | None) -> dict[str, Any]:
    return {**data, "source": source} if source else data


def _cost(data: Mapping[str, Any], words: Vocabulary) -> Cost:
    guard = float(data.get("guard", 0.0))
    return guarded(data["name"], guard) if guard else words.cost(data["name"])


def _scale(name: str) -> str:
    scale_named(name)
    return name


def _known(name: str, table: Mapping[str, object], what: str) -> str:
    if name in table:
        return name
    msg = f"unknown {what} {name!r}; expected one of {', '.join(table)}"
    raise UsageError(msg)
