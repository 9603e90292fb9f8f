"""Specimen sigma_prime_of_a: one sample, weights (to, from), separate biases.

About a sentence of J. Purcell, Backpropagation, 2021:

    "we will need to also know the outputs for those layers, and how to calculate the derivative of
    the activation function used"
"""

import numpy as np


def sigmoid(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def sigmoid_prime(z):
    return sigmoid(z) * sigmoid(-z)


# name: (σ, σ′)
ACTIVATION_FUNCTIONS = {
    "sigmoid": (sigmoid, sigmoid_prime),
    "tanh": (np.tanh, lambda z: 4 * sigmoid_prime(2 * z)),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "leaky_relu(0.01)": (lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1.0, 0.01)),
    "softplus": (lambda z: np.logaddexp(0, z), sigmoid),
    "identity": (lambda z: z, np.ones_like),
}

# name: (λ, ∂λ/∂a)
LOSSES = {
    "mse": (lambda a, y: np.sum((a - y) ** 2), lambda a, y: 2 * (a - y)),
    "mae": (lambda a, y: np.sum(np.abs(a - y)), lambda a, y: np.sign(a - y)),
    "bce": (lambda a, y: -np.sum(y * np.log(a) + (1 - y) * np.log1p(-a)), lambda a, y: (a - y) / (a * (1 - a))),
}


def weighted_sums_and_activations(W, b, x, sigma):
    z, a = {}, {0: x}
    for layer in range(1, len(W) + 1):
        z[layer] = W[layer - 1] @ a[layer - 1] + b[layer - 1]
        a[layer] = ACTIVATION_FUNCTIONS[sigma[layer - 1]][0](z[layer])
    return z, a


def loss(W, b, x, y, sigma, lam):
    _, a = weighted_sums_and_activations(W, b, x, sigma)
    return float(LOSSES[lam][0](a[len(W)], y))


def output_error(z, y, name, lam):
    sigma, sigma_prime = ACTIVATION_FUNCTIONS[name]
    loss_rate = LOSSES[lam][1](sigma(z), y)
    return loss_rate * sigma_prime(z)


def previous_layer_error(W, delta, z_prev, name):
    sigma, sigma_prime = ACTIVATION_FUNCTIONS[name]
    return (W.T @ delta) * sigma_prime(sigma(z_prev))  # (7)


def weight_and_bias_rates(delta, a_prev):
    dW = np.outer(delta, a_prev)  # (3)
    db = delta  # (4)
    return dW, db


def backprop(W, b, x, y, sigma, lam):
    z, a = weighted_sums_and_activations(W, b, x, sigma)
    L = len(W)
    delta = {L: output_error(z[L], y, sigma[-1], lam)}
    for layer in range(L, 1, -1):
        delta[layer - 1] = previous_layer_error(W[layer - 1], delta[layer], z[layer - 1], sigma[layer - 2])
    rates = [weight_and_bias_rates(delta[layer], a[layer - 1]) for layer in range(1, L + 1)]
    return [dW for dW, _ in rates], [db for _, db in rates]
