"""Operators of a tape: each is judged alone, right ones pass, and what is wrong is named by its operator."""

import pytest

from gradcheck import verify
from gradcheck.subjects import detect, load

SCALAR = """
import math
class Value:
    def __init__(self, data, children=()):
        self.data, self.grad, self.children, self.push = data, 0.0, children, lambda: None
    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other))
        def push():
            self.grad += out.grad
            other.grad += out.grad
        out.push = push
        return out
    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other))
        def push():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad
        out.push = push
        return out
    def tanh(self):
        t = math.tanh(self.data)
        out = Value(t, (self,))
        def push():
            self.grad += (1 - t * t) * out.grad
        out.push = push
        return out
    def log(self):
        out = Value(math.log(self.data), (self,))
        def push():
            self.grad += out.grad / self.data
        out.push = push
        return out
    def backward(self):
        order, seen = [], set()
        def visit(v):
            if v not in seen:
                seen.add(v)
                for c in v.children:
                    visit(c)
                order.append(v)
        visit(self)
        self.grad = 1.0
        for v in reversed(order):
            v.push()
"""
TENSOR = """
import numpy as np
class Tensor:
    def __init__(self, data, parents=()):
        self.data = np.asarray(data, dtype=float)
        self.grad, self.parents, self.pull = np.zeros_like(self.data), parents, None
    def __mul__(self, o):
        o = o if isinstance(o, Tensor) else Tensor(o)
        out = Tensor(self.data * o.data, (self, o))
        out.pull = lambda g: (g * o.data, g * self.data)
        return out
    def __matmul__(self, o):
        out = Tensor(self.data @ o.data, (self, o))
        out.pull = lambda g: (g @ o.data.T, self.data.T @ g)
        return out
    def softmax(self):
        e = np.exp(self.data - self.data.max(axis=-1, keepdims=True))
        p = e / e.sum(axis=-1, keepdims=True)
        out = Tensor(p, (self,))
        out.pull = lambda g: (p * (g - (g * p).sum(axis=-1, keepdims=True)),)
        return out
    def backward(self, grad=None):
        self.grad = self.grad + (np.ones_like(self.data) if grad is None else grad)
        if self.pull:
            for p, g in zip(self.parents, self.pull(grad if grad is not None else np.ones_like(self.data))):
                p.backward(g)
"""
GRAPH = """
import numpy as np
class Multiply:
    def compute(self, a, b):
        return a * b
    def gradient(self, out_grad, node):
        a, b = node.inputs
        return out_grad * b, out_grad * a
class Power:
    def __init__(self, scalar):
        self.scalar = scalar
    def compute(self, a):
        return a ** self.scalar
    def gradient(self, out_grad, node):
        return out_grad * self.scalar * node.inputs[0] ** (self.scalar - 1)
"""
CONTEXT = """
import numpy as np
class Dot:
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x @ w
    @staticmethod
    def backward(ctx, grad_output):
        x, w = ctx.saved_tensors
        return grad_output @ w.T, x.T @ grad_output
"""
RIGHT = {"scalars": SCALAR, "tensors": TENSOR, "graph": GRAPH, "context": CONTEXT}
WRONG = {
    "accumulation": (SCALAR.replace("self.grad += out.grad\n            other.grad += out.grad",
                                    "self.grad = out.grad\n            other.grad = out.grad"), "(x + x) * x"),
    "upstream": (SCALAR.replace("(1 - t * t) * out.grad", "(1 - t * t)"), "tanh"),
    "softmax": (TENSOR.replace("p * (g - (g * p).sum(axis=-1, keepdims=True))", "p * (1 - p) * g"), "softmax"),
    "matmul": (TENSOR.replace("g @ o.data.T, self.data.T @ g", "g @ o.data.T, 2 * self.data.T @ g"), "x @ w"),
    "power": (GRAPH.replace("(self.scalar - 1)", "self.scalar"), "Power"),
    "dot": (CONTEXT.replace("x.T @ grad_output", "x.T @ np.sign(grad_output)"), "Dot"),
}  # fmt: skip


def report_of(tmp_path, source):
    """The report of a file with this source."""
    path = tmp_path / "engine.py"
    path.write_text(source)
    return verify(str(path), in_process=True, max_examples=12)


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_right_operators_pass(tmp_path, source):
    """Of numbers, of arrays, of a graph, and with a context."""
    report = report_of(tmp_path, source)
    assert (report.verdict, report.subject.convention) == ("pass", "tape_operator")
    assert report.tally.cases >= 8


@pytest.mark.parametrize(("source", "operator"), WRONG.values(), ids=WRONG)
def test_a_wrong_operator_fails_by_name(tmp_path, source, operator):
    """Also one that is wrong only where a value is used twice."""
    report = report_of(tmp_path, source)
    assert report.verdict == "fail"
    assert any(f.detail.startswith(f"{operator}:") for f in report.findings)


def test_a_logarithm_gets_positive_numbers(tmp_path):
    """Found by trying."""
    path = tmp_path / "engine.py"
    path.write_text(SCALAR)
    offer = detect(load(str(path)), "engine.py").offer
    assert "log" in offer.positive
    assert "tanh" not in offer.positive
