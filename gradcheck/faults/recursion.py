"""BP2: what stands where Wᵀδ of the layer above should.

W, δ   of the layer above (l + 1); the edit is made in layer l
"""

# ruff: noqa: E501 (tables: one row a line)

import numpy as np

from gradcheck.faults.backprop import Edit, Sweep
from gradcheck.faults.fault import Fault, Sites
from gradcheck.numerics import Array

HINT = "pull the error back through the transposed weights: δˡ = (Wˡ⁺¹ᵀ δˡ⁺¹) ⊙ σ′(zˡ)"


def _like(value: Array, wanted: Array) -> Array:
    """The value where it conforms, or broadcasts as in numpy from a width of 1; numpy's own kind of error elsewhere."""
    return value if value.shape == wanted.shape else np.broadcast_to(value, wanted.shape)


def _weights(change: Edit) -> Edit:
    """Wᵀδ with W changed by `change`."""
    return lambda s, l, v: change(s, l + 1, s.W(l + 1)).T @ s.delta[l + 1]


def _errors(change: Edit) -> Edit:
    """Wᵀδ with δ changed by `change`."""
    return lambda s, l, v: s.W(l + 1).T @ change(s, l + 1, s.delta[l + 1])


def _zeroed(*index: int | slice) -> Edit:
    def change(s: Sweep, l: int, value: Array) -> Array:
        changed = value.copy()
        changed[index] = 0.0
        return changed

    return change


def _layer_weights(offset: int) -> Edit:
    def edit(s: Sweep, l: int, value: Array) -> Array:
        k = l + 1 + offset
        return _like(s.W(k).T @ s.delta[l + 1], value) if 1 <= k <= s.L else value

    return edit


def _untransposed(s: Sweep, l: int, value: Array) -> Array:
    return _like(s.W(l + 1) @ s.delta[l + 1], value)


def _updated(rate: float) -> Edit:
    return _weights(lambda s, l, W: W - rate * s.dW[l])


def _elementwise(s: Sweep, l: int, value: Array) -> Array:
    return _like(s.W(l + 1).T * s.delta[l + 1], value)


def _diagonal(s: Sweep, l: int, W: Array) -> Array:
    return W * np.eye(*W.shape)


