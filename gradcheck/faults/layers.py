"""Faults of layers: edits of the hand-written backward equations in `reference/layers`, as data.

wrong   (right text, wrong text) of one equation; it stands exactly once in the layer's file
title   completes the sentence "it equals the gradient one gets when …"

Two uses: planted, they show that the checks see them; matched, they name what a claim does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.networks import OperationCase
from gradcheck.networks.layers import LAYERS
from gradcheck.networks.layers.layer import ARRANGEMENTS
from gradcheck.numerics import Array

_FOLDERS = (Path(__file__).parents[1] / "_reference", Path(__file__).parents[2] / "reference" / "layers")
"""Inside an installed package, and in the repository."""
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class LayerFault:
    """A named wrong edit of one backward equation of a layer."""

    name: str
    layer: str
    title: str
    right: str
    wrong: str

    @property
    def hint(self) -> str:
        """The right equation, in the names of the reference."""
        right = " ".join(self.right.split())
        return f"compute it as in reference/layers/{self.layer}.py: {right}"


def source_of(layer: str) -> str | None:
    """The text of the layer's reference; None where it is not installed."""
    files = [folder / f"{layer}.py" for folder in _FOLDERS]
    return next((f.read_text(encoding="utf-8") for f in files if f.is_file()), None)


def planted_source(fault: LayerFault) -> str | None:
    """The reference with the fault in it. Raises ValueError where the equation is not there exactly once."""
    source = source_of(fault.layer)
    if source is None:
        return None
    if source.count(fault.right) != 1:
        msg = (
            f"{fault.name}: {fault.right!r} stands {source.count(fault.right)} times in the reference of {fault.layer}"
        )
        raise ValueError(msg)
    return source.replace(fault.right, fault.wrong)


@cache
def planted(fault: LayerFault) -> Mapping[str, Callable[..., Any]]:
    """The functions of the reference with the fault in it; empty where the reference is not installed."""
    source = planted_source(fault)
    scope: dict[str, Any] = {"__name__": fault.name}
    if source is not None:
        exec(compile(source, f"<{fault.name}>", "exec"), scope)
    return scope


def gradient_of(fault: LayerFault, case: OperationCase) -> dict[str, Array] | None:
    """What the faulty backward pass returns at a case, by argument; None where it does not run."""
    functions = planted(fault)
    if f"{fault.layer}_forward" not in functions:
        return None
    settings = {n: v for n, v in case.fixed.items() if n not in ARRANGEMENTS and n != "layer"}
    values = {**case.arguments, **{RENAMED.get(n, n): v for n, v in settings.items()}}
    try:
        with np.errstate(all="ignore"):
            cached = functions[f"{fault.layer}_forward"](**values)[1]
            result = functions[f"{fault.layer}_backward"](case.cotangent, cached)
    except Exception:  # another convention (no bias, another shape), or a fault that crashes here
        return None
    several = result if isinstance(result, tuple) else (result,)
    order = ORDER.get(fault.layer, tuple(case.arguments))
    return dict(zip(order, several, strict=True)) if len(order) == len(several) else None


RENAMED = {"mean": "running_mean", "variance": "running_var"}
ORDER = {"lstm": ("x", "h0", "wx", "wh", "b", "c0")}


def explanations(layer: str, cases: Sequence[OperationCase], claims: Sequence[Mapping[str, Array]]) -> list[LayerFault]:
    """The faults whose gradients equal the claims at every case."""
    arranged = [_canonical(layer, c, g) for c, g in zip(cases, claims, strict=True)]
    cases, claims = [c for c, _ in arranged], [g for _, g in arranged]
    mine = [f for f in FAULTS if f.layer == layer]
    return [f for f in mine if all(_same(gradient_of(f, c), g) for c, g in zip(cases, claims, strict=True))]


def _canonical(
    layer: str, case: OperationCase, claim: Mapping[str, Array]
) -> tuple[OperationCase, Mapping[str, Array]]:  # fmt: skip
    """Case and claim in the arrangement of the references."""
    turned, settings = LAYERS[layer].canonical, case.fixed
    arguments = {n: turned(n, a, settings) for n, a in case.arguments.items()}
    kept = {n: v for n, v in settings.items() if n not in ARRANGEMENTS}
    there = replace(case, arguments=arguments, cotangent=turned("", case.cotangent, settings), fixed=kept)
    return there, {n: turned(n, g, settings) for n, g in claim.items()}


