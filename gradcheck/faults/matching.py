"""Does a fault reproduce a claim? The trusted sweep is edited and compared within rounding, layer by layer from the top.

A gradient of layer l depends on the equations of the layers from l up, so that a fault is dropped at the first layer whose
gradients it does not give. It must not know which faults there are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gradcheck.faults.backprop import TRUSTED, Equations, Sweep, finish, step, sweep
from gradcheck.faults.fault import Planting, plant
from gradcheck.networks import Case
from gradcheck.numerics import Array, Arrays, unit_roundoff
from gradcheck.oracles.error_analysis import rounding_bounds

Claims = Callable[[Case], Arrays | None]
"""Asks the subject for its gradient at a case; None when it cannot be had."""
MARGIN = 8.0
"""How many times the rounding bound a claim and a synthesised gradient may lie apart."""
SHARP: dict[str, float] = {"float64": 1e-9, "float32": 1e-3}
"""A tensor is evidence where the bound is at most this, relative to its largest component."""
MISFIT = (ValueError, IndexError, KeyError, ZeroDivisionError, FloatingPointError, np.linalg.LinAlgError)
LATE = frozenset({"weight_result", "bias_result"})
"""Slots that are read once all layers are done."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """One case with its claim, the trusted sweep, and the largest rounding error of each tensor.

    right: per tensor, whether the claim is the trusted value. fresh: drawn by us after the mistake was seen.
    """

    case: Case
    claim: Arrays
    trusted: Sweep
    gradient: Arrays
    error: dict[str, float]
    right: dict[str, bool]
    fresh: bool

    @property
    def informative(self) -> bool:
        """Whether the claim is wrong here."""
        return not all(self.right.values())

    def agrees(self, name: str, value: Array) -> bool:
        """Whether a synthesised tensor is the claimed one, within rounding."""
        claimed = self.claim.get(name)
        if claimed is None:
            return True
        if value.shape != claimed.shape:
            return False
        return bool(np.all(np.abs(value - claimed) <= self.tolerance(name, value)))

    def tolerance(self, name: str, value: Array) -> float:
        """The rounding bound of the tensor, grown as the synthesised value outgrows the right one."""
        largest, size = _largest(value), _largest(self.gradient[name])
        grown = max(1.0, largest / size) if size > 0 else 1.0
        u = unit_roundoff(self.case.dtype)
        return MARGIN * (self.error[name] * grown + 16 * u * largest)

    def tells_apart(self, one: Arrays, other: Arrays) -> bool:
        """Whether two synthesised gradients differ here by far more than rounding, in a tensor that was claimed."""
        for name, value in one.items():
            if name not in self.claim:
                continue
            if value.shape != other[name].shape:
                return True
            sharp = self.tolerance(name, value) <= SHARP[self.case.dtype] * _largest(value) or not value.any()
            if sharp and np.any(np.abs(value - other[name]) > 20 * self.tolerance(name, value)):
                return True
        return False


def know(case: Case, claim: Arrays, *, fresh: bool) -> Known:
    """Book a claim, with what the comparison needs."""
    trusted = sweep(case)
    gradient = trusted.gradient()
    error = {n: _largest(e) for n, e in rounding_bounds(case).gradient.items()}
    names = {n: np.asarray(claim[n], dtype=np.float64) for n in gradient if n in claim}
    bare = Known(case, names, trusted, gradient, error, {}, fresh)
    return Known(case, names, trusted, gradient, error, {n: bare.agrees(n, gradient[n]) for n in names}, fresh)


def synthesise(case: Case, plantings: Sequence[Planting]) -> Arrays | None:
    """The gradient with faults planted; None where they do not conform or give another shape."""
    equations = plant(plantings, case.architecture)
    try:
        with np.errstate(all="ignore"):
            gradient = finish(sweep(case, equations), equations)
    except MISFIT:
        return None
    shapes = case.architecture.shapes()
    return gradient if all(g.shape == shapes[n] for n, g in gradient.items()) else None


def reproduces(known: Known, planting: Planting) -> bool:
    """Whether one fault alone gives the claim."""
    layers = planting.layers(known.case.architecture)
    if not layers:
        return not known.informative
    top = max(layers)
    if not all(right for n, right in known.right.items() if int(n[1:]) > top):
        return False
    equations = planting.into(TRUSTED, known.case.architecture)
    try:
        with np.errstate(all="ignore"):
            return _walk(known, equations, top, late=planting.fault.slot in LATE)
    except MISFIT:
        return False


def _walk(known: Known, equations: Equations, top: int, *, late: bool) -> bool:
    s = known.trusted.fork()
    for l in range(top, 0, -1):
        if not late:
            step(s, equations, l)
            if not layer_agrees(known, s, l, equations):
                return False
    return not late or all(known.agrees(n, g) for n, g in finish(s, equations).items())


def layer_agrees(known: Known, s: Sweep, l: int, equations: Equations = TRUSTED) -> bool:
    """Whether the gradients of one layer are those of the claim."""
    if not known.agrees(f"W{l}", equations.weight_result(s, l)):
        return False
    return f"b{l}" not in known.claim or known.agrees(f"b{l}", equations.bias_result(s, l))


def _largest(values: Array) -> float:
    return float(np.max(np.abs(values), initial=0.0))
