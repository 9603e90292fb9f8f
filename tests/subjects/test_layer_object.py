"""Layer objects: each way to keep a gradient passes when it is right, and fails at the right place when it is not."""

import pytest

from gradcheck import verify

HEAD = "import numpy as np\nrng = np.random.default_rng(1)\n"
STORED = """
class Linear:
    def __init__(self, input_size, output_size):
        self.params = {"w": rng.normal(size=(input_size, output_size)), "b": np.zeros(output_size)}
        self.grads = {}
    def forward(self, x):
        self.x = x
        return x @ self.params["w"] + self.params["b"]
    def backward(self, dy):
        self.grads["b"] = np.sum(dy, axis=0)
        self.grads["w"] = self.x.T @ dy
        return dy @ self.params["w"].T
class Relu:
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask
    def backward(self, dout):
        return dout * self.mask
class Flatten:
    def forward(self, x):
        self.shape = x.shape
        return x.reshape(x.shape[0], -1)
    def backward(self, dout):
        return dout.reshape(self.shape)
"""
RETURNED = """
class Dense:
    def __init__(self, n_in, n_out):
        self.W = rng.normal(size=(n_in, n_out))
        self.b = np.zeros((1, n_out))
    def forward(self, X):
        self.X = X
        return X @ self.W + self.b
    def backward(self, dout):
        return dout @ self.W.T, [self.X.T @ dout, np.sum(dout, axis=0)]
"""
UPDATE = """
class Dense:
    def __init__(self, input_size, output_size):
        self.weights = rng.normal(size=(output_size, input_size))
        self.bias = np.zeros((output_size, 1))
    def forward(self, input):
        self.input = input
        return self.weights @ self.input + self.bias
    def backward(self, output_gradient, learning_rate):
        dx = self.weights.T @ output_gradient
        self.weights -= learning_rate * output_gradient @ self.input.T
        self.bias -= learning_rate * output_gradient
        return dx
"""
PAIRED = """
class Parameter:
    def __init__(self, val):
        self.val, self.grad = val, np.zeros_like(val)
class Affine:
    def __init__(self, W, b):
        self.W, self.b = Parameter(W), Parameter(b)
    def forward(self, x):
        self.x = x
        return x @ self.W.val + self.b.val
    def backward(self, dout):
        self.W.grad += self.x.T @ dout
        self.b.grad += dout.sum(axis=0)
        return dout @ self.W.val.T
"""
CELL = """
class Cell:
    def __init__(self, input_dim, hidden_dim):
        self.Wx = rng.normal(size=(input_dim, hidden_dim))
        self.Wh = rng.normal(size=(hidden_dim, hidden_dim))
        self.dWx, self.dWh = np.zeros_like(self.Wx), np.zeros_like(self.Wh)
    def forward(self, x, h):
        self.x, self.h = x, h
        self.out = np.tanh(x @ self.Wx + h @ self.Wh)
        return self.out
    def backward(self, dh):
        dz = dh * (1 - self.out ** 2)
        self.dWx += self.x.T @ dz
        self.dWh += self.h.T @ dz
        return dz @ self.Wx.T, dz @ self.Wh.T
"""


def report_of(tmp_path, source):
    """The report of a file with this source."""
    path = tmp_path / "layers.py"
    path.write_text(HEAD + source)
    return verify(str(path), in_process=True, max_examples=12)


@pytest.mark.parametrize("source", [STORED, RETURNED, UPDATE, PAIRED, CELL])
def test_correct_layers_pass(tmp_path, source):
    """Stored, returned, applied, in {val, grad} objects, and accumulated by a recurrent cell."""
    report = report_of(tmp_path, source)
    assert (report.verdict, report.subject.convention) == ("pass", "layer_object")
    assert report.tally.cases >= 8


@pytest.mark.parametrize(
    ("source", "right", "wrong", "place"),
    [
        (STORED, "self.x.T @ dy", "2 * self.x.T @ dy", "w"),
        (STORED, "dout * self.mask", "dout * ~self.mask", "x"),
        (RETURNED, "np.sum(dout, axis=0)]", "np.mean(dout, axis=0)]", "b"),
        (UPDATE, "self.weights -= learning_rate *", "self.weights += learning_rate *", "weights"),
        (UPDATE, "dx = self.weights.T @ output_gradient", "dx = self.weights[::-1].T @ output_gradient", "x"),
        (PAIRED, "dout.sum(axis=0)", "dout[0]", "b"),
        (CELL, "dz @ self.Wh.T", "dh @ self.Wh.T", "h"),
        (CELL, "self.h.T @ dz", "self.out.T @ dz", "Wh"),
    ],
)
def test_a_planted_fault_is_placed(tmp_path, source, right, wrong, place):
    """One change, and only the gradient that it concerns is named."""
    assert right in source
    report = report_of(tmp_path, source.replace(right, wrong))
    assert report.verdict == "fail"
    assert {d.parameter for d in report.findings[0].discrepancies} == {place}


def test_weights_updated_before_their_use_are_seen(tmp_path):
    """dx from the new weights is an error of the order of the rate; at two finite rates it does not hide."""
    lines = UPDATE.replace("        dx = self.weights.T @ output_gradient\n", "")
    late = lines.replace("return dx", "return self.weights.T @ output_gradient")
    report = report_of(tmp_path, late)
    assert report.verdict == "fail"
    assert "the gradient of x is not linear in the upstream gradient" in report.findings[0].detail


@pytest.mark.parametrize(
    "update",
    [
        "np.clip(learning_rate * output_gradient @ self.input.T, -1e-3, 1e-3)",
        "learning_rate ** 2 * output_gradient @ self.input.T",
    ],
)
def test_an_update_that_is_no_gradient_descent_is_refused(tmp_path, update):
    """Clipping and schedules break the division by the rate: no verdict, with the reason."""
    report = report_of(tmp_path, UPDATE.replace("learning_rate * output_gradient @ self.input.T", update))
    assert report.verdict == "inconclusive"
    assert "no plain gradient descent" in report.findings[0].detail


def test_what_cannot_be_run_is_named(tmp_path):
    """A class beside a good one is skipped with its reason."""
    report = report_of(tmp_path, STORED + "class Base:\n    def forward(self, x): raise NotImplementedError\n    def backward(self, g): ...\n")  # noqa: E501  # fmt: skip
    assert any("not checked: Base: NotImplementedError" in note for note in report.notes)


def test_weights_in_float32_are_widened(tmp_path):
    """Differences of them are then those of float64, and every case is evidence."""
    source = RETURNED.replace("rng.normal(size=(n_in, n_out))", "rng.normal(size=(n_in, n_out)).astype(np.float32)")
    assert report_of(tmp_path, source).tally.inconclusive == 0
