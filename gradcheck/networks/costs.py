"""Costs and their conventions: one JAX-traceable function for the sum, a scale for ½, 1/m and 1/n, and the L2 term.

a, y  output activation and target, shape (units, samples)
C     scale · Σ over samples and units of the cost, plus the L2 term

A cost function returns the plain sum over the batch; how it is averaged is a convention, kept apart as `SCALES`, because
½ against 1 or 1/m against 1 is never a fault by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, Literal

from gradcheck.errors import UsageError
from gradcheck.networks.activations import Range, sigmoid, softmax, wants_namespace
from gradcheck.numerics import Array

Targets = Literal["real", "unit_interval", "simplex", "one_hot"]


@dataclass(frozen=True, slots=True)
class Cost:
    """A cost summed over the batch.

    name: the configured name, by which a subject is asked for it.
    function: C(a, y) in jax.numpy or C(a, y, xp), arrays (units, samples) in, a scalar out: the SUM over samples.
    domain: what the output activation must deliver. targets: which targets are meaningful.
    separable: the sum of one term per output unit, so that its Hessian in a is diagonal.
    kinks: how far a case is from a point with two slopes is measured on these quantities: callable (a, y) -> array that is
        zero exactly at a kink, or None for a smooth cost.
    guard: ε of a logarithm written as ln(a + ε), 0 for none: a convention, whose effect on the gradient is never a fault.
    """

    name: str
    function: Callable[..., Any]
    domain: Range = "real"
    targets: Targets = "real"
    separable: bool = False
    kinks: Callable[[Array, Array], Array] | None = None
    source: str | None = None
    guard: float = 0.0

    def __call__(self, a: Array, y: Array, xp: Any) -> Any:
        return self.function(a, y, xp) if wants_namespace(self.function) else self.function(a, y)


def mse(a: Array, y: Array, xp: Any) -> Any:
    """Σ (a − y)²."""
    return xp.sum((a - y) ** 2)


def mae(a: Array, y: Array, xp: Any) -> Any:
    """Σ |a − y|."""
    return xp.sum(xp.abs(a - y))


def bce(a: Array, y: Array, xp: Any) -> Any:
    """−Σ y ln a + (1 − y) ln(1 − a), a probability for each unit."""
    return -xp.sum(y * xp.log(a) + (1.0 - y) * xp.log1p(-a))


def bce_logits(a: Array, y: Array, xp: Any) -> Any:
    """The same of logits: Σ softplus(a) − y a (`>=` as in the activation softplus)."""
    return xp.sum(xp.where(a >= 0, a, 0.0) + xp.log1p(xp.exp(-xp.abs(a))) - y * a)


def cross_entropy(a: Array, y: Array, xp: Any) -> Any:
    """−Σ y ln a, the columns of a sum to one."""
    return -xp.sum(y * xp.log(a))


def cross_entropy_logits(a: Array, y: Array, xp: Any) -> Any:
    """−Σ y ln softmax(a) over the units. The shift has no derivative: its own, zero on paper, is rounding at the largest."""
    top = xp.stop_gradient(xp.max(a, axis=0, keepdims=True))
    log_sum = top + xp.log(xp.sum(xp.exp(a - top), axis=0, keepdims=True))
    return xp.sum(y * (log_sum - a))


def hinge(a: Array, y: Array, xp: Any) -> Any:
    """Multiclass hinge Σ_{j≠t} max(0, a_j − a_t + 1), y one-hot with y_t = 1 (Weston & Watkins 1999)."""
    margin = a - xp.sum(a * y, axis=0, keepdims=True) + 1.0
    return xp.sum(xp.where(margin > 0, margin, 0.0) * (1.0 - y))


def _residual(a: Array, y: Array) -> Array:
    return a - y


def _hinge_margin(a: Array, y: Array) -> Array:
    margin: Array = a - (a * y).sum(axis=0, keepdims=True) + 1.0
    return margin + y  # the unit of the target itself never counts


COSTS: Mapping[str, Cost] = {
    "mse": Cost("mse", mse, separable=True),
    "mae": Cost("mae", mae, separable=True, kinks=_residual),
    "bce": Cost("bce", bce, domain="unit_interval", targets="unit_interval", separable=True),
    "bce_logits": Cost("bce_logits", bce_logits, targets="unit_interval", separable=True),
    "cross_entropy": Cost("cross_entropy", cross_entropy, domain="simplex", targets="simplex", separable=True),
    "cross_entropy_logits": Cost("cross_entropy_logits", cross_entropy_logits, targets="simplex"),
    "hinge": Cost("hinge", hinge, targets="one_hot", kinks=_hinge_margin),
}
LOGITS: frozenset[str] = frozenset({"bce_logits", "cross_entropy_logits"})

SCALES: Mapping[str, Callable[[int, int], float]] = {
    "1/m": lambda m, n: 1.0 / m,
    "1/(2m)": lambda m, n: 0.5 / m,
    "1": lambda m, n: 1.0,
    "1/2": lambda m, n: 0.5,
    "1/(m n)": lambda m, n: 1.0 / (m * n),
    "1/(2 m n)": lambda m, n: 0.5 / (m * n),
    "1/n": lambda m, n: 1.0 / n,
    "1/(2n)": lambda m, n: 0.5 / n,
    "2/m": lambda m, n: 2.0 / m,
    "2": lambda m, n: 2.0,
}
"""Scale of the summed cost as a function of m samples and n output units."""


@lru_cache(maxsize=256)
def scale_named(name: str) -> Callable[[int, int], float]:
    """A scale by its name: a key of `SCALES`, or ``r * key`` with a number r. Raises UsageError that lists the keys."""
    factor, star, base = name.rpartition("*")
    if base.strip() in SCALES:
        r = _number(factor) if star else 1.0
        if r is not None:
            return lambda m, n: r * SCALES[base.strip()](m, n)
    msg = f"unknown scale {name!r}; expected one of {', '.join(SCALES)}, or a number times one of them: '0.1 * 1/m'"
    raise UsageError(msg)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


L2_FORMS: Mapping[str, Callable[[int], float]] = {
    "lambda/2": lambda m: 0.5,
    "lambda/(2m)": lambda m: 0.5 / m,
    "lambda": lambda m: 1.0,
    "lambda/m": lambda m: 1.0 / m,
    "m lambda/2": lambda m: 0.5 * m,
    "none": lambda m: 0.0,
}
"""Factor of λ ΣW² in the cost as a function of m samples."""


GUARDED: Mapping[str, Callable[[float], Callable[..., Any]]] = {
    "bce": lambda e: lambda a, y, xp: -xp.sum(y * xp.log(a + e) + (1.0 - y) * xp.log(1.0 - a + e)),
    "cross_entropy": lambda e: lambda a, y, xp: -xp.sum(y * xp.log(a + e)),
    "cross_entropy_logits": lambda e: lambda a, y, xp: -xp.sum(y * xp.log(softmax(a, xp) + e)),
    "bce_logits": lambda e: (
        lambda a, y, xp: -xp.sum(y * xp.log(sigmoid(a, xp) + e) + (1.0 - y) * xp.log(sigmoid(-a, xp) + e))
    ),
}


@cache
def guarded(name: str, epsilon: float) -> Cost:
    """The cost with its logarithms guarded by ε, as in ln(a + ε); the plain cost for ε = 0."""
    cost = cost_named(name)
    return replace(cost, function=GUARDED[name](epsilon), guard=epsilon) if epsilon else cost


def cost_named(name: str) -> Cost:
    """The built-in cost of a configured name. Raises UsageError that lists the names there are."""
    if name in COSTS:
        return COSTS[name]
    msg = f"unknown cost {name!r}; expected one of {', '.join(COSTS)}"
    raise UsageError(msg)


def legal(cost: Cost, output_range: Range, output_name: str) -> bool:
    """Whether a cost makes sense behind an output activation: log-costs need probabilities, logit costs the identity."""
    if cost.name in LOGITS:
        return output_name == "identity"
    return cost.domain in ("real", output_range)
