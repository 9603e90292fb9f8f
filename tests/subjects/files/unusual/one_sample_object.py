"""Sizes fixed in the file, one sample a call, an update that is applied."""

import numpy as np


class XorNet:
    def __init__(self):
        self.W1 = np.random.randn(2, 2)
        self.b1 = np.random.randn(2, 1)
        self.W2 = np.random.randn(1, 2)
        self.b2 = np.random.randn(1, 1)
        self.lr = 0.5

    def feedforward(self, x):
        self.x = x.reshape(2, 1)
        self.h = 1 / (1 + np.exp(-(self.W1 @ self.x + self.b1)))
        self.o = 1 / (1 + np.exp(-(self.W2 @ self.h + self.b2)))
        return self.o

    def backpropagate(self, y):
        d = (self.o - y) * self.o * (1 - self.o)
        e = self.W2.T @ d * self.h * (1 - self.h)
        self.W2 -= self.lr * d @ self.h.T
        self.b2 -= self.lr * d
        self.W1 -= self.lr * e @ self.x.T
        self.b1 -= self.lr * e
