"""Max and average pooling over windows of size × size, NCHW or NHWC; windows overlap where the stride is less than the size."""

from collections.abc import Mapping
from typing import Any

from gradcheck.networks.layers.layer import LAYOUTS, Dice, Layer, Settings, as_laid_out, channels_first, image
from gradcheck.numerics import Array


def windows(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """(size², n, c, h', w'): every position of a window."""
    x, size, stride = channels_first(p["x"], s, xp), s["size"], s["stride"]
    rows, columns = ((k - size) // stride + 1 for k in x.shape[2:])
    starts = [(u, v) for u in range(size) for v in range(size)]
    ends = stride * (rows - 1) + 1, stride * (columns - 1) + 1
    return xp.stack([x[:, :, u : u + ends[0] : stride, v : v + ends[1] : stride] for u, v in starts])


def largest(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """The largest of each window."""
    return as_laid_out(xp.max(windows(p, s, xp), axis=0), s, xp)


def average(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """The mean of each window."""
    return as_laid_out(xp.sum(windows(p, s, xp), axis=0) / s["size"] ** 2, s, xp)


def draw(dice: Dice) -> tuple[dict[str, Array], dict[str, Any]]:
    """Overlapping windows, gaps between windows, non-square inputs."""
    size, stride = dice.setting("size", 2, 2, 3), dice.setting("stride", 1, 2, 3)
    h, w = size + stride * dice.size(1, 2), size + stride * dice.size(1, 3)
    n, c, layout = dice.size(1, 2), dice.size(1, 3), dice.setting("layout", "nchw")
    x = dice.normal(n, c, h, w) if layout == "nchw" else dice.normal(n, h, w, c)
    return {"x": x}, {"size": size, "stride": stride, "layout": layout}


SPELLINGS = {"size": ("size", "pool_size", "kernel_size", "pool", "k", "f", "window")}
UNSAID = {"layout": LAYOUTS, "size": (2, 3), "stride": (2, 1)}
MAX = Layer(
    "max_pool",
    ("max_pool", "maxpool", "maxpool2d", "max_pool_naive", "pool", "max_pooling"),
    ("x",),
    largest,
    draw,
    SPELLINGS,
    ("size", "stride", "layout"),
    UNSAID,
    lazy={"size": 2, "stride": 2},
    canonical=image,
)
AVERAGE = Layer(
    "average_pool",
    ("average_pool", "avg_pool", "avgpool", "mean_pool", "average_pooling", "pool"),
    ("x",),
    average,
    draw,
    SPELLINGS,
    ("size", "stride", "layout"),
    UNSAID,
    lazy={"size": 2, "stride": 2},
    canonical=image,
)
