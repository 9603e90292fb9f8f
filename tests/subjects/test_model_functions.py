"""Functions of a whole network: every structure of parameters and gradients is found, right ones pass and wrong ones fail."""

import pytest

from gradcheck import verify

HEAD = "import numpy as np\nfrom dataclasses import dataclass\n"
DICT = """
def loss_and_grads(params, X, y):
    a1 = np.tanh(X @ params["W1"] + params["b1"])
    a2 = 1 / (1 + np.exp(-(a1 @ params["W2"] + params["b2"])))
    d2 = (a2 - y) * a2 * (1 - a2) / len(X)
    d1 = (d2 @ params["W2"].T) * (1 - a1 ** 2)
    grads = {"W1": X.T @ d1, "b1": d1.sum(0), "W2": a1.T @ d2, "b2": d2.sum(0)}
    return 0.5 * np.sum((a2 - y) ** 2) / len(X), grads
"""
SPELLED = DICT.replace('"W1": X', '"dJ_dW1": X').replace('"b1": d1', '"dJ_db1": d1').replace(
    '"W2": a1', '"dJ_dW2": a1').replace('"b2": d2', '"dJ_db2": d2')  # fmt: skip
NESTED = """
def gradients(net, inputs, targets):
    acts = [inputs]
    for k in range(1, len(net) + 1):
        layer = net[f"layer{k}"]
        acts.append(np.tanh(acts[-1] @ layer["weights"] + layer["bias"]))
    loss = 0.5 * np.mean(np.sum((acts[-1] - targets) ** 2, axis=1))
    delta, grads = (acts[-1] - targets) / len(inputs), {}
    for k in range(len(net), 0, -1):
        delta = delta * (1 - acts[k] ** 2)
        grads[f"layer{k}"] = {"weights": acts[k - 1].T @ delta, "bias": delta.sum(axis=0)}
        delta = delta @ net[f"layer{k}"]["weights"].T
    return loss, grads
"""
PAIRS = """
def forward(params, X):
    acts = [X]
    for k, (W, b) in enumerate(params):
        z = acts[-1] @ W + b
        acts.append(np.maximum(z, 0) if k < len(params) - 1 else softmax(z))
    return acts
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def loss_fn(params, X, y):
    p = forward(params, X)[-1]
    return -np.mean(np.log(p[np.arange(len(y)), y]))
def grad_fn(params, X, y):
    acts, grads = forward(params, X), []
    d = acts[-1].copy()
    d[np.arange(len(y)), y] -= 1
    d /= len(y)
    for k in reversed(range(len(params))):
        grads.append((acts[k].T @ d, d.sum(axis=0)))
        d = (d @ params[k][0].T) * (acts[k] > 0)
    return grads[::-1]
"""
ONE_BY_ONE = """
def forward_prop(W1, b1, W2, b2, X):
    Z1 = W1 @ X + b1
    A1 = np.maximum(Z1, 0)
    Z2 = W2 @ A1 + b2
    A2 = np.exp(Z2 - Z2.max(axis=0)) / np.exp(Z2 - Z2.max(axis=0)).sum(axis=0)
    return Z1, A1, Z2, A2
def back_prop(Z1, A1, Z2, A2, W1, W2, X, Y):
    m = Y.shape[1]
    dZ2 = A2 - Y
    dZ1 = W2.T @ dZ2 * (Z1 > 0)
    db1, db2 = dZ1.sum(axis=1, keepdims=True) / m, dZ2.sum(axis=1, keepdims=True) / m
    dW1, dW2 = dZ1 @ X.T / m, dZ2 @ A1.T / m
    return dW1, db1, dW2, db2
"""
GLOBALS = """
W1, b1 = np.ones((3, 4)), np.zeros((1, 4))
W2, b2 = np.ones((4, 2)), np.zeros((1, 2))
def model(X, y):
    h = np.tanh(X @ W1 + b1)
    d = 2 * (h @ W2 + b2 - y) / y.size
    dh = d @ W2.T * (1 - h * h)
    loss = np.mean((h @ W2 + b2 - y) ** 2)
    return loss, X.T @ dh, dh.sum(axis=0, keepdims=True), h.T @ d, d.sum(axis=0, keepdims=True)
"""
DATACLASSES = """
@dataclass
class Layer:
    w: np.ndarray
    b: np.ndarray
def cost(layers, x, t):
    for layer in layers:
        x = np.tanh(layer.w @ x + layer.b)
    return 0.5 * np.sum((x - t) ** 2)
def gradient(layers, x, t):
    acts = [x]
    for layer in layers:
        acts.append(np.tanh(layer.w @ acts[-1] + layer.b))
    out, d = [], acts[-1] - t
    for k in range(len(layers) - 1, -1, -1):
        d = d * (1 - acts[k + 1] ** 2)
        out.insert(0, Layer(d @ acts[k].T, d.sum(axis=1, keepdims=True)))
        d = layers[k].w.T @ d
    return out
"""
LISTS = """
def backprop(x, y, weights, biases):
    acts = [x]
    for w, b in zip(weights, biases):
        acts.append(1 / (1 + np.exp(-(np.dot(w, acts[-1]) + b))))
    nabla_w, nabla_b = [0 for w in weights], [0 for b in biases]
    delta = acts[-1] - y
    for k in range(1, len(weights) + 1):
        nabla_b[-k], nabla_w[-k] = delta, np.outer(delta, acts[-k - 1])
        delta = np.dot(weights[-k].T, delta) * acts[-k - 1] * (1 - acts[-k - 1])
    return nabla_b, nabla_w
def predict_all(x, weights, biases):
    return x
"""
COST_AND_CACHE = """
def forward_propagation_n(X, Y, parameters):
    W1, b1, W2, b2 = (parameters[k] for k in ("W1", "b1", "W2", "b2"))
    Z1 = W1 @ X + b1
    A1 = np.maximum(0, Z1)
    A2 = 1 / (1 + np.exp(-(W2 @ A1 + b2)))
    cost = -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / X.shape[1]
    cache = (Z1, A1, W1, b1, A2, W2, b2)
    return cost, cache
def backward_propagation_n(X, Y, cache):
    m = X.shape[1]
    Z1, A1, W1, b1, A2, W2, b2 = cache
    dZ2 = A2 - Y
    dZ1 = W2.T @ dZ2 * (A1 > 0)
    gradients = {"dZ2": dZ2, "dW2": dZ2 @ A1.T / m, "db2": np.sum(dZ2, axis=1, keepdims=True) / m,
                 "dZ1": dZ1, "dW1": dZ1 @ X.T / m, "db1": np.sum(dZ1, axis=1, keepdims=True) / m}
    return gradients
"""
STAGED = """
def feed_forward(model, x):
    a1 = np.tanh(x.dot(model["W1"]) + model["b1"])
    scores = np.exp(a1.dot(model["W2"]) + model["b2"])
    out = scores / np.sum(scores, axis=1, keepdims=True)
    return a1, out
def backprop(X, y, model, a1, out, reg_lambda):
    delta = out
    delta[range(len(X)), y] -= 1
    hidden = delta.dot(model["W2"].T) * (1 - a1 ** 2)
    dW1 = X.T @ hidden + reg_lambda * model["W1"]
    dW2 = a1.T @ delta + reg_lambda * model["W2"]
    db1, db2 = hidden.sum(axis=0), delta.sum(axis=0, keepdims=True)
    return dW1, dW2, db1, db2
def build(n, h, k):
    return {"W1": np.ones((n, h)), "b1": np.zeros((1, h)), "W2": np.ones((h, k)), "b2": np.zeros((1, k))}
"""
RIGHT = {
    "cost and cache": (COST_AND_CACHE, "bce · 1/m"),
    "rows of biases": (STAGED, "cross_entropy · 1"),
    "dict": (DICT, "mse · 1/(2m)"),
    "dJ_dW1": (SPELLED, "mse · 1/(2m)"),
    "nested": (NESTED, "mse · 1/(2m)"),
    "pairs": (PAIRS, "cross_entropy · 1/m"),
    "one by one": (ONE_BY_ONE, "cross_entropy · 1/m"),
    "globals": (GLOBALS, "mse · 1/(m n)"),
    "dataclasses": (DATACLASSES, "mse · 1/2"),
}
WRONG = {
    "cost and cache": (COST_AND_CACHE.replace('"dW2": dZ2', '"dW2": 2 * dZ2'), "BP4"),
    "rows of biases": (STAGED.replace("(1 - a1 ** 2)", "(1 - a1)"), "BP2"),
    "decay": (STAGED.replace('reg_lambda * model["W1"]', '2 * reg_lambda * model["W1"]'), "regularisation"),
    "dict": (DICT.replace("(1 - a1 ** 2)", "(1 + a1 ** 2)"), "BP2"),
    "nested": (NESTED.replace("acts[k - 1].T @ delta", "acts[k - 1].T @ (delta * 2)"), "BP4"),
    "pairs": (PAIRS.replace("(acts[k] > 0)", "(acts[k] >= -9)"), "BP2"),
    "one by one": (ONE_BY_ONE.replace("* (Z1 > 0)", "* (Z1 > 0) * 2"), "BP2"),
    "globals": (GLOBALS.replace("(1 - h * h)", "(1 - h)"), "BP2"),
    "dataclasses": (DATACLASSES.replace("d.sum(axis=1, keepdims=True)", "d[:, :1]"), "BP3"),
}


