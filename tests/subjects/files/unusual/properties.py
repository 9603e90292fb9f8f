"""Parameters behind properties, gradients in a dict that is returned."""

import numpy as np


class Model:
    def __init__(self, input_dim, hidden_dim, output_dim, seed=0):
        r = np.random.default_rng(seed)
        self._w1 = r.normal(size=(hidden_dim, input_dim))
        self._b1 = np.zeros((hidden_dim, 1))
        self._w2 = r.normal(size=(output_dim, hidden_dim))
        self._b2 = np.zeros((output_dim, 1))
        self._grads = {}

    @property
    def w1(self):
        return self._w1

    @property
    def w2(self):
        return self._w2

    @property
    def gradients(self):
        return self._grads

    def forward(self, x):
        self._x = x
        self._h = np.tanh(self.w1 @ x + self._b1)
        self._o = self.w2 @ self._h + self._b2
        return self._o

    def loss(self, x, y):
        return float(np.mean((self.forward(x) - y) ** 2))

    def backward(self, x, y):
        self.forward(x)
        d = 2 * (self._o - y) / y.size
        e = self.w2.T @ d * (1 - self._h**2)
        self._grads = {"w1": e @ x.T, "b1": e.sum(1, keepdims=True), "w2": d @ self._h.T, "b2": d.sum(1, keepdims=True)}
        return self._grads
