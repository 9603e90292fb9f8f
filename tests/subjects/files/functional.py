"""A correct subject of the functional contract: sigmoid or tanh, half a squared error averaged over samples, and L2."""

import numpy as np

PRIME = {"sigmoid": lambda a: a * (1 - a), "tanh": lambda a: 1 - a * a}
VALUE = {"sigmoid": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh}


def forward(weights, biases, x, activations):
    """All activations, the input first."""
    a = [x]
    for w, b, f in zip(weights, biases, activations, strict=True):
        a.append(VALUE[f](w @ a[-1] + b))
    return a


def loss(weights, biases, x, y, *, activations, cost, l2):
    """The scaled cost plus the L2 term."""
    if cost != "mse":
        raise NotImplementedError(cost)
    a = forward(weights, biases, x, activations)[-1]
    return np.sum((a - y) ** 2) / (2 * x.shape[1]) + l2 / 2 * sum(np.sum(w * w) for w in weights)


def backprop(weights, biases, x, y, *, activations, cost, l2):
    """The gradients by the weights and by the biases."""
    a = forward(weights, biases, x, activations)
    error = (a[-1] - y) / x.shape[1]
    by_weights, by_biases = [], []
    for k in reversed(range(len(weights))):
        delta = error * PRIME[activations[k]](a[k + 1])
        by_weights.insert(0, delta @ a[k].T + l2 * weights[k])
        by_biases.insert(0, delta.sum(axis=1, keepdims=True))
        error = weights[k].T @ delta
    return by_weights, by_biases
