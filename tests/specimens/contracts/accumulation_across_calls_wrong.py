"""Contract accumulation_across_calls: every call adds to the gradients of the one before."""

import numpy as np

GRADIENTS = {}


def forward(weights, biases, x):
    a = [x]
    for W, b in zip(weights, biases):
        a.append(np.tanh(W @ a[-1] + b))
    return a


def loss(weights, biases, x, y):
    return float(np.sum((forward(weights, biases, x)[-1] - y) ** 2)) / x.shape[1]


def backprop(weights, biases, x, y):
    a, L, m = forward(weights, biases, x), len(weights), x.shape[1]
    d_weights, d_biases = [None] * L, [None] * L
    delta = 2 * (a[L] - y) / m * (1 - a[L] ** 2)
    for l in range(L - 1, -1, -1):
        key = l, weights[l].shape
        GRADIENTS[key] = GRADIENTS.get(key, 0) + delta @ a[l].T
        d_weights[l] = GRADIENTS[key].copy()
        d_biases[l] = delta.sum(axis=1, keepdims=True)
        delta = (weights[l].T @ delta) * (1 - a[l] ** 2)
    return d_weights, d_biases
