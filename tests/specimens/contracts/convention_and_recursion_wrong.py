"""Contract convention_and_recursion: a factor 1/2 in cost and gradient, which is no fault, and a wrong way back."""

import numpy as np


def forward(weights, biases, x):
    a = [x]
    for W, b in zip(weights, biases):
        a.append(np.tanh(W @ a[-1] + b))
    return a


def loss(weights, biases, x, y):
    return 0.5 * float(np.sum((forward(weights, biases, x)[-1] - y) ** 2)) / x.shape[1]


def backprop(weights, biases, x, y):
    a, L, m = forward(weights, biases, x), len(weights), x.shape[1]
    d_weights, d_biases = [None] * L, [None] * L
    delta = (a[L] - y) / m * (1 - a[L] ** 2)
    for l in range(L - 1, -1, -1):
        d_weights[l] = delta @ a[l].T
        d_biases[l] = delta.sum(axis=1, keepdims=True)
        delta = (weights[l].T @ delta) * (1 - a[l])
    return d_weights, d_biases
