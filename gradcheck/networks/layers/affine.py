"""Affine (fully connected) layer on samples in rows: y = x W + b."""

from collections.abc import Mapping
from typing import Any

from gradcheck.networks.layers.layer import Dice, Layer, Settings
from gradcheck.numerics import Array


def define(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """x (m, from), w (from, to), b (to,) -> (m, to)."""
    return p["x"] @ p["w"] + p.get("b", 0.0)


def draw(dice: Dice) -> tuple[dict[str, Array], dict[str, Any]]:
    """One sample or several; a square weight matrix now and then."""
    m, before, after = dice.size(1, 5), dice.size(2, 5), dice.size(2, 5)
    return {"x": dice.normal(m, before), "w": dice.normal(before, after), "b": dice.normal(after)}, {}


LAYER = Layer(
    "affine",
    ("affine", "linear", "dense", "fc", "fully_connected", "temporal_affine"),
    ("x", "w", "b"),
    define,
    draw,
    optional=("b",),
)
