"""The cheap rung before the full differences: one direction for the whole network, four evaluations of the subject's cost.

v      Gaussian, each tensor's block scaled by ‖g‖/‖g_l‖: an error of a given relative size in any tensor weighs the same
D(h)   (C(θ + h v) − C(θ − h v)) / 2h
R      (16 D(h/4) − D(h)) / 15, Richardson's extrapolation; |D(h) − D(h/4)| / 3 bounds its truncation generously: five times
       the correction of D(h/4), whose own error R removes

It serves where the claim is the trusted gradient already, component by component: what is left to be seen is a cost whose
derivative is another one. It only ever says "agrees": where it is in doubt, the caller takes the full ladder of differences
tensor by tensor, and no finding rests on it. It is in doubt where its bound exceeds `FD_NO_POWER` ‖g‖: moved by ‖g‖/‖g_l‖ v_l,
an error of relative size ε in tensor l has the part ε ‖g‖ N(0, 1), so that this is the share of each tensor's gradient up to
which the full ladder takes its own differences for evidence. A pass here says what a pass there would.

For P ≥ 1e6 the blocks of matrices are low-rank, u wᵀ + u′ w′ᵀ: drawing P normal numbers would cost more than the evaluations;
a dense or sparse error e is still missed with probability O(τ/‖e‖).
"""

from collections.abc import Mapping

import numpy as np

from gradcheck.checks.differences import FD_NO_POWER
from gradcheck.networks import Case, forward, forward_once
from gradcheck.numerics import Array, Arrays, Estimate
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Subject

LARGEST_SHARE = 1e4
"""A tensor with hardly any gradient is not moved further than this, relative to the others."""
REACH = 0.02
"""Largest change of a weighted input, and a quarter of the distance from a kink where there is one."""
LARGE_P = 1_000_000
RATIO = 4.0
FINER, COARSER = 16.0, 8.0
"""How much the second step along the same direction differs, where the first gave too wide a bound."""


def screen(subject: Subject, case: Case, layout: Layout, expected: Estimate, noise: float, room: float) -> float | None:
    """|R − ⟨g, v⟩| over the sum of the bounds, where that is at most 1 and the bound small enough to mean something.

    expected: the trusted gradient g. noise: the rounding bound of one cost value. room: distance from the nearest kink.
    None: in doubt.
    Raises SubjectError when the subject fails to run.
    """
    names = [n for n in case.parameters if n in expected.value]
    parts = {n: float(np.linalg.norm(expected.value[n])) for n in names}
    total = float(np.sqrt(sum(p * p for p in parts.values())))
    if not names or not np.isfinite(noise) or not 0 < total < np.inf:
        return None
    large = sum(case.parameters[n].size for n in names) >= LARGE_P
    generator = np.random.default_rng(int(np.abs(case.inputs).sum() * 1e6) % 2**32)
    direction = {n: _block(case.parameters[n].shape, generator, large) for n in names}
    for n in names:
        direction[n] *= min(total / parts[n], LARGEST_SHARE) if parts[n] > 0 else 1.0
    h, rate = _step(case, direction, room, noise / total)
    if not h:
        return None
    wanted, slack = _along(expected, direction)
    value, truncation, rounding = _differences(subject, case, layout, direction, (h, noise))
    if truncation + rounding + slack > total * FD_NO_POWER:
        h = _other_step(h, truncation, rounding + slack, room / rate)
        if not h:
            return None
        value, truncation, rounding = _differences(subject, case, layout, direction, (h, noise))
    bound = truncation + rounding + slack
    agrees = bound <= total * FD_NO_POWER and abs(value - wanted) <= bound
    return abs(value - wanted) / bound if agrees else None


def _other_step(h: float, truncation: float, rounding: float, room: float) -> float:
    """A second step along the same direction, where the first gave too wide a bound; 0 where it would not help.

    Finer, where deep networks amplify a curvature of which z′ says nothing; coarser, where rounding has the larger part and
    no kink is in the way. room: what h may be at most before it comes near a kink.
    """
    if truncation > FINER * rounding:
        return h / FINER
    return h * COARSER if rounding > COARSER * truncation and 4 * COARSER * h <= room else 0.0


def _block(shape: tuple[int, ...], generator: np.random.Generator, large: bool) -> Array:
    if not large or len(shape) != 2 or min(shape) < 8:
        return generator.standard_normal(shape)
    left, right = generator.standard_normal((shape[0], 2)), generator.standard_normal((2, shape[1]))
    return np.asarray(left @ (right / np.sqrt(2.0)))


def _step(case: Case, direction: Mapping[str, Array], room: float, noise: float) -> tuple[float, float]:
    """(h, z′), or zeros: the step whose truncation, about 0.1 (h z′)², equals the noise 8 e/h, within `REACH` and the room.

    z′: how fast the weighted input that moves most moves along v, by the trusted forward pass. noise: e, relative to ‖g‖.
    """
    largest = max(float(np.max(np.abs(v), initial=0.0)) for v in direction.values())
    trial = 1e-6 / largest if largest > 0 else 0.0
    before, after = forward_once(case)[0], forward(case.at(_moved(case, direction, trial)))[0]
    change = max(float(np.max(np.abs(b - a), initial=0.0)) for a, b in zip(before[1:], after[1:], strict=True))
    if not trial or not 0 < change < np.inf:
        return 0.0, 0.0
    rate = change / trial
    return min(REACH, room / 4, float(np.cbrt(80 * noise * rate))) / rate, rate


def _moved(case: Case, direction: Mapping[str, Array], step: float) -> dict[str, Array]:
    moved = {}
    for n, v in direction.items():
        moved[n] = v * step
        moved[n] += case.parameters[n]
    return moved


def _differences(
    subject: Subject, case: Case, layout: Layout, direction: Mapping[str, Array], known: tuple[float, float]
) -> tuple[float, float, float]:
    """R, its truncation and its rounding error, from two steps in one request (one at a time where the points are large)."""
    h, noise = known
    steps = (h, -h, h / RATIO, -h / RATIO)
    if sum(v.size for v in direction.values()) >= LARGE_P:
        values = [float(subject.forward([case.at(_moved(case, direction, t))], layout)[0]) for t in steps]
    else:
        values = [float(v) for v in subject.forward([case.at(_moved(case, direction, t)) for t in steps], layout)]
    coarse, fine = (values[0] - values[1]) / (2 * h), (values[2] - values[3]) * RATIO / (2 * h)
    floor = (noise + float(np.spacing(np.max(np.abs(values))))) * RATIO / h
    return (RATIO**2 * fine - coarse) / (RATIO**2 - 1), abs(fine - coarse) / 3, 2 * floor


def _along(expected: Estimate, direction: Arrays) -> tuple[float, float]:
    """⟨g, v⟩ and its error; the rounding of the sum is bounded by that of its largest partial sums.

    v knows nothing of the rounding e of g: ⟨e, v⟩ is normal with deviation ‖e‖ (times the share of the block), and six of them
    are exceeded once in 10⁹; that would only be one doubt more.
    """
    value = slack = 0.0
    for n, v in direction.items():
        g = expected.value[n]
        value += float(np.vdot(g, v))
        size = float(np.linalg.norm(v))
        error, norm = float(np.linalg.norm(expected.error[n])), float(np.linalg.norm(g))
        root = float(np.sqrt(v.size))
        slack += size * (6 * error / root + np.finfo(float).eps * root * norm)
    return value, slack
