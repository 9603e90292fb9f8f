"""Correct layers as pairs of functions: affine and activations, one of them without a cache, and one unknown layer."""

import numpy as np


def affine_forward(x, w, b):
    """(out, cache)."""
    return x @ w + b, (x, w)


def affine_backward(dout, cache):
    """(dx, dw, db)."""
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)


def relu_forward(x):
    """(out, cache)."""
    return np.maximum(x, 0), x


def relu_backward(dout, cache):
    """dx."""
    return dout * (cache > 0)


def leaky_relu_forward(x, alpha=0.2):
    """(out, cache)."""
    return np.where(x > 0, x, alpha * x), (x, alpha)


def leaky_relu_backward(dout, cache):
    """dx."""
    x, alpha = cache
    return np.where(x > 0, dout, alpha * dout)


def elu_forward(x):
    """(out, cache), with alpha fixed inside."""
    return np.where(x > 0, x, 0.5 * (np.exp(np.minimum(x, 0)) - 1)), x


def elu_backward(dout, cache):
    """dx."""
    return dout * np.where(cache > 0, 1.0, 0.5 * np.exp(np.minimum(cache, 0)))


def softmax_forward(x):
    """(out, cache), over each row."""
    e = np.exp(x - x.max(axis=1, keepdims=True))
    out = e / e.sum(axis=1, keepdims=True)
    return out, out


def softmax_backward(dout, cache):
    """dx."""
    return cache * (dout - np.sum(dout * cache, axis=1, keepdims=True))


def sigmoid(z):
    """The output alone."""
    return 1 / (1 + np.exp(-z))


def sigmoid_backward(dA, z):
    """dz."""
    return dA * sigmoid(z) * (1 - sigmoid(z))


def fold_forward(x, w, b, table):
    """Not a dense layer."""
    return x, None


def fold_backward(dout, cache):
    """Not a dense layer."""
    return dout, None, None
