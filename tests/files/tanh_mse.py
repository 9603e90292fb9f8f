"""A correct network of tanh layers with mse in the functional convention: the neighbour of every planted fault."""

import numpy as np


def forward(weights, biases, x):
    """Activations a[0] = x … a[L]."""
    a = [x]
    for W, b in zip(weights, biases, strict=True):
        a.append(np.tanh(W @ a[-1] + b))
    return a


def loss(weights, biases, x, y, *, activations, cost, l2):
    """Squared error, mean over samples, plus l2/2 of the squared weights."""
    a = forward(weights, biases, x)
    penalty = l2 / 2 * sum(float(np.sum(W * W)) for W in weights)
    return float(np.sum((a[-1] - y) ** 2)) / x.shape[1] + penalty


def backprop(weights, biases, x, y, *, activations, cost, l2):
    """Its gradient."""
    a, L = forward(weights, biases, x), len(weights)
    delta = 2 * (a[-1] - y) / x.shape[1] * (1 - a[-1] ** 2)
    d_weights, d_biases = [0] * L, [0] * L
    for l in reversed(range(L)):
        d_weights[l] = delta @ a[l].T + l2 * weights[l]
        d_biases[l] = delta.sum(axis=1, keepdims=True)
        delta = (weights[l].T @ delta) * (1 - a[l] ** 2)
    return d_weights, d_biases
