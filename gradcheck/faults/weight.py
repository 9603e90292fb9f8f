"""BP4: what stands where δ aᵀ should: another input vector, another δ, another product, or a part that is left out.

d   δ of this layer;  a  the activations of the layer below
"""

# ruff: noqa: E501 (tables: one row a line)

from collections.abc import Callable, Iterator

import numpy as np

from gradcheck.faults.backprop import Edit, Sweep
from gradcheck.faults.fault import Fault, Sites
from gradcheck.faults.recursion import _diagonal, _like, _zeroed
from gradcheck.numerics import Array

HINT = "the gradient of a weight is the error it leads to times the activation it comes from: dWˡ = δˡ (aˡ⁻¹)ᵀ"
Vector = Callable[[Sweep, int], Array]


def _a(s: Sweep, l: int) -> Array:
    return s.a[l - 1]


def _d(s: Sweep, l: int) -> Array:
    return s.delta[l]


def _slope_below(s: Sweep, l: int) -> Array:
    return s.prime(l - 1) if l > 1 else s.a[0]


_INPUTS: tuple[tuple[str, str, Vector, Sites, str], ...] = (
    ("weighted_input", "z of the layer below stands for its activation a", lambda s, l: s.z[l - 1], "upper", "an identity below; the first layer"),
    ("network_input", "the network's input x stands for the activation below", lambda s, l: s.x, "upper", "the first layer, where it is right; it crashes unless the layers are equally wide"),
    ("own_activation", "the layer's own activation stands for the one below", lambda s, l: s.a[l], "every", "it crashes unless the layers are equally wide"),
    ("activation_two_below", "the activation two layers below stands for the one below", lambda s, l: s.a[max(l - 2, 0)], "upper", "it crashes unless the layers are equally wide"),
    ("own_weighted_input", "z of the layer itself stands for the activation below", lambda s, l: s.z[l], "every", "it crashes unless the layers are equally wide"),
    ("output_activation", "the network's output stands for the activation below", lambda s, l: s.a[-1], "every", "it crashes unless the layers are equally wide"),
    ("ones_for_activation", "1 stands for the activation below: the input is not multiplied in", lambda s, l: np.ones_like(_a(s, l)), "every", "activations of 1"),
    ("derivative_below", "σ′(z) of the layer below stands for its activation", _slope_below, "upper", "never, but for chance"),
    ("activated_twice", "the activation below is put through the activation function once more", lambda s, l: s.prime(l - 1, s.a[l - 1]) * 0 + np.asarray(_again(s, l)), "upper", "relu and the identity"),
    ("squared_activation", "the square of the activation below is used", lambda s, l: _a(s, l) ** 2, "every", "activations of 0 or 1"),
    ("absolute_activation", "|a| of the layer below is used", lambda s, l: np.abs(_a(s, l)), "every", "no negative activation"),
    ("sign_of_activation", "only the sign of the activation below is used", lambda s, l: np.sign(_a(s, l)), "every", "activations of ±1"),
    ("positive_activation", "negative activations below are left out", lambda s, l: np.maximum(_a(s, l), 0), "every", "no negative activation"),
    ("centred_activation", "the mean over the samples is subtracted from the activation below", lambda s, l: _a(s, l) - _a(s, l).mean(axis=1, keepdims=True), "every", "never, but for chance"),
    ("mean_activation", "the activation below is averaged over the samples", lambda s, l: _a(s, l).mean(axis=1, keepdims=True) + 0 * _a(s, l), "every", "one sample"),
    ("normalised_activation", "the activation below is divided by its norm", lambda s, l: _a(s, l) / np.linalg.norm(_a(s, l)), "every", "activations of norm 1"),
    ("one_minus_activation", "1 − a stands for the activation below", lambda s, l: 1 - _a(s, l), "every", "activations of ½"),
    ("activation_shifted", "each sample's error meets the activation of the one before", lambda s, l: np.roll(_a(s, l), 1, axis=1), "every", "one sample"),
    ("activation_samples_reversed", "the activations come in the reverse order of the samples", lambda s, l: _a(s, l)[:, ::-1], "every", "one sample"),
    ("bias_unit_counted", "the bias unit 1 is counted as the first activation, and the last is cut off", lambda s, l: np.vstack([np.ones((1, s.m)), _a(s, l)])[:-1], "every", "never, but for chance"),
    ("first_activation_for_all", "the first activation below stands for all", lambda s, l: _a(s, l)[:1] + 0 * _a(s, l), "every", "one unit below"),
    ("bias_added_to_activation", "the activation below has its bias added once more", lambda s, l: s.a[l - 1] + s.b(l - 1), "upper", "biases of 0; the first layer"),
    ("overwritten_activation", "the activation below has been multiplied by its σ′(z) in place", lambda s, l: _a(s, l) * s.prime(l - 1), "upper", "σ′ = 1; the first layer"),
    ("target_for_activation", "the target stands for the activation below", lambda s, l: s.y, "every", "it crashes unless the layers are equally wide"),
)  # fmt: skip
_ERRORS: tuple[tuple[str, str, Vector, Sites, str], ...] = (
    ("before_prime", "∂C/∂a, before σ′(z) is multiplied in, stands for δ", lambda s, l: s.above[l], "every", "σ′ = 1"),
    ("prime_twice", "σ′(z) is multiplied in once more", lambda s, l: _d(s, l) * s.prime(l), "every", "σ′ = 1"),
    ("delta_of_layer_above", "the error of the layer above stands for δ", lambda s, l: s.delta[l + 1], "hidden", "it crashes unless the layers are equally wide"),
    ("delta_of_output", "the output error stands for δ", lambda s, l: s.delta[s.L], "hidden", "it crashes unless the layers are equally wide"),
    ("residual_for_delta", "a − y stands for δ", lambda s, l: s.a[s.L] - s.y, "output", "where δ is a − y"),
    ("activation_for_delta", "the layer's own activation stands for δ", lambda s, l: s.a[l], "every", "never, but for chance"),
    ("times_own_activation", "the layer's own activation is multiplied in", lambda s, l: _d(s, l) * s.a[l], "every", "activations of 1"),
    ("times_own_input", "z of the layer is multiplied in", lambda s, l: _d(s, l) * s.z[l], "every", "z = 1"),
    ("absolute_delta", "|δ| stands for δ", lambda s, l: np.abs(_d(s, l)), "every", "no negative error"),
    ("squared_delta", "δ² stands for δ", lambda s, l: _d(s, l) ** 2, "every", "never, but for chance"),
    ("sign_of_delta", "only the sign of δ is used", lambda s, l: np.sign(_d(s, l)), "every", "never, but for chance"),
    ("positive_delta", "negative errors are left out", lambda s, l: np.maximum(_d(s, l), 0), "every", "no negative error"),
    ("ones_for_delta", "1 stands for δ", lambda s, l: np.ones_like(_d(s, l)), "every", "never, but for chance"),
    ("delta_of_first_unit", "the error of the first unit stands for all", lambda s, l: _d(s, l)[:1] + 0 * _d(s, l), "every", "one unit"),
)  # fmt: skip


