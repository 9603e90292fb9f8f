"""A correct class in the style of Nielsen's network2: cross-entropy as a class, weights' gradients first."""

import itertools

import numpy as np


class CrossEntropyCost:
    """Its value and the error of the output layer behind a sigmoid."""

    @staticmethod
    def fn(a, y):
        """−Σ y ln a + (1 − y) ln(1 − a)."""
        return np.sum(-y * np.log(a) - (1 - y) * np.log(1 - a))

    @staticmethod
    def delta(a, y):
        """a − y."""
        return a - y


class Net:
    """Weights (to, from) and biases (to, 1) in lists."""

    def __init__(self, sizes, cost=CrossEntropyCost):
        self.biases = [np.random.randn(n, 1) for n in sizes[1:]]
        self.weights = [np.random.randn(n, k) for k, n in itertools.pairwise(sizes)]
        self.cost = cost

    def activations(self, x):
        """All activations, the input first."""
        a = [x]
        for b, w in zip(self.biases, self.weights, strict=True):
            a.append(1 / (1 + np.exp(-(w @ a[-1] + b))))
        return a

    def feedforward(self, a):
        """The output of one column."""
        return self.activations(a)[-1]

    def backprop(self, x, y):
        """(nabla_w, nabla_b)."""
        a = self.activations(x)
        delta = self.cost.delta(a[-1], y)
        nabla_b, nabla_w = [], []
        for k in reversed(range(len(self.weights))):
            nabla_b.insert(0, delta)
            nabla_w.insert(0, delta @ a[k].T)
            delta = (self.weights[k].T @ delta) * a[k] * (1 - a[k])
        return nabla_w, nabla_b
