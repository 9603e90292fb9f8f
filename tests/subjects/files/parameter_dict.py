"""A correct subject with dicts and caches: tanh hidden layers, a sigmoid output, cross-entropy, any depth."""

import numpy as np


def L_model_forward(X, parameters):
    """(AL, caches)."""
    caches, A = [], X
    L = len(parameters) // 2
    for layer in range(1, L + 1):
        Z = parameters["W" + str(layer)] @ A + parameters["b" + str(layer)]
        caches.append((A, parameters["W" + str(layer)]))
        A = np.tanh(Z) if layer < L else 1 / (1 + np.exp(-Z))
    return A, caches


def compute_cost(AL, Y):
    """The mean cross-entropy; written for one output unit only."""
    cost = -(np.dot(Y, np.log(AL).T) + np.dot(1 - Y, np.log(1 - AL).T)) / Y.shape[1]
    return np.squeeze(cost)


def L_model_backward(AL, Y, caches):
    """The dict of gradients."""
    grads, m = {}, Y.shape[1]
    dZ = AL - Y
    for layer in reversed(range(len(caches))):
        A_prev, W = caches[layer]
        grads["dW" + str(layer + 1)] = dZ @ A_prev.T / m
        grads["db" + str(layer + 1)] = np.sum(dZ, axis=1, keepdims=True) / m
        grads["dA" + str(layer)] = W.T @ dZ
        dZ = grads["dA" + str(layer)] * (1 - A_prev**2)
    return grads
