"""Recurrent layers over sequences x (n, t, d), with an initial state and every state as output (n, t, h).

Time-major: x (t, n, d), output (t, n, h). Weights to_from: wx (h, d) and wh (h, h), the transposes, gates one below the other.

RNN   h_t = tanh(x_t Wx + h_{t−1} Wh + b)                                              (Elman 1990)
LSTM  i, f, o = σ(·), g = tanh(·); c_t = f c_{t−1} + i g; h_t = o tanh(c_t)             (Gers et al. 2000)
GRU   r, z = σ(·); n = tanh(x Wn + b_n + r (h_{t−1} Un)); h_t = (1 − z) n + z h_{t−1}    (r after the product)
      reset = before: n = tanh(x Wn + b_n + (r h_{t−1}) Un); update = take: h_t = z n + (1 − z) h_{t−1}  (Cho et al. 2014)
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcheck.networks.layers.layer import Dice, Layer, Settings
from gradcheck.numerics import Array

GATES = {"lstm": ("i", "f", "o", "g"), "gru": ("r", "z", "n")}


def sigmoid(z: Any, xp: Any) -> Any:
    """σ(z) without overflow: ½ (1 + tanh(z/2))."""
    return 0.5 * (1.0 + xp.tanh(0.5 * z))


def arranged(p: Mapping[str, Any], s: Settings, xp: Any) -> tuple[Any, Any, Any, int]:
    """x (n, t, d), wx (d, ·), wh (h, ·), and the axis of time in the output."""
    major, transposed = bool(s.get("time_major", False)), s.get("weights") == "to_from"
    x = xp.transpose(p["x"], (1, 0, 2)) if major else p["x"]
    wx, wh = (p[n].T if transposed else p[n] for n in ("wx", "wh"))
    return x, wx, wh, 0 if major else 1


def rnn(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """wx (d, h), wh (h, h), b (h,), h0 (n, h)."""
    x, wx, wh, time = arranged(p, s, xp)
    h, out = p["h0"], []
    for t in range(x.shape[1]):
        h = xp.tanh(x[:, t] @ wx + h @ wh + p["b"])
        out.append(h)
    return xp.stack(out, axis=time)


def lstm(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """wx (d, 4h), wh (h, 4h), b (4h,), gates in the order of `s["gates"]`; h0 (n, h), c0 (n, h) or 0."""
    x, wx, wh, time = arranged(p, s, xp)
    h, width, out = p["h0"], p["h0"].shape[1], []
    c = p["c0"] if "c0" in p else xp.zeros_like(h)
    for t in range(x.shape[1]):
        a = x[:, t] @ wx + h @ wh + p["b"]
        z = {gate: a[:, k * width : (k + 1) * width] for k, gate in enumerate(s["gates"])}
        c = sigmoid(z["f"], xp) * c + sigmoid(z["i"], xp) * xp.tanh(z["g"])
        h = sigmoid(z["o"], xp) * xp.tanh(c)
        out.append(h)
    return xp.stack(out, axis=time)


def gru(p: Mapping[str, Any], s: Settings, xp: Any) -> Any:
    """wx (d, 3h), wh (h, 3h), b (3h,), gates in the order of `s["gates"]`; h0 (n, h)."""
    x, wx, wh, time = arranged(p, s, xp)
    h, width, out = p["h0"], p["h0"].shape[1], []
    at = {gate: slice(k * width, (k + 1) * width) for k, gate in enumerate(s["gates"])}
    for t in range(x.shape[1]):
        a, u = x[:, t] @ wx + p["b"], h @ wh
        r, z = (sigmoid(a[:, at[k]] + u[:, at[k]], xp) for k in "rz")
        before = s.get("reset") == "before"
        n = xp.tanh(a[:, at["n"]] + ((r * h) @ wh[:, at["n"]] if before else r * u[:, at["n"]]))
        z = 1.0 - z if s.get("update") == "take" else z
        h = (1.0 - z) * n + z * h
        out.append(h)
    return xp.stack(out, axis=time)


def _draw(dice: Dice, gates: int) -> tuple[dict[str, Array], dict[str, Any]]:
    """At least three steps, h0 ≠ 0, b ≠ 0, all sizes free."""
    n, t, d, h = dice.size(1, 3), dice.size(3, 4), dice.size(2, 3), dice.size(2, 4)
    arrangement = {"time_major": dice.setting("time_major", False), "weights": dice.setting("weights", "from_to")}
    x, wx = dice.normal(n, t, d), dice.normal(d, gates * h, scale=0.7)
    wh = dice.normal(h, gates * h, scale=0.7)
    transposed = arrangement["weights"] == "to_from"
    arguments = {
        "x": np.moveaxis(x, 0, 1) if arrangement["time_major"] else x, "h0": dice.normal(n, h),
        "wx": wx.T if transposed else wx, "wh": wh.T if transposed else wh, "b": dice.normal(gates * h),
    }  # fmt: skip
    return arguments, arrangement


def draw_rnn(dice: Dice) -> tuple[dict[str, Array], dict[str, Any]]:
    """See `_draw`."""
    return _draw(dice, 1)


def draw_lstm(dice: Dice) -> tuple[dict[str, Array], dict[str, Any]]:
    """With an initial cell state."""
    arguments, settings = _draw(dice, 4)
    return {**arguments, "c0": dice.normal(*arguments["h0"].shape)}, {
        **settings,
        "gates": dice.setting("gates", "ifog"),
    }


def draw_gru(dice: Dice) -> tuple[dict[str, Array], dict[str, Any]]:
    """See `_draw`."""
    arguments, settings = _draw(dice, 3)
    return arguments, {**settings, "gates": dice.setting("gates", "rzn")}


def gates_of(name: str, shape: tuple[int, ...], order: str) -> dict[str, slice]:
    """The columns of each gate in wx, wh and b."""
    if name not in ("wx", "wh", "b"):
        return {}
    width = shape[-1] // len(order)
    return {f"gate {g}": slice(k * width, (k + 1) * width) for k, g in enumerate(order)}


def canonical(name: str, array: Any, settings: Settings) -> Any:
    """x (n, t, d), weights (from, to), gates in the order ifog or rzn."""
    if name in ("x", "") and settings.get("time_major"):
        return np.moveaxis(array, 0, 1)
    if name not in ("wx", "wh", "b"):
        return array
    array = array.T if settings.get("weights") == "to_from" and name != "b" else array
    order = str(settings.get("gates", ""))
    slices = gates_of(name, array.shape, order) if order else {}
    usual = "ifog" if len(order) == 4 else "rzn"
    return np.concatenate([array[..., slices[f"gate {g}"]] for g in usual], axis=-1) if slices else array


ARGUMENTS = ("x", "h0", "wx", "wh", "b")
ARRANGED = ("time_major", "weights")
UNSAID: Mapping[str, tuple[Any, ...]] = {"time_major": (False, True), "weights": ("from_to", "to_from")}
LSTM_GATES = ("ifog", "ifgo", "fiog", "figo", "gifo", "oifg", "fogi", "igfo")
RNN = Layer(
    "rnn",
    ("rnn", "vanilla_rnn", "elman"),
    ARGUMENTS,
    rnn,
    draw_rnn,
    optional=ARRANGED,
    unsaid=UNSAID,
    canonical=canonical,
)
LSTM = Layer(
    "lstm",
    ("lstm",),
    (*ARGUMENTS, "c0"),
    lstm,
    draw_lstm,
    optional=("c0", "gates", *ARRANGED),
    unsaid={**UNSAID, "gates": LSTM_GATES},
    canonical=canonical,
)
GRU = Layer(
    "gru",
    ("gru",),
    ARGUMENTS,
    gru,
    draw_gru,
    optional=("gates", *ARRANGED),
    unsaid={**UNSAID, "gates": ("rzn", "zrn", "znr", "nrz", "rnz", "nzr")},
    canonical=canonical,
)
