"""BP3: what stands where the sum of δ over the samples should."""

# ruff: noqa: E501 (tables: one row a line)

import numpy as np

from gradcheck.faults.backprop import Edit, Sweep
from gradcheck.faults.fault import Fault, Sites
from gradcheck.faults.recursion import _like
from gradcheck.numerics import Array

HINT = "the bias gradient of a unit is its own error, added up over the samples: dbˡ = Σ δˡ"


def _summed(change: Edit) -> Edit:
    """The sum over samples of δ changed by `change`."""
    return lambda s, l, v: change(s, l, s.delta[l]).sum(axis=1, keepdims=True)


def _constant(number: Edit) -> Edit:
    return lambda s, l, v: np.full_like(v, float(np.sum(number(s, l, v))))


def _only(mask: Edit) -> Edit:
    return lambda s, l, v: v * mask(s, l, v)


def _first(s: Sweep, l: int, v: Array) -> Array:
    return np.asarray((np.arange(v.shape[0]) == 0)[:, None])


def _last(s: Sweep, l: int, v: Array) -> Array:
    return np.asarray((np.arange(v.shape[0]) == v.shape[0] - 1)[:, None])


def _above(s: Sweep, l: int, v: Array) -> Array:
    """The bias gradient of the layer above, without its decay."""
    return _like(s.delta[l + 1].sum(axis=1, keepdims=True), v)


