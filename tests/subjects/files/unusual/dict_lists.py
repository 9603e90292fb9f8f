"""Parameters in a dict of two lists."""

import numpy as np


def sig(z):
    return 1 / (1 + np.exp(-z))


def forward(params, x):
    acts = [x]
    for W, b in zip(params["weights"], params["biases"], strict=False):
        acts.append(sig(W @ acts[-1] + b))
    return acts[-1], acts


def cost(a, y):
    return 0.5 * np.sum((a - y) ** 2) / y.shape[1]


def backward(params, acts, y):
    m = y.shape[1]
    L = len(params["weights"])
    gw = [None] * L
    gb = [None] * L
    d = (acts[-1] - y) * acts[-1] * (1 - acts[-1]) / m
    for l in range(L - 1, -1, -1):
        gw[l] = d @ acts[l].T
        gb[l] = d.sum(axis=1, keepdims=True)
        if l:
            d = (params["weights"][l].T @ d) * acts[l] * (1 - acts[l])
    return {"weights": gw, "biases": gb}
