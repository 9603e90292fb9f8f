"""A stand-in for an optimizer object: it changes nothing, and remembers which gradient came with which parameter.

    self.W = optimizer.update(self.W, dW)            optimizer.minimize(W, b, dW, db, vW, vb, rate) -> W, b, vW, vb

Any method may be called. Arrays of the layer itself are parameters or an optimizer's memory, the others gradients, in order.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck.numerics import Array
from gradcheck.subjects.spellings import arrays_in


class Recorder:
    """Handed over as the optimizer of one layer."""

    def __init__(self, layer: Any) -> None:
        self.own: list[Array] = [a for _, a in arrays_in(layer, 5)]
        self.pairs: list[tuple[Array, Array]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._update

    def __call__(self, *values: Any, **named: Any) -> Any:
        """An optimizer that is a function."""
        return self._update(*values, **named)

    def gradient_of(self, parameter: Array) -> Array | None:
        """What came with a parameter; None where nothing did."""
        return next((g for p, g in self.pairs if p is parameter), None)

    def _update(self, *values: Any, **named: Any) -> Any:
        arrays = [v for v in (*values, *named.values()) if isinstance(v, np.ndarray)]
        held = [v for v in arrays if any(v is a for a in self.own)]
        gradients = [v for v in arrays if not any(v is a for a in self.own)]
        self.pairs += [(p, g.copy()) for p, g in zip(held, gradients, strict=False)]
        return held[0] if len(held) == 1 else tuple(held)
