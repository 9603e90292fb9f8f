"""Batch, layer and RMS normalisation: y = γ (x − μ)/√(σ² + ε) + β, with the moments over one axis or another.

Ioffe & Szegedy 2015, algorithm 1; Ba, Kiros & Hinton 2016, eq. 3; Zhang & Sennrich 2019, eq. 4 (μ = 0, no β).
"""

# ruff: noqa: E501 (tables)

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcheck.networks.layers.layer import LAYOUTS, Dice, Layer, Settings, as_laid_out, channels_first, image
from gradcheck.numerics import Array

EPSILONS = (1e-5, 1e-8, 1e-3, 1e-6, 1e-7, 1e-12, 0.0)


def normalised(x: Any, axes: tuple[int, ...], eps: float, xp: Any) -> Any:
    """(x − μ)/√(σ² + ε)."""
    centred = x - xp.mean(x, axis=axes, keepdims=True)
    return centred / xp.sqrt(xp.mean(centred * centred, axis=axes, keepdims=True) + eps)


def channelwise(a: Any, x: Any) -> Any:
    """A parameter of the channels (axis 1), ready to be multiplied."""
    return a.reshape((1, -1) + (1,) * (x.ndim - 2))


def batch_train(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """x (m, d), or (n, c, h, w) with the moments of each channel; the batch's own moments."""
    x = channels_first(p["x"], s, xp)
    axes = (0, *range(2, x.ndim))
    y = channelwise(p["gamma"], x) * normalised(x, axes, s["eps"], xp) + channelwise(p["beta"], x)
    return as_laid_out(y, s, xp)


def batch_eval(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """Running moments, which are constants of the backward pass."""
    x = p["x"]
    xhat = (x - channelwise(s["mean"], x)) / xp.sqrt(channelwise(s["variance"], x) + s["eps"])
    return channelwise(p["gamma"], x) * xhat + channelwise(p["beta"], x)


def layer_norm(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """Moments over the last axis."""
    return p["gamma"] * normalised(p["x"], (-1,), s["eps"], xp) + p["beta"]


def rms_norm(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """γ x / √(mean(x²) + ε)."""
    x = p["x"]
    return p["gamma"] * x / xp.sqrt(xp.mean(x * x, axis=-1, keepdims=True) + s["eps"])


def _affine(dice: Dice, d: int) -> dict[str, Array]:
    return {"gamma": 1.0 + 0.5 * dice.normal(d), "beta": dice.normal(d)}


def draw_batch(dice: Dice) -> tuple[dict[str, Array], dict[str, Any]]:
    """γ ≠ 1, columns with different means and scales; at least three samples."""
    m, d = dice.size(3, 6), dice.size(2, 4)
    x = dice.normal(m, d) * (1 + dice.normal(d) ** 2) + dice.normal(d)
    return {"x": x, **_affine(dice, d)}, {"eps": dice.setting("eps", 1e-5, 1e-3)}


def draw_batch_4d(dice: Dice) -> tuple[dict[str, Array], dict[str, Any]]:
    """The same for images."""
    n, c, h, w = dice.size(2, 3), dice.size(2, 3), dice.size(2, 3), dice.size(2, 4)
    x, layout = dice.normal(n, c, h, w) + dice.normal(c)[None, :, None, None], dice.setting("layout", "nchw")
    x = x if layout == "nchw" else np.moveaxis(x, 1, 3)
    return {"x": x, **_affine(dice, c)}, {"eps": dice.setting("eps", 1e-5, 1e-3), "layout": layout}


def draw_eval(dice: Dice) -> tuple[dict[str, Array], dict[str, Any]]:
    """Running moments that are not those of the batch; one sample too."""
    m, d = dice.size(1, 5), dice.size(2, 4)
    moments = {"mean": dice.normal(d), "variance": 0.5 + dice.normal(d) ** 2}
    return {"x": dice.normal(m, d), **_affine(dice, d)}, {"eps": dice.setting("eps", 1e-5, 1e-3), **moments}


def draw_rows(dice: Dice) -> tuple[dict[str, Array], dict[str, Any]]:
    """Rows with different means and scales, with two or three axes."""
    d, m = dice.size(3, 5), dice.size(1, 4)
    axes = dice.setting("axes", 2, 3)
    axes = dice.size(2, 3) if axes == "any" else axes
    shape = (m, d) if axes == 2 else (m, dice.size(2, 3), d)
    x = dice.normal(*shape) * (1 + dice.normal(*shape[:-1], 1) ** 2) + dice.normal(*shape[:-1], 1)
    return {"x": x, **_affine(dice, d)}, {"eps": dice.setting("eps", 1e-5, 1e-3)}


def draw_rms(dice: Dice) -> tuple[dict[str, Array], dict[str, Any]]:
    """Without β."""
    arguments, settings = draw_rows(dice)
    return {n: a for n, a in arguments.items() if n != "beta"}, settings


RUNNING = {
    "mean": ("running_mean", "mean", "mu", "moving_mean"),
    "variance": ("running_var", "variance", "var", "moving_var"),
}
UNSAID = {"eps": EPSILONS}
ROWS: Mapping[str, tuple[Any, ...]] = {**UNSAID, "axes": ("any", 3, 2)}
THREE = ("x", "gamma", "beta")
AS_WEIGHTS = {
    "gamma": ("gamma", "g", "scale", "w", "W", "weight"),
    "beta": ("beta", "shift", "b", "B", "bias"),
}
BATCH = Layer("batchnorm", ("batchnorm", "batch_norm", "bn", "batchnorm2d", "batchnorm_forward", "spatial_batchnorm"), THREE, batch_train, draw_batch, optional=("eps",), unsaid=UNSAID)  # fmt: skip
BATCH_4D = Layer("batchnorm_4d", ("spatial_batchnorm", "batchnorm2d", "batchnorm_4d", "batchnorm", "batch_norm"), THREE, batch_train, draw_batch_4d, optional=("eps", "layout"), unsaid={"layout": LAYOUTS, **UNSAID}, canonical=image)  # fmt: skip
BATCH_EVAL = Layer("batchnorm_eval", ("batchnorm_eval", "batchnorm_test", "batchnorm", "batch_norm"), THREE, batch_eval, draw_eval, RUNNING, ("eps",), UNSAID)  # fmt: skip
LAYER = Layer("layernorm", ("layernorm", "layer_norm", "ln"), THREE, layer_norm, draw_rows, AS_WEIGHTS, optional=("eps",), unsaid=ROWS)  # fmt: skip
RMS = Layer("rmsnorm", ("rmsnorm", "rms_norm", "rms"), ("x", "gamma"), rms_norm, draw_rms, {"gamma": ("gamma", "g", "w", "weight", "scale")}, ("eps",), ROWS)  # fmt: skip
