"""A correct subject in the style of Octave's ex4: two sigmoid layers, regularised cross-entropy, np.matrix."""

import numpy as np


def sigmoid(z):
    """1 / (1 + e^-z)."""
    return 1 / (1 + np.exp(-z))


def with_ones(a):
    """A column of ones in front."""
    return np.insert(a, 0, 1.0, axis=1)


def nn_cost_function(nn_params, input_layer_size, hidden_layer_size, num_labels, X, y, learning_rate):
    """(J, grad); the λ of the L2 term goes by the name of a learning rate."""
    m, end = len(X), hidden_layer_size * (input_layer_size + 1)
    theta1 = np.matrix(np.reshape(nn_params[:end], (hidden_layer_size, input_layer_size + 1)))
    theta2 = np.matrix(np.reshape(nn_params[end:], (num_labels, hidden_layer_size + 1)))
    a1 = with_ones(np.matrix(X))
    a2 = with_ones(sigmoid(a1 * theta1.T))
    h = sigmoid(a2 * theta2.T)
    J = np.sum(-np.multiply(y, np.log(h)) - np.multiply(1 - y, np.log(1 - h))) / m
    J += learning_rate / (2 * m) * (np.sum(np.power(theta1[:, 1:], 2)) + np.sum(np.power(theta2[:, 1:], 2)))
    d3 = h - y
    d2 = np.multiply(d3 * theta2, np.multiply(a2, 1 - a2))[:, 1:]
    grad1, grad2 = d2.T * a1 / m, d3.T * a2 / m
    grad1[:, 1:] += learning_rate / m * theta1[:, 1:]
    grad2[:, 1:] += learning_rate / m * theta2[:, 1:]
    return J, np.concatenate([np.ravel(grad1), np.ravel(grad2)])