def _again(s: Sweep, l: int) -> Array:
    from gradcheck.faults.expressions import apply

    return apply(s, l - 1, s.a[l - 1])


def _samples(chosen: slice) -> Edit:
    return lambda s, l, v: _d(s, l)[:, chosen] @ _a(s, l)[:, chosen].T


def _first_sample_errors(s: Sweep, l: int, v: Array) -> Array:
    return np.asarray(_d(s, l)[:, :1] @ _a(s, l).sum(axis=1, keepdims=True).T)


_PRODUCTS: tuple[tuple[str, str, Edit, str], ...] = (
    ("transposed", "it is transposed", lambda s, l, v: _like(v.T, v), "a symmetric gradient; it has the wrong shape unless the layers are equally wide"),
    ("reshaped", "it is transposed and then reshaped to fit", lambda s, l, v: v.T.reshape(v.shape), "one unit on either side"),
    ("last_sample", "only the last sample counts", _samples(slice(-1, None)), "one sample"),
    ("first_sample", "only the first sample counts", _samples(slice(0, 1)), "one sample"),
    ("no_last_sample", "the last sample is left out", _samples(slice(0, -1)), "never, but for chance"),
    ("no_first_sample", "the first sample is left out", _samples(slice(1, None)), "never, but for chance"),
    ("every_other_sample", "every other sample is left out", _samples(slice(0, None, 2)), "one sample"),
    ("sum_then_outer", "δ and a are added up over the samples before they are multiplied", lambda s, l, v: _d(s, l).sum(axis=1, keepdims=True) @ _a(s, l).sum(axis=1, keepdims=True).T, "one sample"),
    ("mean_then_outer", "δ and a are averaged over the samples before they are multiplied", lambda s, l, v: _d(s, l).mean(axis=1, keepdims=True) @ _a(s, l).mean(axis=1, keepdims=True).T, "one sample"),
    ("first_error_only", "the first sample's δ meets the activations of all samples", _first_sample_errors, "one sample"),
    ("maximum_over_samples", "the largest product stands for the sum over the samples", lambda s, l, v: (_d(s, l)[:, None, :] * _a(s, l)[None, :, :]).max(axis=2), "one sample"),
    ("sum_for_product", "δ and a are added instead of multiplied", lambda s, l, v: (_d(s, l)[:, None, :] + _a(s, l)[None, :, :]).sum(axis=2), "never, but for chance"),
    ("times_weights", "it is multiplied by W", lambda s, l, v: v * s.W(l), "weights of 1"),
    ("plus_weights", "W is added to it", lambda s, l, v: v + s.W(l), "weights of 0"),
    ("weights_alone", "it is W itself", lambda s, l, v: s.W(l) * 1.0, "never, but for chance"),
    ("over_weights", "it is divided by W", lambda s, l, v: v / s.W(l), "weights of 1"),
    ("times_sign_of_weights", "it is multiplied by the sign of W", lambda s, l, v: v * np.sign(s.W(l)), "no negative weight"),
    ("zero", "it is zero", lambda s, l, v: 0 * v, "never, but for chance"),
    ("ones", "it is 1", lambda s, l, v: np.ones_like(v), "never, but for chance"),
    ("absolute", "its sign is lost", lambda s, l, v: np.abs(v), "no negative component"),
    ("squared", "it is squared", lambda s, l, v: v**2, "never, but for chance"),
    ("inverted", "it is inverted, 1/(δ aᵀ): the rate of change of the weight with respect to the cost", lambda s, l, v: 1 / v, "components of ±1; it is not finite where a component is 0"),
    ("sign", "only its sign is kept", lambda s, l, v: np.sign(v), "never, but for chance"),
    ("normalised", "it is divided by its norm", lambda s, l, v: v / np.linalg.norm(v), "a gradient of norm 1"),
    ("first_unit_untrained", "it is zero in the first row: the first unit is not trained", _zeroed(0), "never, but for chance"),
    ("last_unit_untrained", "it is zero in the last row: the last unit is not trained", _zeroed(-1), "never, but for chance"),
    ("first_input_untrained", "it is zero in the first column: the first input is not used", _zeroed(slice(None), 0), "never, but for chance"),
    ("last_input_untrained", "it is zero in the last column: the last input is not used", _zeroed(slice(None), -1), "never, but for chance"),
    ("first_entry_zero", "its first component is zero", _zeroed(0, 0), "never, but for chance"),
    ("last_entry_zero", "its last component is zero", _zeroed(-1, -1), "never, but for chance"),
    ("diagonal_only", "only its diagonal is kept", _diagonal, "one unit on either side"),
    ("no_diagonal", "its diagonal is left out", lambda s, l, v: v - _diagonal(s, l, v), "never, but for chance"),
    ("lower_triangle", "only its lower triangle is kept", lambda s, l, v: np.tril(v), "one input"),
    ("upper_triangle", "only its upper triangle is kept", lambda s, l, v: np.triu(v), "one unit"),
    ("rows_reversed", "its rows come in the reverse order", lambda s, l, v: v[::-1], "one unit"),
    ("columns_reversed", "its columns come in the reverse order", lambda s, l, v: v[:, ::-1], "one input"),
    ("rows_shifted", "its rows are shifted by one", lambda s, l, v: np.roll(v, 1, axis=0), "one unit"),
    ("columns_shifted", "its columns are shifted by one", lambda s, l, v: np.roll(v, 1, axis=1), "one input"),
    ("summed_over_inputs", "each row holds its sum", lambda s, l, v: v.sum(axis=1, keepdims=True) + 0 * v, "one input"),
    ("summed_over_units", "each column holds its sum", lambda s, l, v: v.sum(axis=0, keepdims=True) + 0 * v, "one unit"),
    ("mean_over_inputs", "each row holds its mean", lambda s, l, v: v.mean(axis=1, keepdims=True) + 0 * v, "one input"),
    ("symmetrised", "it is replaced by its symmetric part", lambda s, l, v: _like((v + _like(v.T, v)) / 2, v), "a symmetric gradient; it crashes unless it is square"),
    ("bias_gradient_added", "the bias gradient is added to each column", lambda s, l, v: v + _d(s, l).sum(axis=1, keepdims=True), "errors that add up to 0"),
)  # fmt: skip


def _faults() -> Iterator[Fault]:
    for key, title, vector, sites, hidden in _INPUTS:
        yield _fault(key, title, _with_input(vector), sites, hidden)
    for key, title, vector, sites, hidden in _ERRORS:
        yield _fault(key, title, _with_error(vector), sites, hidden)
    for key, title, edit, hidden in _PRODUCTS:
        yield _fault(key, title, edit, "every", hidden)


def _with_input(vector: Vector) -> Edit:
    return lambda s, l, v: _d(s, l) @ _like(vector(s, l), s.a[l - 1]).T


def _with_error(vector: Vector) -> Edit:
    return lambda s, l, v: _like(vector(s, l), s.delta[l]) @ s.a[l - 1].T


def _fault(key: str, title: str, edit: Edit, sites: Sites, hidden: str) -> Fault:
    return Fault(f"bp4_{key}", f"in the weight gradient, {title}", "BP4", "weight_gradient", edit, sites, hidden, HINT)


FAULTS: tuple[Fault, ...] = tuple(_faults())
