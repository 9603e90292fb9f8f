"""A correct subject with weights (from + 1, to): sigmoid, the squared error of a pair and its mean over pairs."""

import numpy as np


def activations(w, x):
    """All activations of one pair, the input first."""
    a = [x]
    for matrix in w:
        a.append(1 / (1 + np.exp(-(np.append(1.0, a[-1]) @ matrix))))
    return a


def C(w, x, y):
    """The squared error of one pair."""
    return np.sum((activations(w, x)[-1] - y) ** 2)


def gradient(w, x, y):
    """The gradients of C by w."""
    a = activations(w, x)
    delta = 2 * (a[-1] - y) * a[-1] * (1 - a[-1])
    result = []
    for k in reversed(range(len(w))):
        result.insert(0, np.outer(np.append(1.0, a[k]), delta))
        delta = (w[k][1:] @ delta) * a[k] * (1 - a[k])
    return result


def MSE(w, xs, ys):
    """The mean of C over the pairs."""
    return np.mean([C(w, x, y) for x, y in zip(xs, ys, strict=True)])


def MSE_gradient(w, xs, ys):
    """The mean of the pairs' gradients."""
    gradients = [gradient(w, x, y) for x, y in zip(xs, ys, strict=True)]
    return [sum(parts) / len(xs) for parts in zip(*gradients, strict=True)]
