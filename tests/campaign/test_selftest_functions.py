"""The self-test of `check_vjp`: every small edit of a right pullback is found, or gives the same numbers everywhere."""

import ast

import numpy as np
import pytest

import gradcheck
from gradcheck.faults.mutation import mutants
from gradcheck.faults.selection import spread

HEAD = "import numpy as np\n"
SOFTPLUS = """
def primal(x, a):
    return np.log1p(np.exp(a * x))
def pullback(g, x, a):
    s = 1.0 / (1.0 + np.exp(-a * x))
    return g * s * a, np.sum(g * s * x)
"""
QUADRATIC = """
def primal(x, A):
    return 0.5 * x @ A @ x
def pullback(g, x, A):
    return g * 0.5 * (A @ x + A.T @ x), g * 0.5 * np.outer(x, x)
"""
NORMALISED = """
def primal(x):
    return x / np.sqrt(np.sum(x**2) + 0.25)
def pullback(g, x):
    n = np.sqrt(np.sum(x**2) + 0.25)
    return g / n - x * np.dot(g, x) / n**3
"""
SCAN = """
def primal(x, w):
    h, out = 0.3, []
    for value in x:
        h = np.tanh(w[0] * h + w[1] * value)
        out.append(h)
    return np.array(out)
def pullback(g, x, w):
    states = [0.3, *primal(x, w)]
    dx, dw, carry = np.zeros_like(x), np.zeros_like(w), 0.0
    for t in range(len(x) - 1, -1, -1):
        d = (g[t] + carry) * (1.0 - states[t + 1] ** 2)
        dx[t] = d * w[1]
        dw += d * np.array([states[t], x[t]])
        carry = d * w[0]
    return dx, dw
"""
RNG = np.random.default_rng(2)
EXAMPLES = {
    "softplus": (SOFTPLUS, [RNG.normal(size=(2, 3)), 1.3]),
    "quadratic": (QUADRATIC, [RNG.normal(size=4), RNG.normal(size=(4, 4))]),
    "normalised": (NORMALISED, [RNG.normal(size=5)]),
    "scan": (SCAN, [RNG.normal(size=4), RNG.normal(size=2)]),
}
EDITS = 8


def functions_of(tree):
    """primal and pullback of a tree."""
    scope = {}
    exec(compile(ast.fix_missing_locations(tree), "<edited>", "exec"), scope)
    return scope["primal"], scope["pullback"]


def edits_of(tree):
    """Edits of the lines of the pullback, spread over it."""
    pullback = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "pullback")
    return spread(mutants(tree, frozenset(range(pullback.lineno, pullback.end_lineno + 1))), EDITS, 0)


def answers(pullback, primal, example):
    """What a pullback gives at random points, as one vector; None where it raises."""
    found = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        point = [a + rng.normal(size=np.shape(a)) for a in example]
        cotangent = rng.normal(size=np.shape(primal(*point)))
        try:
            with np.errstate(all="ignore"):
                result = pullback(cotangent, *point)
            found += [np.ravel(r) for r in (result if isinstance(result, tuple) else (result,))]
        except Exception:
            return None
    return np.concatenate(found)


def differ(one, other):
    """Whether an edit makes a difference that anybody could see."""
    return one is None or one.shape != other.shape or not np.allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_edit_of_a_pullback_is_found(name):
    """The right one passes; an edited one that gives other numbers anywhere does not."""
    source, example = EXAMPLES[name]
    tree = ast.parse(HEAD + source)
    primal, right = functions_of(tree)
    assert gradcheck.check_vjp(primal, right, example, max_examples=12, seed=0).verdict == "pass"
    known, planted, missed = answers(right, primal, example), 0, []
    for mutant in edits_of(tree):
        edited = functions_of(mutant.applied(tree))[1]
        if differ(answers(edited, primal, example), known):
            planted += 1
            if gradcheck.check_vjp(primal, edited, example, max_examples=12, seed=0).verdict == "pass":
                missed.append(mutant.describe())
    assert planted >= 4
    assert missed == []
