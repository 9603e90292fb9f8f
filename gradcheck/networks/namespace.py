"""The array namespace `xp` against which activations and costs are written once: numpy here, jax.numpy in the oracle.

`xp` is numpy itself plus the one special function that numpy lacks, `erf`.
"""

import math
from typing import Any

import numpy as np

from gradcheck.numerics import Array


class NumpyNamespace:
    """numpy with `erf`; attribute access falls through to numpy, once a name."""

    def __getattr__(self, name: str) -> Any:
        found = self.__dict__[name] = getattr(np, name)
        return found

    @staticmethod
    def erf(x: Array) -> Array:
        """Error function, elementwise (math.erf), in the dtype of `x`."""
        z = np.asarray(x)
        return np.fromiter(map(math.erf, z.ravel().tolist()), z.dtype, z.size).reshape(z.shape)

    @staticmethod
    def stop_gradient(x: Array) -> Array:
        """Itself: numpy differentiates nothing."""
        return x


xp_numpy = NumpyNamespace()
