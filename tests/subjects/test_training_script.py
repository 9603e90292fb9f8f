"""Loops that train in a script or a function: one step is run, right ones pass, wrong ones fail, optimisers are refused."""

import numpy as np
import pytest

from gradcheck import verify
from gradcheck.subjects.placement import fixed_widths

SCRIPT = """
import numpy as np
def nonlin(x, deriv=False):
    return x * (1 - x) if deriv else 1 / (1 + np.exp(-x))
X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
y = np.array([[0], [1], [1], [0]])
syn0 = 2 * np.random.random((3, 4)) - 1
syn1 = 2 * np.random.random((4, 1)) - 1
for iteration in range(3):
    l1 = nonlin(np.dot(X, syn0))
    l2 = nonlin(np.dot(l1, syn1))
    l2_error = y - l2
    l2_delta = l2_error * nonlin(l2, deriv=True)
    l1_delta = l2_delta.dot(syn1.T) * nonlin(l1, deriv=True)
    syn1 += l1.T.dot(l2_delta)
    syn0 += X.T.dot(l1_delta)
"""
FUNCTION = """
import numpy as np
def train(X, y, hidden, lr=0.1, epochs=1000):
    n, d = X.shape
    W1, b1 = np.random.randn(d, hidden), np.zeros((1, hidden))
    W2, b2 = np.random.randn(hidden, y.shape[1]), np.zeros((1, y.shape[1]))
    for epoch in range(epochs):
        h = np.tanh(X @ W1 + b1)
        out = h @ W2 + b2
        d_out = 2 * (out - y) / out.size
        dh = (d_out @ W2.T) * (1 - h ** 2)
        W2 -= lr * h.T @ d_out
        b2 -= lr * d_out.sum(axis=0, keepdims=True)
        W1 -= lr * X.T @ dh
        b1 -= lr * dh.sum(axis=0, keepdims=True)
    return W1, b1, W2, b2
"""
BATCH = """
import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
m = X.shape[0]
params = {"W1": rng.normal(size=(3, 5)), "b1": np.zeros(5), "W2": rng.normal(size=(5, 2)), "b2": np.zeros(2)}
lr = 0.01
for epoch in range(3):
    h = np.tanh(X @ params["W1"] + params["b1"])
    y_hat = h @ params["W2"] + params["b2"]
    d = (y_hat - Y) / m
    e = (d @ params["W2"].T) * (1 - h * h)
    g = {"W2": h.T @ d, "b2": d.sum(axis=0), "W1": X.T @ e, "b1": e.sum(axis=0)}
    for k in params:
        params[k] = params[k] - lr * g[k]
"""
STOCHASTIC = """
import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
w1, w2 = rng.normal(size=(3, 5)), rng.normal(size=(5, 2))
learning_rate = 0.01
for epoch in range(2):
    for i in rng.permutation(len(X)):
        x, t = X[i:i + 1], Y[i:i + 1]
        h = np.maximum(x @ w1, 0)
        d = h @ w2 - t
        g2, g1 = h.T @ d, x.T @ ((d @ w2.T) * (h > 0))
        w2 -= learning_rate * g2
        w1 -= learning_rate * g1
""".replace("x, t = X[i:i + 1], Y[i:i + 1]", "x = X[i:i + 1]\n        t = Y[i:i + 1]").replace(
    "d = h @ w2 - t", "p = h @ w2\n        d = p - t")  # fmt: skip
