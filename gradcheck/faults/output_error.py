"""BP1: what stands where ∇C, the gradient of the cost with respect to the output, should.

r   the residual a − y of the output layer
"""

# ruff: noqa: E501 (tables: one row a line)

import numpy as np

from gradcheck.faults.backprop import Edit, Sweep
from gradcheck.faults.fault import Fault
from gradcheck.networks.costs import COSTS
from gradcheck.numerics import Array
from gradcheck.oracles.autodiff import cost_vjp

HINT = (
    "start from the derivative of the cost that is computed: δᴸ = ∇C ⊙ σ′(zᴸ), for ½Σ(a − y)² that is (a − y) ⊙ σ′(zᴸ)"
)


def _residual(s: Sweep) -> Array:
    return np.asarray(s.a[s.L] - s.y)


def _of_cost(name: str) -> Edit:
    """∇ of another cost, with the scale of the right one."""
    return lambda s, l, v: cost_vjp(COSTS[name])(s.a[l], s.y, np.asarray(s.scale))


def _one_hot(s: Sweep) -> Array:
    return np.asarray(np.eye(s.n[-1])[np.argmax(s.y, axis=0)].T)


def _row(i: int) -> Edit:
    def edit(s: Sweep, l: int, value: Array) -> Array:
        kept = np.zeros_like(value)
        kept[i] = value[i]
        return kept

    return edit


def _without_row(i: int) -> Edit:
    def edit(s: Sweep, l: int, value: Array) -> Array:
        kept = value.copy()
        kept[i] = 0.0
        return kept

    return edit


def _column(i: int) -> Edit:
    def edit(s: Sweep, l: int, value: Array) -> Array:
        kept = np.zeros_like(value)
        kept[:, i] = value[:, i]
        return kept

    return edit


def _without_column(i: int) -> Edit:
    def edit(s: Sweep, l: int, value: Array) -> Array:
        kept = value.copy()
        kept[:, i] = 0.0
        return kept

    return edit


def _guarded(s: Sweep, l: int, value: Array) -> Array:
    a = np.clip(s.a[l], 0.1, 0.9)
    return cost_vjp(s.case.architecture.cost)(a, s.y, np.asarray(s.scale))


