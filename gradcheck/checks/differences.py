"""Finite differences of the subject's own cost along random directions, and estimates held against them.

It must not know the trusted gradient: `smooth_step` looks at the trusted forward pass only to choose a first step.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from gradcheck.checks.comparison import Discrepancy
from gradcheck.networks import Case, forward
from gradcheck.numerics import Array, Arrays, Estimate, random_direction, unit_roundoff
from gradcheck.numerics.estimate import excess
from gradcheck.oracles.finite_difference import Derivative, directional
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Subject

FD_NO_POWER = 1e-2
"""Differences whose bound is larger than this share of the gradient say nothing."""


def own_differences(
    subject: Subject, case: Case, layout: Layout, claim: Estimate, noise: float, *, attempt: int = 0
) -> dict[str, tuple[Arrays, Derivative]]:
    """One Gaussian direction per tensor, and the derivative of the subject's own cost along it.

    noise: the rounding bound of one cost value; measured noise counts where it is larger. The trusted forward pass
    chooses the steps.
    """
    generator = np.random.default_rng([int(np.abs(case.inputs).sum() * 1e6) % 2**32, attempt])
    names = [n for n in claim.value if n in case.parameters]
    directions = [random_direction(case.parameters, generator, [n]) for n in names]
    steps = [smooth_step(case, v) / 10**attempt for v in directions]
    u = unit_roundoff(case.dtype)

    def evaluate(points: Sequence[Arrays]) -> list[float]:
        return [float(v) for v in subject.forward([case.at(p) for p in points], layout)]

    derivatives = directional(evaluate, case.parameters, directions, steps, roundoff=u, noise_floor=noise)
    return {n: (v, d) for n, v, d in zip(names, directions, derivatives, strict=True)}


def smooth_step(case: Case, direction: Arrays) -> float:
    """The largest step along a direction that moves no weighted input by more than 1/4 and crosses no kink.

    Judged on the trusted forward pass; where a kink is too close for any step, the ladder itself will say so.
    """
    z0, a0 = forward(case)
    small = 1e-4
    moved = forward(case.at({n: case.parameters[n] + small * v for n, v in direction.items()}))[0]
    change = max(float(np.max(np.abs(b - a), initial=0.0)) for a, b in zip(z0[1:], moved[1:], strict=True)) / small
    h = min(0.25 / change if change > 0 else 1.0, 1.0)
    for _ in range(10):
        if _same_sides(case, direction, h, (z0, a0)):
            return h
        h /= 4
    return h


def _same_sides(case: Case, direction: Arrays, h: float, base: tuple[list[Array], list[Array]]) -> bool:
    cost = case.architecture.cost
    for step in (h, -h, h / 2, -h / 2):
        z, a = forward(case.at({n: case.parameters[n] + step * v for n, v in direction.items()}))
        for l, layer in enumerate(case.architecture.layers, start=1):
            if any(np.any((z[l] > k) != (base[0][l] > k)) for k in (*layer.activation.kinks, *layer.activation.joints)):
                return False
        if cost.kinks is not None:
            before, after = (cost.kinks(o, case.targets) for o in (base[1][-1], a[-1]))
            if np.any((before > 0) != (after > 0)):
                return False
    return True


def against_own(estimate: Estimate, own: Mapping[str, tuple[Arrays, Derivative]]) -> dict[str, float | None]:
    """Per tensor |⟨estimate, v⟩ − own| / bound; None where the differences gave no bound worth having."""
    out: dict[str, float | None] = {}
    for name, (v, derivative) in own.items():
        value, error = estimate.along(v)
        size = float(np.linalg.norm(estimate.value[name])) + abs(derivative.value)
        usable = np.isfinite(derivative.error) and derivative.error <= FD_NO_POWER * size
        off, bound = np.asarray(value - derivative.value), np.asarray(error + derivative.error)
        out[name] = float(excess(off, bound)) if usable else None  # a dead layer: 0 differs from 0 by no more than 0
    return out


def ratio_of(claim: Estimate, v: Arrays, derivative: Derivative) -> float | None:
    value, _ = claim.along(v)
    return value / derivative.value if derivative.value and np.isfinite(derivative.error) else None


def own_discrepancies(
    claim: Estimate, own: Mapping[str, tuple[Arrays, Derivative]], against: Mapping[str, float | None]
) -> tuple[Discrepancy, ...]:
    """A projection has no index: the discrepancy is that of the tensor along its random direction."""
    out = []
    for name, ratio in against.items():
        if ratio is not None and ratio > 1:
            v, derivative = own[name]
            value, error = claim.along(v)
            out.append(Discrepancy(name, (), value, derivative.value, error + derivative.error, "finite differences along a random direction"))  # noqa: E501  # fmt: skip
    return tuple(out)
