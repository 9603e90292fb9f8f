"""A constructor full of defaults, weights named by what they join."""

import numpy as np


class MLPClassifier:
    def __init__(self, n_input=4, n_hidden=6, n_output=3, eta=0.1, epochs=50, batch_size=32, shuffle=True, seed=1):
        r = np.random.RandomState(seed)
        self.w_h = r.normal(scale=0.1, size=(n_input, n_hidden))
        self.b_h = np.zeros(n_hidden)
        self.w_out = r.normal(scale=0.1, size=(n_hidden, n_output))
        self.b_out = np.zeros(n_output)
        self.eta = eta
        self.batch_size = batch_size
        self.epochs = epochs

    def _sigmoid(self, z):
        return 1.0 / (1.0 + np.exp(-np.clip(z, -250, 250)))

    def forward(self, X):
        z_h = X @ self.w_h + self.b_h
        a_h = self._sigmoid(z_h)
        z_out = a_h @ self.w_out + self.b_out
        return z_h, a_h, z_out, self._sigmoid(z_out)

    def backward(self, X, y):
        _z_h, a_h, _z_out, a_out = self.forward(X)
        d = a_out - y
        e = (d @ self.w_out.T) * a_h * (1 - a_h)
        return X.T @ e, e.sum(axis=0), a_h.T @ d, d.sum(axis=0)
