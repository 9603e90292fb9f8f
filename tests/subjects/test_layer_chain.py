"""Networks of layer objects: each layer at its place in the chain, the whole beside it, and which of them is at fault."""

import pytest

from gradcheck import verify
from gradcheck.subjects.layer_chain import chain_of

LAYERS = """
import numpy as np
rng = np.random.default_rng(0)
class Dense:
    def __init__(self, n_in, n_out):
        self.W, self.b = rng.normal(size=(n_in, n_out)), np.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.W.T
class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y
    def backward(self, dy):
        return dy * (1 - self.y**2)
class Relu:
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask
    def backward(self, dy):
        return dy * self.mask
"""
RUN = """
    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x
    def backward(self, dy):
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy
"""
CLASS = "class Network:\n    def __init__(self):\n        self.layers = [Dense(4, 5), Tanh(), Dense(5, 2)]" + RUN
SIZED = "class Network:\n    def __init__(self, n_in, n_out):\n        self.layers = [Dense(n_in, 5), Relu(), Dense(5, n_out)]"
LIST = "network = [Dense(4, 5), Tanh(), Dense(5, 2)]\n"
BUILD = "def build_model():\n    return [Dense(4, 5), Relu(), Dense(5, 2)]\n"
NAMED = (
    "class Network:\n    def __init__(self):\n"
    "        self.params = {'W1': rng.normal(size=(4, 5)), 'b1': np.zeros(5)}\n"
    "        first = Dense(4, 5)\n        first.W, first.b = self.params['W1'], self.params['b1']\n"
    "        self.layers = {'affine1': first, 'tanh1': Tanh(), 'affine2': Dense(5, 2)}\n"
)
UPDATE = """
import numpy as np
rng = np.random.default_rng(0)
class Dense:
    def __init__(self, n_in, n_out):
        self.weights, self.bias = rng.normal(size=(n_out, n_in)), np.zeros((n_out, 1))
    def forward(self, x):
        self.x = x
        return self.weights @ x + self.bias
    def backward(self, dy, learning_rate):
        dx = self.weights.T @ dy
        self.weights -= learning_rate * dy @ self.x.T
        self.bias -= learning_rate * dy
        return dx
class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y
    def backward(self, dy, learning_rate):
        return dy * (1 - self.y**2)
network = [Dense(2, 3), Tanh(), Dense(3, 1), Tanh()]
"""
CONVOLUTION = """
class Conv:
    def __init__(self, filters, channels, size):
        self.W = rng.normal(size=(filters, channels, size, size))
    def _views(self, a):
        return np.lib.stride_tricks.sliding_window_view(a, self.W.shape[2:], axis=(2, 3))
    def forward(self, x):
        self.x = x
        return np.einsum("ncijuv,fcuv->nfij", self._views(x), self.W)
    def backward(self, dy):
        k = self.W.shape[2] - 1
        self.dW = np.einsum("ncijuv,nfij->fcuv", self._views(self.x), dy)
        padded = np.pad(dy, ((0, 0), (0, 0), (k, k), (k, k)))
        return np.einsum("nfijuv,fcuv->ncij", self._views(padded), self.W[:, :, ::-1, ::-1])
class Flatten:
    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), -1)
    def backward(self, dy):
        return dy.reshape(self.shape)
network = [Conv(2, 1, 3), Tanh(), Flatten(), Dense(72, 2)]
"""


@pytest.fixture
def report(tmp_path):
    def of(source):
        path = tmp_path / "network.py"
        path.write_text(source)
        return verify(path, max_examples=60)

    return of


@pytest.mark.parametrize("network", [CLASS, SIZED, LIST, BUILD, NAMED, CONVOLUTION], ids=range(6))
def test_a_right_network_passes_layer_by_layer_and_as_a_whole(report, network):
    """Every layer and the whole are compared, whatever holds the layers."""
    r = report(LAYERS + network)
    assert (r.verdict, r.findings) == ("pass", ())
    checked = {p.parameter.rpartition(".x")[0] for p in r.power if p.parameter.endswith(".x")}
    assert any("as a whole" in n for n in checked)
    assert sum("[" in n for n in checked) >= 3


def test_layers_that_update_themselves(report):
    """Gradients are read from the updates of the whole, too."""
    assert report(UPDATE).verdict == "pass"
    found = report(UPDATE.replace("dy @ self.x.T", "dy @ self.x.T * 1.5")).findings
    assert [f.detail.partition(":")[0] for f in found] == ["network[2] Dense", "network[0] Dense", "network as a whole"]


@pytest.mark.parametrize("network", [CLASS, LIST])
def test_the_layer_at_fault_is_named_and_the_whole_follows(report, network):
    """Neither the layers below it nor those above are blamed."""
    layer, whole = report(LAYERS.replace("1 - self.y**2", "1 - self.y") + network).findings
    assert "[1] Tanh" in layer.detail
    assert "the first layer at fault" in layer.detail
    assert [p.equation for p in layer.places] == ["gradient of x"]
    assert "as a whole" in whole.detail
    assert "as follows where" in whole.detail


@pytest.mark.parametrize(
    ("right", "wrong", "code"),
    [
        ("reversed(self.layers)", "reversed(self.layers[1:])", "GC104"),
        ("dy = layer.backward(dy)", "dy = layer.backward(dy) * 0.5", "GC405"),
        ("in reversed(self.layers)", "in self.layers[::-1][:-1] + [self.layers[0]] * 2", "GC405"),
    ],
)
def test_a_network_that_runs_right_layers_wrongly(report, right, wrong, code):
    """Every layer passes, the whole fails, and it is said so."""
    square = CLASS.replace("Dense(4, 5), Tanh()", "Dense(4, 4), Tanh(), Dense(4, 5)") if "* 2" in wrong else CLASS
    assert report(LAYERS + square).verdict == "pass"
    (whole,) = report(LAYERS + square.replace(right, wrong)).findings
    assert whole.code.name == code
    assert "each of its layers passes by itself" in whole.detail


def test_a_layer_that_is_forgotten_by_the_whole_is_missed(report):
    """Its gradient is asked for where the layer by itself keeps it."""
    (whole,) = report(LAYERS + CLASS.replace("Dense(4, 5)", "Dense(4, 4), Dense(4, 5)").replace(
        "reversed(self.layers)", "[self.layers[3], self.layers[2], self.layers[1]]"
    )).findings  # fmt: skip
    assert "layers[0].W" in whole.detail


@pytest.mark.parametrize(
    ("name", "called"), [("build_model", True), ("network", True), ("create", False), ("get", False)]
)
def test_only_a_function_that_names_a_network_is_called(name, called):
    """Anything else may do what it likes."""
    calls = []
    chain_of({name: lambda: calls.append(name)} | {"Dense": type("Dense", (), {})})
    assert bool(calls) == called
