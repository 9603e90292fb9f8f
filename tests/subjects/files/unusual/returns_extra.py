"""The gradients are the last of four results."""

import numpy as np


def step(X, Y, W1, b1, W2, b2):
    Z1 = np.dot(X, W1) + b1
    A1 = np.maximum(0.01 * Z1, Z1)
    Z2 = np.dot(A1, W2) + b2
    E = np.exp(Z2 - Z2.max(1, keepdims=True))
    P = E / E.sum(1, keepdims=True)
    loss = -np.sum(Y * np.log(P + 1e-12)) / len(X)
    acc = np.mean(P.argmax(1) == Y.argmax(1))
    dZ2 = (P - Y) / len(X)
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(0)
    dA1 = dZ2 @ W2.T
    dZ1 = dA1 * np.where(Z1 > 0, 1, 0.01)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(0)
    return loss, acc, P, (dW1, db1, dW2, db2)
