"""How many faults the catalogue holds, family by family: what `gradcheck explain --faults` prints.

kind    a way to be wrong, such as "σ(z) stands for σ′(z)" or "times m", wherever it stands
fault   a kind in one equation, or in the layers with one activation: what has a name of its own
place   a fault at one layer of a network of `DEPTH` layers: what is planted and matched
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gradcheck.faults.catalogue import FAMILIES
from gradcheck.faults.fault import SITES, Fault
from gradcheck.faults.layers import FAULTS as OF_LAYERS
from gradcheck.faults.state import STATE

DEPTH = 3
_STANDS = re.compile(
    r"act_(?:sigmoid|tanh|relu|softplus|gelu_tanh|gelu|leaky_relu|elu|identity)_|bp[12]_prime_is_|"
    r"bp[1-4]_(?:result_)?factor_|prec_(?:output_error|recursion|bias_gradient|weight_gradient)_|bp[12]_(?=no_sigma_prime)"
)
"""The part of a name that says where a kind of a composed family stands."""


@dataclass(frozen=True, slots=True)
class Count:
    """One family, or one layer: of networks, of state, or of layers."""

    group: str
    family: str
    kinds: int
    faults: int
    places: int


def counts() -> Iterator[Count]:
    """Families of equations in the catalogue's order, state, then every layer."""
    for family, faults in FAMILIES.items():
        yield Count("network", family, len(kinds(faults)), len(faults), sum(len(SITES[f.sites](DEPTH)) for f in faults))
    yield Count("state", "state and arguments", len(STATE), len(STATE), len(STATE))
    for layer, number in Counter(fault.layer for fault in OF_LAYERS).items():
        yield Count("layer", layer, number, number, number)


def kinds(faults: Iterable[Fault]) -> frozenset[str]:
    """The names without what says where they stand; ``missing`` is the catalogue's word for a σ′ that is left out."""
    return frozenset(_STANDS.sub("", fault.name, count=1).replace("no_sigma_prime", "missing") for fault in faults)


def summary() -> list[Count]:
    """The totals of the three groups."""
    totals = []
    for group, words in (("network", "equations of a network"), ("state", "state and arguments"), ("layer", "layers")):
        some = [c for c in counts() if c.group == group]
        numbers = (sum(getattr(c, name) for c in some) for name in ("kinds", "faults", "places"))
        totals.append(Count(group, words, *numbers))
    return totals
