"""The campaign: crashes, unsupported combinations, unknown costs, operations, notes, and what a run without evidence says."""

from pathlib import Path

import numpy as np
import pytest

import gradcheck
from gradcheck.campaign.functions import example_arguments
from gradcheck.campaign.opening import vocabulary_of
from gradcheck.campaign.session import mentioned, verdict_of
from gradcheck.errors import UsageError
from gradcheck.report import Code, Finding, Tally

FEW = {"activations": ["tanh"], "costs": ["mse"], "max_examples": 15}
FILES = Path(__file__).parents[1] / "subjects" / "files"
RETURN = "    return d_weights, d_biases"
COST = "float(np.sum((a[-1] - y) ** 2)) / x.shape[1]"


def verified(pair, **options):
    """A few cases of tanh with mse."""
    return gradcheck.verify(pair, **{**FEW, **options})


def codes(report):
    """Of its findings."""
    return [f.code.name for f in report.findings]


# Failures of the subject


def test_a_backward_pass_that_raises_is_a_fail(tanh_pair):
    """The forward pass of the same case runs; layers of equal width show that the missing transpose is wrong there too."""
    report = verified(tanh_pair(("(weights[l].T @ delta)", "(weights[l] @ delta)")))
    (finding,) = report.findings
    assert (report.verdict, finding.code.name) == ("fail", "GC402")
    assert (finding.places[0].equation, finding.places[0].layer) == ("BP2", 1)
    assert "raise" in finding.detail


def test_a_backward_pass_that_raises_at_times_is_a_fail_too(tanh_pair):
    """Exceptions only; where the cost runs and only backprop raises, its place is the recursion."""
    report = verified(tanh_pair((RETURN, "    assert L == 1, 'no time for more layers'\n" + RETURN)))
    (finding,) = report.findings
    assert (report.verdict, finding.code.name, finding.places[0].equation) == ("fail", "GC902", "BP2")
    assert len(finding.counterexample["architecture"]["layers"]) == 2


def test_a_wrong_gradient_goes_before_an_exception(tanh_pair):
    """Which is mentioned besides."""
    edits = (("d_biases[l] = delta.sum", "d_biases[l] = 2 * delta.sum"),
             (RETURN, "    assert x.shape[1] != 5, 'five'\n" + RETURN))  # fmt: skip
    report = verified(tanh_pair(*edits))
    assert codes(report)[0] == "GC403"


def test_a_subject_may_take_few_layers_only(tanh_pair):
    """What raises at depth 3 is verified at depths 1 and 2."""
    report = verified(tanh_pair(("    a = [x]\n", "    assert len(weights) < 3, 'two layers'\n    a = [x]\n")))
    assert {p.parameter for p in report.power} == {"W1", "b1", "W2", "b2"}
    assert report.verdict == "pass"


def test_a_forward_pass_that_never_runs_is_an_error(tanh_pair):
    """Nothing could be verified."""
    report = verified(tanh_pair(("    a = [x]\n", "    a = [x / x.sizes]\n")))
    assert report.verdict == "error"
    assert "no attribute 'sizes'" in report.findings[0].detail


def test_unsupported_combinations_are_no_failures(tanh_pair):
    """NotImplementedError says so; the rest is verified."""
    report = verified(tanh_pair((RETURN, "    if l2:\n        raise NotImplementedError('no λ')\n" + RETURN)))
    assert report.verdict == "pass"
    assert report.tally.inconclusive > 0
    assert "does not support" in next(iter(report.tally.reasons))


def test_nothing_but_unsupported_combinations_is_inconclusive(tanh_pair):
    """GC952: no case was evidence."""
    report = verified(tanh_pair((RETURN, "    raise NotImplementedError('later')")))
    assert (report.verdict, codes(report)) == ("inconclusive", ["GC952"])


def test_exit_in_the_middle_ends_the_campaign(tanh_pair):
    """In this process it is a failure, and no end of ours."""
    report = verified(tanh_pair((RETURN, "    raise SystemExit(0)")))
    assert (report.verdict, codes(report)) == ("error", ["GC906"])


# What is measured against what


QUARTIC = (
    ("np.sum(-np.multiply(y, np.log(h)) - np.multiply(1 - y, np.log(1 - h))) / m", "np.sum(np.power(h - y, 4)) / m"),
    ("d3 = h - y", "d3 = 4 * np.multiply(np.power(h - y, 3), np.multiply(h, 1 - h))"),
)
WRONG = ("np.multiply(d3 * theta2, np.multiply(a2, 1 - a2))", "np.multiply(d3 * theta2, a2)")


