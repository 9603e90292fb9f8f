"""numpy.matrix inside, two weight matrices and no biases."""

import numpy as np


def nn_cost(params, X, y):
    W1, W2 = np.matrix(params["W1"]), np.matrix(params["W2"])
    X = np.matrix(X)
    y = np.matrix(y)
    h = 1 / (1 + np.exp(-X * W1))
    o = h * W2
    m = X.shape[0]
    J = np.sum(np.power(o - y, 2)) / (2 * m)
    d = (o - y) / m
    e = np.multiply(d * W2.T, np.multiply(h, 1 - h))
    return J, {"W1": np.asarray(X.T * e), "W2": np.asarray(h.T * d)}
