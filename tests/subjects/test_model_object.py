"""Classes that are a whole network: gradients returned, stored or applied; optimisers are refused with their reason."""

import pytest

from gradcheck import verify

HEAD = "import numpy as np\n"
APPLIED = """
class NeuralNetwork:
    def __init__(self, input_size, hidden_size, output_size):
        self.weights1 = np.random.randn(input_size, hidden_size)
        self.bias1 = np.zeros((1, hidden_size))
        self.weights2 = np.random.randn(hidden_size, output_size)
        self.bias2 = np.zeros((1, output_size))
    def forward(self, X):
        self.a1 = 1 / (1 + np.exp(-(X @ self.weights1 + self.bias1)))
        return 1 / (1 + np.exp(-(self.a1 @ self.weights2 + self.bias2)))
    def backward(self, X, y, output, learning_rate=0.1):
        d2 = (output - y) * output * (1 - output)
        d1 = d2 @ self.weights2.T * self.a1 * (1 - self.a1)
        self.weights2 -= learning_rate * self.a1.T @ d2
        self.bias2 -= learning_rate * d2.sum(axis=0, keepdims=True)
        self.weights1 -= learning_rate * X.T @ d1
        self.bias1 -= learning_rate * d1.sum(axis=0, keepdims=True)
"""
STORED = """
class MLP:
    def __init__(self, layer_sizes, lam=0.0):
        self.lam = lam
        self.W = [np.random.randn(a, b) for a, b in zip(layer_sizes[:-1], layer_sizes[1:])]
        self.b = [np.zeros(n) for n in layer_sizes[1:]]
        self.dW, self.db = [None] * len(self.W), [None] * len(self.W)
    def forward(self, X):
        self.a = [X]
        for k in range(len(self.W)):
            z = self.a[-1] @ self.W[k] + self.b[k]
            self.a.append(np.tanh(z) if k < len(self.W) - 1 else z)
        return self.a[-1]
    def loss(self, X, y):
        return np.mean(np.sum((self.forward(X) - y) ** 2, axis=1)) + 0.5 * self.lam * sum(np.sum(w * w) for w in self.W)
    def backward(self, y):
        d = 2 * (self.a[-1] - y) / len(y)
        for k in reversed(range(len(self.W))):
            self.dW[k] = self.a[k].T @ d + self.lam * self.W[k]
            self.db[k] = d.sum(axis=0)
            d = (d @ self.W[k].T) * (1 - self.a[k] ** 2)
"""
RETURNED = """
class TwoLayerNet:
    def __init__(self, input_size, hidden_size, output_size):
        self.params = {"W1": np.random.randn(input_size, hidden_size), "b1": np.zeros(hidden_size),
                       "W2": np.random.randn(hidden_size, output_size), "b2": np.zeros(output_size)}
    def loss(self, X, y=None):
        p = self.params
        h = np.maximum(0, X @ p["W1"] + p["b1"])
        scores = h @ p["W2"] + p["b2"]
        if y is None:
            return scores
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        d = e / e.sum(axis=1, keepdims=True)
        loss = -np.log(d[np.arange(len(y)), y]).mean()
        d[np.arange(len(y)), y] -= 1
        d /= len(y)
        dh = d @ p["W2"].T * (h > 0)
        return loss, {"W1": X.T @ dh, "b1": dh.sum(axis=0), "W2": h.T @ d, "b2": d.sum(axis=0)}
"""
FIXED = """
class Layer:
    __slots__ = ("weight", "bias", "weight_grad", "bias_grad")
    def __init__(self, n, k):
        self.weight, self.bias = np.ones((n, k)), np.zeros(k)
class Net:
    def __init__(self):
        self._layers = [Layer(3, 4), Layer(4, 2)]
    @property
    def layers(self):
        return self._layers
    def predict(self, X):
        self.h = np.tanh(X @ self.layers[0].weight + self.layers[0].bias)
        return self.h @ self.layers[1].weight + self.layers[1].bias
    def compute_loss(self, X, y):
        return 0.5 * np.sum((self.predict(X) - y) ** 2)
    def compute_gradients(self, X, y):
        d = self.predict(X) - y
        e = d @ self.layers[1].weight.T * (1 - self.h ** 2)
        self.layers[1].weight_grad, self.layers[1].bias_grad = self.h.T @ d, d.sum(axis=0)
        self.layers[0].weight_grad, self.layers[0].bias_grad = X.T @ e, e.sum(axis=0)
"""
RIGHT = {"applied": APPLIED, "stored": STORED, "returned": RETURNED, "fixed": FIXED}
WRONG = {
    "applied": (APPLIED.replace("self.a1 * (1 - self.a1)", "(1 - self.a1)"), "BP2"),
    "stored": (STORED.replace("d = (d @", "d = 2 * (d @"), "BP2"),
    "returned": (RETURNED.replace("dh.sum(axis=0)", "dh.mean(axis=0)"), "BP3"),
    "fixed": (FIXED.replace("e.sum(axis=0)", "e[0]"), "BP3"),
}
OPTIMISER = """
class Net:
    def __init__(self, n_in, n_hidden, n_out, lr=0.1):
        self.W1, self.W2, self.lr = np.random.randn(n_in, n_hidden), np.random.randn(n_hidden, n_out), lr
        self.a, self.c, self.t = {"W1": 0, "W2": 0}, {"W1": 0, "W2": 0}, 0
    def forward(self, X):
        self.h = np.tanh(X @ self.W1)
        return self.h @ self.W2
    def backward(self, X, y):
        d = self.forward(X) - y
        g = {"W2": self.h.T @ d, "W1": X.T @ (d @ self.W2.T * (1 - self.h ** 2))}
        total = np.sqrt(sum(np.sum(v * v) for v in g.values()))
        self.t += 1
        for k, v in g.items():
            setattr(self, k, getattr(self, k) - self.lr * STEP)
        AFTER
"""
OPTIMISERS = {
    "momentum": ("(self.a.__setitem__(k, 0.9 * self.a[k] + v) or self.a[k])", "pass", "remembers"),
    "a schedule": ("v", "self.lr *= 0.95", "remembers"),
    "a sign": ("v / (np.abs(v) + 1e-8)", "pass", "moves by the same amount"),
    "clipped values": ("np.clip(v, -1, 1)", "pass", "the gradient is clipped"),
    "a clipped norm": ("v * min(1, 5 / total)", "pass", "clipped or normalised"),
}


