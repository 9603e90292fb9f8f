"""Laws of the cost in whole verifications: names, evidence, and where nothing vouches for the cost."""

import pytest

import gradcheck
from gradcheck.campaign import lawful, shrinking
from gradcheck.checks import Recognition, examine
from gradcheck.faults.backprop import backprop
from gradcheck.faults.planting import Planted, case_of
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.subjects import Layout, LocalSubject

DICT = """
import numpy as np

def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def forward_propagation(X, parameters):
    A, cache = X, [X]
    for l in range(1, len(parameters) // 2 + 1):
        A = sigmoid(parameters["W%d" % l] @ A + parameters["b%d" % l])
        cache.append(A)
    return A, cache

def backward_propagation(parameters, cache, X, Y):
    A, m, grads = cache[-1], X.shape[1], {}
    dZ = (A - Y) * A * (1 - A) / m
    for l in range(len(cache) - 1, 0, -1):
        grads["dW%d" % l] = dZ @ cache[l - 1].T
        grads["db%d" % l] = np.sum(dZ, axis=1, keepdims=True)
        dZ = parameters["W%d" % l].T @ dZ * cache[l - 1] * (1 - cache[l - 1])
    return grads
"""
FIFTH = ("(A - Y) *", "(A - Y) ** 5 *")
LAST = (
    ("dZ @ cache[l - 1].T", "dZ[:, -1:] @ cache[l - 1][:, -1:].T"),
    ("np.sum(dZ, axis=1, keepdims=True)", "dZ[:, -1:]"),
)
ROW = ("cache[l - 1].T\n", 'cache[l - 1].T + 0.1 * (np.arange(len(dZ))[:, None] == 0) * parameters["W%d" % l]\n')
ROOT = ("(A - Y) ** 5 *", "np.mean((A - Y) ** 6) ** (-5 / 6) * (A - Y) ** 5 *")


@pytest.fixture
def verified(tmp_path, monkeypatch):
    """The report of the file that declares no cost, with these edits."""
    monkeypatch.setattr(shrinking, "SECONDS", 1.0)

    def verify(*edits):
        source = DICT
        for old, new in edits:
            assert old in source, old
            source = source.replace(old, new)
        path = tmp_path / "network.py"
        path.write_text(source)
        return gradcheck.verify(path, max_examples=8, in_process=True)

    return verify


def test_a_mean_without_a_declared_cost_is_recognised(verified):
    """The scale is read off batches of several sizes; one sample cannot tell 1/m from 1."""
    report = verified()
    assert (report.verdict, report.findings) == ("pass", ())
    assert ("cost", "mse · 0.5 * 1/m") in [(c.what, c.value) for c in report.conventions]


def test_a_batch_that_is_wrong_at_a_known_cost_fails(verified):
    """One sample has told the cost."""
    report = verified(*LAST)
    assert (report.verdict, report.findings[0].explanations[0].fault) == ("fail", "bp1_last_sample_only")


def test_laws_stand_beside_the_symmetry_where_no_cost_is_known(verified):
    """Units are vouched for by the outputs; the batch only if the cost is a sum."""
    (finding,) = verified(FIFTH).findings
    assert (finding.verdict, finding.code.name) == ("inconclusive", "GC953")
    assert finding.evidence[0].endswith("permutation of the units")
    assert finding.evidence[1].startswith("if its cost is a sum over the samples: it keeps")


@pytest.mark.parametrize(
    ("edits", "said"), [(LAST, "changes when the samples change places"), ([ROOT], "not put together")]
)
def test_an_unknown_cost_that_mixes_the_batch_is_no_failure(verified, edits, said):
    """It may be the root of a mean; the reader is told what follows if it is a sum."""
    (finding,) = verified(FIFTH, *edits).findings
    assert finding.verdict == "inconclusive"
    assert any(said in e and e.startswith("if its cost is a sum") for e in finding.evidence)


def test_a_gradient_that_singles_out_a_unit_fails_whatever_the_cost(verified, tmp_path):
    """Its Jacobian is symmetric: only the permutation shows it, and a replay too."""
    report = verified(FIFTH, ROW)
    (finding,) = report.findings
    assert (report.verdict, finding.code.name, finding.rung) == ("fail", "GC409", "laws of the cost")
    assert finding.discrepancies[0].oracle == "its own other gradients"
    again = gradcheck.replay(report.to_json(), target=str(tmp_path / "network.py"))
    assert (again.outcome, "change places" in again.message) == ("still failing", True)


def test_an_unknown_mistake_is_told_what_it_keeps(tanh_pair):
    """Beside the evidence of the diagnosis."""
    edit = ("delta = (weights[l].T @ delta) * (1 - a[l] ** 2)", "delta = (weights[l].T @ delta) * np.cos(3 * a[l])")
    report = gradcheck.verify(tanh_pair(edit), activations=["tanh"], costs=["mse"], max_examples=12)
    finding = report.findings[0]
    assert not finding.explanations
    assert any(e.startswith("it keeps, to within") and "additivity" in e for e in finding.evidence)


class Counted:
    """Counts the calls of a subject."""

    def __init__(self, subject):
        self.subject, self.offer, self.count = subject, subject.offer, 0

    def forward(self, points, layout):
        self.count += len(points)
        return self.subject.forward(points, layout)

    def vjp(self, point, layout):
        self.count += 2
        return self.subject.vjp(point, layout)


def test_laws_ask_little():
    """A handful of right cases takes fewer calls than the differences of a single one (6 directions, 16 points a tensor)."""
    right = Counted(LocalSubject(Planted(lambda case, arrays: backprop(case_of(case, arrays)))))
    recognition = Recognition(Layout(), default_repertoire(), trusted=False)
    assert list(lawful.broken_laws(right, recognition, 0)) == []
    laws, right.count = right.count, 0
    depth_two = next(c for c in lawful.handful(recognition.repertoire, 0) if c.architecture.depth == 2)
    examine(right, depth_two, Layout(), trusted=False)
    assert 30 < laws < right.count
