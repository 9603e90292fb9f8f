"""Recurrent layers over sequences x (n, t, d), with an initial state and every state as output (n, t, h).

RNN   h_t = tanh(x_t Wx + h_{t−1} Wh + b)                                              (Elman 1990)
LSTM  i, f, o = σ(·), g = tanh(·); c_t = f c_{t−1} + i g; h_t = o tanh(c_t)             (Gers et al. 2000)
GRU   r, z = σ(·); n = tanh(x Wn + b_n + r (h_{t−1} Un)); h_t = (1 − z) n + z h_{t−1}    (Cho et al. 2014; r after the product)
"""

from collections.abc import Mapping
from typing import Any

from gradcheck.networks.layers.layer import Dice, Layer, Settings
from gradcheck.numerics import Array

GATES = {"lstm": ("i", "f", "o", "g"), "gru": ("r", "z", "n")}


def sigmoid(z: Any, xp: Any) -> Any:
    """σ(z) without overflow: ½ (1 + tanh(z/2))."""
    return 0.5 * (1.0 + xp.tanh(0.5 * z))


def rnn(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """wx (d, h), wh (h, h), b (h,), h0 (n, h)."""
    h, out = p["h0"], []
    for t in range(p["x"].shape[1]):
        h = xp.tanh(p["x"][:, t] @ p["wx"] + h @ p["wh"] + p["b"])
        out.append(h)
    return xp.stack(out, axis=1)


def lstm(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """wx (d, 4h), wh (h, 4h), b (4h,), gates in the order of `s["gates"]`; h0 (n, h), c0 (n, h) or 0."""
    h, width, out = p["h0"], p["h0"].shape[1], []
    c = p["c0"] if "c0" in p else xp.zeros_like(h)
    for t in range(p["x"].shape[1]):
        a = p["x"][:, t] @ p["wx"] + h @ p["wh"] + p["b"]
        z = {gate: a[:, k * width : (k + 1) * width] for k, gate in enumerate(s["gates"])}
        c = sigmoid(z["f"], xp) * c + sigmoid(z["i"], xp) * xp.tanh(z["g"])
        h = sigmoid(z["o"], xp) * xp.tanh(c)
        out.append(h)
    return xp.stack(out, axis=1)


def gru(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """wx (d, 3h), wh (h, 3h), b (3h,), gates in the order of `s["gates"]`; h0 (n, h)."""
    h, width, out = p["h0"], p["h0"].shape[1], []
    at = {gate: slice(k * width, (k + 1) * width) for k, gate in enumerate(s["gates"])}
    for t in range(p["x"].shape[1]):
        a, u = p["x"][:, t] @ p["wx"] + p["b"], h @ p["wh"]
        r, z = (sigmoid(a[:, at[k]] + u[:, at[k]], xp) for k in "rz")
        n = xp.tanh(a[:, at["n"]] + r * u[:, at["n"]])
        h = (1.0 - z) * n + z * h
        out.append(h)
    return xp.stack(out, axis=1)


def _draw(dice: Dice, gates: int) -> dict[str, Array]:
    """At least three steps, h0 ≠ 0, b ≠ 0, all sizes free."""
    n, t, d, h = dice.size(1, 3), dice.size(3, 4), dice.size(2, 3), dice.size(2, 4)
    return {
        "x": dice.normal(n, t, d), "h0": dice.normal(n, h), "wx": dice.normal(d, gates * h, scale=0.7),
        "wh": dice.normal(h, gates * h, scale=0.7), "b": dice.normal(gates * h),
    }  # fmt: skip


def draw_rnn(dice: Dice) -> tuple[dict[str, Array], dict[str, Any]]:
    """See `_draw`."""
    return _draw(dice, 1), {}


def draw_lstm(dice: Dice) -> tuple[dict[str, Array], dict[str, Any]]:
    """With an initial cell state."""
    arguments = _draw(dice, 4)
    return {**arguments, "c0": dice.normal(*arguments["h0"].shape)}, {"gates": dice.setting("gates", "ifog")}


def draw_gru(dice: Dice) -> tuple[dict[str, Array], dict[str, Any]]:
    """See `_draw`."""
    return _draw(dice, 3), {"gates": dice.setting("gates", "rzn")}


def gates_of(name: str, shape: tuple[int, ...], order: str) -> dict[str, slice]:
    """The columns of each gate in wx, wh and b."""
    if name not in ("wx", "wh", "b"):
        return {}
    width = shape[-1] // len(order)
    return {f"gate {g}": slice(k * width, (k + 1) * width) for k, g in enumerate(order)}


ARGUMENTS = ("x", "h0", "wx", "wh", "b")
RNN = Layer("rnn", ("rnn", "vanilla_rnn", "elman"), ARGUMENTS, rnn, draw_rnn)
LSTM = Layer("lstm", ("lstm",), (*ARGUMENTS, "c0"), lstm, draw_lstm, optional=("c0", "gates"), unsaid={"gates": ("ifog", "ifgo", "fiog", "figo", "figo", "gifo")})  # noqa: E501  # fmt: skip
GRU = Layer("gru", ("gru",), ARGUMENTS, gru, draw_gru, optional=("gates",), unsaid={"gates": ("rzn", "zrn")})
