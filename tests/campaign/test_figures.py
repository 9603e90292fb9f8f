"""What a report can draw of a finding."""

import numpy as np
import pytest

import gradcheck

BACKPROP = """
import numpy as np
def forward(weights, biases, x):
    a = [x]
    for w, b in zip(weights, biases):
        a.append(1 / (1 + np.exp(-(w @ a[-1] + b))))
    return a
def loss(weights, biases, x, y, *, activations, cost, l2):
    return float(np.sum((forward(weights, biases, x)[-1] - y) ** 2))
def backprop(weights, biases, x, y, *, activations, cost, l2):
    a = forward(weights, biases, x)
    delta = 2 * (a[-1] - y) * a[-1] * (1 - a[-1])
    dw, db = [], []
    for k in reversed(range(len(weights))):
        dw.insert(0, delta @ a[k].T)
        db.insert(0, delta.sum(axis=1, keepdims=True))
        delta = (weights[k].T @ delta) * PRIME
    return dw, db
"""


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    """σ(z) stands for σ′(z)."""
    return found(tmp_path_factory.mktemp("figures") / "net.py", BACKPROP.replace("PRIME", "a[k]"))


def found(file, text):
    """The finding of a subject."""
    file.write_text(text)
    options = {"activations": ["sigmoid"], "costs": ["mse"], "weights": "to_from", "samples": "columns"}
    report = gradcheck.verify(str(file), bias="column", max_examples=40, in_process=True, **options)
    (finding,) = report.findings
    return finding


def test_tensors_are_those_of_the_counterexample(wrong):
    """In the shape of the parameters; the wrong ones differ by more than the bound, the others do not."""
    for tensor in wrong.tensors:
        claimed, expected, bound = map(np.array, (tensor.claimed, tensor.expected, tensor.bound))
        assert claimed.shape == np.shape(wrong.counterexample["parameters"][tensor.parameter])
        assert (np.abs(claimed - expected) <= bound).all() == (tensor.parameter in ("W2", "b2"))


def test_the_curve_is_the_function_that_stands_there(wrong):
    """Measured: σ(z); right: σ′(z)."""
    z, measured, right = np.array(wrong.curve.points).T
    sigma = 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(measured, sigma, rtol=1e-9)
    np.testing.assert_allclose(right, sigma * (1 - sigma), rtol=1e-9)
    assert (np.diff(z) >= 0).all()


def test_no_curve_where_another_mistake_has_the_name(tmp_path):
    """With |W| for W, δ over what comes from above is no function of z: a curve would mislead."""
    text = BACKPROP.replace("PRIME", "a[k] * (1 - a[k])").replace(
        "weights[k].T @ delta", "np.abs(weights[k].T) @ delta"
    )
    finding = found(tmp_path / "net.py", text)
    assert "bp2_absolute_weights" in {e.fault for e in finding.explanations}
    assert finding.curve is None


def test_a_layer_has_its_tensors(tmp_path):
    """Claimed and expected gradient of every argument."""
    file = tmp_path / "layer.py"
    file.write_text(
        "def affine_forward(x, w, b):\n    return x @ w + b, (x, w)\n"
        "def affine_backward(dout, cache):\n    x, w = cache\n    return dout @ w.T, x.T @ dout, dout.mean(axis=0)\n"
    )
    (finding,) = gradcheck.verify(str(file), max_examples=40, in_process=True).findings
    assert {t.parameter for t in finding.tensors} == {"x", "w", "b"}