def _same(mine: Mapping[str, Array] | None, claim: Mapping[str, Array]) -> bool:
    if mine is None or not set(claim) <= set(mine):
        return False
    return all(
        np.shape(mine[n]) == g.shape
        and np.max(np.abs(mine[n] - g), initial=0) <= _SAME * (1 + np.max(np.abs(g), initial=0))
        for n, g in claim.items()
    )


def _faults(layer: str, *rows: tuple[str, str, str, str]) -> list[LayerFault]:
    return [LayerFault(name, layer, title, right, wrong) for name, title, right, wrong in rows]


LSTM_DC = "dc = dc_next + dh * o * (1 - np.tanh(c_new) ** 2)"
NORM = "dx = inverse * (dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).mean(axis=0))"
LAYER_NORM = "dx = inverse * (dxhat - mean - xhat * (dxhat * xhat).mean(axis=-1, keepdims=True))"
IMAGE_NORM = "dx = inverse * (dxhat - mean - xhat * (dxhat * xhat).mean(axis=AXES, keepdims=True))"
DS = "ds = a * (da - (da * a).sum(axis=-1, keepdims=True))"
# fmt: off
# ruff: noqa: E501
FAULTS: tuple[LayerFault, ...] = (
    *_faults(
        "conv2d",
        ("conv_db_one_axis", "db sums over one sample only", "db = dout.sum(axis=(0, 2, 3))", "db = dout[0].sum(axis=(1, 2))"),
        ("conv_db_all", "db sums over the filters too", "db = dout.sum(axis=(0, 2, 3))", "db = np.full(w.shape[0], dout.sum())"),
        ("conv_db_mean", "db is averaged over the positions", "db = dout.sum(axis=(0, 2, 3))", "db = dout.mean(axis=(2, 3)).sum(axis=0)"),
        ("conv_dx_flipped", "the kernel is flipped in dx", "dy, w[g * f : (g + 1) * f, :, u, v])", "dy, w[g * f : (g + 1) * f, :, -1 - u, -1 - v])"),
        ("conv_dw_flipped", "dw comes out flipped", "dw[g * f : (g + 1) * f, :, u, v] =", "dw[g * f : (g + 1) * f, :, -1 - u, -1 - v] ="),
        ("conv_dx_ignores_stride", "dx forgets the stride", "to = view(dx, u * dilation, v * dilation, stride, size)", "to = view(dx, u * dilation, v * dilation, 1, size)"),
        ("conv_dx_ignores_dilation", "dx forgets the dilation", "to = view(dx, u * dilation, v * dilation, stride, size)", "to = view(dx, u, v, stride, size)"),
        ("conv_dw_ignores_dilation", "dw forgets the dilation", "window = view(x, u * dilation, v * dilation, stride, size)", "window = view(x, u, v, stride, size)"),
        ("conv_dw_ignores_stride", "dw forgets the stride", "window = view(x, u * dilation, v * dilation, stride, size)", "window = view(x, u * dilation, v * dilation, 1, size)"),
        ("conv_dx_overwrites", "dx is overwritten where windows overlap", "to += np", "to[:] = np"),
        ("conv_dx_padding_kept", "the padding is cut off on one side only", "return dpadded[:, :, pad : dpadded.shape[2] - pad, pad : dpadded.shape[3] - pad].copy(), dw, db", "return dpadded[:, :, : dpadded.shape[2] - 2 * pad, : dpadded.shape[3] - 2 * pad].copy(), dw, db"),
        ("conv_first_group", "dw of every group uses the first group's input", "padded[:, g * c : (g + 1) * c], dpadded", "padded[:, :c], dpadded"),
    ),
    *_faults(
        "conv1d",
        ("conv1d_dx_overwrites", "dx is overwritten where windows overlap", "dpadded[:, :, window] +=", "dpadded[:, :, window] ="),
        ("conv1d_dw_last", "dw is that of the last position", "dw += np", "dw = np"),
        ("conv1d_db_last", "db is that of the last position", "db = dout.sum(axis=(0, 2))", "db = dout[:, :, -1].sum(axis=0)"),
    ),
    *_faults(
        "max_pool",
        ("max_pool_overwrites", "dx is overwritten where windows overlap", "dx[:, :, rows, columns] += largest", "dx[:, :, rows, columns] = largest"),
        ("max_pool_everywhere", "every pixel of a window gets the cotangent", "+= largest * dout", "+= np.ones_like(largest) * dout"),
        ("max_pool_stride_is_size", "the backward pass takes the size for the stride", "rows, columns = slice(i * stride, i * stride + size), slice(j * stride, j * stride + size)\n            largest", "rows, columns = slice(i * size, i * size + size), slice(j * size, j * size + size)\n            largest"),
        ("max_pool_transposed", "the cotangent of another channel is used", "+= largest * dout[:, :, i, j][:, :, None, None]", "+= largest * dout[:, ::-1, i, j][:, :, None, None]"),
    ),
    *_faults(
        "average_pool",
        ("average_pool_size", "dx is divided by the size, not by its square", "/ size**2", "/ size"),
        ("average_pool_not_divided", "dx is not divided by the number of pixels", " / size**2", ""),
        ("average_pool_overwrites", "dx is overwritten where windows overlap", "dx[:, :, rows, columns] += dout", "dx[:, :, rows, columns] = dout"),
    ),
    *_faults(
        "batchnorm",
        ("bn_no_gamma", "γ is forgotten in dx", "dxhat = dout * gamma", "dxhat = dout"),
        ("bn_constant_moments", "mean and variance are taken for constants", NORM, "dx = inverse * dxhat"),
        ("bn_no_mean_term", "the mean's share of dx is forgotten", NORM, "dx = inverse * (dxhat - xhat * (dxhat * xhat).mean(axis=0))"),
        ("bn_no_variance_term", "the variance's share of dx is forgotten", NORM, "dx = inverse * (dxhat - dxhat.mean(axis=0))"),
        ("bn_unbiased", "the variance's share is divided by m − 1", NORM, "dx = inverse * (dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).sum(axis=0) / (len(xhat) - 1))"),
        ("bn_dgamma_of_x", "dγ uses x − μ instead of x̂", "dgamma = (dout * xhat).sum(axis=0)", "dgamma = (dout * xhat / inverse).sum(axis=0)"),
        ("bn_dbeta_mean", "dβ is averaged over the samples", "dbeta = dout.sum(axis=0)", "dbeta = dout.mean(axis=0)"),
        ("bn_inverse_squared", "dx is divided by the variance, not by its root", NORM, NORM.replace("inverse *", "inverse**2 *")),
    ),
    *_faults(
        "batchnorm_4d",
        ("bn4_no_gamma", "γ is forgotten in dx", "dxhat = dout * gamma[:, None, None]", "dxhat = dout"),
        ("bn4_mean_of_sample", "the means are taken over one sample", "mean = dxhat.mean(axis=AXES, keepdims=True)", "mean = dxhat.mean(axis=(2, 3), keepdims=True)"),
        ("bn4_constant_moments", "mean and variance are taken for constants", IMAGE_NORM, "dx = inverse * dxhat"),
    ),
    *_faults(
        "batchnorm_eval",
        ("bn_eval_as_train", "running moments are differentiated as if they were the batch's", "dx = dout * gamma * inverse", "dx = (dout - dout.mean(axis=0)) * gamma * inverse"),
        ("bn_eval_no_gamma", "γ is forgotten in dx", "dx = dout * gamma * inverse", "dx = dout * inverse"),
    ),
    *_faults(
        "layernorm",
        ("ln_no_gamma", "γ is forgotten in dx", "dxhat = dout * gamma", "dxhat = dout"),
        ("ln_constant_moments", "mean and variance are taken for constants", LAYER_NORM, "dx = inverse * dxhat"),
        ("ln_no_mean_term", "the mean's share of dx is forgotten", LAYER_NORM, "dx = inverse * (dxhat - xhat * (dxhat * xhat).mean(axis=-1, keepdims=True))"),
        ("ln_no_variance_term", "the variance's share of dx is forgotten", LAYER_NORM, "dx = inverse * (dxhat - mean)"),
        ("ln_mean_over_samples", "the mean is taken over the samples", "mean = dxhat.mean(axis=-1, keepdims=True)", "mean = dxhat.mean(axis=0, keepdims=True)"),
        ("ln_dgamma_of_x", "dγ uses x − μ instead of x̂", "dgamma = (dout * xhat).sum(axis=rows)", "dgamma = (dout * xhat / inverse).sum(axis=rows)"),
    ),
    *_faults(
        "rmsnorm",
        ("rms_no_gamma", "γ is forgotten in dx", "dxhat = dout * gamma", "dxhat = dout"),
        ("rms_constant", "the root mean square is taken for a constant", "dx = r * (dxhat - xhat * (dxhat * xhat).mean(axis=-1, keepdims=True))", "dx = r * dxhat"),
        ("rms_sum", "the mean in dx is a sum", "(dxhat * xhat).mean(axis=-1, keepdims=True)", "(dxhat * xhat).sum(axis=-1, keepdims=True)"),
    ),
    *_faults(
        "dropout",
        ("dropout_no_rescale", "1/keep is forgotten", "dx: Array = dout * mask / keep", "dx: Array = dout * mask"),
        ("dropout_no_mask", "the mask is forgotten", "dx: Array = dout * mask / keep", "dx: Array = dout / keep"),
        ("dropout_mask_inverted", "the units that were dropped get the gradient", "dx: Array = dout * mask / keep", "dx: Array = dout * (1 - mask) / keep"),
    ),
    *_faults(
        "embedding",
        ("embedding_assign", "of several places with the same index the last one wins", "np.add.at(dw, indices, dout)", "dw[indices] = dout"),
        ("embedding_mean", "the gradients of places with the same index are averaged", "np.add.at(dw, indices, dout)", "np.add.at(dw, indices, dout)\n    dw /= np.maximum(np.bincount(indices.ravel(), minlength=len(w)), 1)[:, None]"),
    ),
    *_faults(
        "rnn",
        ("rnn_no_tanh_prime", "1 − h² is forgotten", "da = dh * (1 - h[:, t + 1] ** 2)", "da = dh"),
        ("rnn_tanh_not_squared", "1 − h stands for 1 − h²", "(1 - h[:, t + 1] ** 2)", "(1 - h[:, t + 1])"),
        ("rnn_h_of_this_step", "dwh uses h_t instead of h_{t−1}", "dwh += h[:, t].T @ da", "dwh += h[:, t + 1].T @ da"),
        ("rnn_truncated", "nothing is passed on to the step before", "dh_next = da @ wh.T", "dh_next = np.zeros_like(dh)"),
        ("rnn_no_transpose", "Wh is not transposed in the recursion", "dh_next = da @ wh.T", "dh_next = da @ wh"),
        ("rnn_h0_is_zero", "h0 is taken for zero in dwh", "dwh += h[:, t].T @ da", "dwh += (h[:, t] if t else 0 * h[:, 0]).T @ da"),
        ("rnn_h0_missing", "the gradient of h0 is zero", "return dx, dh_next,", "return dx, 0 * dh_next,"),
        ("rnn_dw_overwritten", "dwx is overwritten at each step", "dwx += x", "dwx = x"),
        ("rnn_db_mean", "db is averaged over the samples", "db += da.sum(axis=0)", "db += da.mean(axis=0)"),
    ),
    *_faults(
        "lstm",
        ("lstm_tanh_not_squared", "1 − tanh(c) stands for 1 − tanh²(c)", LSTM_DC, "dc = dc_next + dh * o * (1 - np.tanh(c_new))"),
        ("lstm_no_tanh_prime", "the derivative of tanh(c) is forgotten", LSTM_DC, "dc = dc_next + dh * o"),
        ("lstm_dc_not_passed", "the cell's cotangent of the step after is forgotten", LSTM_DC, LSTM_DC.replace("dc_next + ", "")),
        ("lstm_forget_uses_c_t", "the forget gate's gradient uses c_t instead of c_{t−1}", "daf = dc * c * f * (1 - f)", "daf = dc * c_new * f * (1 - f)"),
        ("lstm_forget_no_prime", "σ′ is forgotten at the forget gate", "daf = dc * c * f * (1 - f)", "daf = dc * c"),
        ("lstm_input_uses_i", "the input gate's gradient uses i instead of g", "dai = dc * g * i * (1 - i)", "dai = dc * i * i * (1 - i)"),
        ("lstm_output_no_tanh", "the output gate's gradient uses c instead of tanh(c)", "dao = dh * np.tanh(c_new) * o * (1 - o)", "dao = dh * c_new * o * (1 - o)"),
        ("lstm_candidate_sigmoid", "the candidate's tanh is differentiated as a sigmoid", "dag = dc * i * (1 - g**2)", "dag = dc * i * g * (1 - g)"),
        ("lstm_dc_no_forget", "the forget gate is missing in what the cell passes back", "dc_next = dc * f", "dc_next = dc"),
        ("lstm_dh_reset", "nothing is passed on to the h of the step before", "dh_next = da @ wh.T", "dh_next = np.zeros_like(h)"),
    ),
    *_faults(
        "gru",
        ("gru_no_direct_path", "h_{t−1} gets nothing past the gates", "dh_next = dh * z + du @ wh.T", "dh_next = du @ wh.T"),
        ("gru_z_swapped", "the update gate's gradient has the other sign", "daz = dh * (h - n) * z * (1 - z)", "daz = dh * (n - h) * z * (1 - z)"),
        ("gru_z_for_candidate", "z stands for 1 − z at the candidate", "dan = dh * (1 - z) * (1 - n**2)", "dan = dh * z * (1 - n**2)"),
        ("gru_reset_forgotten", "the reset gate is missing before Wh", "dan * r])", "dan])"),
        ("gru_reset_no_prime", "σ′ is forgotten at the reset gate", "dar = dan * un * r * (1 - r)", "dar = dan * un"),
    ),
    *_faults(
        "attention",
        ("att_no_softmax_sum", "the sum in the softmax's derivative is forgotten", DS, "ds = a * da"),
        ("att_diagonal_only", "only the diagonal of the softmax's Jacobian is used", DS, "ds = a * (1 - a) * da"),
        ("att_softmax_axis", "the softmax's sum runs over the queries", DS, DS.replace("axis=-1", "axis=-2")),
        ("att_no_scale_dq", "1/√d is forgotten in dq", "dq = ds @ k / root", "dq = ds @ k"),
        ("att_no_scale_dk", "1/√d is forgotten in dk", "dk = ds.swapaxes(1, 2) @ q / root", "dk = ds.swapaxes(1, 2) @ q"),
        ("att_scale_by_keys", "dq is divided by the root of the number of keys", "dq = ds @ k / root", "dq = ds @ k / np.sqrt(k.shape[1])"),
    ),
    *_faults(
        "multi_head_attention",
        ("mha_no_softmax_sum", "the sum in the softmax's derivative is forgotten", DS, "ds = a * da"),
        ("mha_wq_uses_dk", "dwq is computed from the keys' cotangent", 'dwq = np.einsum("bni,bnj->ij", x, dq)', 'dwq = np.einsum("bni,bnj->ij", x, dk)'),
        ("mha_scale_of_model", "1/√(heads · d) stands for 1/√d", "root = np.sqrt(q.shape[-1])", "root = np.sqrt(x.shape[-1])"),
        ("mha_no_value_path", "dx forgets the path through the values", " + join(dv) @ wv.T", ""),
        ("mha_wo_no_transpose", "Wo is not transposed", "split(dout @ wo.T, heads)", "split(dout @ wo, heads)"),
        ("mha_one_sample", "dwv is that of the first sample", '"bni,bnj->ij", x, join(dv))', '"bni,bnj->ij", x[:1], join(dv)[:1])'),
    ),
    *_faults(
        "residual",
        ("residual_no_skip", "the skip path is forgotten", "dx = dout + dz @ w1.T", "dx = dz @ w1.T"),
        ("residual_no_relu_prime", "the derivative of relu is forgotten", "dz = (dout @ w2.T) * (z > 0)", "dz = dout @ w2.T"),
        ("residual_skip_twice", "the skip path is counted twice", "dx = dout + dz @ w1.T", "dx = 2 * dout + dz @ w1.T"),
    ),
    *_faults(
        "l2_normalise",
        ("l2_no_projection", "the length is taken for a constant", "(dout - y * (dout * y).sum(axis=-1, keepdims=True)) / length", "dout / length"),
        ("l2_length_squared", "dx is divided by the square of the length", "keepdims=True)) / length", "keepdims=True)) / length**2"),
    ),
    *_faults(
        "softmax_cross_entropy",
        ("ce_no_mean", "1/m is forgotten", "dx: Array = dout * (p - targets) / m", "dx: Array = dout * (p - targets)"),
        ("ce_ignores_upstream", "the upstream cotangent is ignored", "dx: Array = dout * (p - targets) / m", "dx: Array = (p - targets) / m"),
        ("ce_hard_targets", "soft targets are taken for one-hot ones", "(p - targets)", "(p - (targets == targets.max(axis=1, keepdims=True)))"),
    ),
    *_faults(
        "hinge",
        ("hinge_right_class", "the right class gets −1 whatever the number of margins", "= -dx.sum(axis=1)", "= -1.0"),
        ("hinge_no_right_class", "the right class gets nothing", "= -dx.sum(axis=1)", "= 0.0"),
        ("hinge_no_mean", "1/m is forgotten", "dx *= dout / m", "dx *= dout"),
        ("hinge_ignores_upstream", "the upstream cotangent is ignored", "dx *= dout / m", "dx /= m"),
    ),
)
