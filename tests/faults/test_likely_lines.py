"""A guess from names: it finds the equations of the references, and names nothing where names say nothing."""

import re
from pathlib import Path

import pytest

from gradcheck.faults.likely_lines import MOST, likely_lines

ROOT = Path(__file__).parents[2]
COMMENTS = {
    "BP1": r"# output error|# \(1\)|# first|delta = \{L:|[zy] - y|y_over|error\(",
    "BP2": r"# recursion|# \(2\)|# second|W\.T @ delta|\.T @ delta",
    "BP3": r"# bias gradient|# third|db =|# \(4\)",
    "BP4": r"# weight gradient|# fourth|dW =|# \(3\)",
}


@pytest.mark.parametrize("equation", COMMENTS)
def test_the_references_are_read(equation):
    """Most say in a comment which equation a line is; all guesses are such lines."""
    found = 0
    for path in sorted((ROOT / "reference").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        for number in likely_lines(text, equation):
            found += bool(re.search(COMMENTS[equation], text.splitlines()[number - 1]))
    assert found >= 2


def test_the_cost_and_the_forward_pass():
    """By the name of the function."""
    text = "def mse_loss(a, y):\n    return ((a - y) ** 2).mean()\n\ndef forward(x, w):\n    z = x @ w\n    return z\n"
    assert (likely_lines(text, "cost"), likely_lines(text, "forward")) == ([2], [5])


def test_the_neighbour_is_not_taken_for_it():
    """The derivative of a cost is no cost, a product in the backward pass no forward pass."""
    text = "def loss_derivative(a, y):\n    return a - y\n\ndef backward(x, w):\n    z = x @ w\n    return z\n"
    assert (likely_lines(text, "cost"), likely_lines(text, "forward")) == ([], [])


def test_too_many_candidates_are_none():
    """Names that stand everywhere tell nothing."""
    line = "    dW = delta @ a.T\n"
    assert likely_lines("def backprop(delta, a):\n" + MOST * line, "BP4") == [2, 3, 4][:MOST]
    assert likely_lines("def backprop(delta, a):\n" + (MOST + 1) * line, "BP4") == []


def test_what_is_no_python_has_no_lines():
    """Nor has an equation that is not known."""
    assert (likely_lines("def f(:", "BP4"), likely_lines("dW = a @ b", "effects")) == ([], [])