_ROWS: tuple[tuple[str, str, Edit, Sites, str], ...] = (
    ("no_transpose", "W is not transposed", _untransposed, "hidden", "a symmetric W; it crashes unless the layers are equally wide"),
    ("reshaped", "W is reshaped instead of transposed", _weights(lambda s, l, W: W.reshape(W.shape[::-1]).T), "hidden", "one unit in a layer"),
    ("weights_of_layer_below", "the weights of layer l itself are used, not those of layer l + 1", _layer_weights(-1), "hidden", "it crashes unless the layers are equally wide"),
    ("weights_two_above", "the weights of layer l + 2 are used", _layer_weights(1), "deep", "it crashes unless the layers are equally wide"),
    ("elementwise", "W is multiplied elementwise, not as a matrix", _elementwise, "hidden", "it crashes unless shapes agree"),
    ("weights_left_out", "the error is copied down without the weights", lambda s, l, v: _like(s.delta[l + 1], v), "hidden", "it crashes unless the layers are equally wide"),
    ("ones_for_weights", "the weights are left out: the errors above are just added up", _weights(lambda s, l, W: np.ones_like(W)), "hidden", "weights of 1"),
    ("mean_error", "the mean of the errors above stands for the weighted sum", lambda s, l, v: s.delta[l + 1].mean(axis=0, keepdims=True) + 0 * v, "hidden", "never, but for chance"),
    ("sum_of_weights", "the sum of the weights times the sum of the errors stands for the weighted sum", lambda s, l, v: s.W(l + 1).sum(axis=0)[:, None] * s.delta[l + 1].sum(axis=0)[None, :], "hidden", "one unit above"),
    ("sum_of_weights_alone", "the sum of the weights stands for the weighted sum of errors", lambda s, l, v: s.W(l + 1).sum(axis=0)[:, None] + 0 * v, "hidden", "never, but for chance"),
    ("summed_other_axis", "the weights are added up over the wrong index", lambda s, l, v: _like(s.W(l + 1).sum(axis=1)[:, None] * s.delta[l + 1], v), "hidden", "it crashes unless the layers are equally wide"),
    ("absolute_weights", "|W| stands for W", _weights(lambda s, l, W: np.abs(W)), "hidden", "no negative weight"),
    ("sign_of_weights", "only the signs of W are used", _weights(lambda s, l, W: np.sign(W)), "hidden", "weights of ±1"),
    ("squared_weights", "W² stands for W", _weights(lambda s, l, W: W**2), "hidden", "weights of 0 or 1"),
    ("positive_weights", "negative weights are left out", _weights(lambda s, l, W: np.maximum(W, 0)), "hidden", "no negative weight"),
    ("centred_weights", "the mean of W is subtracted", _weights(lambda s, l, W: W - W.mean()), "hidden", "weights of mean 0"),
    ("normalised_weights", "W is divided by its norm", _weights(lambda s, l, W: W / np.linalg.norm(W)), "hidden", "weights of norm 1"),
    ("column_normalised", "each column of W is divided by its sum", _weights(lambda s, l, W: W / W.sum(axis=0)), "hidden", "columns that add up to 1"),
    ("inverse_weights", "the pseudoinverse of W stands for its transpose", lambda s, l, v: np.linalg.pinv(s.W(l + 1)) @ s.delta[l + 1], "hidden", "an orthogonal W"),
    ("diagonal_weights", "only the diagonal of W is used", _weights(_diagonal), "hidden", "a diagonal W"),
    ("no_diagonal", "the diagonal of W is left out", _weights(lambda s, l, W: W - _diagonal(s, l, W)), "hidden", "a zero diagonal"),
    ("lower_triangle", "only the lower triangle of W is used", _weights(lambda s, l, W: np.tril(W)), "hidden", "a triangular W"),
    ("upper_triangle", "only the upper triangle of W is used", _weights(lambda s, l, W: np.triu(W)), "hidden", "a triangular W"),
    ("rows_reversed", "the rows of W come in the reverse order", _weights(lambda s, l, W: W[::-1]), "hidden", "one unit above"),
    ("columns_reversed", "the columns of W come in the reverse order", _weights(lambda s, l, W: W[:, ::-1]), "hidden", "one unit in the layer"),
    ("columns_shifted", "the columns of W are shifted by one, as when the bias column is counted", _weights(lambda s, l, W: np.roll(W, 1, axis=1)), "hidden", "one unit in the layer"),
    ("bias_for_first_column", "the bias column stands for the first column of W", _weights(lambda s, l, W: np.hstack([s.b(l), W[:, 1:]])), "hidden", "never, but for chance"),
    ("shifted_by_bias", "the bias column is counted as the first of W, and the last is cut off", _weights(lambda s, l, W: np.hstack([s.b(l), W])[:, :-1]), "hidden", "never, but for chance"),
    ("bias_added", "the biases are added to the weights", _weights(lambda s, l, W: W + s.b(l)), "hidden", "biases of 0"),
    ("first_column_left_out", "the first column of W is left out", _weights(_zeroed(slice(None), 0)), "hidden", "never, but for chance"),
    ("last_column_left_out", "the last column of W is left out", _weights(_zeroed(slice(None), -1)), "hidden", "never, but for chance"),
    ("first_row_left_out", "the first row of W is left out: the first unit above sends no error down", _weights(_zeroed(0)), "hidden", "never, but for chance"),
    ("last_row_left_out", "the last row of W is left out: the last unit above sends no error down", _weights(_zeroed(-1)), "hidden", "never, but for chance"),
    ("first_unit_only", "only the first unit above sends an error down", _errors(lambda s, l, d: d * (np.arange(d.shape[0]) == 0)[:, None]), "hidden", "one unit above"),
    ("last_unit_only", "only the last unit above sends an error down", _errors(lambda s, l, d: d * (np.arange(d.shape[0]) == d.shape[0] - 1)[:, None]), "hidden", "one unit above"),
    ("updated_weights", "the weights are updated first (rate 1) and then used", _updated(1.0), "hidden", "a zero gradient above"),
    ("updated_weights_01", "the weights are updated first (rate 0.1) and then used", _updated(0.1), "hidden", "a zero gradient above"),
    ("updated_weights_001", "the weights are updated first (rate 0.01) and then used", _updated(0.01), "hidden", "a zero gradient above"),
    ("decayed_weights", "W(1 − λ) stands for W", _weights(lambda s, l, W: W * (1 - s.decay)), "hidden", "λ = 0"),
    ("gradient_for_weights", "the gradient of W stands for W", _weights(lambda s, l, W: s.dW[l]), "hidden", "never, but for chance"),
    ("rounded_weights", "W is rounded to two decimals", _weights(lambda s, l, W: np.round(W, 2)), "hidden", "weights with two decimals"),
    ("integer_weights", "W is rounded to whole numbers", _weights(lambda s, l, W: np.round(W)), "hidden", "whole weights"),
    ("error_before_prime", "the error above is used before it was multiplied by its σ′(z)", lambda s, l, v: s.W(l + 1).T @ s.above[l + 1], "hidden", "σ′ = 1 above"),
    ("prime_of_above_twice", "σ′(z) of the layer above is multiplied in twice", _errors(lambda s, l, d: d * s.prime(l)), "hidden", "σ′ = 1 above"),
    ("always_output_error", "the output error is used in every layer", lambda s, l, v: _like(s.W(l + 1).T @ _like(s.delta[s.L], s.delta[l + 1]), v), "hidden", "one hidden layer"),
    ("output_residual", "a − y of the output is used in every layer, not the δ above", lambda s, l, v: s.W(l + 1).T @ _like(s.a[s.L] - s.y, s.delta[l + 1]), "hidden", "a first layer whose δ is a − y"),
    ("activation_for_error", "the activations above are pulled back, not the errors", lambda s, l, v: s.W(l + 1).T @ s.a[l + 1], "hidden", "never, but for chance"),
    ("input_for_error", "the weighted inputs above are pulled back, not the errors", lambda s, l, v: s.W(l + 1).T @ s.z[l + 1], "hidden", "never, but for chance"),
    ("absolute_error", "|δ| stands for δ", _errors(lambda s, l, d: np.abs(d)), "hidden", "no negative error"),
    ("positive_error", "negative errors are left out", _errors(lambda s, l, d: np.maximum(d, 0)), "hidden", "no negative error"),
    ("squared_error", "δ² stands for δ", _errors(lambda s, l, d: d**2), "hidden", "never, but for chance"),
    ("sign_of_error", "only the signs of δ are used", _errors(lambda s, l, d: np.sign(d)), "hidden", "never, but for chance"),
    ("mean_over_samples", "the error above is averaged over the samples first", _errors(lambda s, l, d: d.mean(axis=1, keepdims=True) + 0 * d), "hidden", "one sample"),
    ("sum_over_samples", "the error above is added up over the samples first", _errors(lambda s, l, d: d.sum(axis=1, keepdims=True) + 0 * d), "hidden", "one sample"),
    ("last_sample_only", "only the last sample's error is passed down", _errors(lambda s, l, d: d * (np.arange(d.shape[1]) == d.shape[1] - 1)), "hidden", "one sample"),
    ("first_sample_only", "only the first sample's error is passed down", _errors(lambda s, l, d: d * (np.arange(d.shape[1]) == 0)), "hidden", "one sample"),
    ("samples_shifted", "each sample gets the error of the one before", _errors(lambda s, l, d: np.roll(d, 1, axis=1)), "hidden", "one sample"),
    ("samples_reversed", "the errors come in the reverse order of the samples", _errors(lambda s, l, d: d[:, ::-1]), "hidden", "one sample"),
    ("normalised_error", "δ is divided by its norm", _errors(lambda s, l, d: d / np.linalg.norm(d)), "hidden", "a δ of norm 1"),
    ("centred_error", "the mean over the units is subtracted from δ", _errors(lambda s, l, d: d - d.mean(axis=0, keepdims=True)), "hidden", "behind softmax, whose δ adds up to 0"),
    ("squashed_error", "the error is put through the activation on its way down", lambda s, l, v: s.W(l + 1).T @ np.tanh(s.delta[l + 1]), "hidden", "small errors"),
    ("activation_added", "the activations are added", lambda s, l, v: v + s.a[l], "hidden", "activations of 0"),
    ("skip_added", "the error above is added once more, as for a skip connection", lambda s, l, v: v + _like(s.delta[l + 1], v), "hidden", "it crashes unless the layers are equally wide"),
    ("nothing", "no error is passed down", lambda s, l, v: 0 * v, "hidden", "never, but for chance"),
    ("ones", "1 stands for the error that comes from above", lambda s, l, v: np.ones_like(v), "hidden", "never, but for chance"),
    ("first_unit_for_all", "every unit gets the error of the first", lambda s, l, v: v[:1] + 0 * v, "hidden", "one unit"),
    ("weight_penalty", "the L2 term leaks into the recursion", lambda s, l, v: v + s.decay / 2 * s.W(l + 1).sum(), "hidden", "λ = 0"),
    ("transposed_twice", "only the symmetric part of W is used", lambda s, l, v: _like((s.W(l + 1) + _like(s.W(l + 1).T, s.W(l + 1))) / 2 @ s.delta[l + 1], v), "hidden", "a symmetric W; it crashes unless W is square"),
)  # fmt: skip


