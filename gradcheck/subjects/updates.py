"""What an update of the parameters says about a gradient, and when it says nothing: the law of plain gradient descent.

θ′ = θ − η g. Plain descent moves in proportion to η, remembers nothing (two steps on one object are two first steps), and
leaves the sizes of a gradient's components as they are. What breaks this is momentum, Adam, clipping, a schedule or a
normalised step: recognised and refused with its name, never misjudged. It must not know conventions.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.numerics import Array
from gradcheck.subjects.layer_trial import ETAS

_SAME = 1e-9
_LARGE = 1e-3


@dataclass(frozen=True, slots=True)
class Step:
    """displacement: θ − θ′ of every parameter, at a rate η (1 where the file has none that can be chosen)."""

    displacement: Mapping[str, Array]
    rate: float
    adjustable: bool

    @property
    def gradient(self) -> dict[str, Array]:
        """(θ − θ′) / η."""
        return {n: d / self.rate for n, d in self.displacement.items()}


def rounding_of_step(step: Step, sizes: Mapping[str, float], dtype: str) -> dict[str, Array]:
    """What storing θ and θ′ costs the gradient: 2 u (|θ| + |θ − θ′|) / η, component by component."""
    u = float(np.finfo(dtype).eps)
    return {
        n: np.full(d.shape, 2 * u * (sizes[n] + float(np.max(np.abs(d), initial=0.0))) / step.rate)
        for n, d in step.displacement.items()
    }


def require_plain(
    step: Callable[[float, int, float], Step],
    fresh_after: Callable[[Mapping[str, Array]], Step],
    grown: Collection[str] | None = None,
) -> None:
    """Raise SubjectError of kind "unrecognised" with the reason where no gradient can be read from the update.

    step(rate, repeat, factor): `repeat` steps on one object, at a gradient made larger by a factor; grown: the parameters
    whose gradient that is, None for all. fresh_after(displacement): a first step, at the large rate, of a new object at the
    parameters that this displacement leads to.
    """
    first = step(ETAS[0], 1, 1.0)
    if first.adjustable:
        smaller = step(ETAS[1], 1, 1.0)
        for n, d in first.displacement.items():
            _require_proportional(n, d, smaller.displacement[n])
    _require_sizes(first.displacement)
    both, second = step(ETAS[0], 2, 1.0), fresh_after(first.displacement)
    _require_memoryless(first.displacement, both.displacement, second.displacement)
    far = [step(ETAS[0], 1, factor) for factor in (1e4, 4e4)]
    for taken in (first, far[0]):
        _require_no_clipping(taken)
    _require_no_limit(far[0], far[1], grown)


def _require_proportional(name: str, large: Array, small: Array) -> None:
    moved, less = float(np.linalg.norm(large)), float(np.linalg.norm(small))
    if moved > _SAME and abs(less - moved) < _LARGE * moved:
        msg = f"the step of {name} does not depend on the learning rate: no gradient can be read from it"
        raise SubjectError("unrecognised", msg)


def _require_sizes(displacement: Mapping[str, Array]) -> None:
    """Adam's first step, RMSProp's and Adagrad's move every component of every tensor by (nearly) the same amount.

    In one tensor alone it is a mistake, such as a bias gradient that is summed over the units too.
    """
    moved = {n: np.abs(d[d != 0]) for n, d in displacement.items()}
    told = {n: float(np.ptp(a)) <= _LARGE * float(np.max(a)) for n, a in moved.items() if a.size >= 4}
    weights = [n for n in told if n[0] == "W"]
    if weights and all(told.values()):
        msg = (
            f"every component of {weights[0]} moves by the same amount: the update follows the sign of the gradient or is "
            "scaled by its size (Adam, RMSProp, Adagrad), and no gradient can be read from it"
        )
        raise SubjectError("unrecognised", msg)


def _require_no_clipping(step: Step) -> None:
    """Several components of one weight matrix that share exactly its largest size were clipped to it.

    Where smaller ones are shared too, values were repeated by a mistake.
    """
    for sizes in (np.abs(g) for n, g in step.gradient.items() if n[0] == "W"):
        top = float(np.max(sizes, initial=0.0))
        at_top = int(np.sum(sizes >= (1 - _SAME) * top))
        rest = np.sort(sizes[(sizes < (1 - _SAME) * top) & (sizes > 0)])
        repeated = np.any(np.diff(rest) <= _SAME * rest[1:])
        if top > 0 and at_top >= 3 and at_top > sizes.size / 20 and not repeated:
            msg = f"{at_top} components of a step are exactly ±{top:.6g}: the gradient is clipped, and cannot be read from it"
            raise SubjectError("unrecognised", msg)


def _require_no_limit(far: Step, farther: Step, grown: Collection[str] | None) -> None:
    """A norm that stays the same, to the last digits, while the gradient grows fourfold is a limit."""
    names = [n for n in far.displacement if grown is None or n in grown]
    for chosen in (names, *([n] for n in names)):
        norms = [float(np.sqrt(sum(np.sum(s.gradient[n] ** 2) for n in chosen))) for s in (far, farther)]
        if norms[0] > 0 and abs(norms[1] - norms[0]) <= _SAME * norms[0]:
            msg = f"the norm of the update is {norms[0]:.6g} however large the error is: it is clipped or normalised"
            raise SubjectError("unrecognised", msg)


def _require_memoryless(first: Mapping[str, Array], both: Mapping[str, Array], second: Mapping[str, Array]) -> None:
    """Two steps on one object must be a first step at θ and a first step at θ′.

    Momentum, Adam's averages and schedules remember.
    """
    for n in first:
        expected = first[n] + second[n]
        size = float(np.max(np.abs(first[n]), initial=0.0)) + float(np.max(np.abs(second[n]), initial=0.0))
        if size > _SAME and float(np.max(np.abs(both[n] - expected), initial=0.0)) > 1e-6 * size:
            msg = (
                f"a second step of {n} is not that of a fresh network at the same weights: the update remembers (momentum, "
                "Adam or a schedule of the learning rate), and no gradient can be read from it"
            )
            raise SubjectError("unrecognised", msg)
