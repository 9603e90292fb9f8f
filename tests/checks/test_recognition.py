"""Found out by experiment: layouts, scales, L2 forms, guards, activations that are refused, conventions a file fixes."""

from pathlib import Path

import numpy as np
import pytest

from gradcheck.checks import Wanted, recognise
from gradcheck.checks.recognition import match_scale
from gradcheck.errors import SubjectError, UsageError
from gradcheck.networks import COSTS, activation_named, cost_named
from gradcheck.subjects import LocalSubject, detect, load

ROOT = Path(__file__).parents[2]
FILES = ROOT / "tests" / "subjects" / "files"
TANH = (activation_named("tanh"),)
MSE = (cost_named("mse"),)
SAID = Wanted(TANH, MSE)
COST = "float(np.sum((a[-1] - y) ** 2)) / x.shape[1]"


@pytest.fixture
def recognised(subject_of):
    """recognised(pair or path, wanted) -> the recognition."""

    def run(thing, wanted=SAID):
        file = isinstance(thing, Path)
        return recognise(LocalSubject(detect(load(str(thing)), "student")) if file else subject_of(thing), wanted)

    return run


def conventions(recognition):
    """What was recognised, by name."""
    return {c.what: c.value for c in recognition.conventions}


def in_layout(pair, weights, samples, bias):
    """The same functions for someone who keeps arrays another way."""

    def inward(arrays, biases, x, y):
        W = [w.T if weights == "from_to" else w for w in arrays]
        if bias in ("first_row", "first_column"):
            W, b = [w[:, 1:] for w in W], [w[:, :1] for w in W]
        else:
            b = [v.reshape(-1, 1) for v in biases] if bias != "none" else [np.zeros((len(w), 1)) for w in W]
        turn = np.transpose if samples == "rows" else np.asarray
        return W, b, turn(x), turn(y)

    def loss(weights, biases, x, y, *, activations, cost, l2):
        return pair[0](*inward(weights, biases, x, y), activations=activations, cost=cost, l2=l2)

    def backprop(weights, biases, x, y, *, activations, cost, l2):
        dW, db = pair[1](*inward(weights, biases, x, y), activations=activations, cost=cost, l2=l2)
        if bias in ("first_row", "first_column"):
            dW = [np.hstack([b, w]) for w, b in zip(dW, db, strict=True)]
        dW = [w.T.copy() for w in dW] if from_to else dW
        return dW, [v.reshape(SHAPE[bias]) for v in db] if bias in SHAPE else []

    from_to = weights == "from_to"
    return loss, backprop


SHAPE = {"column": (-1, 1), "vector": (-1,), "row": (1, -1)}
LAYOUTS = [
    ("to_from", "columns", "column"), ("from_to", "rows", "row"), ("to_from", "columns", "vector"),
    ("from_to", "rows", "vector"), ("from_to", "columns", "column"), ("to_from", "rows", "row"),
    ("to_from", "columns", "none"), ("from_to", "rows", "none"),
]  # fmt: skip


@pytest.mark.parametrize(("weights", "samples", "bias"), LAYOUTS)
def test_layouts(recognised, tanh_pair, weights, samples, bias):
    """Orientation of weights and samples; where a column and a vector both run, the gradient's shape decides."""
    pair = in_layout(tanh_pair(("l2 * weights[l]", "l2 * weights[l]")), weights, samples, bias)
    found = recognised(pair)
    assert (found.layout.weights, found.layout.samples, found.trusted) == (weights, samples, True)
    if bias == "none":
        assert found.layout.bias in ("none", "column", "vector", "row")


SCALES = [
    ("1/m", "1 / x.shape[1]"), ("1/(2m)", "0.5 / x.shape[1]"), ("1", "1"), ("1/2", "0.5"), ("2", "2"),
    ("2/m", "2 / x.shape[1]"), ("1/n", "1 / y.shape[0]"), ("1/(2n)", "0.5 / y.shape[0]"), ("1/(m n)", "1 / y.size"),
    ("1/(2 m n)", "0.5 / y.size"), ("3.0 * 1/m", "3 / x.shape[1]"), ("0.1 * 1", "0.1"), ("7.0 * 1/n", "7 / y.shape[0]"),
    ("0.3 * 1/(m n)", "0.3 / y.size"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "factor"), SCALES)
def test_scales(recognised, tanh_pair, name, factor):
    """½, 1/m, n and any constant in front are conventions."""
    pair = tanh_pair((COST, f"float(np.sum((a[-1] - y) ** 2)) * ({factor})"))
    assert conventions(recognised(pair))["cost"] == f"mse · {name}"


