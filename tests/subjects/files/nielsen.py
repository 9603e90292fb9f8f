"""A correct class in Nielsen's style: sigmoid, half a squared error of which only the derivative is declared."""

import itertools

import numpy as np


def sigmoid(z):
    """1 / (1 + e^-z)."""
    return 1 / (1 + np.exp(-z))


class Network:
    """Weights (to, from) and biases (to, 1) in lists."""

    def __init__(self, sizes):
        self.biases = [np.random.randn(n, 1) for n in sizes[1:]]
        self.weights = [np.random.randn(n, k) for k, n in itertools.pairwise(sizes)]

    def feedforward(self, a):
        """The output of one column."""
        for b, w in zip(self.biases, self.weights, strict=True):
            a = sigmoid(w @ a + b)
        return a

    def backprop(self, x, y):
        """(nabla_b, nabla_w)."""
        a = [x]
        for b, w in zip(self.biases, self.weights, strict=True):
            a.append(sigmoid(w @ a[-1] + b))
        error = self.cost_derivative(a[-1], y)
        nabla_b, nabla_w = [], []
        for k in reversed(range(len(self.weights))):
            delta = error * a[k + 1] * (1 - a[k + 1])
            nabla_b.insert(0, delta)
            nabla_w.insert(0, delta @ a[k].T)
            error = self.weights[k].T @ delta
        return nabla_b, nabla_w

    def cost_derivative(self, output_activations, y):
        """∂C/∂a."""
        return output_activations - y
