"""What a subject can be asked: the set of architectures from which cases are drawn."""

from dataclasses import dataclass, field

from gradcheck.errors import UsageError
from gradcheck.networks.activations import Activation, builtin_activations
from gradcheck.networks.architecture import DType
from gradcheck.networks.costs import COSTS, Cost, legal


@dataclass(frozen=True, slots=True)
class Head:
    """An output activation with a cost that is legal behind it, and the cost's scale (a key of `SCALES`)."""

    activation: Activation
    cost: Cost
    scale: str = "1/m"


@dataclass(frozen=True, slots=True)
class Repertoire:
    """Choices for every part of an architecture.

    hidden: activations of the hidden layers. heads: output activation, cost and scale together. l2_form: a key of
    `L2_FORMS`, with λ drawn when `l2`; l2_fixed: λ where the file fixes it. one_activation: hidden layers use the head's
    activation too. depths, widths, output_widths, samples: smallest and largest L, n_l, n_L and m. refused: what the subject
    does not take, with its reason. fixed: (n_0, …, n_L) where there is one architecture only. labels: targets are classes,
    one-hot.
    """

    hidden: tuple[Activation, ...]
    heads: tuple[Head, ...]
    l2: bool = True
    l2_form: str = "lambda/2"
    l2_biases: bool = False
    l2_fixed: float = 0.0
    one_activation: bool = False
    depths: tuple[int, int] = (1, 6)
    widths: tuple[int, int] = (1, 6)
    output_widths: tuple[int, int] = (1, 5)
    samples: tuple[int, int] = (1, 6)
    bias: bool = True
    dtype: DType = "float64"
    refused: tuple[tuple[str, str], ...] = field(default=())
    fixed: tuple[int, ...] | None = None
    labels: bool = False

    def __post_init__(self) -> None:
        if not self.heads:
            msg = "no output activation is legal with any of the costs; name a cost and an activation that fit together"
            raise UsageError(msg)


def default_repertoire() -> Repertoire:
    """Every built-in activation, and every built-in cost behind every output activation it is legal with."""
    activations = builtin_activations()
    return Repertoire(hidden_activations(activations), heads(activations, tuple(COSTS.values())))


def hidden_activations(activations: tuple[Activation, ...]) -> tuple[Activation, ...]:
    """Those that serve in a hidden layer: the elementwise ones, or all when there is none."""
    return tuple(f for f in activations if f.elementwise) or activations


def heads(activations: tuple[Activation, ...], costs: tuple[Cost, ...], scale: str = "1/m") -> tuple[Head, ...]:
    """Every legal pair of an output activation and a cost."""
    return tuple(Head(f, cost, scale) for cost in costs for f in activations if legal(cost, f.range, f.name))
