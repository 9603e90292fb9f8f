"""The calls of a class that is a whole network as text, for the stand-alone script of a finding.

The network is made of the case's sizes, gets its parameters where the adapter found them, and is run.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gradcheck.subjects.binding import Binding
from gradcheck.subjects.layer_trial import ETAS, RATES
from gradcheck.subjects.script_text import attribute
from gradcheck.subjects.spellings import Place, members_in

RATE = repr(ETAS[0])


def network(name: str, constructor: Binding, net: Any, places: Mapping[str, Place], words: Mapping[str, str]) -> str:
    """A function that makes the network and gives it the parameters W and b; its rate is that of the adapter."""
    held = ", ".join(f"({attribute(net, place, 'net')}, {words[n]})" for n, place in places.items())
    rates = [n for n, v in members_in(net) if n.lower().strip("_") in RATES and isinstance(v, (int, float))]
    lines = [
        "def made(subject, W, b):",
        f"    net = {constructor.text(f'subject.{name}', {**words, 'rate': RATE})}",
        f"    for held, a in ({held},): held[...] = a",
        *(f"    net.{n} = {RATE}" for n in rates[:1]),
        "    return net",
    ]
    return "\n".join(lines) + "\n"


def update(
    net: Any, places: Mapping[str, Place], words: Mapping[str, str], calls: Sequence[str], rate: float
) -> list[str]:
    """Statements that run an update, and the gradients read off it."""
    ordered = sorted(places, key=lambda n: (n[0] != "W", int(n[1:])))
    moved = ", ".join(f"({words[n]} - {attribute(net, places[n], 'net')}) / {rate!r}" for n in ordered)
    return [*calls, f"return [{moved}]"]
