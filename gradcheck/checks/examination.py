"""The outcome of one case: what broke, where, and how small an error would have been seen.

It must not know how the outcome was found.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from gradcheck.checks.comparison import Discrepancy


class Fault(Enum):
    """What broke, as the ladder can tell it; the report maps each to a code."""

    MISSING = "a gradient is missing"
    COUNT = "wrong number of gradients"
    TYPE = "not an array of real numbers"
    SHAPE = "wrong shape"
    DTYPE = "wrong dtype"
    NONFINITE = "not finite"
    MUTATION = "mutation"
    ALIASING = "aliasing"
    NONDETERMINISM = "nondeterminism"
    STALE_STATE = "stale state"
    ACCUMULATION = "accumulation"
    MEMORY_ORDER = "the answer depends on how an array lies in memory"
    NOT_LINEAR = "the pullback is not linear in its cotangent"
    UPSTREAM_IGNORED = "the upstream gradient is ignored"
    NO_GRADIENT = "the claim is the gradient of nothing"
    NOT_ADDITIVE = "the gradient is not additive over the samples"
    ORDER = "the gradient depends on the order of the samples"
    UNITS = "the gradient does not follow a permutation of the units"
    LOSS_SCALE = "the gradient does not scale as the cost does"
    BACKWARD = "the backward pass is wrong"
    FORWARD = "forward pass, cost or convention differs"
    COST_CODE = "the cost code is wrong"
    SCALE = "constant multiple of the gradient of the own cost"
    ALL_DIFFER = "forward pass, cost and gradient disagree"
    UNSTABLE = "numerically unstable"
    PRECISION = "less precision than the dtype"


BY_DIFFERENCES = frozenset({Fault.FORWARD, Fault.COST_CODE, Fault.SCALE, Fault.ALL_DIFFER})
"""Faults that rest on finite differences, and are reported only when fresh ones confirm them."""


VACUOUS = "no tensor's gradient stands out of rounding"
"""Why a saturated or dead case, or one with a cotangent of zero, is no evidence."""


@dataclass(frozen=True, slots=True)
class Examination:
    """The outcome of one case.

    fault: the first broken rung, None when clean. silent: why the case is no evidence, empty otherwise.
    power: per tensor, the smallest relative error that would have been seen. agreement: the largest ratio of
    |own − trusted| to the sum of their bounds. confidence: with which the power holds, 1 where components were compared.
    miss: per tensor that was judged along one Gaussian direction, κ: an error of relative norm ρ escapes with probability at
    most κ/ρ.
    whole: the same of an error of the whole tensor by one factor, where that is smaller (float32).
    error_bound: where projections judged, the largest error of a tensor, over its norm, that is compatible with what was seen.
    """

    fault: Fault | None
    rung: str
    message: str = ""
    parameter: str | None = None
    discrepancies: tuple[Discrepancy, ...] = ()
    power: Mapping[str, float] = field(default_factory=dict)
    components: int = 0
    silent: str = ""
    ratio: float | None = None
    agreement: float = 0.0
    wrong: tuple[str, ...] = ()
    confidence: float = 1.0
    error_bound: float = 0.0
    miss: Mapping[str, float] = field(default_factory=dict)
    whole: Mapping[str, float] = field(default_factory=dict)
