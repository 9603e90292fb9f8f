"""Biases (n,) beside samples in columns; gradients in three results."""

import numpy as np


def loss_and_grad(w, b, x, t):
    a = [x]
    for W, c in zip(w, b, strict=False):
        a.append(np.tanh(W @ a[-1] + c[:, None]))
    m = x.shape[1]
    L = 0.5 * np.sum((a[-1] - t) ** 2) / m
    d = (a[-1] - t) / m
    dw = []
    db = []
    for k in range(len(w) - 1, -1, -1):
        d = d * (1 - a[k + 1] ** 2)
        dw.append(d @ a[k].T)
        db.append(d.sum(1))
        d = w[k].T @ d
    return L, dw[::-1], db[::-1]
