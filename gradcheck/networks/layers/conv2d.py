"""Two-dimensional convolution (cross-correlation) with stride, padding, dilation and groups.

layout: NCHW with w (f, c/groups, kh, kw), or NHWC with w (kh, kw, c/groups, f). b: (f,), (f, 1) or (1, 1, 1, f).

y[n, f, i, j] = b[f] + Σ_{c, u, v} x[n, c, i s + u d − p, j s + v d − p] w[f, c, u, v]      (LeCun et al. 1998, §II)
"""

from collections.abc import Callable, Mapping
from typing import Any

from gradcheck.networks.layers.layer import LAYOUTS, Dice, Layer, Settings, as_laid_out, channels_first, image
from gradcheck.numerics import Array


def define(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """x (n, c, h, w), w (f, c/groups, kh, kw), b (f,) -> (n, f, h', w'), or in the other layout."""
    x, w, groups = channels_first(p["x"], s, xp), p["w"], s["groups"]
    w = xp.transpose(w, (3, 2, 0, 1)) if s.get("layout") == "nhwc" else w
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
    return as_laid_out(y + xp.reshape(p["b"], (1, -1, 1, 1)) if "b" in p else y, s, xp)


def draw(dice: Dice) -> tuple[dict[str, Array], dict[str, Any]]:
    """Non-square inputs and kernels, stride up to 3, overlapping windows, padding, dilation, groups, rows left over."""
    stride, pad = dice.setting("stride", 1, 2, 2, 3), dice.setting("pad", 0, 1, 2)
    dilation, groups = dice.setting("dilation", 1, 1, 2), dice.setting("groups", 1, 1, 2)
    kh = dice.size(2, 3)
    square, shrinking = dice.setting("kernel", "any") == "square", dice.least is not None
    kw = kh if dice.small or square else dice.size(2, 3) if shrinking else 5 - kh
    # whole numbers of strides: many implementations refuse anything else
    h = stride * dice.size(1, 2) + dilation * (kh - 1) + 1 - 2 * pad
    w = stride * dice.size(2, 3) + dilation * (kw - 1) + 1 - 2 * pad
    h, w = h + stride * (max(0, 2 - h + stride - 1) // stride), w + stride * (max(0, 2 - w + stride - 1) // stride)
    n, c, f = dice.size(1, 3), dice.size(1, 2) * groups, dice.size(2, 3) * groups
    layout, bias = dice.setting("layout", "nchw"), dice.setting("bias", "vector")
    arguments = {
        "x": dice.normal(n, c, h, w) if layout == "nchw" else dice.normal(n, h, w, c),
        "w": dice.normal(f, c // groups, kh, kw) if layout == "nchw" else dice.normal(kh, kw, c // groups, f),
        "b": dice.normal(*BIASES[bias](f)),
    }
    return arguments, {"stride": stride, "pad": pad, "dilation": dilation, "groups": groups, "layout": layout}


BIASES: Mapping[str, Callable[[int], tuple[int, ...]]] = {
    "vector": lambda f: (f,),
    "column": lambda f: (f, 1),
    "image": lambda f: (1, 1, 1, f),
}


def canonical(name: str, array: Any, settings: Settings) -> Any:
    """NCHW, w (f, c/groups, kh, kw), b (f,)."""
    if name == "w" and settings.get("layout") == "nhwc":
        return array.transpose(3, 2, 0, 1)
    return array.reshape(-1) if name == "b" else image(name, array, settings)


LAYER = Layer(
    "conv2d",
    ("conv2d", "conv", "convolution", "conv_naive", "conv2d_naive"),
    ("x", "w", "b"),
    define,
    draw,
    optional=("b", "stride", "pad", "dilation", "groups", "layout"),
    unsaid={
        "layout": LAYOUTS,
        "stride": (1, 2),
        "pad": (0, 1),
        "dilation": (1,),
        "groups": (1,),
        "bias": tuple(BIASES),
        "kernel": ("any", "square"),
    },
    lazy={"stride": 1, "pad": 0, "dilation": 1, "groups": 1},
    canonical=canonical,
)