@pytest.mark.parametrize(("edits", "verdict"), [((), "pass"), ((WRONG,), "fail")], ids=["right", "wrong"])
def test_a_cost_that_nothing_explains_is_judged_by_its_own_differences(tmp_path, edits, verdict):
    """No trusted definition, and still a verdict."""
    source = (FILES / "flat_theta.py").read_text()
    for old, new in (*QUARTIC, *edits):
        assert old in source
        source = source.replace(old, new)
    path = tmp_path / "student.py"
    path.write_text(source)
    report = gradcheck.verify(path, activations=["sigmoid"], max_examples=20, in_process=True)
    assert report.verdict == verdict
    assert {f.rung for f in report.findings} <= {"projection"}


LOG_COSH = (
    (
        '"""A correct network of tanh layers with mse in the functional convention: the neighbour of every planted fault."""',
        "",
    ),
    ('"""Squared error, mean over samples, plus l2/2 of the squared weights."""', ""),
    ("np.sum((a[-1] - y) ** 2)", "np.sum(np.log(np.cosh(a[-1] - y)))"),
)


@pytest.mark.parametrize(("slope", "verdict"), [("np.tanh(a[-1] - y)", "pass"), ("2 * (a[-1] - y)", "fail")])
def test_a_cost_that_is_none_it_is_told_is_judged_by_its_own_differences(tanh_file, slope, verdict):
    """It takes names of costs, and computes another one whatever it is told."""
    path = tanh_file(*LOG_COSH, ("2 * (a[-1] - y)", slope))
    report = gradcheck.verify(path, max_examples=20, in_process=True)
    assert report.verdict == verdict
    assert any("of no activation and cost that it is told" in note for note in report.notes)


def test_the_declared_cost_is_another(tanh_pair):
    """Told mse, computes fourth powers, consistently: the forward pass differs from what is declared."""
    quartic = (COST, COST.replace("** 2", "** 4")), ("delta = 2 * (a[-1] - y)", "delta = 4 * (a[-1] - y) ** 3")
    assert codes(verified(tanh_pair(*quartic))) == ["GC301"]


def test_regularisation_is_named(tanh_pair):
    """λ W twice in the gradient."""
    (finding, *_) = verified(tanh_pair(("+ l2 * weights[l]", "+ 2 * l2 * weights[l]"))).findings
    assert (finding.code.name, finding.places[0].equation) == ("GC304", "regularisation")


def test_single_precision_in_a_float64_subject_is_a_weakness(tanh_pair):
    """A cast on the way: GC601."""
    report = verified(
        tanh_pair(("d_biases[l] = delta", "delta = delta.astype(np.float32) * 1.0\n        d_biases[l] = delta"))
    )
    assert codes(report) == ["GC601"]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_both_precisions(tanh_pair, dtype):
    """The subject gets arrays of that dtype."""
    report = verified(tanh_pair(), dtype=dtype)
    assert report.verdict == "pass"
    assert (min(p.smallest_relative_error for p in report.power) > 1e-9) == (dtype == "float32")


def test_effects_are_found_in_a_campaign(tanh_pair):
    """With the smallest case that shows them."""
    (finding, *_) = verified(tanh_pair((RETURN, "    x += 1.0\n" + RETURN))).findings
    assert (finding.code.name, finding.rung) == ("GC201", "effects")
    assert finding.counterexample["architecture"]["inputs"] == 1


# Operations

LAYERS = """
import numpy as np

def affine_forward(x, w, b):
    return x @ w + b, (x, w)

def affine_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)

def relu_forward(x):
    return np.maximum(x, 0), x

def relu_backward(dout, cache):
    return dout * (cache > 0)

def sigmoid_forward(x):
    a = 1 / (1 + np.exp(-x))
    return a, a

def sigmoid_backward(dout, cache):
    return dout * cache * (1 - cache)
"""


@pytest.fixture
def layers(tmp_path):
    """layers((old, new)) -> path."""

    def write(*edits):
        source = LAYERS
        for old, new in edits:
            assert old in source
            source = source.replace(old, new)
        path = tmp_path / "layers.py"
        path.write_text(source)
        return path

    return write


