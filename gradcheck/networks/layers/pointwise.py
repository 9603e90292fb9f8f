"""Layers without a sum over neighbours of their own: softmax, dropout, embedding, residual block, L2 normalisation, costs."""

# ruff: noqa: E501 (tables)

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcheck.networks.layers.attention import softmax
from gradcheck.networks.layers.layer import Dice, Layer, Settings
from gradcheck.numerics import Array

Drawn = tuple[dict[str, Array], dict[str, Any]]


def soft(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """Softmax over the last axis of x (m, k)."""
    return softmax(p["x"], xp)


def dropout(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """Inverted dropout with a given mask of zeros and ones: x mask / keep (Srivastava et al. 2014)."""
    return p["x"] * s["mask"] / s["keep"]


def embedding(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """Rows of w (vocabulary, d) at indices (n, t): (n, t, d)."""
    index = np.asarray(s["indices"])
    return np.eye(p["w"].shape[0])[index] @ p["w"]


def residual(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """x + relu(x w1 + b1) w2 + b2, x (m, d) (He et al. 2016, eq. 1)."""
    hidden = xp.maximum(p["x"] @ p["w1"] + p["b1"], 0.0)
    return p["x"] + hidden @ p["w2"] + p["b2"]


def l2_normalise(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """x / ‖x‖ for each row."""
    return p["x"] / xp.sqrt(xp.sum(p["x"] * p["x"], axis=-1, keepdims=True))


def cross_entropy(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """Mean over samples of −Σ t ln softmax(x), soft targets t (m, k)."""
    x, t = p["x"], s["targets"]
    shifted = x - xp.stop_gradient(xp.max(x, axis=-1, keepdims=True))
    logarithm = shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))
    return -xp.sum(t * logarithm) / x.shape[0]


def hinge(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """Mean over samples of Σ_{j≠y} max(0, x_j − x_y + 1), classes y (m,) (Weston & Watkins 1999)."""
    x = p["x"]
    right = np.eye(x.shape[1])[np.asarray(s["targets"])]
    margins = xp.maximum(x - xp.sum(x * right, axis=1, keepdims=True) + 1.0, 0.0)
    return xp.sum(margins * (1.0 - right)) / x.shape[0]


def draw_rows(dice: Dice) -> Drawn:
    """One row or several."""
    return {"x": dice.normal(dice.size(1, 4), dice.size(3, 5), scale=dice.setting("scale", 0.5, 1.0, 2.0))}, {}


def draw_dropout(dice: Dice) -> Drawn:
    """keep < 1; units kept and dropped."""
    shape, keep = (dice.size(2, 4), dice.size(3, 5)), dice.setting("keep", 0.5, 0.8)
    mask = (dice.generator.random(shape) < keep).astype(float)
    mask[0, 0], mask[0, 1] = 1.0, 0.0
    return {"x": dice.normal(*shape)}, {"mask": mask, "keep": keep}


def draw_embedding(dice: Dice) -> Drawn:
    """Every case holds an index twice."""
    n, t, words, d = dice.size(1, 3), dice.size(3, 4), dice.size(3, 6), dice.size(2, 3)
    index = dice.integers(words, n, t)
    index[0, -1] = index[0, 0]
    return {"w": dice.normal(words, d)}, {"indices": index}


def draw_residual(dice: Dice) -> Drawn:
    """The branch narrower or wider than the trunk."""
    m, d, h = dice.size(1, 4), dice.size(2, 4), dice.size(3, 6)
    first = {"x": dice.normal(m, d), "w1": dice.normal(d, h), "b1": dice.normal(h)}
    return {**first, "w2": dice.normal(h, d), "b2": dice.normal(d)}, {}


def draw_cross_entropy(dice: Dice) -> Drawn:
    """Soft targets: rows that sum to one."""
    m, k = dice.size(1, 4), dice.size(3, 5)
    t = dice.generator.random((m, k)) + 0.1
    return {"x": dice.normal(m, k)}, {"targets": t / t.sum(axis=1, keepdims=True)}


def draw_hinge(dice: Dice) -> Drawn:
    """Classes as whole numbers; some margins met, some not."""
    m, k = dice.size(1, 4), dice.size(3, 5)
    return {"x": dice.normal(m, k, scale=1.5)}, {"targets": dice.integers(k, m)}


KEEP = {"keep": ("keep", "keep_prob", "p_keep", "keep_probability"), "x": ("x", "X", "A", "inputs")}
SOFTMAX = Layer("softmax", ("softmax",), ("x",), soft, draw_rows)
DROPOUT = Layer("dropout", ("dropout", "inverted_dropout"), ("x",), dropout, draw_dropout, KEEP)
EMBEDDING = Layer("embedding", ("embedding", "word_embedding", "embed"), ("w",), embedding, draw_embedding, {"indices": ("indices", "idx", "x", "ids", "tokens")})  # fmt: skip
RESIDUAL = Layer("residual", ("residual", "residual_block", "resblock"), ("x", "w1", "b1", "w2", "b2"), residual, draw_residual)  # fmt: skip
L2_NORMALISE = Layer("l2_normalise", ("l2_normalise", "l2_normalize", "l2norm", "normalize", "l2_norm"), ("x",), l2_normalise, draw_rows)  # fmt: skip
CROSS_ENTROPY = Layer("softmax_cross_entropy", ("softmax_cross_entropy", "cross_entropy", "softmax_loss", "softmax_ce"), ("x",), cross_entropy, draw_cross_entropy)  # fmt: skip
HINGE = Layer("hinge", ("hinge", "svm_loss", "hinge_loss", "multiclass_hinge"), ("x",), hinge, draw_hinge)
