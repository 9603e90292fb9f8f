"""A correct subject with two spelled-out layers and other names: regularised mean squared error behind sigmoids."""

import numpy as np


def sigmoid(z):
    """1 / (1 + e^-z)."""
    return 1 / (1 + np.exp(-z))


def forward(x, params):
    """(y_hat, cache)."""
    A1 = sigmoid(params["W1"] @ x + params["b1"])
    A2 = sigmoid(params["W2"] @ A1 + params["b2"])
    return A2, {"A1": A1, "A2": A2}


def cost(y_hat, y, params, lam):
    """The mean squared error plus λ/2m ΣW²."""
    squares = np.sum(params["W1"] ** 2) + np.sum(params["W2"] ** 2)
    return np.sum((y_hat - y) ** 2) / y.shape[1] + lam / (2 * y.shape[1]) * squares


def backward(params, cache, x, y, lam):
    """The dict of gradients."""
    m = x.shape[1]
    dZ2 = 2 * (cache["A2"] - y) * cache["A2"] * (1 - cache["A2"]) / m
    dZ1 = (params["W2"].T @ dZ2) * cache["A1"] * (1 - cache["A1"])
    return {
        "dW1": dZ1 @ x.T + lam / m * params["W1"],
        "db1": dZ1.sum(axis=1, keepdims=True),
        "dW2": dZ2 @ cache["A1"].T + lam / m * params["W2"],
        "db2": dZ2.sum(axis=1, keepdims=True),
    }
