"""Scaled dot-product attention and multi-head self-attention, with a mask (1: may look, 0: may not).

A = softmax(Q Kᵀ/√d + mask), y = A V                        (Vaswani et al. 2017, eq. 1)
y = concat(heads of (x Wq, x Wk, x Wv)) Wo                   (ibid., §3.2.2)
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcheck.networks.layers.layer import Dice, Layer, Settings
from gradcheck.numerics import Array

FORBIDDEN = -1e30


def softmax(s: Any, xp: Any) -> Any:
    """Over the last axis."""
    e = xp.exp(s - xp.stop_gradient(xp.max(s, axis=-1, keepdims=True)))
    return e / xp.sum(e, axis=-1, keepdims=True)


def attend(q: Any, k: Any, v: Any, mask: Any, xp: Any) -> Any:
    """q (…, n, d), k (…, m, d), v (…, m, e) -> (…, n, e)."""
    s = q @ xp.swapaxes(k, -1, -2) / float(np.sqrt(q.shape[-1]))
    return softmax(s if mask is None else xp.where(mask > 0, s, FORBIDDEN), xp) @ v


def single(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """q (b, n, d), k (b, m, d), v (b, m, e), mask (n, m)."""
    return attend(p["q"], p["k"], p["v"], s.get("mask"), xp)


def multi(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """x (b, n, d); wq, wk, wv, wo (d, d); mask (n, n); heads divides d."""
    x = p["x"]
    b, n, d = x.shape
    heads = s["heads"]

    def split(a: Any) -> Any:
        return xp.swapaxes(a.reshape((b, n, heads, d // heads)), 1, 2)

    y = attend(split(x @ p["wq"]), split(x @ p["wk"]), split(x @ p["wv"]), s.get("mask"), xp)
    return xp.swapaxes(y, 1, 2).reshape((b, n, d)) @ p["wo"]


def _mask(dice: Dice, n: int, m: int) -> Array:
    """Every query may look at one key at least."""
    mask = (dice.generator.random((n, m)) < 0.6).astype(float)
    mask[np.arange(n), np.arange(n) % m] = 1.0
    return mask


def draw_single(dice: Dice) -> tuple[dict[str, Array], dict[str, Any]]:
    """Numbers of queries and keys, and widths of keys and values, all different."""
    b, n, m, d, e = dice.size(1, 2), dice.size(2, 3), dice.size(3, 5), dice.size(2, 4), dice.size(2, 3)
    return {"q": dice.normal(b, n, d), "k": dice.normal(b, m, d), "v": dice.normal(b, m, e)}, {
        "mask": _mask(dice, n, m)
    }


def draw_multi(dice: Dice) -> tuple[dict[str, Array], dict[str, Any]]:
    """Two or three heads, one sample or several."""
    b, n, heads = dice.size(1, 2), dice.size(2, 4), dice.setting("heads", 2, 3)
    d = heads * dice.size(2, 3)
    weights = {w: dice.normal(d, d, scale=0.6) for w in ("wq", "wk", "wv", "wo")}
    return {"x": dice.normal(b, n, d), **weights}, {"heads": heads, "mask": _mask(dice, n, n)}


WEIGHTS = {w: (w, w.upper()[0] + w[1:], f"w_{w[1]}", f"W_{w[1]}") for w in ("wq", "wk", "wv", "wo")}
HEADS = {"heads": ("heads", "num_heads", "n_heads", "h", "n_head")}
ATTENTION = Layer("attention", ("attention", "scaled_dot_product_attention", "dot_product_attention", "sdpa"), ("q", "k", "v"), single, draw_single, optional=("mask",))  # noqa: E501  # fmt: skip
MULTI_HEAD = Layer("multi_head_attention", ("multi_head_attention", "multihead_attention", "mha", "attention", "self_attention"), ("x", "wq", "wk", "wv", "wo"), multi, draw_multi, {**WEIGHTS, **HEADS}, ("mask",))  # noqa: E501  # fmt: skip