def report_of(tmp_path, source, examples=12):
    """The report of a file with this source."""
    path = tmp_path / "student.py"
    path.write_text(HEAD + source)
    return verify(str(path), in_process=True, max_examples=examples)


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_a_right_network_passes_without_configuration(tmp_path, source):
    """Wherever the parameters and their gradients are kept."""
    report = report_of(tmp_path, source)
    assert (report.verdict, report.subject.convention) == ("pass", "model_object")
    assert report.tally.cases >= 5


@pytest.mark.parametrize(("source", "equation"), WRONG.values(), ids=WRONG)
def test_a_wrong_network_fails_at_its_equation(tmp_path, source, equation):
    """The one-change neighbour of a right one."""
    report = report_of(tmp_path, source)
    assert report.verdict == "fail"
    assert equation in {p.equation for f in report.findings for p in f.places}


@pytest.mark.parametrize(("step", "after", "reason"), OPTIMISERS.values(), ids=OPTIMISERS)
def test_an_optimiser_is_refused_with_its_reason(tmp_path, step, after, reason):
    """By experiments on its steps, not by its words; nothing is said about the gradient."""
    report = report_of(tmp_path, OPTIMISER.replace("STEP", step).replace("AFTER", after))
    assert report.verdict == "error"
    assert reason in report.findings[0].detail


def decaying(first, second):
    """A network whose update holds these strengths of weight decay in its layers."""
    source = APPLIED.replace("self.a1.T @ d2", f"(self.a1.T @ d2 + {second} * self.weights2)")
    return source.replace("X.T @ d1", f"(X.T @ d1 + {first} * self.weights1)")


def test_weight_decay_in_the_update_is_a_convention(tmp_path):
    """Nobody declares a cost, but every layer's gradient is off by the same multiple of its weights."""
    report = report_of(tmp_path, decaying(0.03, 0.03))
    assert report.verdict == "pass"
    assert ("l2", "lambda/2, λ = 0.03 in the file") in {(c.what, c.value) for c in report.conventions}


