"""Specimen delta_of_bias_unit: training pairs, weights (from, to) with the bias in row 0.

About a sentence of the lecture notes BACKPROP:

    "δ_u^l = Σ_k w_uk^l δ_k^{l+1} σ′(z_u^l)"
"""

import numpy as np


def sigma(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def sigma_prime(z):
    return sigma(z) * sigma(-z)


def forward(w, x):
    z, a = {}, {0: x}
    for l in range(len(w)):
        bias = w[l][0]
        z[l + 1] = bias + a[l] @ w[l][1:]
        a[l + 1] = sigma(z[l + 1])
    return z, a


def C(w, x, y):
    z, _ = forward(w, x)
    output = sigma(z[len(w)])
    return float(np.sum((output - y) ** 2))


def MSE(w, xs, ys):
    return float(np.mean([C(w, x, y) for x, y in zip(xs, ys, strict=True)]))


def gradient(w, x, y):
    z, a = forward(w, x)
    L = len(w)
    delta = {L: 2 * (a[L] - y) * sigma_prime(z[L])}  # first
    for l in range(L - 1, 0, -1):
        delta[l] = (w[l][1:] @ delta[l + 1]) * sigma_prime(z[l])  # second

    dC_dw = []
    for l in range(L):
        bias_row = delta[l + 1]  # third
        other_rows = np.outer(a[l], delta[l + 1])  # fourth
        dC_dw.append(np.vstack([bias_row, other_rows]))
    return dC_dw


def MSE_gradient(w, xs, ys):
    pairs = [gradient(w, x, y) for x, y in zip(xs, ys, strict=True)]
    return [np.mean(layer, axis=0) for layer in zip(*pairs, strict=True)]
