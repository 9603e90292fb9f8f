"""The kinks of a definition that declares none: where its slope jumps, found on a grid and bisected to neighbouring numbers.

f′ is jax's slope of an elementwise activation, f″ its curvature. Between two grid points the slope may change by what the
curvature says, and a little more; where it changes by more, the half with the larger change is halved again, until the change
is either gone (a steep but smooth place) or stands between neighbouring numbers. Beyond the grid, kinks are not known.
"""

from dataclasses import replace

import numpy as np

from gradcheck.networks import Activation, Cost
from gradcheck.numerics import Array
from gradcheck.oracles.autodiff import activation_second, activation_vjp, cost_hvp, cost_vjp

REACH = 12.0
"""Kinks are looked for between −REACH and REACH."""
_POINTS = 4801
_MOST = 16
_HALVINGS = 80
_SMALLEST = 1e-6
"""Jumps of the slope that are smaller, relative to the largest slope, are rounding."""


def with_kinks(activation: Activation) -> Activation:
    """The activation with the kinks that were found; unchanged where it declares some, or is not elementwise."""
    if activation.kinks or activation.joints or not activation.elementwise:
        return activation
    return replace(activation, kinks=tuple(_found(activation)))


def _found(activation: Activation) -> list[float]:
    grid = np.linspace(-REACH, REACH, _POINTS) + 1e-4  # off the round numbers, where definitions put their kinks
    step = grid[1] - grid[0]
    f1 = _slope(activation, grid)
    f2 = np.abs(activation_second(activation)(grid.reshape(1, -1)).ravel())
    if not (np.all(np.isfinite(f1)) and np.all(np.isfinite(f2))):
        return []
    smallest = _SMALLEST * float(np.max(np.abs(f1), initial=0.0))
    change = np.abs(np.diff(f1))
    jumps = np.flatnonzero(change > 4 * step * np.maximum(f2[1:], f2[:-1]) + smallest)
    places = (_bisected(activation, float(grid[k]), float(grid[k + 1]), smallest) for k in jumps[:_MOST])
    return sorted({p for p in places if p is not None})


def _bisected(activation: Activation, low: float, high: float, smallest: float) -> float | None:
    below, above = (float(s) for s in _slope(activation, np.array([low, high])))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        here = float(_slope(activation, np.array([middle]))[0])
        if abs(here - below) >= abs(above - here):
            high, above = middle, here
        else:
            low, below = middle, here
    return _roundest(low, high) if abs(above - below) > smallest else None


def _roundest(low: float, high: float) -> float:
    """The shortest decimal between two numbers, a few roundings of the definition to either side included."""
    slack = 8 * float(np.spacing(max(abs(low), abs(high))))
    low, high = low - slack, high + slack
    return next((r for d in range(18) if low <= (r := round(high, d) + 0.0) <= high), high)


def _slope(activation: Activation, z: Array) -> Array:
    row = z.reshape(1, -1)
    return activation_vjp(activation)(row, np.ones_like(row)).ravel()


def has_unknown_kinks(cost: Cost, seed: int = 0) -> bool:
    """Whether the gradient of a cost jumps along a line through random outputs and targets, although it declares no kinks."""
    if cost.kinks is not None:
        return False
    generator = np.random.default_rng([seed, 41])
    a, y, v = _outputs(cost, generator)
    t = np.linspace(-0.5, 0.5, 401)
    gradients = np.stack([cost_vjp(cost)(a + s * v, y, np.ones(())) for s in t])
    curvature = np.stack([np.abs(cost_hvp(cost)(a + s * v, y, v)) for s in t])
    if not (np.all(np.isfinite(gradients)) and np.all(np.isfinite(curvature))):
        return False
    change = np.abs(np.diff(gradients, axis=0))
    explained = 4 * (t[1] - t[0]) * np.maximum(curvature[1:], curvature[:-1]) + 1e-3 * np.max(np.abs(gradients))
    return bool(np.any(change > explained))


def _outputs(cost: Cost, generator: np.random.Generator) -> tuple[Array, Array, Array]:
    """Outputs, targets and a direction that the domain of the cost allows."""
    shape = (3, 4)
    if cost.domain == "real":
        a, v = generator.standard_normal(shape), 3.0 * generator.standard_normal(shape)
    else:
        a, v = generator.uniform(0.3, 0.7, shape), 0.4 * generator.uniform(-1, 1, shape)
    one_hot = np.eye(3)[generator.integers(0, 3, 4)].T
    y = {"real": generator.standard_normal(shape), "unit_interval": generator.random(shape)}.get(cost.targets, one_hot)
    return a, y, v
