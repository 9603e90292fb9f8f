"""A derivative with its error bound; claims and oracles both give one.

It must not know who made it: `method` is only a label for reports.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gradcheck.numerics.arrays import Array, Arrays


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """Value ± error, name by name.

    value: arrays of any shape. error: arrays of the same names and shapes, non-negative, in the units of the value;
    `inf` says that nothing is known. The truth is claimed to lie within the interval, component by component.
    """

    value: Arrays
    error: Arrays
    method: str

    def restricted(self, names: Mapping[str, object]) -> "Estimate":
        """The same estimate for some of its names only, in their order."""
        return Estimate(
            {n: self.value[n] for n in names if n in self.value},
            {n: self.error[n] for n in names if n in self.value},
            self.method,
        )

    def scaled(self, factor: float) -> "Estimate":
        """factor · self, with the error of the multiplication left to the caller."""
        return Estimate(
            {n: factor * a for n, a in self.value.items()},
            {n: abs(factor) * a for n, a in self.error.items()},
            self.method,
        )

    def along(self, direction: Arrays) -> tuple[float, float]:
        """Value and error of the directional derivative ⟨g, v⟩: the component errors add up in the worst case."""
        value = sum(float(np.vdot(self.value[n], v)) for n, v in direction.items())
        error = sum(float(np.vdot(self.error[n], np.abs(v))) for n, v in direction.items())
        summation = sum(float(np.vdot(np.abs(self.value[n]), np.abs(v))) * v.size for n, v in direction.items())
        return value, error + np.finfo(float).eps * summation


def excess(difference: Array, bound: Array) -> Array:
    """|difference| / bound, with 0/0 = 0: more than 1 says that two intervals do not meet; NaN counts as infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.abs(difference) / bound
    ratio = np.where((difference == 0) & np.isfinite(difference), 0.0, ratio)
    return np.where(np.isnan(ratio), np.inf, ratio)
