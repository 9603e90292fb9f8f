"""Specimen otherwise_at_first_layer: one example a row, weights (to, from) with the bias in column 0.

About a sentence of the essay "How does backpropagation work?":

    "(θ^(k+1)ᵀ δ^(k+1)) ⊙ g′(z^(k)) otherwise"
"""

import numpy as np


def sigmoid(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def sigmoid_prime(z):
    return sigmoid(z) * sigmoid(-z)


# name: (g, g′)
ACTIVATION_FUNCTIONS = {
    "sigmoid": (sigmoid, sigmoid_prime),
    "tanh": (np.tanh, lambda z: 4 * sigmoid_prime(2 * z)),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "softplus": (lambda z: np.logaddexp(0, z), sigmoid),
    "identity": (lambda z: z, np.ones_like),
}


def forward_propagation(theta, x, g):
    activation, _ = ACTIVATION_FUNCTIONS[g]
    z, a = {}, {1: x}
    for k, theta_k in enumerate(theta, start=2):
        z[k] = theta_k[:, 0] + theta_k[:, 1:] @ a[k - 1]
        a[k] = activation(z[k])
    return z, a


def E(theta, X, Y, g):
    L = len(theta) + 1
    hypotheses = np.array([forward_propagation(theta, x, g)[1][L] for x in X])
    return float(np.sum((Y - hypotheses) ** 2) / len(X))


def example_gradient(theta, x, y, g):
    _, g_prime = ACTIVATION_FUNCTIONS[g]
    z, a = forward_propagation(theta, x, g)
    L = len(theta) + 1
    theta = dict(enumerate(theta, start=2))

    nabla_a = 2 * (a[L] - y)
    delta = {L: nabla_a * g_prime(z[L])}  # (1)
    for k in range(L - 1, 0, -1):
        delta[k] = (theta[k + 1][:, 1:].T @ delta[k + 1]) * g_prime(z[k])  # (2)

    dE_dtheta = []
    for k in range(2, L + 1):
        weights = np.outer(delta[k], a[k - 1])  # (3)
        bias = delta[k]  # (3) for j = 0
        dE_dtheta.append(np.column_stack([bias, weights]))
    return dE_dtheta


def gradient(theta, X, Y, g):
    examples = [example_gradient(theta, x, y, g) for x, y in zip(X, Y, strict=True)]
    return [np.mean(layer, axis=0) for layer in zip(*examples, strict=True)]