def _with_bias_unit(s: Sweep, l: int, value: Array) -> Array:
    """[b | W]ᵀ δ: one row too many, that of the bias unit."""
    return np.hstack([s.b(l + 1), s.W(l + 1)]).T @ s.delta[l + 1]


def _transposed_with_bias_unit(s: Sweep, l: int, value: Array) -> Array:
    """[b | W] δ."""
    return _like(np.hstack([s.b(l + 1), s.W(l + 1)]) @ s.delta[l + 1], value)


_FOLDED: tuple[tuple[str, str, Edit], ...] = (
    ("bias_unit_takes_part", "the bias unit takes part", _with_bias_unit),
    ("transposed_with_bias_unit", "W stands for its transpose, and the bias unit takes part", _transposed_with_bias_unit),
)  # fmt: skip
_FOLDED_HINT = "no error is passed to the bias unit: leave its weights out, δˡ = (Wˡ⁺¹ᵀ δˡ⁺¹) ⊙ σ′(zˡ) with W alone"

FAULTS: tuple[Fault, ...] = (
    *(Fault(f"bp2_{key}", f"{title} in the recursion", "BP2", "recursion", edit, sites, hidden, HINT)
      for key, title, edit, sites, hidden in _ROWS),
    *(Fault(f"bp2_{key}", f"{title} in the recursion", "BP2", "recursion", edit, "hidden", "it crashes or has the wrong shape", _FOLDED_HINT, shape=True)
      for key, title, edit in _FOLDED),
)  # fmt: skip