_ROWS: tuple[tuple[str, str, Edit, Sites, str], ...] = (
    ("zero", "it is zero", lambda s, l, v: 0 * v, "every", "never, but for chance"),
    ("delta_of_unit_0", "the error of the first unit stands for that of every unit", _constant(lambda s, l, v: s.delta[l][0]), "every", "one unit, as in every network with one output"),
    ("delta_of_last_unit", "the error of the last unit stands for that of every unit", _constant(lambda s, l, v: s.delta[l][-1]), "every", "one unit"),
    ("sum_over_units", "the errors of all units are added up for each of them", _constant(lambda s, l, v: s.delta[l]), "every", "one unit"),
    ("mean_over_units", "the errors of all units are averaged for each of them", lambda s, l, v: v.mean(axis=0, keepdims=True) + 0 * v, "every", "one unit"),
    ("mean_of_everything", "one mean over units and samples stands for every bias", lambda s, l, v: np.full_like(v, float(s.delta[l].mean())), "every", "one unit and one sample"),
    ("before_prime", "∂C/∂a, before σ′(z) is multiplied in, is added up instead of δ", lambda s, l, v: s.above[l].sum(axis=1, keepdims=True), "every", "σ′ = 1"),
    ("prime_twice", "σ′(z) is multiplied in once more", _summed(lambda s, l, d: d * s.prime(l)), "every", "σ′ = 1"),
    ("delta_of_layer_above", "the errors of the layer above are added up", _above, "hidden", "it crashes unless the layers are equally wide"),
    ("delta_of_output", "the output errors are added up", lambda s, l, v: _like(s.delta[s.L].sum(axis=1, keepdims=True), v), "hidden", "it crashes unless the layers are equally wide"),
    ("times_activation", "δ is multiplied by the activation a of its own unit", _summed(lambda s, l, d: d * s.a[l]), "every", "activations of 1"),
    ("times_weighted_input", "δ is multiplied by z of its own unit", _summed(lambda s, l, d: d * s.z[l]), "every", "z = 1"),
    ("times_bias", "δ is multiplied by the bias: the bias unit is taken as b instead of 1", _only(lambda s, l, v: s.b(l)), "every", "biases of 1"),
    ("times_mean_input", "δ is multiplied by the mean of the activations below: the bias unit is not 1", _summed(lambda s, l, d: d * s.a[l - 1].mean(axis=0, keepdims=True)), "every", "never, but for chance"),
    ("times_first_input", "δ is multiplied by the first activation below: the bias unit is not 1", _summed(lambda s, l, d: d * s.a[l - 1][:1]), "every", "never, but for chance"),
    ("bias_itself", "it is the bias itself", lambda s, l, v: s.b(l) * 1.0, "every", "never, but for chance"),
    ("bias_added", "the bias is added to it", lambda s, l, v: v + s.b(l), "every", "biases of 0"),
    ("ones", "it is 1", lambda s, l, v: np.ones_like(v), "every", "never, but for chance"),
    ("count", "it is the number of samples", lambda s, l, v: np.full_like(v, s.m), "every", "never, but for chance"),
    ("first_sample", "only the first sample counts", _summed(lambda s, l, d: d[:, :1]), "every", "one sample"),
    ("last_sample", "only the last sample counts", _summed(lambda s, l, d: d[:, -1:]), "every", "one sample"),
    ("no_first_sample", "the first sample is left out", _summed(lambda s, l, d: d[:, 1:]), "every", "never, but for chance"),
    ("no_last_sample", "the last sample is left out", _summed(lambda s, l, d: d[:, :-1]), "every", "never, but for chance"),
    ("first_unit_untrained", "it is zero for the first unit", _only(lambda s, l, v: ~_first(s, l, v)), "every", "never, but for chance"),
    ("last_unit_untrained", "it is zero for the last unit", _only(lambda s, l, v: ~_last(s, l, v)), "every", "never, but for chance"),
    ("first_unit_only", "it is zero for all units but the first", _only(_first), "every", "one unit"),
    ("last_unit_only", "it is zero for all units but the last", _only(_last), "every", "one unit"),
    ("units_reversed", "its components come in the reverse order", lambda s, l, v: v[::-1], "every", "one unit"),
    ("units_shifted", "its components are shifted by one unit", lambda s, l, v: np.roll(v, 1, axis=0), "every", "one unit"),
    ("cumulative", "its components are running sums over the units", lambda s, l, v: np.cumsum(v, axis=0), "every", "one unit"),
    ("absolute", "|δ| is added up", _summed(lambda s, l, d: np.abs(d)), "every", "no negative error"),
    ("absolute_sum", "its sign is lost", lambda s, l, v: np.abs(v), "every", "no negative component"),
    ("inverted", "it is inverted, 1/δ: the rate of change of the bias with respect to the cost", lambda s, l, v: 1 / v, "every", "components of ±1; it is not finite where a component is 0"),
    ("squared", "δ² is added up", _summed(lambda s, l, d: d**2), "every", "never, but for chance"),
    ("positive_only", "only positive errors are added up", _summed(lambda s, l, d: np.maximum(d, 0)), "every", "no negative error"),
    ("sign", "only signs of δ are added up", _summed(lambda s, l, d: np.sign(d)), "every", "never, but for chance"),
    ("maximum", "the largest δ stands for the sum over the samples", lambda s, l, v: s.delta[l].max(axis=1, keepdims=True), "every", "one sample"),
    ("norm", "the norm of δ over the samples stands for their sum", lambda s, l, v: np.sqrt((s.delta[l] ** 2).sum(axis=1, keepdims=True)), "every", "one sample with positive errors"),
    ("product", "the product of δ over the samples stands for their sum", lambda s, l, v: s.delta[l].prod(axis=1, keepdims=True), "every", "one sample"),
    ("weights_summed", "the weights into the unit are multiplied in", lambda s, l, v: v * s.W(l).sum(axis=1, keepdims=True), "every", "weights that add up to 1"),
    ("weight_gradient_summed", "the row sums of the weight gradient stand for it", lambda s, l, v: (s.delta[l] @ s.a[l - 1].T).sum(axis=1, keepdims=True), "every", "never, but for chance"),
)  # fmt: skip


def _not_summed(s: Sweep, l: int, value: Array) -> Array:
    return s.delta[l] * 1.0


def _wrong_axis(s: Sweep, l: int, value: Array) -> Array:
    return np.asarray(s.delta[l].sum(axis=0, keepdims=True).T)


_SHAPES: tuple[tuple[str, str, Edit, str], ...] = (
    ("no_batch_sum", "δ is not summed over the samples", _not_summed, "one sample"),
    ("wrong_axis", "δ is summed over the units, not over the samples", _wrong_axis, "as many samples as units, where the numbers are wrong"),
)  # fmt: skip

FAULTS: tuple[Fault, ...] = (
    *(Fault(f"bp3_{key}", f"in the bias gradient, {title}", "BP3", "bias_gradient", edit, sites, hidden, HINT)
      for key, title, edit, sites, hidden in _ROWS),
    *(Fault(f"bp3_{key}", f"in the bias gradient, {title}", "BP3", "bias_gradient", edit, "every", hidden, HINT, shape=True)
      for key, title, edit, hidden in _SHAPES),
)  # fmt: skip
