"""A correct subject with one vector a call: tanh and the squared error without ½."""

import numpy as np


def outputs(W, b, x):
    """All activations, the input first."""
    a = [x]
    for weights, biases in zip(W, b, strict=True):
        a.append(np.tanh(weights @ a[-1] + biases))
    return a


def loss(W, b, x, y, sigma, lam):
    """The squared error of one sample."""
    assert sigma == ["tanh"] * len(W)
    assert lam == "mse"
    return float(np.sum((outputs(W, b, x)[-1] - y) ** 2))


def backprop(W, b, x, y, sigma, lam):
    """(dW, db)."""
    a = outputs(W, b, x)
    delta = 2 * (a[-1] - y) * (1 - a[-1] ** 2)
    dW, db = [], []
    for k in reversed(range(len(W))):
        dW.insert(0, np.outer(delta, a[k]))
        db.insert(0, delta)
        delta = (W[k].T @ delta) * (1 - a[k] ** 2)
    return dW, db
