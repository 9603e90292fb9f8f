"""A correct subject with one vector and any depth: weights before biases, Fortran order; tanh, ½ Σ(a − y)²."""

import itertools

import numpy as np


def unroll(theta, layer_sizes):
    """The matrices (from, to) and then the vectors of theta."""
    pairs = list(itertools.pairwise(layer_sizes))
    ends = np.cumsum([n * k for n, k in pairs] + [k for _, k in pairs])
    pieces = np.split(theta, ends[:-1])
    weights = [p.reshape(shape, order="F") for p, shape in zip(pieces, pairs, strict=False)]
    return weights, pieces[len(pairs) :]


def activations(theta, layer_sizes, X):
    """All activations, the input first."""
    a = [X]
    for w, b in zip(*unroll(theta, layer_sizes), strict=True):
        a.append(np.tanh(a[-1] @ w + b))
    return a


def cost_function(theta, layer_sizes, X, y):
    """½ Σ (a − y)²."""
    return 0.5 * np.sum((activations(theta, layer_sizes, X)[-1] - y) ** 2)


def cost_gradient(theta, layer_sizes, X, y):
    """The gradient, unrolled like theta."""
    a, (weights, _) = activations(theta, layer_sizes, X), unroll(theta, layer_sizes)
    delta = (a[-1] - y) * (1 - a[-1] ** 2)
    by_weights, by_biases = [], []
    for k in reversed(range(len(weights))):
        by_weights.insert(0, (a[k].T @ delta).ravel(order="F"))
        by_biases.insert(0, delta.sum(axis=0))
        delta = (delta @ weights[k].T) * (1 - a[k] ** 2)
    return np.concatenate(by_weights + by_biases)
