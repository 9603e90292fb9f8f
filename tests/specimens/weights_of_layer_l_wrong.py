"""Specimen weights_of_layer_l: one column vector per sample, weights (to, from).

About a sentence of a question and two answers on Nielsen's chapter 2:

    "pre-multiplication with the transpose of the weight matrix is like a shorthand for multiplying
    the weights of the connections corresponding to a particular neuron … in the (l-1)th layer to
    each neuron in the lth layer"
"""

import numpy as np


def sigmoid(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def sigmoid_prime(z):
    return sigmoid(z) * sigmoid(-z)


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


def softmax_pullback(z, v):
    a = softmax(z)
    return a * (v - np.sum(a * v))


def y_ln(y, a):
    return y * np.log(np.where(y == 0, 1, a))


def y_over(y, a):
    return y / np.where(y == 0, 1, a)


# name: (σ, pullback (z, ∂C/∂a) → ∂C/∂z)
ACTIVATIONS = {
    "sigmoid": (sigmoid, lambda z, v: v * sigmoid_prime(z)),
    "tanh": (np.tanh, lambda z, v: v * 4 * sigmoid_prime(2 * z)),
    "relu": (lambda z: np.maximum(z, 0), lambda z, v: v * (z > 0)),
    "identity": (lambda z: z, lambda z, v: v),
    "softplus": (lambda z: np.logaddexp(0, z), lambda z, v: v * sigmoid(z)),
    "softmax": (softmax, softmax_pullback),
}

# name: (C, ∇_a C)
COSTS = {
    "mse": (lambda a, y: np.sum((a - y) ** 2) / 2, lambda a, y: a - y),
    "bce": (lambda a, y: -np.sum(y_ln(y, a) + y_ln(1 - y, 1 - a)), lambda a, y: y_over(1 - y, 1 - a) - y_over(y, a)),
    "cross_entropy": (lambda a, y: -np.sum(y_ln(y, a)), lambda a, y: -y_over(y, a)),
}


def feedforward(w, b, x, sigma):
    z, a = {}, {0: x}
    for l in range(1, len(w) + 1):
        z[l] = w[l - 1] @ a[l - 1] + b[l - 1]
        a[l] = ACTIVATIONS[sigma[l - 1]][0](z[l])
    return z, a


def cost(w, b, x, y, sigma, C):
    _, a = feedforward(w, b, x, sigma)
    return float(COSTS[C][0](a[len(w)], y))


def backprop(w, b, x, y, sigma, C):
    z, a = feedforward(w, b, x, sigma)
    L = len(w)
    w = dict(enumerate(w, start=1))
    pullback = {l: ACTIVATIONS[name][1] for l, name in enumerate(sigma, start=1)}

    dC_da = {L: COSTS[C][1](a[L], y)}
    delta = {L: pullback[L](z[L], dC_da[L])}  # (BP1)
    for l in range(L - 1, 0, -1):
        dC_da[l] = w[l].T @ delta[l + 1]
        delta[l] = pullback[l](z[l], dC_da[l])  # (BP2)
    nabla_b = [delta[l] for l in range(1, L + 1)]  # (BP3)
    nabla_w = [delta[l] @ a[l - 1].T for l in range(1, L + 1)]  # (BP4)
    nabla_x = w[1].T @ delta[1]
    return nabla_w, nabla_b, nabla_x