def test_a_scale_that_the_caller_said_is_kept(recognised, tanh_pair):
    """Also where the value does not fit it: then the primal check will say so."""
    found = recognised(tanh_pair(), Wanted(TANH, MSE, scale="1/(2m)"))
    assert {h.scale for h in found.repertoire.heads} == {"1/(2m)"}


L2 = [
    ("lambda/2", "l2 / 2"), ("lambda/(2m)", "l2 / (2 * x.shape[1])"), ("lambda", "l2"), ("lambda/m", "l2 / x.shape[1]"),
    ("none", "0 * l2"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "source"), L2)
def test_l2_forms(recognised, tanh_pair, form, source):
    """From the difference that λ makes to the cost."""
    found = recognised(tanh_pair(("penalty = l2 / 2", f"penalty = {source}")))
    assert (found.repertoire.l2_form, found.repertoire.l2_biases) == (form, False)


def test_penalised_biases(recognised, tanh_pair):
    """Σ b² beside Σ W²."""
    pair = tanh_pair(("for W in weights)", "for W in [*weights, *biases])"))
    assert conventions(recognised(pair))["l2"] == "lambda/2 with biases"


def test_an_unknown_l2_term_is_measured_against_the_usual_one(recognised, tanh_pair):
    """Σ|W| is no L2 term: the checks will show it."""
    found = recognised(tanh_pair(("np.sum(W * W)", "np.sum(np.abs(W))")))
    assert found.repertoire.l2_form == "lambda/2"


@pytest.mark.parametrize("guard", ["1e-15", "1e-12", "1e-09", "1e-08", "1e-07", "1e-06"])
def test_guards_of_logarithms(recognised, row_major_pair, guard):
    """ln(a + ε) is a convention, and its ε is told."""
    naive = ("COST_ON_LOGITS = {", "COST_ON_LOGITS: dict = {} if True else {")
    pair = row_major_pair(naive, ("np.log(np.where(y == 0, 1, a))", f"np.log(np.where(y == 0, 1, a) + {guard})"))
    wanted = Wanted((activation_named("softmax"), *TANH), (cost_named("cross_entropy"),))
    said = conventions(recognised(pair, wanted))["cost"]
    assert said.startswith("cross_entropy · 1/m")
    assert guard == "1e-15" or said.endswith(f"guarded by {guard}")


# Subjects that are told names

ONLY_TANH = (
    (
        "    a = [x]\n",
        "    if {*activations} - {'tanh'}:\n        raise NotImplementedError('only tanh')\n    a = [x]\n",
    ),
    ("forward(weights, biases, x)", "forward(weights, biases, x, activations)"),
)


def test_refused_activations_are_kept_with_the_reason(recognised, tanh_pair):
    """What raises NotImplementedError is not supported, and no failure."""
    found = recognised(tanh_pair(*ONLY_TANH), Wanted())
    refused = dict(found.refused)
    assert {f.name for f in found.repertoire.hidden} == {"tanh"}
    assert "only tanh" in refused["relu"]
    assert {h.activation.name for h in found.repertoire.heads} == {"tanh"}


def test_a_crash_on_a_configured_activation_is_the_subjects_failure(recognised, tanh_pair):
    """What the caller named must be taken."""
    pair = tanh_pair(("    a = [x]\n", "    a = [x] if activations[0] == 'tanh' else 1 / 0\n"),
                     ("forward(weights, biases, x)", "forward(weights, biases, x, activations)"))  # fmt: skip
    with pytest.raises(SubjectError, match="ZeroDivisionError"):
        recognised(pair, Wanted((*TANH, activation_named("relu")), MSE))


def test_nothing_runs(recognised, tanh_pair):
    """The first failure is the one that is told."""
    with pytest.raises(SubjectError, match="ZeroDivisionError"):
        recognised(tanh_pair(("    a = [x]\n", "    a = [x / 0 if False else 1 / 0]\n")))


def test_no_cost_fits_the_activations(recognised, tanh_pair):
    """The caller contradicts himself."""
    with pytest.raises(UsageError, match="no cost of cross_entropy is legal behind an output activation of tanh"):
        recognised(tanh_pair(), Wanted(TANH, (cost_named("cross_entropy"),)))


def test_a_cost_in_no_layout_is_noted(recognised, tanh_pair):
    """The subject runs, but its value is the declared one nowhere."""
    found = recognised(tanh_pair((COST, COST + " + 1.0")))
    assert "its cost is the declared one in no layout of weights, samples and biases" in found.notes


def test_every_activation_and_cost_of_the_row_major_reference(recognised, row_major_pair):
    """Nothing is refused, and its ½ in mse is recognised."""
    found = recognised(row_major_pair(), Wanted())
    assert found.refused == ()
    scales = {h.cost.name: h.scale for h in found.repertoire.heads}
    assert scales == {name: "1/(2m)" if name == "mse" else "1/m" for name in COSTS}


