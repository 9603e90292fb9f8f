"""Which scale and guard make a trusted cost equal the subject's values: pure arithmetic on cases and numbers."""

from collections.abc import Sequence

import numpy as np

from gradcheck.networks import SCALES, Case, Cost, forward
from gradcheck.networks.costs import GUARDED, guarded, scale_named
from gradcheck.networks.namespace import xp_numpy
from gradcheck.numerics import Array

GUARDS = (1e-15, 1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5)
AGREE = {"float64": 1e-8, "float32": 2e-4}


def match_scale(
    cases: Sequence[Case],
    values: Sequence[float] | None,
    wanted: str | None,
    agree: float,
    outputs: Sequence[Array] | None = None,
) -> tuple[str, float] | None:
    """(name of the scale, guard of the logarithms) that makes the trusted cost equal all values; None if none does.

    outputs: those of the trusted forward pass at the cases, where they are at hand.
    """
    if values is None or not np.all(np.isfinite(values)):
        return None
    outputs = outputs_of(cases) if outputs is None else outputs
    cost_ = cases[0].architecture.cost
    name = cost_.name
    names = [wanted] if wanted else list(SCALES)
    sizes = [(c.samples, c.architecture.widths[-1]) for c in cases]
    factors = np.array([[scale_named(scale)(*size) for size in sizes] for scale in names])
    tight = 4e-13 if agree < 1e-6 else agree
    guards = GUARDS if name in GUARDED and agree < 1e-6 else ()
    for epsilon, tolerance in [(0.0, tight), *((e, tight) for e in guards), (0.0, agree)]:
        sums = _sums(guarded(name, epsilon) if epsilon else cost_, outputs, cases)
        if not all(1e-12 < abs(total) < np.inf for total in sums):
            return None
        expected = factors * sums
        fits = np.all(np.abs(values - expected) <= tolerance * np.maximum(np.abs(expected), 1e-12), axis=1)
        if fits.any():
            return names[int(np.argmax(fits))], epsilon
    plain = _sums(cost_, outputs, cases)
    return _unusual_scale(cases, values, plain, agree) if wanted is None and len(cases) > 2 else None


def _unusual_scale(
    cases: Sequence[Case], values: Sequence[float], sums: Sequence[float], agree: float
) -> tuple[str, float] | None:
    """``r * base``: one factor on all cases, such as 3 or 0.1, beside a customary dependence on m and n."""
    for base in ("1/m", "1", "1/(m n)", "1/n"):
        units = [scale_named(base)(c.samples, c.architecture.widths[-1]) * s for c, s in zip(cases, sums, strict=True)]
        if not all(u and np.isfinite(u) for u in units):
            continue
        r = values[0] / units[0]
        if r and all(close(v, r * u, agree) for v, u in zip(values, units, strict=True)):
            return f"{float(f'{r:.12g}')!r} * {base}", 0.0
    return None


def multiple(claim: Array | None, expected: Array, agree: float) -> float:
    """r with claim = r expected; NaN where there is none."""
    if claim is None or not np.any(expected):
        return float("nan")
    r = float(np.vdot(expected, claim) / np.vdot(expected, expected))
    return (
        r if np.allclose(claim, r * expected, rtol=agree, atol=agree * float(np.max(np.abs(claim)))) else float("nan")
    )


def close(value: float, expected: float, relative: float) -> bool:
    return abs(value - expected) <= relative * max(abs(expected), 1e-12)


def outputs_of(cases: Sequence[Case]) -> list[Array]:
    """The outputs of the trusted forward pass."""
    with np.errstate(all="ignore"):
        return [forward(c)[1][-1] for c in cases]


def _sums(cost: Cost, outputs: Sequence[Array], cases: Sequence[Case]) -> list[float]:
    """The plain sums of a cost over the samples, from outputs that were computed once."""
    with np.errstate(all="ignore"):
        return [float(cost(a, c.targets, xp_numpy)) for a, c in zip(outputs, cases, strict=True)]
