"""Strategies for layers: sizes and settings drawn with Hypothesis, which shrinks them, and numbers from a drawn seed.

The sizes and settings that a layer may have are its own (`gradcheck.networks.layers`). A campaign draws them with a generator,
since tracing a structure is what costs; what it finds is shrunk here, and below the sizes at which mistakes show best.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st

from gradcheck.networks.layers import Dice, Layer
from gradcheck.networks.namespace import xp_numpy
from gradcheck.numerics import Array

_IMPOSSIBLE = (ValueError, IndexError, ZeroDivisionError)
"""What a definition raises at sizes that a layer cannot have, such as a kernel wider than its input."""
_SEEDS = 2**16 - 1


@st.composite
def layer_inputs(
    draw: st.DrawFn, layer: Layer, pinned: Mapping[str, Any] | None = None
) -> tuple[dict[str, Array], dict[str, Any], int]:
    """Arguments and settings of a layer, with the seed of their numbers; every size shrinks to 1, where that can be.

    pinned: settings that the subject fixes itself.
    """
    seed = draw(st.integers(0, _SEEDS))
    dice = Dice(np.random.default_rng([seed, 1]), pinned or {}, choose=lambda a, b: draw(st.integers(a, b)), least=1)
    try:
        arguments, settings = layer.draw(dice)
        output = np.asarray(layer.define(arguments, settings, xp_numpy))
    except _IMPOSSIBLE:
        reject()
    if not output.size or not all(a.size for a in arguments.values()):
        reject()
    return arguments, settings, seed
