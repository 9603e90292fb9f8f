"""What the caller said, and what was found out: the vocabulary of recognition."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gradcheck.networks import Activation, Cost
from gradcheck.networks.repertoire import Repertoire
from gradcheck.subjects.layout import Layout


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the caller said: names resolved to definitions, or None where it is to be found out."""

    activations: tuple[Activation, ...] | None = None
    costs: tuple[Cost, ...] | None = None
    scale: str | None = None
    l2_form: str | None = None
    dtype: str | None = None
    mentioned: Callable[[str], bool] | None = None


@dataclass(frozen=True, slots=True)
class Recognised:
    """A convention: what, its value, and whether it was recognised or configured."""

    what: str
    value: str
    how: str = "recognised"


@dataclass(frozen=True, slots=True)
class Recognition:
    """What cases to draw and how to read the subject.

    trusted: the trusted definition reproduces the subject's cost or output, so that jax.grad can take part.
    declared: the subject is told its activations and cost, or the caller named them; otherwise they were only recognised, and
    a case at which its own differences confirm a claim that the trusted gradient does not disproves the recognition.
    refused: names that the subject does not take, with what it said.
    """

    layout: Layout
    repertoire: Repertoire
    trusted: bool
    declared: bool = True
    conventions: tuple[Recognised, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = field(default=())