_ROWS: tuple[tuple[str, str, Edit, str], ...] = (
    ("residual", "a − y stands where the gradient of the cost should", lambda s, l, v: s.scale * _residual(s), "where that is the gradient of the cost"),
    ("twice_residual", "2(a − y) stands where the gradient of the cost should", lambda s, l, v: s.scale * 2 * _residual(s), "where that is the gradient of the cost"),
    ("plain_residual", "a − y stands where the scaled gradient of the cost should", lambda s, l, v: _residual(s), "where that is the gradient of the cost"),
    ("reversed_residual", "y − a stands where the gradient of the cost should", lambda s, l, v: -s.scale * _residual(s), "never, but for a zero residual"),
    ("output_alone", "the target is not subtracted: a stands for a − y", lambda s, l, v: s.scale * s.a[l], "y = 0"),
    ("target_alone", "−y stands for a − y", lambda s, l, v: -s.scale * s.y, "a = 0"),
    ("target_added", "a + y stands for a − y", lambda s, l, v: s.scale * (s.a[l] + s.y), "y = 0"),
    ("sign_of_residual", "only the sign of a − y is kept", lambda s, l, v: s.scale * np.sign(_residual(s)), "the mean absolute error, where it is right"),
    ("absolute_residual", "|a − y| stands for a − y", lambda s, l, v: s.scale * np.abs(_residual(s)), "where no residual is negative"),
    ("absolute_gradient", "the sign of the gradient of the cost is lost", lambda s, l, v: np.abs(v), "where no component is negative"),
    ("squared_residual", "(a − y)² stands for a − y: the cost itself, not its derivative", lambda s, l, v: s.scale * _residual(s) ** 2, "never, but for chance"),
    ("half_squared_residual", "½(a − y)² stands for a − y: the cost itself, not its derivative", lambda s, l, v: s.scale * 0.5 * _residual(s) ** 2, "never, but for chance"),
    ("cubed_residual", "(a − y)³ stands for a − y", lambda s, l, v: s.scale * _residual(s) ** 3, "never, but for chance"),
    ("squared_gradient", "the gradient of the cost is squared", lambda s, l, v: v**2, "never, but for chance"),
    ("times_target", "the gradient of the cost is multiplied by the target", lambda s, l, v: v * s.y, "targets of 1 everywhere"),
    ("times_one_minus_target", "the gradient of the cost is multiplied by 1 − y", lambda s, l, v: v * (1 - s.y), "targets of 0 everywhere"),
    ("times_output", "the gradient of the cost is multiplied by the output", lambda s, l, v: v * s.a[l], "outputs of 1"),
    ("times_one_minus_output", "the gradient of the cost is multiplied by 1 − a", lambda s, l, v: v * (1 - s.a[l]), "outputs of 0"),
    ("over_output", "the gradient of the cost is divided by the output", lambda s, l, v: v / s.a[l], "outputs of 1"),
    ("extra_a_one_minus_a", "a(1 − a) is multiplied in once too often", lambda s, l, v: v * s.a[l] * (1 - s.a[l]), "never, but for chance"),
    ("extra_prime", "σ′(z) is multiplied in twice", lambda s, l, v: v * s.prime(l) if s.f(l).elementwise else v, "the identity; softmax"),
    ("divided_by_prime", "σ′(z) is divided away: the shortcut of a matched cost, with another cost", lambda s, l, v: v / s.prime(l) if s.f(l).elementwise else v, "the identity; softmax"),
    ("weighted_input", "z stands for the output a", lambda s, l, v: cost_vjp(s.case.architecture.cost)(s.z[l], s.y, np.asarray(s.scale)), "an output that is the identity"),
    ("thresholded_output", "the output is rounded to 0 or 1 before the target is subtracted", lambda s, l, v: s.scale * (np.round(s.a[l] > 0.5) - s.y), "never, but for chance"),
    ("hard_target", "the targets are rounded to one class", lambda s, l, v: cost_vjp(s.case.architecture.cost)(s.a[l], _one_hot(s), np.asarray(s.scale)), "targets that are one class already"),
    ("rounded_target", "the targets are rounded to whole numbers", lambda s, l, v: cost_vjp(s.case.architecture.cost)(s.a[l], np.round(s.y), np.asarray(s.scale)), "targets that are whole numbers"),
    ("clipped_output", "the output is clipped to [0.1, 0.9] first", _guarded, "outputs inside"),
    ("first_target_for_all", "the target of the first sample is used for all", lambda s, l, v: cost_vjp(s.case.architecture.cost)(s.a[l], s.y[:, :1] + 0 * s.y, np.asarray(s.scale)), "one sample"),
    ("last_target_for_all", "the target of the last sample is used for all", lambda s, l, v: cost_vjp(s.case.architecture.cost)(s.a[l], s.y[:, -1:] + 0 * s.y, np.asarray(s.scale)), "one sample"),
    ("shifted_targets", "each sample meets the target of the one before", lambda s, l, v: cost_vjp(s.case.architecture.cost)(s.a[l], np.roll(s.y, 1, axis=1), np.asarray(s.scale)), "one sample, or equal targets"),
    ("reversed_targets", "the targets come in the reverse order of the samples", lambda s, l, v: cost_vjp(s.case.architecture.cost)(s.a[l], s.y[:, ::-1], np.asarray(s.scale)), "one sample, or equal targets"),
    ("reversed_units", "the targets come in the reverse order of the units", lambda s, l, v: cost_vjp(s.case.architecture.cost)(s.a[l], s.y[::-1], np.asarray(s.scale)), "one output unit"),
    ("mean_target", "the target is averaged over the samples", lambda s, l, v: cost_vjp(s.case.architecture.cost)(s.a[l], s.y.mean(axis=1, keepdims=True) + 0 * s.y, np.asarray(s.scale)), "one sample"),
    ("mean_over_samples", "the gradient of the cost is averaged over the samples, for each of them", lambda s, l, v: v.mean(axis=1, keepdims=True) + 0 * v, "one sample"),
    ("sum_over_samples", "the gradient of the cost is added up over the samples, for each of them", lambda s, l, v: v.sum(axis=1, keepdims=True) + 0 * v, "one sample"),
    ("mean_over_units", "the gradient of the cost is averaged over the units", lambda s, l, v: v.mean(axis=0, keepdims=True) + 0 * v, "one output unit"),
    ("sum_over_units", "the gradient of the cost is added up over the units", lambda s, l, v: v.sum(axis=0, keepdims=True) + 0 * v, "one output unit"),
    ("centred_over_units", "the mean over the units is subtracted from the gradient of the cost", lambda s, l, v: v - v.mean(axis=0, keepdims=True), "where that mean is 0, or behind softmax"),
    ("normalised", "the gradient of the cost is divided by its norm", lambda s, l, v: v / np.linalg.norm(v), "a gradient of norm 1"),
    ("first_unit_only", "only the first output unit has an error", _row(0), "one output unit"),
    ("last_unit_only", "only the last output unit has an error", _row(-1), "one output unit"),
    ("no_first_unit", "the first output unit has no error", _without_row(0), "never, but for chance"),
    ("no_last_unit", "the last output unit has no error", _without_row(-1), "never, but for chance"),
    ("first_sample_only", "only the first sample has an error", _column(0), "one sample"),
    ("last_sample_only", "only the last sample has an error", _column(-1), "one sample"),
    ("no_first_sample", "the first sample has no error", _without_column(0), "never, but for chance"),
    ("no_last_sample", "the last sample has no error", _without_column(-1), "never, but for chance"),
    ("ones", "1 stands where the gradient of the cost should", lambda s, l, v: np.ones_like(v), "never, but for chance"),
    ("target_only_class", "only the unit of the true class has an error", lambda s, l, v: v * (s.y > 0), "cross entropy, where it is right"),
    ("weight_penalty", "the L2 term leaks into the output error", lambda s, l, v: v + s.decay / 2 * s.W(l).sum(), "λ = 0"),
    ("dead_zone", "errors smaller than 0.1 count as none", lambda s, l, v: v * (np.abs(_residual(s)) > 0.1), "where no residual is small"),
)  # fmt: skip