def report_of(tmp_path, source, examples=12):
    """The report of a file with this source."""
    path = tmp_path / "student.py"
    path.write_text(HEAD + source)
    return verify(str(path), in_process=True, max_examples=examples)


@pytest.mark.parametrize(("source", "cost"), RIGHT.values(), ids=RIGHT)
def test_a_right_network_passes_without_configuration(tmp_path, source, cost):
    """Structure, layout and cost are found by running it."""
    report = report_of(tmp_path, source)
    assert (report.verdict, report.subject.convention) == ("pass", "model_functions")
    assert cost in {c.value for c in report.conventions}
    assert report.tally.cases >= 5


@pytest.mark.parametrize(("source", "equation"), WRONG.values(), ids=WRONG)
def test_a_wrong_network_fails_at_its_equation(tmp_path, source, equation):
    """The one-change neighbour of a right one."""
    report = report_of(tmp_path, source)
    assert report.verdict == "fail"
    assert equation in {p.equation for f in report.findings for p in f.places}


def test_labels_are_found_by_trying(tmp_path):
    """A function that indexes with y gets classes, and only one-hot cases are drawn."""
    report = report_of(tmp_path, PAIRS)
    assert report.tally.inconclusive <= report.tally.cases


def test_what_does_not_fit_says_why(tmp_path):
    """A function whose arguments are known but that returns no gradients."""
    report = report_of(tmp_path, DICT.replace("/ len(X), grads", "/ len(X), None"))
    assert report.verdict == "error"
    assert "no gradients of W1, b1, W2, b2 were found" in report.findings[0].detail


