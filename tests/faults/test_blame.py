"""Which line computes the wrong tensor: on recorded runs of small backward passes with one mistake each."""

import numpy as np
import pytest

from gradcheck.campaign.source_lines import with_line
from gradcheck.errors import SubjectError
from gradcheck.faults.sampling import repertoire_of
from gradcheck.networks import Architecture, Case, Dense, activation_named, cost_named
from gradcheck.report import Code, Finding, Place
from gradcheck.subjects import Layout, LocalSubject, detect, load

SOURCE = """
import numpy as np

def tanh_prime(z):
    return 1 - np.tanh(z) ** 2

def feedforward(w, b, x):
    z, a = {}, {0: x}
    for l in range(1, len(w) + 1):
        z[l] = w[l - 1] @ a[l - 1] + b[l - 1]
        a[l] = np.tanh(z[l])
    return z, a

def back(W, delta, z):
    above = W.T @ delta
    slope = tanh_prime(z)
    return above * slope

def cost(w, b, x, y, sigma, C):
    z, a = feedforward(w, b, x)
    return float(np.sum((a[len(w)] - y) ** 2))

def backprop(w, b, x, y, sigma, C):
    z, a = feedforward(w, b, x)
    L = len(w)
    error = 2 * (a[L] - y)
    delta = {L: error * tanh_prime(z[L])}
    for l in range(L - 1, 0, -1):
        delta[l] = back(w[l], delta[l + 1], z[l])
    dW, db = [], []
    for l in range(1, L + 1):
        dW.append(delta[l] @ a[l - 1].T)
        db.append(delta[l])
    return dW, db
"""


def case_of():
    """3 → 3 → 3 → 3 tanh, mse, two samples."""
    architecture = Architecture(3, tuple(Dense(3, activation_named("tanh")) for _ in range(3)), cost_named("mse"))
    generator = np.random.default_rng(4)
    parameters = {n: generator.normal(size=s) for n, s in architecture.shapes().items()}
    return Case(architecture, parameters, generator.normal(size=(3, 2)), generator.normal(size=(3, 2)))


@pytest.fixture
def line_in(tmp_path):
    """The line found for an edit of SOURCE, as (text, sure); None where there is none."""

    def find(old, new, equation):
        assert SOURCE.count(old) == 1
        path = tmp_path / "network.py"
        path.write_text(SOURCE.replace(old, new))
        subject = LocalSubject(detect(load(str(path)), "network.py"))
        layout, case = Layout("to_from", "columns", "column"), case_of()

        def claims(asked):
            try:
                return subject.vjp(asked, layout)[1](asked.cotangent).gradient
            except SubjectError:
                return None

        finding = Finding(Code.GC402, "fail", "triangle", "", (Place(equation, 1),))
        asked = (claims, repertoire_of(case), 0)
        lines = with_line(finding, case, lambda c: subject.trace(c, layout), asked).lines
        return (lines[0].text, lines[0].sure) if lines else None

    return find


@pytest.mark.parametrize(
    ("old", "new", "equation"),
    [
        ("above = W.T @ delta", "above = W @ delta", "BP2"),
        ("return above * slope", "return above * np.tanh(z)", "BP2"),
        ("return 1 - np.tanh(z) ** 2", "return 1 + np.tanh(z) ** 2", "BP1"),
        ("delta[l] = back(w[l], delta[l + 1], z[l])", "delta[l] = back(w[l], delta[l + 1], z[l + 1])", "BP2"),
        ("error = 2 * (a[L] - y)", "error = 2 * (a[L] + y)", "BP1"),
        ("delta = {L: error * tanh_prime(z[L])}", "delta = {L: error * tanh_prime(z[L - 1])}", "BP1"),
        ("dW.append(delta[l] @ a[l - 1].T)", "dW.append(delta[l] @ a[l].T)", "BP4"),
        ("db.append(delta[l])", "db.append(delta[l] ** 2)", "BP3"),
    ],
)
def test_a_line_with_one_mistake_is_found(line_in, old, new, equation):
    """Whether it is sure is another matter; no other line is named."""
    found = line_in(old, new, equation)
    assert found is not None
    assert found[0] == new or not found[1]


@pytest.mark.parametrize(
    ("old", "new", "equation"),
    [
        ("above = W.T @ delta", "above = W @ delta", "BP2"),
        ("return above * slope", "return above * np.tanh(z)", "BP2"),
        ("error = 2 * (a[L] - y)", "error = 2 * (a[L] + y)", "BP1"),
        ("db.append(delta[l])", "db.append(delta[l] ** 2)", "BP3"),
    ],
)
def test_what_reads_everything_right_and_leaves_it_wrong_is_sure(line_in, old, new, equation):
    """The proof needs the right values at the line, and nothing unknown."""
    assert line_in(old, new, equation) == (new, True)


def test_a_call_that_gives_a_plain_number_is_not_passed_over(line_in):
    """The mistake is in the function that was called, and the caller reads everything right."""
    found = line_in("return 1 - np.tanh(z) ** 2", "return 4", "BP1")
    assert found is None or not found[1]


def test_a_value_that_a_caller_may_have_mistaken_is_not_sure(line_in):
    """back(…) gets a for z: the line inside it is the first to be wrong, and is not to blame."""
    old = "delta[l] = back(w[l], delta[l + 1], z[l])"
    found = line_in(old, old.replace("z[l])", "a[l])"), "BP2")
    assert found is None or not found[1]


def test_an_index_computed_elsewhere_is_not_sure(line_in):
    """The line that reads the wrong element is not the one that chose it."""
    old = "        delta[l] = back(w[l], delta[l + 1], z[l])"
    new = "        k = l + 1\n        delta[l] = back(w[l], delta[l + 1], z[l]) * tanh_prime(z[k])"
    found = line_in(old, new, "BP2")
    assert found is not None
    assert not found[1]


def test_unpacking_in_the_wrong_order_blames_no_other_line(line_in):
    """z and a swapped when the forward pass hands them over."""
    old = "    z, a = feedforward(w, b, x)\n    L = len(w)"
    found = line_in(old, old.replace("z, a", "a, z") + "\n    a[0] = x\n    z[0] = x", "BP1")
    assert found is None or not found[1]


def test_a_subject_that_traces_itself_loses_the_line_only(line_in):
    """It takes the tracer away; there is no error."""
    old = "    L = len(w)"
    new = "    import sys; sys.settrace(lambda *_: None)\n    L = len(w); b = [2 * k for k in b]"
    assert line_in(old, new, "BP3") is None
