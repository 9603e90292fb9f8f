"""The cheap rung before the full differences: one direction for the whole network, one more evaluation of the subject's cost.

v      Gaussian, each tensor's block scaled by ‖g‖/‖g_l‖: an error of a given relative size in any tensor weighs the same
D_s    (C(θ + h v) − C(θ)) / h of the subject's own cost
D_t    the same difference of the trusted cost, by which a one-sided difference loses its truncation error:
R      D_s − (D_t − ⟨g, v⟩), a control variate: where the two costs are one function it is ⟨g, v⟩ up to rounding, at a step
       that need not be small

It serves where the claim is the trusted gradient already, component by component: what is left to be seen is a cost whose
derivative is another one, C_s − C_t with a slope along v. It only ever says "agrees": where it is in doubt, the caller takes
the full ladder of differences tensor by tensor, and no finding rests on it. It is in doubt where its bound exceeds
`FD_NO_POWER` ‖g‖: moved by ‖g‖/‖g_l‖ v_l, an error of relative size ε in tensor l has the part ε ‖g‖ N(0, 1), so that this
is the share of each tensor's gradient up to which the full ladder takes its own differences for evidence; and where D_t itself
is further than that from ⟨g, v⟩, so that jax.grad stands against differences in every case. A pass here says what a pass
there would.

For P ≥ 1e6 the blocks of matrices are low-rank, u wᵀ + u′ w′ᵀ: drawing P normal numbers would cost more than the evaluations;
a dense or sparse error e is still missed with probability O(τ/‖e‖).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gradcheck.checks.differences import FD_NO_POWER
from gradcheck.networks import Case, cost, cost_of, forward, forward_once
from gradcheck.numerics import Array, Arrays
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Subject

LARGEST_SHARE = 1e4
"""A tensor with hardly any gradient is not moved further than this, relative to the others."""
REACH = 0.25
"""Largest change of a weighted input. Kinks may be crossed: both costs cross them."""
CUSTOMARY = 1e-5
"""Change of the weighted input that moves most, where rounding asks for no more."""
FINER = 1 / 16
"""How much shorter a step the trusted cost alone takes, where D_t is not ⟨g, v⟩ at the first."""
NEAR_ENOUGH = 16.0
"""A change that is so many times off the one that was wanted is taken as it is."""
LARGE_P = 1_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """‖g‖, v, h, the case at θ + h v, and its output activations by the trusted forward pass."""

    total: float
    direction: Arrays
    h: float
    moved: Case
    output: Array


def planned(case: Case, expected: Arrays, noise: float) -> Plan | None:
    """Where the subject's cost is to be asked for; None where no step is in reach. Nothing the subject says enters.

    expected: the trusted gradient g. noise: the rounding bound of one value.
    """
    names = [n for n in case.parameters if n in expected]
    parts = {n: math.sqrt(np.vdot(expected[n], expected[n])) for n in names}
    total = math.sqrt(sum(p * p for p in parts.values()))
    if not names or not np.isfinite(noise) or not 0 < total < np.inf:
        return None
    direction = _direction(case, {n: min(total / parts[n], LARGEST_SHARE) if parts[n] > 0 else 1.0 for n in names})
    step = _step(case, direction, noise / total)
    return None if step is None else Plan(total, direction, *step)


def screen(
    subject: Subject,
    case: Case,
    layout: Layout,
    expected: Arrays,
    known: tuple[float, float],
    plan: Plan | None = None,
) -> float | None:
    """The largest share that a difference takes of its bound, where it is within and the bound means something; None: in doubt.

    expected: the trusted gradient g. known: the subject's cost at the case, and the rounding bound of one value.
    plan: where it is known already. Raises SubjectError when the subject fails to run.
    """
    value, noise = known
    plan = plan or planned(case, expected, noise)
    if plan is None:
        return None
    total, direction, h, moved, a_L = plan.total, plan.direction, plan.h, plan.moved, plan.output
    here, there = cost(case), cost_of(moved, a_L)
    own = float(subject.forward([moved], layout)[0])
    largest = max(abs(own), abs(value), abs(there))
    bound = 4 * (noise + float(np.spacing(largest))) / h
    difference = abs((own - there) - (value - here)) / h
    if not difference <= bound <= total * FD_NO_POWER:
        return None
    off = _off_slope(case, expected, direction, (h, there), total * FD_NO_POWER)
    return max(difference / bound, off) if off <= 1 else None


def _off_slope(case: Case, expected: Arrays, direction: Arrays, known: tuple[float, float], allowed: float) -> float:
    """|D_t − ⟨g, v⟩| over what evidence allows, one-sided or, where curvature stands against that, central.

    known: h, and the trusted cost at θ + h v.
    """
    (h, there), here = known, cost(case)
    slope = sum(float(np.vdot(expected[n], v)) for n, v in direction.items())
    one_sided = abs((there - here) / h - slope) / allowed
    if one_sided <= 1:
        return one_sided
    h *= FINER
    forth, back = (cost_of(moved, forward(moved)[1][-1]) for moved in (_moved(case, direction, t) for t in (h, -h)))
    return abs((forth - back) / (2 * h) - slope) / allowed


def _direction(case: Case, shares: Mapping[str, float]) -> dict[str, Array]:
    """The blocks of v, scaled by their shares; drawn from the numbers of the case alone."""
    generator = np.random.default_rng(int(np.abs(case.inputs).sum() * 1e6) % 2**32)
    large = sum(case.parameters[n].size for n in shares) >= LARGE_P
    return {n: share * _block(case.parameters[n].shape, generator, large) for n, share in shares.items()}


def _block(shape: tuple[int, ...], generator: np.random.Generator, large: bool) -> Array:
    if not large or len(shape) != 2 or min(shape) < 8:
        return generator.standard_normal(shape)
    left, right = generator.standard_normal((shape[0], 2)), generator.standard_normal((2, shape[1]))
    return np.asarray(left @ (right / np.sqrt(2.0)))


def _step(case: Case, direction: Mapping[str, Array], noise: float) -> tuple[float, Case, Array] | None:
    """h, the case at θ + h v and its output activations; None where no step is in reach.

    The weighted input that moves most moves by `CUSTOMARY`, or so far that rounding takes no more than a tenth of what the
    bound may be, within `REACH`: how fast it moves is seen at a first guess, which mostly is good enough.
    noise: the rounding bound of one value, relative to ‖g‖.
    """
    rate = _guessed_rate(case, direction)
    for _ in range(3):
        if not 0 < rate < np.inf:
            return None
        wanted = min(max(CUSTOMARY, 40 * noise * rate / FD_NO_POWER), REACH / 2)
        h = wanted / rate
        moved = _moved(case, direction, h)
        z, a = forward(moved)
        change = max(
            float(np.abs(after - before).max(initial=0.0))
            for before, after in zip(forward_once(case)[0], z, strict=True)
        )
        if wanted / NEAR_ENOUGH <= change <= min(REACH, NEAR_ENOUGH * wanted):
            return h, moved, a[-1]
        rate = change / h
    return None


def _guessed_rate(case: Case, direction: Mapping[str, Array]) -> float:
    """How fast the weighted input that moves most moves, each layer by itself: E‖v a‖, of normal numbers with the size of v."""
    rates = [0.0]
    for l, before in enumerate(forward_once(case)[1][:-1], start=1):
        v = direction.get(f"W{l}")
        if v is not None and v.size:
            deviation = float(np.linalg.norm(v)) / np.sqrt(v.size)
            rates.append(2 * deviation * float(np.sqrt(1 + np.square(before).sum(axis=0).max(initial=0.0))))
    return max(rates)


def _moved(case: Case, direction: Mapping[str, Array], step: float) -> Case:
    """The case at θ + h v, in numbers that the subject's precision has."""
    moved = {}
    for n, v in direction.items():
        moved[n] = v * step
        moved[n] += case.parameters[n]
        if case.dtype != "float64":
            moved[n] = moved[n].astype(case.dtype).astype(np.float64)
    return case.at(moved)
