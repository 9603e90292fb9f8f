"""Hand-written code on torch tensors: pairs, objects and networks are judged as those on numpy arrays are."""

import sys

import numpy as np
import pytest

from gradcheck import verify
from gradcheck.subjects.tensors import arrays, computes_with_tensors, on_arrays

torch = pytest.importorskip("torch")

PAIR = """
import torch

class LayerNorm:
    @staticmethod
    def forward(x, w, b):
        B, T, C = x.size()
        mean = x.mean(-1, keepdim=True)
        rstd = (((x - mean) ** 2).mean(-1, keepdim=True) + 1e-5) ** -0.5
        return (x - mean) * rstd * w + b, (x, w, mean, rstd)
    @staticmethod
    def backward(dout, cache):
        x, w, mean, rstd = cache
        norm = (x - mean) * rstd
        dnorm = dout * w
        dx = rstd * (dnorm - dnorm.mean(-1, keepdim=True) - norm * (dnorm * norm).mean(-1, keepdim=True))
        return dx, (dout * norm).sum((0, 1)), dout.sum((0, 1))
"""
OBJECTS = """
import torch

class Linear:
    def __init__(self, n_in, n_out):
        self.weight, self.bias = torch.randn(n_out, n_in), torch.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.weight.t() + self.bias
    def backward(self, grad_output):
        self.weight_grad, self.bias_grad = grad_output.t() @ self.x, grad_output.sum(0)
        return grad_output @ self.weight

class Dropout:
    def __init__(self, p):
        self.p = p
    def forward(self, x):
        self.mask = (torch.rand_like(x) > self.p) / (1 - self.p)
        return x * self.mask
    def backward(self, dout):
        return dout * self.mask
"""
NETWORK = """
import torch

def sigmoid(z):
    return 1 / (1 + torch.exp(-z))

def forward_propagation(X, parameters):
    A1 = torch.tanh(parameters["W1"] @ X + parameters["b1"])
    A2 = sigmoid(parameters["W2"] @ A1 + parameters["b2"])
    return A2, {"A1": A1, "A2": A2}

def compute_cost(A2, Y):
    return -(Y * torch.log(A2) + (1 - Y) * torch.log(1 - A2)).sum() / Y.shape[1]

def backward_propagation(parameters, cache, X, Y):
    m = X.shape[1]
    dZ2 = cache["A2"] - Y
    dZ1 = (parameters["W2"].t() @ dZ2) * (1 - cache["A1"] ** 2)
    return {"dW1": dZ1 @ X.t() / m, "db1": dZ1.sum(dim=1, keepdim=True) / m,
            "dW2": dZ2 @ cache["A1"].t() / m, "db2": dZ2.sum(dim=1, keepdim=True) / m}
"""


def report_of(tmp_path, source):
    """The report of a file with this source."""
    path = tmp_path / "subject_file.py"
    path.write_text(source)
    return verify(str(path), in_process=True, max_examples=12)


@pytest.mark.parametrize(
    ("source", "right", "wrong", "place"),
    [
        (PAIR, "(dout * norm).sum((0, 1))", "dout.sum((0, 1))", "gradient of gamma"),
        (OBJECTS, "grad_output.sum(0)", "grad_output.mean(0)", "gradient of bias"),
        (OBJECTS, "return dout * self.mask", "return dout", "gradient of x"),
        (NETWORK, "dZ2 @ cache[\"A1\"].t() / m", "dZ2 @ cache[\"A1\"].t()", "BP4"),
    ],
)  # fmt: skip
def test_a_right_one_passes_and_a_wrong_one_is_placed(tmp_path, source, right, wrong, place):
    """A pair that a class groups, objects that keep tensors, and a network of functions."""
    assert right in source
    good = report_of(tmp_path, source)
    assert good.verdict == "pass", [f.detail for f in good.findings]
    assert any("computes with torch tensors" in note for note in good.notes)
    bad = report_of(tmp_path, source.replace(right, wrong))
    assert bad.verdict == "fail"
    assert place in [p.equation for p in bad.findings[0].places]


def test_what_a_subject_writes_into_is_seen(tmp_path):
    """Tensors share the memory of the arrays that were handed over."""
    source = OBJECTS.replace("return dout * self.mask", "return dout.mul_(self.mask)")
    assert "GC201" in [f.code.name for f in report_of(tmp_path, source).findings]


def test_the_default_precision_of_torch_stays(tmp_path):
    """It is double while the subject runs, and what it was after that."""
    seen = []

    def function(x):
        seen.append(torch.zeros(1).dtype)
        return x.clone()

    before = torch.get_default_dtype()
    result = on_arrays(function)(np.ones(2))
    assert isinstance(result, np.ndarray)
    assert (seen, torch.get_default_dtype()) == ([torch.float64], before)


def test_tensors_are_read_from_any_structure():
    """Lists, tuples and dictionaries keep their kind."""
    found = arrays({"a": [torch.ones(2)], "b": (torch.zeros(1), 3)})
    assert isinstance(found["a"][0], np.ndarray)
    assert found["b"][1] == 3


def test_code_that_is_not_written_for_torch_is_left_alone():
    """A function of numpy in a file that imports torch too."""
    assert "torch" in sys.modules
    assert not computes_with_tensors(report_of)


def test_without_torch_the_extra_is_named(tmp_path, monkeypatch):
    """A file that imports it says what to install."""
    monkeypatch.setitem(sys.modules, "torch", None)
    finding = report_of(tmp_path, OBJECTS).findings[0]
    assert "gradcheck[torch]" in finding.detail
