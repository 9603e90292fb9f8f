"""Contract log_of_zero: a probability that rounds to 0 has no logarithm."""

import numpy as np


def forward(weights, biases, x):
    a = [x]
    for W, b in zip(weights[:-1], biases[:-1]):
        a.append(np.tanh(W @ a[-1] + b))
    return [*a, weights[-1] @ a[-1] + biases[-1]]


def softmax(z):
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)


def log_softmax(z):
    z = z - z.max(axis=0)
    return z - np.log(np.exp(z).sum(axis=0))


def loss(weights, biases, x, y):
    logits = forward(weights, biases, x)[-1]
    return -float(np.sum(y * np.log(softmax(logits)))) / x.shape[1]


def backprop(weights, biases, x, y):
    a, L, m = forward(weights, biases, x), len(weights), x.shape[1]
    d_weights, d_biases = [None] * L, [None] * L
    delta = (softmax(a[L]) * y.sum(axis=0) - y) / m
    for l in range(L - 1, -1, -1):
        d_weights[l] = delta @ a[l].T
        d_biases[l] = delta.sum(axis=1, keepdims=True)
        delta = (weights[l].T @ delta) * (1 - a[l] ** 2)
    return d_weights, d_biases