def test_every_layer_of_a_file_is_verified(layers):
    """Power by layer and argument."""
    report = gradcheck.verify(layers(), max_examples=24, in_process=True)
    assert report.verdict == "pass"
    assert {p.parameter for p in report.power} >= {"affine.x", "affine.w", "affine.b", "relu.x", "sigmoid.x"}


@pytest.mark.parametrize(
    ("edit", "code", "words"),
    [
        (("dout @ w.T, x.T @ dout", "dout @ w.T, 2 * x.T @ dout"), "GC405", "affine: "),
        (("dout * (cache > 0)", "dout * (cache > -1)"), "GC405", "relu: "),
        (("dout * cache * (1 - cache)", "dout * (1 - cache)"), "GC405", "sigmoid: "),
        (("dout.sum(axis=0)", "dout"), "GC104", "affine: "),
        (("return np.maximum(x, 0), x", "return 2 * np.maximum(x, 0), x"), "GC305", "relu: "),
        (("dout * (cache > 0)", "1 / 0"), "GC902", "ZeroDivisionError"),
    ],
)
def test_a_mistake_in_a_layer(layers, edit, code, words):
    """The layer is named."""
    report = gradcheck.verify(layers(edit), max_examples=24, in_process=True)
    assert codes(report) == [code]
    assert words in report.findings[0].detail


@pytest.mark.parametrize("name", ["cache", "a", "s", "out", "z"])
def test_a_cache_may_have_any_name(layers, name):
    """What forward returned second is what backward gets second."""
    edit = (
        "(dout, cache):\n    return dout * cache * (1 - cache)",
        f"(dout, {name}):\n    return dout * {name} * (1 - {name})",
    )
    assert gradcheck.verify(f"{layers(edit)}:sigmoid", max_examples=8, in_process=True).verdict == "pass"


def test_a_layer_that_cannot_be_run_at_all(layers):
    """An error with its own message."""
    report = gradcheck.verify(
        layers(("    return np.maximum(x, 0), x", "    raise KeyError('z')")), max_examples=8, in_process=True
    )
    assert report.verdict == "error"
    assert "KeyError" in report.findings[0].detail


def test_one_layer_of_a_file(layers):
    """`file.py:relu` is relu_forward and relu_backward."""
    report = gradcheck.verify(f"{layers()}:relu", max_examples=8, in_process=True)
    assert {p.parameter for p in report.power} == {"relu.x"}


# The pieces


@pytest.mark.parametrize(
    ("verdicts", "tally", "expected"),
    [
        ((), Tally(3, 9), "pass"), ((), Tally(), "inconclusive"), ((), Tally(3, 0), "inconclusive"),
        (("inconclusive",), Tally(3, 9), "inconclusive"), (("inconclusive", "error"), Tally(3, 9), "error"),
        (("error", "fail"), Tally(3, 9), "fail"),
    ],
)  # fmt: skip
def test_the_worst_finding_is_the_verdict(verdicts, tally, expected):
    """Without findings: pass where something was checked."""
    assert verdict_of([Finding(Code.GC951, v, "evidence", "") for v in verdicts], tally) == expected


def test_words_of_the_source(tanh_file, tanh_pair):
    """Whether a name stands in it; None where there is no source."""
    from gradcheck.campaign.opening import Target

    names = mentioned(Target(str(tanh_file()), None))
    assert (names("tanh"), names("relu")) == (True, False)
    assert mentioned(Target(None, None, tanh_pair())) is None


def test_a_vocabulary_from_names_functions_and_objects():
    """Own definitions by name, the rest as said."""

    def swish(z):
        return z

    mine = gradcheck.Activation("mine", swish)
    words, names, costs = vocabulary_of([mine, swish, "tanh"], "mse, mae")
    assert (names, costs) == (["mine", "swish", "tanh"], ["mse", "mae"])
    assert words.activation("swish").function is swish
    assert words.activation("mine") == mine


@pytest.mark.parametrize(
    ("arguments", "names"),
    [(np.ones(2), ["argument 0"]), ([np.ones(2), 3], ["argument 0", "argument 1"]), ({"p": [1.0, 2.0]}, ["p"])],
)
def test_example_arguments_are_named(arguments, names):
    """One array, a sequence, or a mapping."""
    (example,) = example_arguments(arguments, 5, 0)
    assert [n for n, _ in example] == names


def test_example_arguments_must_be_numbers():
    """The message names the argument."""
    with pytest.raises(UsageError, match=r"no array .*; got a: str 'x'"):
        example_arguments({"a": "x"}, 1, 0)
