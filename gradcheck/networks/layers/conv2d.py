"""Two-dimensional convolution (cross-correlation), NCHW, with stride, padding, dilation and groups.

y[n, f, i, j] = b[f] + Σ_{c, u, v} x[n, c, i s + u d − p, j s + v d − p] w[f, c, u, v]      (LeCun et al. 1998, §II)
"""

from collections.abc import Mapping
from typing import Any

from gradcheck.networks.layers.layer import Dice, Layer, Settings
from gradcheck.numerics import Array


def define(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """x (n, c, h, w), w (f, c/groups, kh, kw), b (f,) -> (n, f, h', w')."""
    x, w, groups = p["x"], p["w"], s["groups"]
    stride, pad, dilation = s["stride"], s["pad"], s["dilation"]
    x = xp.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    kh, kw = w.shape[2:]
    rows = (x.shape[2] - dilation * (kh - 1) - 1) // stride + 1
    columns = (x.shape[3] - dilation * (kw - 1) - 1) // stride + 1
    channels, filters = w.shape[1], w.shape[0] // groups
    parts = []
    for g in range(groups):
        here, weights = x[:, g * channels : (g + 1) * channels], w[g * filters : (g + 1) * filters]
        total = 0.0
        for u in range(kh):
            for v in range(kw):
                i, j = u * dilation, v * dilation
                window = here[
                    :, :, i : i + stride * (rows - 1) + 1 : stride, j : j + stride * (columns - 1) + 1 : stride
                ]
                total = total + xp.einsum("ncij,fc->nfij", window, weights[:, :, u, v])
        parts.append(total)
    y = xp.concatenate(parts, axis=1) if groups > 1 else parts[0]
    return y + p["b"][None, :, None, None] if "b" in p else y


def draw(dice: Dice) -> tuple[dict[str, Array], dict[str, Any]]:
    """Non-square inputs and kernels, stride up to 3, overlapping windows, padding, dilation, groups, rows left over."""
    stride, pad = dice.setting("stride", 1, 2, 2, 3), dice.setting("pad", 0, 1, 2)
    dilation, groups = dice.setting("dilation", 1, 1, 2), dice.setting("groups", 1, 1, 2)
    kh, kw = dice.size(2, 3), dice.size(2, 3)
    # whole numbers of strides: many implementations refuse anything else
    h = stride * dice.size(1, 2) + dilation * (kh - 1) + 1 - 2 * pad
    w = stride * dice.size(2, 3) + dilation * (kw - 1) + 1 - 2 * pad
    h, w = h + stride * (max(0, 2 - h + stride - 1) // stride), w + stride * (max(0, 2 - w + stride - 1) // stride)
    n, c, f = dice.size(1, 3), dice.size(1, 2) * groups, dice.size(2, 3) * groups
    arguments = {"x": dice.normal(n, c, h, w), "w": dice.normal(f, c // groups, kh, kw), "b": dice.normal(f)}
    return arguments, {"stride": stride, "pad": pad, "dilation": dilation, "groups": groups}


LAYER = Layer(
    "conv2d",
    ("conv2d", "conv", "convolution", "conv_naive", "conv2d_naive"),
    ("x", "w", "b"),
    define,
    draw,
    optional=("b", "stride", "pad", "dilation", "groups"),
    unsaid={"stride": (1, 2), "pad": (0, 1), "dilation": (1,), "groups": (1,)},
    lazy={"stride": 1, "pad": 0, "dilation": 1, "groups": 1},
)