def test_a_fault_beside_weight_decay_is_found(tmp_path):
    """The neighbour forgets the derivative of its hidden layer."""
    source = decaying(0.03, 0.03)
    wrong = source.replace("* self.a1 * (1 - self.a1)", "* self.a1")
    assert wrong != source
    assert report_of(tmp_path, wrong).verdict == "fail"


def test_weight_decay_of_one_layer_is_left_open(tmp_path):
    """An L2 term in one layer alone is no mistake that could be shown."""
    report = report_of(tmp_path, decaying(0.0, 0.03))
    assert report.verdict == "inconclusive"
    assert "L2 term (0.03 times the weights in the last layer, 0 in W1)" in report.findings[0].detail


def test_names_may_be_in_camel_case(tmp_path):
    """costFunction and costFunctionPrime are a loss and its gradient."""
    source = FIXED.replace("compute_loss", "costFunction").replace("compute_gradients", "costFunctionPrime")
    assert report_of(tmp_path, source).subject.convention == "model_object"


def test_plain_descent_of_the_same_class_passes(tmp_path):
    """The neighbour of the refused ones."""
    assert report_of(tmp_path, OPTIMISER.replace("STEP", "v").replace("AFTER", "pass")).verdict == "pass"


SINGLE = STORED.replace("layer_sizes, lam=0.0", "layer_sizes, lam=0.0, dtype=np.float32").replace(
    "np.random.randn(a, b) for", "np.random.randn(a, b).astype(dtype) for"
)


@pytest.mark.parametrize(
    "source", [SINGLE, SINGLE.replace(", dtype=np.float32", "").replace("astype(dtype)", "astype(np.float32)")]
)
def test_weights_kept_in_float32_are_widened(tmp_path, source):
    """Through the constructor's dtype, or in the object: differences would measure the rounding otherwise."""
    assert report_of(tmp_path, source).verdict == "pass"


def test_a_network_that_computes_in_float32_is_told_to_say_so(tmp_path):
    """No verdict rests on its rounding."""
    source = STORED.replace("self.a = [X]", "self.a = [X.astype(np.float32)]").replace(
        "z = self.a[-1] @ self.W[k] + self.b[k]",
        "z = self.a[-1] @ self.W[k].astype(np.float32) + self.b[k].astype(np.float32)",
    )
    source = source.replace("self.a[k].T @ d + self.lam * self.W[k]", "self.a[k].T @ d.astype(np.float32)")
    report = report_of(tmp_path, source.replace("d.sum(axis=0)", "d.sum(axis=0).astype(np.float32)"))
    assert report.verdict == "inconclusive"
    assert "--dtype float32" in report.findings[0].detail


def test_a_cost_that_takes_classes_gets_classes(tmp_path):
    """An argmax of one-hot targets in the cost, and a guarded logarithm of a softmax behind plain outputs."""
    source = STORED.replace(
        "        return np.mean(np.sum((self.forward(X) - y) ** 2, axis=1)) + "
        "0.5 * self.lam * sum(np.sum(w * w) for w in self.W)",
        "        p = self.softmax(self.forward(X))\n"
        "        return -np.sum(np.log(p[np.arange(len(y)), y.argmax(axis=1)] + 1e-7)) / len(y)\n"
        "    def softmax(self, z):\n"
        "        e = np.exp(z - z.max(axis=1, keepdims=True))\n"
        "        return e / e.sum(axis=1, keepdims=True)",
    ).replace("d = 2 * (self.a[-1] - y) / len(y)", "d = (self.softmax(self.a[-1]) - y) / len(y)")
    report = report_of(tmp_path, source.replace(" + self.lam * self.W[k]", ""))
    assert report.verdict == "pass"
    assert any("checked with one-hot targets" in note for note in report.notes)


def test_the_cost_behind_known_outputs_is_recognised_without_biases(tmp_path):
    """A network that declares both, and has weights alone."""
    source = (
        OPTIMISER.replace("STEP", "v")
        .replace("        AFTER\n", "")
        .replace(
            "    def backward",
            "    def loss(self, X, y):\n        return 0.5 * np.sum((self.forward(X) - y) ** 2)\n    def backward",
        )
    )
    report = report_of(tmp_path, source)
    assert "mse · 1/2" in {c.value for c in report.conventions}
