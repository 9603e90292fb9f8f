"""Type hints, keyword-only arguments, and a weight decay with a default."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Params = dict[str, NDArray[np.float64]]


def loss_and_grads(
    *, params: Params, inputs: NDArray, targets: NDArray, weight_decay: float = 0.0
) -> tuple[float, Params]:
    h = np.tanh(inputs @ params["w1"] + params["b1"])
    o = h @ params["w2"] + params["b2"]
    n = len(inputs)
    d = (o - targets) / n
    loss = 0.5 * float(np.sum((o - targets) ** 2)) / n + 0.5 * weight_decay * float(
        np.sum(params["w1"] ** 2) + np.sum(params["w2"] ** 2)
    )
    e = d @ params["w2"].T * (1 - h**2)
    return loss, {
        "w1": inputs.T @ e + weight_decay * params["w1"],
        "b1": e.sum(0),
        "w2": h.T @ d + weight_decay * params["w2"],
        "b2": d.sum(0),
    }
