"""An exception in the backward pass: its line, what it reads there, what would fit, and the name of the mistake."""

import pytest

import gradcheck

SOURCE = """
import numpy as np


def sigma(z):
    return 1 / (1 + np.exp(-z))


def sigma_prime(z):
    return sigma(z) * (1 - sigma(z))


class Network:
    def __init__(self, sizes):
        self.sizes, self.num_layers = sizes, len(sizes)
        self.biases = [np.random.randn(y, 1) for y in sizes[1:]]
        self.weights = [np.random.randn(y, x) for x, y in zip(sizes[:-1], sizes[1:])]

    def feedforward(self, a):
        for b, w in zip(self.biases, self.weights):
            a = sigma(w @ a + b)
        return a

    def cost_derivative(self, a, y):
        return a - y

    def backprop(self, x, y):
        nabla_b, nabla_w = [None for _ in self.biases], [None for _ in self.weights]
        a, activations, zs = x, [x], []
        for b, w in zip(self.biases, self.weights):
            zs.append(w @ a + b)
            a = sigma(zs[-1])
            activations.append(a)
        delta = self.cost_derivative(activations[-1], y) * sigma_prime(zs[-1])
        nabla_b[-1], nabla_w[-1] = delta, delta @ activations[-2].T
        for l in range(2, LAST):
            delta = (WEIGHTS @ delta) * sigma_prime(zs[-l])
            nabla_b[-l], nabla_w[-l] = delta, delta @ activations[-l - 1].T
        return nabla_b, nabla_w
"""
LINE = 1 + SOURCE.split("\n").index("            delta = (WEIGHTS @ delta) * sigma_prime(zs[-l])")


def findings_of(folder, weights="self.weights[-l + 1].T", last="self.num_layers"):
    """Of a file in which the recursion reads these weights."""
    path = folder / "network.py"
    path.write_text(SOURCE.replace("WEIGHTS", weights).replace("LAST", last))
    return gradcheck.verify(path, max_examples=50, in_process=True).findings


def test_the_right_neighbour_passes(tmp_path):
    """Nothing raises."""
    assert findings_of(tmp_path) == ()


def test_biases_that_take_part_are_named(tmp_path):
    """[b | W]ᵀ δ fits nowhere."""
    found = findings_of(tmp_path, "np.hstack([self.biases[-l + 1], self.weights[-l + 1]]).T")[0]
    assert (found.code.name, found.places[0].equation) == ("GC902", "BP2")
    assert [(line.number, line.sure) for line in found.lines] == [(LINE, True)]
    assert found.evidence[0].startswith("it raises where it reads ")
    assert {"δ", "W", "b"} <= {word[0] for word in found.evidence[0].removeprefix("it raises where it reads ").split()}


@pytest.mark.parametrize("last", ["self.num_layers + 1", "self.num_layers + 2"])
def test_a_recursion_that_goes_on_below_the_first_layer_says_so(tmp_path, last):
    """There is no z of the input."""
    found = findings_of(tmp_path, last=last)[0]
    assert (found.code.name, [line.number for line in found.lines]) == ("GC902", [LINE])
    assert "the recursion is applied below the first layer: it ends at layer 1" in found.evidence
    assert found.explanations == ()


def test_an_exception_of_another_kind_gets_no_name(tmp_path):
    """The line alone."""
    found = findings_of(tmp_path, "undefined")[0]
    assert [line.number for line in found.lines] == [LINE]
    assert found.explanations == ()