def test_a_single_unit_may_have_a_plain_number_as_its_bias_gradient(tmp_path):
    """Logistic regression: db is a sum over all samples."""
    source = """
def propagate(w, b, X, Y):
    A = 1 / (1 + np.exp(-(np.dot(w.T, X) + b)))
    cost = -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / X.shape[1]
    return {"dw": np.dot(X, (A - Y).T) / X.shape[1], "db": np.sum(A - Y) / X.shape[1]}, cost
"""
    assert report_of(tmp_path, source).verdict == "pass"
    assert report_of(tmp_path, source.replace("np.sum(A - Y) /", "2 * np.sum(A - Y) /")).verdict == "fail"


LOST = """
import nowhere_to_be_found
data = nowhere_to_be_found.read()
m, n = data.shape
def one_hot(Y):
    one_hot_Y = np.zeros((Y.size, Y.max() + 1))
    one_hot_Y[np.arange(Y.size), Y] = 1
    return one_hot_Y.T
def forward_prop(W1, b1, W2, b2, X):
    Z1 = W1.dot(X) + b1
    A1 = np.maximum(Z1, 0)
    Z2 = W2.dot(A1) + b2
    A2 = np.exp(Z2) / sum(np.exp(Z2))
    return Z1, A1, Z2, A2
def backward_prop(Z1, A1, Z2, A2, W1, W2, X, Y):
    dZ2 = A2 - one_hot(Y)
    dZ1 = W2.T.dot(dZ2) * (Z1 > 0)
    dW2, db2 = 1 / m * dZ2.dot(A1.T), 1 / m * np.sum(dZ2, axis=1, keepdims=True)
    dW1, db1 = 1 / m * dZ1.dot(X.T), 1 / m * np.sum(dZ1, axis=1, keepdims=True)
    return dW1, db1, dW2, db2
"""


def test_a_number_of_samples_that_lost_data_would_have_given(tmp_path):
    """And labels that are counted: cases without all classes are left out."""
    report = report_of(tmp_path, LOST, examples=20)
    assert report.verdict == "pass"
    assert report.tally.cases >= 5


def test_a_bias_gradient_that_is_summed_over_the_units_too(tmp_path):
    """One number for all units has the wrong shape, with that reason."""
    report = report_of(tmp_path, LOST.replace("np.sum(dZ2, axis=1, keepdims=True)", "np.sum(dZ2)"))
    assert (report.verdict, report.findings[0].code.name) == ("fail", "GC104")
    assert "summed over the units too" in report.findings[0].detail