_SHORTCUTS: tuple[tuple[str, str, Edit], ...] = (
    ("residual", "a − y", lambda s, l, v: s.scale * _residual(s)),
    ("twice_residual", "2(a − y)", lambda s, l, v: 2 * s.scale * _residual(s)),
    ("plain_residual", "a − y, not averaged,", lambda s, l, v: _residual(s)),
    ("reversed_residual", "y − a", lambda s, l, v: -s.scale * _residual(s)),
)
"""What stands for the whole output error, ∇C and σ′ together, whatever cost and activation are."""
_SHORTCUT_HINT = (
    "δᴸ = a − y holds for softmax with cross entropy and sigmoid with bce alone; in general δᴸ = ∇C ⊙ σ′(zᴸ)"
)

_SELECTIONS = ("first_sample_only", "last_sample_only", "no_first_sample", "no_last_sample")
_RESIDUALS = ("mse", "mae")
"""Costs whose gradient stands among the rows already."""


def _unscaled(edit: Edit) -> Edit:
    """Without the 1/m of an average over samples."""
    return lambda s, l, v: s.m * edit(s, l, v)


def _faults() -> tuple[Fault, ...]:
    rows = [Fault(f"bp1_{key}", title, "BP1", "cost_gradient", edit, "output", hidden, HINT)
            for key, title, edit, hidden in _ROWS]  # fmt: skip
    others = [
        Fault(
            f"bp1_gradient_of_{name}",
            f"the gradient of the cost {name} is used with another cost",
            "BP1",
            "cost_gradient",
            _of_cost(name),
            "output",
            f"where the cost is {name}",
            HINT,
        )
        for name in COSTS
        if name not in _RESIDUALS
    ]
    unscaled = [
        Fault(f"bp1_{key}_unscaled", f"{title}, and is not averaged", "BP1", "cost_gradient", _unscaled(edit), "output",
              "one sample", HINT)
        for key, title, edit, _ in _ROWS
        if key in _SELECTIONS
    ]  # fmt: skip
    shortcuts = [
        Fault(f"bp1_delta_is_{key}", f"{text} stands for the output error whatever cost and activation are", "BP1", "derivative",
              edit, "output", "where the output error is that", _SHORTCUT_HINT)
        for key, text, edit in _SHORTCUTS
    ]  # fmt: skip
    return (*rows, *others, *unscaled, *shortcuts)


FAULTS: tuple[Fault, ...] = _faults()