FIT = """
import numpy as np
class Perceptron:
    def __init__(self, n_hidden=30, epochs=100, eta=0.001, shuffle=True, minibatch_size=1, seed=None):
        self.random = np.random.RandomState(seed)
        self.n_hidden, self.epochs, self.eta, self.shuffle = n_hidden, epochs, eta, shuffle
        self.minibatch_size = minibatch_size
    def _onehot(self, y, n):
        return np.eye(n)[y]
    def _forward(self, X):
        a_h = np.tanh(X @ self.w_h + self.b_h)
        return a_h, 1 / (1 + np.exp(-(a_h @ self.w_out + self.b_out)))
    def predict(self, X):
        return np.argmax(self._forward(X)[1], axis=1)
    def fit(self, X_train, y_train, X_valid, y_valid):
        n_output = np.unique(y_train).shape[0]
        self.w_h = self.random.normal(size=(X_train.shape[1], self.n_hidden))
        self.b_h = np.zeros(self.n_hidden)
        self.w_out = self.random.normal(size=(self.n_hidden, n_output))
        self.b_out = np.zeros(n_output)
        y_enc = self._onehot(y_train, n_output)
        for epoch in range(self.epochs):
            indices = np.arange(X_train.shape[0])
            self.random.shuffle(indices)
            for start in range(0, indices.shape[0] - self.minibatch_size + 1, self.minibatch_size):
                batch = indices[start:start + self.minibatch_size]
                a_h, a_out = self._forward(X_train[batch])
                delta_out = a_out - y_enc[batch]
                delta_h = delta_out @ self.w_out.T * (1 - a_h ** 2)
                self.w_h -= self.eta * X_train[batch].T @ delta_h
                self.b_h -= self.eta * np.sum(delta_h, axis=0)
                self.w_out -= self.eta * a_h.T @ delta_out
                self.b_out -= self.eta * np.sum(delta_out, axis=0)
        return self
"""
LOST_DATA = """
import numpy as np
import module_that_is_not_there as data
X, y = data.moons(200)
num_examples, nn_input_dim, nn_output_dim = len(X), 2, 2
nn_input_dim = 2
nn_output_dim = 2
epsilon = 0.01
reg_lambda = 0.02
def build_model(nn_hdim, num_passes=20000):
    W1, b1 = np.random.randn(nn_input_dim, nn_hdim), np.zeros((1, nn_hdim))
    W2, b2 = np.random.randn(nn_hdim, nn_output_dim), np.zeros((1, nn_output_dim))
    for i in range(num_passes):
        a1 = np.tanh(X.dot(W1) + b1)
        scores = np.exp(a1.dot(W2) + b2)
        probs = scores / np.sum(scores, axis=1, keepdims=True)
        delta = probs
        delta[range(num_examples), y] -= 1
        hidden = delta.dot(W2.T) * (1 - np.power(a1, 2))
        W2 += -epsilon * (a1.T.dot(delta) + reg_lambda * W2)
        b2 += -epsilon * np.sum(delta, axis=0, keepdims=True)
        W1 += -epsilon * (X.T.dot(hidden) + reg_lambda * W1)
        b1 += -epsilon * np.sum(hidden, axis=0)
    return W1, b1, W2, b2
"""
IN_PLACE = """
import numpy as np
def nn_epoch(X, y, W1, W2, lr=0.1, batch=100):
    for i in range(X.shape[0] // batch):
        Xb, yb = X[i * batch:(i + 1) * batch], y[i * batch:(i + 1) * batch]
        m = len(Xb)
        Z1 = np.maximum(Xb @ W1, 0)
        H = np.exp(Z1 @ W2)
        H /= H.sum(axis=1, keepdims=True)
        I = np.zeros_like(H)
        I[np.arange(m), yb] = 1
        grad2 = Z1.T @ (H - I) / m
        grad1 = Xb.T @ (((H - I) @ W2.T) * (Z1 > 0)) / m
        W1 -= lr * grad1
        W2 -= lr * grad2
"""
KEPT = """
import numpy as np
def sigmoid(x):
    return 1.0 / (1 + np.exp(-x))
class NeuralNetwork:
    def __init__(self, x, y):
        self.input, self.y = x, y
        self.weights1 = np.random.rand(self.input.shape[1], 4)
        self.weights2 = np.random.rand(4, 1)
        self.output = np.zeros(self.y.shape)
    def feedforward(self):
        self.layer1 = sigmoid(np.dot(self.input, self.weights1))
        self.output = sigmoid(np.dot(self.layer1, self.weights2))
    def backprop(self):
        delta = 2 * (self.y - self.output) * self.output * (1.0 - self.output)
        d_weights2 = np.dot(self.layer1.T, delta)
        d_weights1 = np.dot(self.input.T, np.dot(delta, self.weights2.T) * self.layer1 * (1.0 - self.layer1))
        self.weights1 += d_weights1
        self.weights2 += d_weights2
"""
RIGHT = {
    "samples kept": (KEPT, "mse · 1"),
    "method": (FIT, "bce · 1"),
    "lost data": (LOST_DATA, "cross_entropy · 1"),
    "in place": (IN_PLACE, "cross_entropy · 1/m"),
    "script": (SCRIPT, "mse · 1/2"),
    "function": (FUNCTION, "mse · 1/(m n)"),
    "dict": (BATCH, "mse · 0.5 * 1/m"),
    "samples": (STOCHASTIC, "mse · 1/2"),
}
WRONG = {
    "samples kept": KEPT.replace("* self.layer1 * (1.0 - self.layer1))", "* self.layer1)"),
    "method": FIT.replace("* (1 - a_h ** 2)", "* a_h * (1 - a_h)"),
    "lost data": LOST_DATA.replace("(1 - np.power(a1, 2))", "(1 - a1)"),
    "in place": IN_PLACE.replace("* (Z1 > 0)) / m", ") / m"),
    "script": SCRIPT.replace("l2_delta.dot(syn1.T)", "l2_error.dot(syn1.T)"),
    "function": FUNCTION.replace("(1 - h ** 2)", "(1 - h)"),
    "dict": BATCH.replace("(1 - h * h)", "(1 + h * h)"),
    "samples": STOCHASTIC.replace("* (h > 0)", "* (h > -9)"),
}


