"""Finite differences of the subject's own primal, with an error bound that is measured and not chosen.

phi(t)  ⟨cotangent, f(θ + t v)⟩ along a direction v
D(h)    (phi(h) − phi(−h)) / 2h = phi′(0) + O(h²)
R, S    one and two Richardson extrapolations of D over the ladder h, h/4, h/16 …: errors O(h⁴), O(h⁶)
e_f     noise of one evaluation, measured from a difference table (ECNoise: Moré & Wild, SIAM J. Sci. Comput. 33, 2011)

Sampling is apart from combining: `ladder_points` says where to evaluate, `combine` turns the values into value ± error. The
error is the change from the coarser extrapolation plus the noise over h, and an estimate is trusted only when its interval
meets those of all finer steps; else the answer is inconclusive, with the reason.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.numerics import Array, Arrays, Estimate, axpy, basis, zeros_like

Evaluate = Callable[[Sequence[Arrays]], Sequence[float]]
AT_KINK = "a kink at the point"
RATIO = 4.0
NOISE_POINTS = 9
NOISE_SAFETY = 8.0
_FIRST_ORDER, _PLATEAU = 3, 4.0


@dataclass(frozen=True, slots=True)
class Derivative:
    """phi′(0) = value ± error; error is inf when no step gave a bound, and `reason` then says why.

    finer: the error without the two coarsest steps: what a repetition with smaller steps will have at most.
    """

    value: float
    error: float
    reason: str = ""
    finer: float = float("inf")


def ladder(largest: float, levels: int) -> Array:
    """Steps h, h/4, h/16 …, largest first."""
    return np.asarray(largest * RATIO ** -np.arange(levels, dtype=float))


def ladder_points(arguments: Arrays, direction: Arrays, steps: Array) -> list[Arrays]:
    """θ + h v and θ − h v for each step, in that order."""
    return [axpy(sign * h, direction, arguments) for h in steps for sign in (1.0, -1.0)]


def noise_points(arguments: Arrays, direction: Arrays, step: float) -> list[Arrays]:
    """Equally spaced points so close together that only rounding noise survives in high differences."""
    return [axpy((k - NOISE_POINTS // 2) * step, direction, arguments) for k in range(NOISE_POINTS)]


def measured_noise(values: Sequence[float] | Array) -> float:
    """Standard deviation of the noise in one value, from the table of differences (ECNoise).

    σ_k² = (k!)²/(2k)! · mean(T_k²), T_k the k-th differences. The smallest order k ≥ 3 counts at which σ_k, σ_{k+1} and σ_{k+2}
    lie within a factor of four and T_k changes sign: lower orders hold slope and curvature. Where no order does, the largest
    σ_k from order 3 on: too much noise is safe, too little is not. Source: Moré & Wild, SIAM J. Sci. Comput. 33 (2011),
    eq. 2.3 and §4, DOI 10.1137/100786125.
    """
    table = np.asarray(values, dtype=float)
    if not np.all(np.isfinite(table)):
        return float("inf")
    sigma, changes, factor = [], [], 1.0
    for k in range(1, len(table) - 1):
        table = np.diff(table)
        factor *= k / (4.0 * k - 2.0)
        sigma.append(float(np.sqrt(factor * np.mean(table**2))))
        changes.append(bool(np.min(table) < 0 < np.max(table)))
    plateaus = (
        sigma[k]
        for k in range(_FIRST_ORDER - 1, len(sigma) - 2)
        if changes[k] and max(sigma[k : k + 3]) <= _PLATEAU * min(sigma[k : k + 3])
    )
    return next(plateaus, max(sigma[_FIRST_ORDER - 1 :]))


def combine(values: Sequence[float] | Array, steps: Array, noise: float, centre: float | None = None) -> Derivative:
    """value ± error from the values at `ladder_points`, given the noise (a bound) of one value.

    centre: phi(0), by which a kink exactly at the point is seen: then any slope between the two one-sided ones is right,
    and the interval holds them all.
    """
    phi = np.asarray(values, dtype=float).reshape(-1, 2)
    finite = np.all(np.isfinite(phi), axis=1)
    if not finite[-3:].all() or len(finite) < 3:
        return Derivative(float("nan"), float("inf"), "the primal is not finite near the point")
    first = 0 if finite.all() else int(np.flatnonzero(~finite)[-1]) + 1  # coarse steps may leave the domain
    phi, h = phi[first:], steps[first:]
    D = (phi[:, 0] - phi[:, 1]) / (2 * h)
    E = noise / h + np.spacing(np.abs(phi).max(axis=1)) / h + 4 * np.spacing(np.abs(D))
    estimates = _extrapolations(D, E)
    if not estimates:
        return Derivative(float("nan"), float("inf"), "too few steps")
    best = min(estimates, key=lambda e: e[1])
    # finer steps truncate less: beyond their own noise they may not leave the interval; where they do, it was too narrow
    astray = [abs(best[0] - e[0]) - best[1] - e[3] for e in estimates if e[2] > best[2]]
    beyond = max([0.0, *astray])
    jump = 0.0 if centre is None else slope_jump(phi, h, centre, noise)
    reason = AT_KINK if jump else "finer steps leave the interval: a kink or a jump near the point"
    return Derivative(best[0], best[1] + 2 * beyond + jump, reason if beyond or jump else "")


def _together(directions: Sequence[Arrays], steps: Sequence[float]) -> dict[str, Array]:
    """The sum of all directions, each with its step: noise must not be measured where nothing moves (a dead unit)."""
    total: dict[str, Array] = {}
    for v, h in zip(directions, steps, strict=True):
        for name, a in v.items():
            total[name] = total[name] + h * a if name in total else h * a
    return total


def slope_jump(phi: Array, steps: Array, centre: float, noise: float) -> float:
    """Half the difference of the two one-sided slopes when there is a kink at t = 0, else 0.

    |phi(h) − 2 phi(0) + phi(−h)| / 2h falls with h where phi is smooth and stays where it has a kink at 0.
    """
    second = np.abs(phi[:, 0] - 2 * centre + phi[:, 1]) / (2 * steps)
    floor = 4 * noise / steps
    seen = np.flatnonzero(second > 2 * floor)
    if len(seen) < 3:
        return 0.0
    coarse, fine = seen[0], seen[-1]
    expected_fall = steps[fine] / steps[coarse]
    stays = second[fine] > 4 * expected_fall * second[coarse] and second[fine] > 0.05 * second[coarse]
    return float(second[coarse:].max() + floor[fine]) if stays else 0.0


def _extrapolations(D: Array, E: Array) -> list[tuple[float, float, int, float]]:
    """(value, error, index of the finest step used, noise) of every R and S that has coarser neighbours to judge it by."""
    R, E_R = _richardson(D, E, RATIO**2)
    S, E_S = _richardson(R, E_R, RATIO**4)
    return [*_judged(R, E_R, 1), *_judged(S, E_S, 2)]


def _judged(T: Array, E: Array, order: int) -> list[tuple[float, float, int, float]]:
    """Each extrapolation with the change from the coarser one as its truncation error.

    Two neighbours may agree by accident far from the limit; so the change before that, which falls by 256 or more a level
    once the expansion holds, counts with a sixteenth.
    """
    change = np.abs(np.diff(T))
    truncation = np.maximum(change[1:], change[:-1] / 16)
    noise = E[2:]
    return [(float(T[k + 2]), float(t + noise[k]), k + 2 + order, float(noise[k])) for k, t in enumerate(truncation)]


def _richardson(D: Array, E: Array, factor: float) -> tuple[Array, Array]:
    """(factor D(h/4) − D(h)) / (factor − 1), and the noise that this carries along."""
    return (factor * D[1:] - D[:-1]) / (factor - 1), (factor * E[1:] + E[:-1]) / (factor - 1)


def directional(
    evaluate: Evaluate,
    arguments: Arrays,
    directions: Sequence[Arrays],
    largest_steps: Sequence[float],
    *,
    levels: int = 6,
    roundoff: float = 2.0**-53,
    noise_floor: float = 0.0,
) -> list[Derivative]:
    """Derivatives along several directions in one batch of evaluations.

    largest_steps: the first step along each direction (choose it where the primal is still smooth). roundoff: u of the
    subject's precision. noise_floor: a bound of the noise known from elsewhere, such as a running error
    analysis. Raises what `evaluate` raises.
    """
    if not directions:
        return []
    ladders = [ladder(h, levels) for h in largest_steps]
    points = noise_points(arguments, _together(directions, [float(h[-1]) for h in ladders]), 1 / 64)
    for v, steps in zip(directions, ladders, strict=True):
        points += ladder_points(arguments, v, steps)
    values = np.asarray(evaluate(points), dtype=float)
    close, rows = values[:NOISE_POINTS], values[NOISE_POINTS:].reshape(len(directions), 2 * levels)
    noise = max(NOISE_SAFETY * measured_noise(close), 2 * roundoff * float(np.max(np.abs(close))), noise_floor)
    centre = float(close[NOISE_POINTS // 2])
    still = (rows == rows[:, :1]).all(axis=1)
    unseen = max(noise, _noise_unseen(evaluate, arguments, roundoff)) if still.any() else noise
    noises = np.where(still, unseen, noise)
    return [_with_finer(row, h, float(e), centre) for row, h, e in zip(rows, ladders, noises, strict=True)]


def _noise_unseen(evaluate: Evaluate, arguments: Arrays, roundoff: float) -> float:
    """Noise of a primal that a direction does not move by a bit: all its values have the same rounding, and none shows.

    Saturated units stand still so; what their rounding is worth behind them (a difference that cancels, a high power) shows
    when all arguments move by a few units in the last place: no more than the backward error of a stable formula.
    """
    generator = np.random.default_rng(0)
    points: list[Arrays] = [
        {n: a * (1 + 4 * roundoff * generator.standard_normal(a.shape)) for n, a in arguments.items()}
        for _ in range(NOISE_POINTS)
    ]
    return NOISE_SAFETY * float(np.std(np.asarray(evaluate(points), dtype=float)))


def _with_finer(row: Array, steps: Array, noise: float, centre: float) -> Derivative:
    """The derivative of a whole ladder, and its error on the ladder without the two coarsest steps."""
    whole = combine(row, steps, noise, centre)
    return replace(whole, finer=max(whole.error, combine(row[4:], steps[2:], noise, centre).error))


def gradient(
    evaluate: Evaluate, arguments: Arrays, largest_step: float, *, levels: int = 6, roundoff: float = 2.0**-53
) -> Estimate:
    """Every component of the gradient, one direction a component: an estimate whose bounds are measured.

    largest_step: the first step in every component. Costs 2 · levels evaluations a component; for large parameter sets use
    `directional`. Raises what `evaluate` raises.
    """
    places = [(name, index) for name, a in arguments.items() for index in np.ndindex(a.shape)]
    directions = [basis(arguments, name, index) for name, index in places]
    found = directional(
        evaluate, arguments, directions, [largest_step] * len(directions), levels=levels, roundoff=roundoff
    )
    value, error = zeros_like(arguments), zeros_like(arguments)
    for (name, index), derivative in zip(places, found, strict=True):
        value[name][index], error[name][index] = derivative.value, derivative.error
    return Estimate(value, error, "finite differences")
