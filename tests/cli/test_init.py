"""`gradcheck init`: nothing for what is recognised, else the least that works once it is filled in; never over a file."""

import pytest

from gradcheck import verify
from gradcheck.cli.main import main

CONSTRUCTOR = """
import numpy as np
class Net:
    def __init__(self, n_features, n_hidden, n_classes, nonlinearity):
        self.W1, self.b1 = np.random.randn(n_features, n_hidden), np.zeros(n_hidden)
        self.W2, self.b2 = np.random.randn(n_hidden, n_classes), np.zeros(n_classes)
        self.f = {"tanh": np.tanh}[nonlinearity]
    def forward(self, X):
        self.h = self.f(X @ self.W1 + self.b1)
        return self.h @ self.W2 + self.b2
    def backward(self, X, y):
        d = self.forward(X) - y
        e = d @ self.W2.T * (1 - self.h ** 2)
        self.dW2, self.db2, self.dW1, self.db1 = self.h.T @ d, d.sum(0), X.T @ e, e.sum(0)
"""
FUNCTION = """
import numpy as np
def gradient_of(stuff, mode, X, y):
    W1, b1, W2, b2 = stuff
    h = np.tanh(X @ W1 + b1)
    d = h @ W2 + b2 - y
    e = d @ W2.T * (1 - h * h)
    return {"total": 0.5 * (d * d).sum(), "g": [X.T @ e, e.sum(0), h.T @ d, d.sum(0)]}
"""
MISSING = """
import numpy as np
from nn_helpers import sigmoid
def forward_propagation(X, parameters):
    A1 = np.tanh(parameters["W1"] @ X + parameters["b1"])
    A2 = sigmoid(parameters["W2"] @ A1 + parameters["b2"])
    return A2, {"A1": A1, "A2": A2}
def backward_propagation(parameters, cache, X, Y):
    dZ2 = (cache["A2"] - Y) / X.shape[1]
    dZ1 = parameters["W2"].T @ dZ2 * (1 - cache["A1"] ** 2)
    db1, db2 = dZ1.sum(1, keepdims=True), dZ2.sum(1, keepdims=True)
    return {"dW1": dZ1 @ X.T, "db1": db1, "dW2": dZ2 @ cache["A1"].T, "db2": db2}
"""
RIGHT = "import numpy as np\ndef f(params, X, y):\n    e = X @ params['W1'] + params['b1'] - y\n    return 0.5 * (e * e).sum(), {'W1': X.T @ e, 'b1': e.sum(0)}\n"  # noqa: E501  # fmt: skip
ACTIVATED = """
import numpy as np
class Network:
    def __init__(self, sizes, activation, d_activation, save_path, load_filename=None):
        self.sizes, self.activation, self.d_activation, self.path = sizes, activation, d_activation, save_path
        self.biases = [np.random.randn(n, 1) for n in sizes[1:]]
        self.weights = [np.random.randn(b, a) for a, b in zip(sizes[:-1], sizes[1:])]
    def feedforward(self, a):
        self.a, self.z = [a], []
        for w, b in zip(self.weights, self.biases):
            self.z.append(w @ self.a[-1] + b)
            self.a.append(self.activation(self.z[-1]))
        return self.a[-1]
    def backprop(self, y):
        self.biases_upd, self.weights_upd = [None] * len(self.biases), [None] * len(self.weights)
        delta = self.a[-1] - y
        for k in reversed(range(len(self.weights))):
            delta = delta * self.d_activation(self.z[k])
            self.biases_upd[k], self.weights_upd[k] = delta.sum(axis=1, keepdims=True), delta @ self.a[k].T
            delta = self.weights[k].T @ delta
    def update(self, lr, batch_size):
        self.biases = [b - lr / batch_size * u for b, u in zip(self.biases, self.biases_upd)]
        self.weights = [w - lr / batch_size * u for w, u in zip(self.weights, self.weights_upd)]
"""
TWO = """
import numpy as np
class Network:
    def __init__(self, sizes):
        self.weights = [np.ones((y, x)) for x, y in zip(sizes[:-1], sizes[1:])]
        self.biases = [np.ones((y, 1)) for y in sizes[1:]]
    def feedforward(self, a):
        return a
    def backprop(self, x, y):
        return None
class Other(Network):
    pass
"""
FILLED = {
    "functions as arguments": (ACTIVATED, [], "model_object"),
    "class": (CONSTRUCTOR, [('fill_in("nonlinearity")', '"tanh"')], "model_object"),
    "function": (
        FUNCTION,
        [
            ('fill_in("stuff")', "(W1, b1, W2, b2)"),
            ('fill_in("mode")', "None"),
            ('fill_in("the loss: part of result, or a call of its own")', 'result["total"]'),
            ('fill_in("a dict of the gradients in result, by the keys of params")', 'result["g"]'),
        ],
        "model_functions",
    ),
    "module": (MISSING, [], "parameter_dict"),
}


