"""Named arrays as a vector space: everything a checker needs of a parameter set, in nine small operations.

A point is a mapping from names to float arrays; a direction or a gradient is a mapping with the same names and shapes.
It must not know what the names mean (networks, layers, subjects).
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = Mapping[str, Array]


def size(u: Arrays) -> int:
    """Number of components over all names."""
    return sum(a.size for a in u.values())


def zeros_like(u: Arrays) -> dict[str, Array]:
    """The origin: float64 zeros in the shapes of `u`."""
    return {name: np.zeros(a.shape) for name, a in u.items()}


def dot(u: Arrays, v: Arrays) -> float:
    """Inner product ⟨u, v⟩ over the names of `u`; `v` may hold more names."""
    return float(sum(np.vdot(a, v[name]) for name, a in u.items()))


def norm(u: Arrays) -> float:
    """Euclidean norm ‖u‖."""
    return float(np.sqrt(dot(u, u)))


def axpy(alpha: float, v: Arrays, u: Arrays) -> dict[str, Array]:
    """u + alpha v, in the names of `u`; a name that `v` lacks is left as it is (v = 0 there)."""
    return {name: a + alpha * v[name] if name in v else a for name, a in u.items()}


def ravel(u: Arrays) -> Array:
    """All components in one vector (P,), names in order, each array in C order."""
    return np.concatenate([np.ravel(a) for a in u.values()]) if u else np.zeros(0)


def unravel(vector: Array, like: Arrays) -> dict[str, Array]:
    """The inverse of `ravel`: a vector (P,) in the names and shapes of `like`."""
    ends = np.cumsum([a.size for a in like.values()])
    pieces = np.split(np.asarray(vector), ends[:-1]) if len(like) else []
    return {name: piece.reshape(a.shape) for (name, a), piece in zip(like.items(), pieces, strict=True)}


def basis(like: Arrays, name: str, index: tuple[int, ...]) -> dict[str, Array]:
    """The unit direction of one component; it holds only the one name that is not zero."""
    e = np.zeros(like[name].shape)
    e[index] = 1.0
    return {name: e}


def random_direction(
    like: Arrays, generator: np.random.Generator, names: Iterable[str] | None = None
) -> dict[str, Array]:
    """Standard Gaussian direction over `names` (default: all).

    Gaussian, never ±1 or non-negative: for v ~ N(0, I) an error e is missed with P(|e·v| ≤ τ) ≤ 0.8 τ/‖e‖ whatever
    its pattern, while two equal errors cancel under random signs half the time.
    """
    return {name: generator.standard_normal(like[name].shape) for name in (like if names is None else names)}
