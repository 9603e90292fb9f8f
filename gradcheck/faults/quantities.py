"""The right quantities of backprop at one case, to be recognised among a subject's own arrays in either orientation.

    W b z a prime above delta dW db    by layer, as in `faults.backprop`; y, the targets; residual, a_L − y

A weight matrix with its bias column or row counts as W, an activation with a leading or closing 1 as a, and the customary
factors ±1, ±2, ±½ do not matter. Nothing here knows lines of source.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from gradcheck.faults.backprop import Sweep, sweep
from gradcheck.networks import COSTS, Activation, Case, builtin_activations
from gradcheck.numerics import Array
from gradcheck.oracles.autodiff import activation_vjp, cost_vjp

Kind = tuple[str, int]
FACTORS = (1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
TOLERANCE = {"float64": 1e-8, "float32": 1e-4}


def same(one: Array, other: Array, tolerance: float = 1e-8) -> bool:
    """Whether two arrays hold the same values in the same order, in either orientation, up to a customary factor."""
    if one.size != other.size or not one.size:
        return False
    left = one.ravel()
    scale = float(np.max(np.abs(left)))
    if not np.isfinite(scale) or scale == 0:
        return False
    sides = [other.ravel()] if min(other.shape, default=1) == 1 or other.ndim < 2 else [other.ravel(), other.T.ravel()]
    with np.errstate(all="ignore"):
        return any(float(np.max(np.abs(left - c * s))) <= tolerance * scale for s in sides for c in FACTORS)


@dataclass(frozen=True, slots=True, eq=False)
class Quantities:
    """Of a case with one sample and λ = 0."""

    sweep: Sweep
    tolerance: float
    known: tuple[tuple[Kind, Array], ...]
    _roles: dict[bytes, frozenset[Kind]] = field(default_factory=dict)

    def roles(self, value: Array) -> frozenset[Kind]:
        """Which right quantities an array holds."""
        key = value.tobytes() + str(value.shape).encode()
        if key not in self._roles:
            self._roles[key] = frozenset(k for k, v in self.known if self._holds(k[0], value, v))
        return self._roles[key]

    def _holds(self, kind: str, value: Array, known: Array) -> bool:
        """Factors are customary in gradients; −z is another thing than z."""
        exact = kind in ("W", "b", "z", "a", "y", "prime")
        if not self.same(value, known):
            return False
        return not exact or (
            np.isclose(np.abs(value).sum(), np.abs(known).sum()) and bool(value.sum() * known.sum() >= 0)
        )

    def same(self, one: Array, other: Array) -> bool:
        """`same` at the precision of the case."""
        return same(one, other, self.tolerance)

    def derivative(self, l: int, at: Array) -> Array | None:
        """f_l′ at the components of another array, as a column; None for softmax."""
        f, column = self.sweep.f(l), at.reshape(-1, 1)
        return activation_vjp(f)(column, np.ones_like(column)) if f.elementwise and at.size else None

    def pulled(self, l: int, above: Array) -> Array | None:
        """Jᵀ v of layer l at the right z, for a v with n_l components."""
        z = self.sweep.z[l]
        return activation_vjp(self.sweep.f(l))(z, above.reshape(z.shape)) if above.size == z.size else None

    def slopes(self, at: Array) -> Iterator[Array]:
        """What all activations' derivatives give at an array, as functions of z and of a."""
        for f in self._activations():
            if f.elementwise:
                yield activation_vjp(f)(at, np.ones_like(at))
        with np.errstate(all="ignore"):
            yield from (at * (1 - at), 1 - at**2, 1 - np.exp(-at), (at > 0).astype(float))

    def pullbacks(self, at: Array, above: Array) -> Iterator[Array]:
        """Jᵀ v of all activations at an array."""
        yield from (activation_vjp(f)(at, above) for f in self._activations())

    def other_costs(self) -> Iterator[Array]:
        """∂C/∂a of all costs, and ∂C/∂z by them."""
        s = self.sweep
        for cost in COSTS.values():
            above = cost_vjp(cost)(s.a[s.L], s.y, np.asarray(s.scale))
            yield from (above, activation_vjp(s.f(s.L))(s.z[s.L], above))

    def _activations(self) -> tuple[Activation, ...]:
        return tuple(
            dict.fromkeys([*(k.activation for k in self.sweep.case.architecture.layers), *builtin_activations()])
        )


def quantities(case: Case) -> Quantities | None:
    """None where a quantity is 0 or coincides with another one that it is not by definition."""
    s = sweep(case)
    known = tuple(_known(s))
    telling = [v for (kind, _), v in known if kind in ("W", "z", "a", "above", "delta", "dW")]
    if not all(np.all(np.isfinite(v)) and np.any(v) for v in telling):
        return None
    curved = [l for l in range(1, s.L + 1) if s.f(l).name != "identity"]
    if any(same(s.above[l], s.delta[l]) for l in curved):  # all units of a relu are on: σ′ does not show
        return None
    return Quantities(s, TOLERANCE[case.dtype], known)


def _known(s: Sweep) -> Iterator[tuple[Kind, Array]]:
    one = np.ones((1, 1))
    for l in range(s.L + 1):
        a = s.a[l]
        yield from ((("a", l), v) for v in (a, np.vstack([one, a]), np.vstack([a, one])))
    for l in range(1, s.L + 1):
        W, b = s.W(l), s.b(l)
        yield from ((("W", l), v) for v in (W, np.hstack([b, W]), np.hstack([W, b])))
        yield ("b", l), b
        yield ("z", l), s.z[l]
        if s.f(l).elementwise and np.unique(s.prime(l)).size > 2:  # a mask of two values is told from no other
            yield ("prime", l), s.prime(l)
        yield ("above", l), s.above[l]
        yield ("delta", l), s.delta[l]
        yield ("dW", l), s.dW[l]
        yield ("db", l), s.db[l]
    yield ("y", 0), s.y
    yield ("residual", 0), s.a[s.L] - s.y