@pytest.fixture
def init(tmp_path, monkeypatch, capsys):
    """init(source, *options) -> (exit code, what was printed), in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(source, *options):
        (tmp_path / "student.py").write_text(source)
        code = main(["init", "student.py", *options])
        out, err = capsys.readouterr()
        return code, out + err

    return call


@pytest.mark.parametrize(("source", "edits", "convention"), FILLED.values(), ids=FILLED)
def test_an_adapter_works_once_it_is_filled_in(init, tmp_path, source, edits, convention):
    """What is left is marked, and said; the adapter's own verdict is then that of the file."""
    code, out = init(source)
    adapter = tmp_path / "student_gradcheck.py"
    text = adapter.read_text()
    assert code == 0
    assert all(mark in text for mark, _ in edits)
    assert out.count("fill in: ") == len(edits)
    for mark, value in edits:
        text = text.replace(mark, value)
    adapter.write_text(text)
    report = verify(str(adapter), in_process=True, max_examples=8)
    assert (report.verdict, report.subject.convention) == ("pass", convention)


def test_a_wrong_file_fails_through_its_adapter(init, tmp_path):
    """The adapter hides nothing."""
    init(CONSTRUCTOR.replace("(1 - self.h ** 2)", "(1 - self.h)"))
    adapter = tmp_path / "student_gradcheck.py"
    adapter.write_text(adapter.read_text().replace('fill_in("nonlinearity")', '"tanh"'))
    assert verify(str(adapter), in_process=True, max_examples=8).verdict == "fail"


def test_an_adapter_that_is_not_filled_in_says_what_is_missing(init, tmp_path):
    """As its only message."""
    init(FUNCTION)
    report = verify(str(tmp_path / "student_gradcheck.py"), in_process=True)
    assert report.verdict == "error"
    assert 'not complete yet: replace fill_in("stuff")' in report.findings[0].detail


def test_nothing_is_written_for_what_is_recognised(init, tmp_path):
    """Unless it is asked for."""
    code, out = init(RIGHT)
    assert (code, sorted(p.name for p in tmp_path.glob("*"))) == (0, ["student.py"])
    assert "is recognised as model_functions" in out
    assert init(RIGHT, "--always")[0] == 0
    assert 'convention = "model_functions"' in (tmp_path / "gradcheck.toml").read_text()


def test_several_objects_become_several_tables(init, tmp_path):
    """One subject each, to choose from."""
    assert init(TWO)[0] == 0
    text = (tmp_path / "gradcheck.toml").read_text()
    assert "[subjects.Network]" in text
    assert "[subjects.Other]" in text


def test_nothing_is_overwritten(init, tmp_path):
    """The file that is there stays as it is."""
    (tmp_path / "student_gradcheck.py").write_text("mine")
    code, out = init(FUNCTION)
    assert code == 2
    assert "nothing is overwritten" in out
    assert (tmp_path / "student_gradcheck.py").read_text() == "mine"


def test_a_file_without_gradients_is_said_to_have_none(init):
    """With the conventions that were tried, and without the advice to run this very command."""
    code, out = init("def add(a, b):\n    return a + b\n")
    assert code == 1
    assert "no class and no function that computes gradients" in out
    assert "tried: functional" in out
    assert "gradcheck init" not in out


def test_a_dry_run_prints(init, tmp_path):
    """And writes nothing."""
    code, out = init(FUNCTION, "--dry-run")
    assert (code, "def loss_and_gradients" in out) == (0, True)
    assert not (tmp_path / "student_gradcheck.py").exists()