# Conventions that a file fixes

FIXED = {
    FILES / "nielsen.py": ("sigmoid", "mse", "1/2"),
    FILES / "nielsen_cost.py": ("sigmoid", "bce", None),
    FILES / "flat_theta.py": ("sigmoid", None, None),
    FILES / "parameter_dict.py": (None, None, None),
    ROOT / "reference" / "theta_bias_unit.py": (None, "mse", "1/m"),
    ROOT / "reference" / "from_to_bias_row.py": ("sigmoid", "mse", "1/m"),
    ROOT / "reference" / "layer_error.py": (None, None, None),
    ROOT / "reference" / "column_vector.py": (None, None, None),
}


@pytest.mark.parametrize("path", FIXED, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_what_a_file_fixes_is_recognised(recognised, path):
    """Activation, cost and scale from values; Nielsen's from its cost_derivative, whose integral is half a square."""
    found = recognised(path, Wanted())
    activation, cost, scale = FIXED[path]
    heads = found.repertoire.heads
    assert found.trusted
    assert activation is None or {h.activation.name for h in heads} == {activation}
    assert cost is None or {h.cost.name for h in heads} == {cost}
    assert scale is None or {h.scale for h in heads} == {scale}


@pytest.mark.parametrize(
    ("derivative", "cost", "scale"),
    [
        ("2 * (output_activations - y)", "mse", "1"),
        ("(output_activations - y)", "mse", "1/2"),
        ("np.sign(output_activations - y)", "mae", "1"),
        ("(output_activations - y) / (output_activations * (1 - output_activations))", "bce", "1"),
    ],
)
def test_nielsens_cost_is_recognised_from_its_derivative(recognised, tmp_path, derivative, cost, scale):
    """It declares no cost at all."""
    source = (FILES / "nielsen.py").read_text()
    path = tmp_path / "network.py"
    path.write_text(source.replace("return output_activations - y", f"return {derivative}"))
    (head,) = recognised(path, Wanted()).repertoire.heads
    assert (head.activation.name, head.cost.name, head.scale) == ("sigmoid", cost, scale)


def test_a_derivative_of_no_known_cost_is_judged_by_the_law(recognised, tmp_path):
    """With a note."""
    source = (FILES / "nielsen.py").read_text()
    path = tmp_path / "network.py"
    path.write_text(source.replace("return output_activations - y", "return (output_activations - y) ** 5"))
    found = recognised(path, Wanted())
    assert not found.trusted
    assert any("whether it is a gradient at all" in note for note in found.notes)


def test_one_layer_does_not_say_how_several_are_unrolled(recognised):
    """A file that puts all weights first runs layer by layer too, and agrees at depth 1; two layers tell."""
    found = recognised(FILES / "flat_sizes.py", Wanted())
    assert found.trusted
    assert found.layout.grouping == "weights_first"
    assert ("unrolled", "all weights, then all biases, C order") in {(c.what, c.value) for c in found.conventions} or (
        "unrolled",
        "all weights, then all biases, F order",
    ) in {(c.what, c.value) for c in found.conventions}


def test_the_seed_changes_nothing_that_is_recognised(subject_of, row_major_pair):
    """Experiments on other numbers give the same answer."""
    subject, wanted = subject_of(row_major_pair()), Wanted((*TANH, activation_named("softmax")))
    first, second = (recognise(subject, wanted, seed) for seed in (1, 2))
    assert conventions(first) == conventions(second)


# The scale of some values


@pytest.fixture
def alike(make_case):
    """Three cases of one network with different m and n."""
    return [make_case(3, n, samples=m, seed=m, output="identity") for n, m in ((2, 5), (5, 7), (2, 2))]


def test_no_values_have_no_scale(alike):
    """Nothing was measured, or nothing finite."""
    assert match_scale(alike, None, None, 1e-8) is None
    assert match_scale(alike, [1.0, np.nan, 2.0], None, 1e-8) is None


def test_values_of_another_cost_have_no_scale(alike):
    """Not even an unusual one."""
    assert match_scale(alike, [1.0, 2.0, 3.0], None, 1e-8) is None


def test_a_cost_that_is_always_zero_has_no_scale(make_case):
    """Softmax of one unit with cross-entropy is 0 whatever the weights: nothing can be told from it."""
    cases = [make_case(3, 1, samples=m, output="softmax", cost="cross_entropy", hard_targets=True) for m in (5, 7, 2)]
    assert match_scale(cases, [0.0, 0.0, 0.0], None, 1e-8) is None