def report_of(tmp_path, source):
    """The report of a file with this source."""
    path = tmp_path / "script.py"
    path.write_text(source)
    return verify(str(path), in_process=True, max_examples=10)


@pytest.mark.parametrize(("source", "cost"), RIGHT.values(), ids=RIGHT)
def test_a_right_loop_passes(tmp_path, source, cost):
    """At random weights and samples, at the file's sizes where it fixes them."""
    report = report_of(tmp_path, source)
    assert (report.verdict, report.subject.convention) == ("pass", "training_script")
    assert cost in {c.value for c in report.conventions}


@pytest.mark.parametrize("source", WRONG.values(), ids=WRONG)
def test_a_wrong_loop_fails_in_the_hidden_layer(tmp_path, source):
    """The one-change neighbour of a right one."""
    report = report_of(tmp_path, source)
    assert report.verdict == "fail"
    assert report.findings[0].places[0].layer == 1


def test_momentum_is_refused(tmp_path):
    """With the reason; nothing is said about the gradient."""
    source = SCRIPT.replace("for iter", "v = np.zeros((4, 1))\nfor iter").replace(
        "syn1 += l1.T.dot(l2_delta)", "v = 0.9 * v + l1.T.dot(l2_delta)\n    syn1 += v"
    )
    report = report_of(tmp_path, source)
    assert report.verdict == "error"
    assert "the update remembers" in report.findings[0].detail


def test_weight_decay_of_the_file_is_a_convention(tmp_path):
    """Its λ is reported."""
    report = report_of(tmp_path, LOST_DATA)
    assert "lambda/2, λ = 0.02 in the file" in {c.value for c in report.conventions}


OPTIMISERS = {
    "momentum": (
        "self.v = 0.9 * self.v - self.eta * (a_h.T @ delta_out)\n                self.w_out += self.v",
        "remembers",
    ),
    "clipping": ("self.w_out -= self.eta * np.clip(a_h.T @ delta_out, -1e-2, 1e-2)", "clipped"),
    "sign": ("self.w_out -= self.eta * np.sign(a_h.T @ delta_out)", "clipped"),
    "schedule": ("self.t += 1\n                self.w_out -= self.eta / self.t * a_h.T @ delta_out", "remembers"),
}


@pytest.mark.parametrize(("update", "reason"), OPTIMISERS.values(), ids=OPTIMISERS)
def test_an_optimiser_in_a_method_is_refused_with_its_reason(tmp_path, update, reason):
    """By experiments on its steps; nothing is said about the gradient."""
    source = FIT.replace("self.w_out -= self.eta * a_h.T @ delta_out", update).replace(
        "        y_enc =", "        self.v, self.t = np.zeros_like(self.w_out), 0\n        y_enc =")  # fmt: skip
    report = report_of(tmp_path, source)
    assert report.verdict == "error"
    assert reason in report.findings[0].detail


def test_a_single_output_is_no_row_of_biases():
    """Weights (to, from) of one unit have a 1 in their shape too; a row that no chain needs is a bias."""
    weights = {"W1": np.ones((2, 2)), "b1": np.ones((2, 1)), "W2": np.ones((1, 2)), "b2": np.ones((1, 1))}
    assert fixed_widths(weights) == (2, 2, 1)
    assert fixed_widths({"W": np.ones((6, 4)), "w0": np.ones((1, 4)), "V": np.ones((4, 2))}) == (6, 4, 2)
