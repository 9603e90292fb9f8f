"""A training function that makes its own weights and returns the trained ones."""

import numpy as np


def init(n_x, n_h, n_y):
    return np.random.randn(n_h, n_x), np.zeros((n_h, 1)), np.random.randn(n_y, n_h), np.zeros((n_y, 1))


def train(X, Y, n_h, num_iterations=1000, learning_rate=0.5):
    W1, b1, W2, b2 = init(X.shape[0], n_h, Y.shape[0])
    m = X.shape[1]
    for _i in range(num_iterations):
        A1 = np.tanh(W1 @ X + b1)
        A2 = 1 / (1 + np.exp(-(W2 @ A1 + b2)))
        -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / m
        dZ2 = A2 - Y
        dW2 = dZ2 @ A1.T / m
        db2 = dZ2.sum(1, keepdims=True) / m
        dZ1 = W2.T @ dZ2 * (1 - A1**2)
        dW1 = dZ1 @ X.T / m
        db1 = dZ1.sum(1, keepdims=True) / m
        W1 = W1 - learning_rate * dW1
        b1 = b1 - learning_rate * db1
        W2 = W2 - learning_rate * dW2
        b2 = b2 - learning_rate * db2
    return W1, b1, W2, b2
