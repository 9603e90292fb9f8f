"""Loops that train in a script or a function: one step is run, right ones pass, wrong ones fail, optimisers are refused."""

import pytest

from gradcheck import verify

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
RIGHT = {
    "script": (SCRIPT, "mse · 1/2"),
    "function": (FUNCTION, "mse · 1/(m n)"),
    "dict": (BATCH, "mse · 0.5 * 1/m"),
    "samples": (STOCHASTIC, "mse · 1/2"),
}
WRONG = {
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
