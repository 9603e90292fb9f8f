"""Layers that occur as objects in networks and that no pair of functions is worth: activations, reshaping, products, sums.

They complete the definitions that a layer object can be recognised as; `LAYERS` are those of functions.
"""

from collections.abc import Callable, Mapping
from typing import Any

from gradcheck.networks.activations import activation_named
from gradcheck.networks.layers.attention import softmax
from gradcheck.networks.layers.layer import Dice, Layer, Settings
from gradcheck.networks.layers.pointwise import draw_cross_entropy
from gradcheck.networks.layers.recurrent import sigmoid
from gradcheck.numerics import Array

Drawn = tuple[dict[str, Array], dict[str, Any]]


def activation(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """f(x), elementwise; f by its configured name, such as ``leaky_relu(0.1)``."""
    return activation_named(s["activation"])(p["x"], xp)


def reshape(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """x in another shape; the arrangement of an assignment says which."""
    return p["x"] * 1.0


def masked(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """x times a given mask, whose scale is that of the subject: dropout, inverted or not."""
    return p["x"] * s["mask"]


def product(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """x y."""
    return p["x"] * p["y"]


def total(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """x + y."""
    return p["x"] + p["y"]


def global_average(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """x (n, c, h, w) -> (n, c)."""
    return xp.mean(p["x"], axis=(2, 3))


def lstm_step(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """One step that gives h and c: x (n, d), h0, c0 (n, h) -> (2 n h,), see `recurrent.lstm`."""
    a = p["x"] @ p["wx"] + p["h0"] @ p["wh"] + p.get("b", 0.0)
    width = p["h0"].shape[1]
    z = {gate: a[:, k * width : (k + 1) * width] for k, gate in enumerate(s["gates"])}
    c = sigmoid(z["f"], xp) * p["c0"] + sigmoid(z["i"], xp) * xp.tanh(z["g"])
    h = sigmoid(z["o"], xp) * xp.tanh(c)
    both = (h, c) if s["first"] == "h" else (c, h)
    return xp.concatenate([a.reshape((-1,)) for a in both])


def guarded_cross_entropy(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """Mean over samples of −Σ t ln(softmax(x) + guard): softmax cross-entropy as it is written against a logarithm of zero."""
    return -xp.sum(s["targets"] * xp.log(softmax(p["x"], xp) + s["guard"])) / p["x"].shape[0]


COST_SCALES: Mapping[str, Callable[[int, int], float]] = {
    "1/m": lambda m, k: 1.0 / m,
    "1": lambda m, k: 1.0,
    "1/(mk)": lambda m, k: 1.0 / (m * k),
    "1/2": lambda m, k: 0.5,
    "1/(2m)": lambda m, k: 0.5 / m,
    "1/(2mk)": lambda m, k: 0.5 / (m * k),
}
"""Factors of a sum over m samples of k numbers."""


def cost(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """Scale times the sum of squares, of t ln x, or of t ln x + (1 − t) ln(1 − x), with what is added inside a logarithm."""
    x, t, guard = p["x"], s["targets"], s["guard"]
    if s["cost"] == "squares":
        terms = (x - t) * (x - t)
    else:
        terms = -t * xp.log(x + guard)
        terms = terms - (1.0 - t) * xp.log(1.0 - x + guard) if s["cost"] == "binary" else terms
    return COST_SCALES[s["scale"]](x.shape[0], x.size // x.shape[0]) * xp.sum(terms)


def draw_cost(dice: Dice) -> Drawn:
    """Predictions and targets between 0 and 1."""
    shape = dice.size(1, 4), dice.size(2, 4)
    x, t = (0.05 + 0.9 * dice.generator.random(shape) for _ in range(2))
    kind, scale = dice.setting("cost", "squares", "logarithm", "binary"), dice.setting("scale", *COST_SCALES)
    return {"x": x}, {"targets": t, "cost": kind, "scale": scale, "guard": dice.setting("guard", 0.0)}


def draw_x(dice: Dice) -> Drawn:
    """One matrix."""
    return {"x": dice.normal(dice.size(1, 4), dice.size(2, 5))}, {}


def draw_activation(dice: Dice) -> Drawn:
    """One matrix, and the activation that is pinned, or tanh."""
    return {**draw_x(dice)[0]}, {"activation": dice.setting("activation", "tanh")}


def draw_masked(dice: Dice) -> Drawn:
    """A mask of zeros and twos."""
    x = draw_x(dice)[0]["x"]
    return {"x": x}, {"mask": 2.0 * (dice.generator.random(x.shape) < 0.5)}


def draw_two(dice: Dice) -> Drawn:
    """Two matrices of one shape."""
    x = draw_x(dice)[0]["x"]
    return {"x": x, "y": dice.normal(*x.shape)}, {}


def draw_guarded(dice: Dice) -> Drawn:
    """A customary guard."""
    arguments, settings = draw_cross_entropy(dice)
    return arguments, {**settings, "guard": dice.setting("guard", 1e-7)}


def draw_image(dice: Dice) -> Drawn:
    """One batch of images."""
    return {"x": dice.normal(dice.size(1, 3), dice.size(1, 3), dice.size(2, 4), dice.size(2, 3))}, {}


def draw_step(dice: Dice) -> Drawn:
    """All sizes free."""
    n, d, h = dice.size(1, 3), dice.size(2, 3), dice.size(2, 4)
    states = {"x": dice.normal(n, d), "h0": dice.normal(n, h), "c0": dice.normal(n, h)}
    weights = {"wx": dice.normal(d, 4 * h), "wh": dice.normal(h, 4 * h), "b": dice.normal(4 * h)}
    return {**states, **weights}, {"gates": dice.setting("gates", "ifog"), "first": dice.setting("first", "h")}


SIMPLE: Mapping[str, Layer] = {
    layer.name: layer
    for layer in (
        Layer("activation", ("activation",), ("x",), activation, draw_activation),
        Layer("reshape", ("flatten", "reshape", "view"), ("x",), reshape, draw_x),
        Layer("masked", ("dropout",), ("x",), masked, draw_masked),
        Layer("guarded_cross_entropy", ("softmaxwithloss",), ("x",), guarded_cross_entropy, draw_guarded),
        Layer("cost", ("loss", "mse", "cross_entropy"), ("x",), cost, draw_cost),
        Layer("product", ("mul", "multiply", "product"), ("x", "y"), product, draw_two),
        Layer("sum", ("add", "sum"), ("x", "y"), total, draw_two),
        Layer("global_average", ("globalaveragepool", "gap"), ("x",), global_average, draw_image),
        Layer("lstm_step", ("lstm", "lstmcell"), ("x", "h0", "c0", "wx", "wh", "b"), lstm_step, draw_step, optional=("b",)),
    )
}  # fmt: skip
