"""One-dimensional convolution (cross-correlation), NCT: y[n, f, i] = b[f] + Σ_{c, u} x[n, c, i s + u − p] w[f, c, u]."""

from collections.abc import Mapping
from typing import Any

from gradcheck.networks.layers.layer import Dice, Layer, Settings
from gradcheck.numerics import Array


def define(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """x (n, c, t), w (f, c, k), b (f,) -> (n, f, t')."""
    x, w, stride = xp.pad(p["x"], ((0, 0), (0, 0), (s["pad"], s["pad"]))), p["w"], s["stride"]
    steps = (x.shape[2] - w.shape[2]) // stride + 1
    windows = [x[:, :, u : u + stride * (steps - 1) + 1 : stride] for u in range(w.shape[2])]
    total = sum(xp.einsum("nct,fc->nft", window, w[:, :, u]) for u, window in enumerate(windows))
    return total + p["b"][None, :, None] if "b" in p else total


def draw(dice: Dice) -> tuple[dict[str, Array], dict[str, Any]]:
    """Stride up to 3, overlapping windows, padding."""
    stride, pad, k = dice.setting("stride", 1, 2, 3), dice.setting("pad", 0, 1), dice.size(2, 4)
    t = max(stride * dice.size(1, 3) + k - 2 * pad, 1)
    n, c, f = dice.size(1, 3), dice.size(1, 3), dice.size(2, 4)
    return {"x": dice.normal(n, c, t), "w": dice.normal(f, c, k), "b": dice.normal(f)}, {"stride": stride, "pad": pad}


LAYER = Layer(
    "conv1d",
    ("conv1d", "conv", "convolution"),
    ("x", "w", "b"),
    define,
    draw,
    optional=("b", "stride", "pad"),
    unsaid={"stride": (1, 2), "pad": (0, 1)},
    lazy={"stride": 1, "pad": 0},
)
