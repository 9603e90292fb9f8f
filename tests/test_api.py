"""The public functions: verify, replay and check_vjp, on files, objects and pairs."""

import json
import sys

import numpy as np
import pytest
from hypothesis import strategies as st

import gradcheck

WRONG_RECURSION = ("(1 - a[l] ** 2)", "(1 - a[l])")
FEW = {"activations": ["tanh"], "costs": ["mse"], "max_examples": 20}


def cells(report):
    """Everything in a report but the clock, and whether the oracle was audited in this run or in an earlier one."""
    data = report.to_json()
    for key in ("seconds", "audited"):
        data["environment"].pop(key)
    return data


def replayed(report, *target, **options):
    """Replay a report as it comes out of its file."""
    return gradcheck.replay(json.loads(json.dumps(report.to_json())), *target, **options)


# verify


@pytest.mark.parametrize("form", ["pair", "mapping", "module file", "path"])
def test_what_can_be_verified(tanh_pair, tanh_file, form):
    """A (loss, backprop) pair, members by name, and a file as text or Path."""
    loss, backprop = tanh_pair()
    target = {
        "pair": (loss, backprop),
        "mapping": {"loss": loss, "backprop": backprop},
        "module file": str(tanh_file()),
        "path": tanh_file(),
    }[form]
    assert gradcheck.verify(target, **FEW).verdict == "pass"


def test_a_planted_fault_fails_with_its_place_and_a_small_case(tanh_pair):
    """BP2 of layer 1 in a network of two layers, every width 1 or 2, with the bound and both values."""
    finding, *_ = gradcheck.verify(tanh_pair(WRONG_RECURSION), **FEW).findings
    worst = finding.discrepancies[0]
    assert [(p.equation, p.layer) for p in finding.places] == [("BP2", 1)]
    assert len(finding.counterexample["architecture"]["layers"]) == 2
    assert abs(worst.claimed - worst.expected) > worst.bound > 0


def test_a_static_class_and_an_object_in_it(tanh_file):
    """`file.py:Object` and object= name the same thing."""
    path = tanh_file()
    source = path.read_text() + "\n\nclass Net:\n    loss = staticmethod(loss)\n    backprop = staticmethod(backprop)\n"
    path.write_text(source)
    assert gradcheck.verify(f"{path}:Net", **FEW).verdict == "pass"
    assert gradcheck.verify(path, object="Net", **FEW).subject.object == "Net"


def test_the_same_seed_gives_the_same_report(tanh_file):
    """To the last digit, apart from the seconds."""
    path = tanh_file(WRONG_RECURSION)
    first, second = (gradcheck.verify(path, seed=7, in_process=True, **FEW) for _ in range(2))
    assert cells(first) == cells(second)


def test_isolation_changes_nothing_but_the_process(tanh_file):
    """The same report from the child process and from this one."""
    for edits in ((), (WRONG_RECURSION,)):
        path = tanh_file(*edits)
        there, here = (gradcheck.verify(path, in_process=p, **FEW) for p in (False, True))
        assert cells(there) == cells(here)


@pytest.mark.parametrize("options", [{"in_process": True}, {}], ids=["in process", "own definitions"])
def test_the_import_path_is_left_as_it_was(tanh_file, own, options):
    """A random.py beside the file must not be what we, or the next child process, import."""
    before = list(sys.path)
    activations = ["tanh"] if options else [f"{own}:swish", "tanh"]
    gradcheck.verify(tanh_file(), **{**FEW, **options, "activations": activations, "max_examples": 5})
    assert sys.path == before


def test_progress_counts_to_the_number_of_examples(tanh_pair):
    """(cases done, cases in all)."""
    seen = []
    gradcheck.verify(tanh_pair(), progress=lambda done, total: seen.append((done, total)), **FEW)
    assert seen[-1] == (20, 20)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_budget_that_is_used_up_is_inconclusive(tanh_pair):
    """Nothing checked is no pass."""
    report = gradcheck.verify(tanh_pair(), budget=1e-9, **FEW)
    assert (report.verdict, report.tally.cases) == ("inconclusive", 0)
    assert report.findings[0].code.name == "GC951"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_examples": 0}, "max_examples must be more than 0; got 0"),
        ({"time_limit": -1.0}, "time_limit must be more than 0"),
        ({"budget": 0}, "budget must be more than 0"),
        ({"activations": ["tnah"]}, "did you mean 'tanh'"),
        ({"costs": ["mes"]}, "did you mean 'mse'"),
        ({"convention": "functionl"}, "did you mean 'functional'"),
        ({"weights": "sideways"}, "unknown value of weights 'sideways'"),
        ({"activations": [3]}, "expected a name, a function or a gradcheck.Activation; got int: 3"),
        ({"activations": ["sigmoid"], "costs": ["cross_entropy"]}, "no cost of cross_entropy is legal"),
        ({"activations": "no_such_file.py:swish"}, "no such file: no_such_file.py"),
    ],
)
def test_the_callers_mistakes_are_usage_errors(tanh_pair, options, message):
    """With what was given and what was expected."""
    with pytest.raises(gradcheck.UsageError) as caught:
        gradcheck.verify(tanh_pair(), **options)
    assert message in str(caught.value)


def test_two_objects_are_a_usage_error(tanh_file):
    """One in the path, another as an option."""
    with pytest.raises(gradcheck.UsageError, match="two objects were named: 'A' in the path and 'B'"):
        gradcheck.verify(f"{tanh_file()}:A", object="B")


def test_an_unknown_attribute_is_an_attribute_error():
    """The module's own late names do not hide typing errors."""
    with pytest.raises(AttributeError, match="no attribute 'verfy'"):
        _ = gradcheck.verfy


def test_the_late_names_are_there():
    """Their modules are imported when they are first used."""
    assert gradcheck.Activation("f", np.tanh).name == "f"
    assert gradcheck.Cost("c", np.sum).name == "c"
    assert gradcheck.Report.__name__ == "Report"
    assert gradcheck.strategies.cases is not None


# replay


def test_replay_says_still_failing_then_fixed(tanh_file):
    """The report names the file; the case is run on it as it is now."""
    report = gradcheck.verify(tanh_file(WRONG_RECURSION), **FEW)
    assert replayed(report).outcome == "still failing"
    tanh_file()
    result = replayed(report)
    assert (result.outcome, result.report.verdict) == ("fixed", "pass")


def test_replay_of_a_bare_case_on_another_subject(tanh_file):
    """A case carries everything but the subject."""
    report = gradcheck.verify(tanh_file(WRONG_RECURSION), **FEW)
    case = report.findings[0].counterexample
    assert gradcheck.replay(case, tanh_file()).outcome == "fixed"
    assert gradcheck.replay(case, tanh_file(WRONG_RECURSION), in_process=True).outcome == "still failing"


def test_replay_keeps_the_object_of_the_report(tanh_file):
    """Also when the file has moved."""
    path = tanh_file(WRONG_RECURSION)
    path.write_text(
        path.read_text() + "\n\nclass Net:\n    loss = staticmethod(loss)\n    backprop = staticmethod(backprop)\n"
    )
    report = gradcheck.verify(path, object="Net", **FEW)
    moved = path.rename(path.with_name("moved.py"))
    result = replayed(report, moved)
    assert (result.outcome, result.report.subject.object) == ("still failing", "Net")


def test_replay_of_a_subject_that_no_longer_loads_is_an_error(tanh_file):
    """Neither fixed nor failing."""
    path = tanh_file(WRONG_RECURSION)
    report = gradcheck.verify(path, **FEW)
    path.write_text("def loss(:\n")
    result = replayed(report)
    assert result.outcome == "error"
    assert "SyntaxError" in result.message


def test_replay_of_a_subject_that_raises_now_is_an_error(tanh_file):
    """The message is its own."""
    report = gradcheck.verify(tanh_file(WRONG_RECURSION), **FEW)
    tanh_file(("    return d_weights, d_biases", "    raise RuntimeError('half-way')"))
    result = replayed(report)
    assert result.outcome == "error"
    assert "half-way" in result.message


def test_replay_of_a_case_of_one_layer(tmp_path):
    """The counterexample of an operation is repeated too."""
    source = (
        "import numpy as np\n\n"
        "def relu_forward(x):\n    return np.maximum(x, 0), x\n\n"
        "def relu_backward(dout, cache):\n    return dout * (cache > 0)\n"
    )
    path = tmp_path / "layers.py"
    path.write_text(source.replace("(cache > 0)", "1.0"))
    report = gradcheck.verify(path, max_examples=20)
    assert report.verdict == "fail"
    assert replayed(report).outcome == "still failing"
    path.write_text(source)
    assert replayed(report).outcome == "fixed"


def test_a_pass_has_nothing_to_replay(tanh_file):
    """It is a usage error that says so."""
    report = gradcheck.verify(tanh_file(), **FEW)
    with pytest.raises(gradcheck.UsageError, match="holds no counterexample"):
        replayed(report)


def test_a_report_of_an_object_in_memory_needs_a_target(tanh_pair, tanh_file):
    """Its path is no path."""
    report = gradcheck.verify(tanh_pair(WRONG_RECURSION), **FEW)
    with pytest.raises(gradcheck.UsageError, match="names no file"):
        replayed(report)
    assert replayed(report, tanh_file(WRONG_RECURSION)).outcome == "still failing"


@pytest.mark.parametrize("source", [{}, {"kind": "operation"}, {"architecture": 3}])
def test_what_is_no_case_cannot_be_replayed(tanh_file, source):
    """A usage error with what is missing."""
    with pytest.raises(gradcheck.UsageError, match="not a"):
        gradcheck.replay(source, tanh_file())


# A user's own activation and cost

OWN = '''
import jax.numpy as jnp


def swish(z):
    """z sigmoid(z), traceable by jax."""
    return z / (1 + jnp.exp(-z))


def quartic(a, y):
    """The sum of fourth powers."""
    return jnp.sum((a - y) ** 4)
'''
SWISH = (
    ("np.tanh(W @ a[-1] + b)", "swish(W @ a[-1] + b)"),
    ("    a = [x]\n", "    a, z = [x], []\n"),
    ("        a.append(", "        z.append(W @ a[-1] + b)\n        a.append("),
    ("    return a\n", "    return a, z\n\n\ndef swish(z):\n    return z / (1 + np.exp(-z))\n\n\n"
     "def slope(z):\n    s = 1 / (1 + np.exp(-z))\n    return s + z * s * (1 - s)\n"),
    ("a = forward(weights, biases, x)\n", "a, z = forward(weights, biases, x)\n"),
    ("a, L = forward(weights, biases, x), len(weights)", "(a, z), L = forward(weights, biases, x), len(weights)"),
    ("** 2)) / x.shape[1]", "** 4)) / x.shape[1]"),
    ("2 * (a[-1] - y) / x.shape[1] * (1 - a[-1] ** 2)", "4 * (a[-1] - y) ** 3 / x.shape[1] * slope(z[-1])"),
    ("(1 - a[l] ** 2)", "(slope(z[l - 1]) if l else 1)"),
)  # fmt: skip


@pytest.fixture
def own(tmp_path):
    """The file of the user's own definitions."""
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


def test_own_definitions_by_file_and_name(tanh_file, own):
    """They work in verification, are named in the report with their source, and come back in replay."""
    said = {"activations": f"{own}:swish", "costs": f"{own}:quartic", "max_examples": 20}
    assert gradcheck.verify(tanh_file(*SWISH), **said).verdict == "pass"
    report = gradcheck.verify(tanh_file(*SWISH, ("slope(z[l - 1])", "swish(z[l - 1])")), **said)
    architecture = report.findings[0].counterexample["architecture"]
    assert (report.verdict, architecture["cost"]["source"]) == ("fail", f"{own}:quartic")
    assert {layer["activation"] for layer in architecture["layers"]} == {"swish"}
    assert replayed(report).outcome == "still failing"
    tanh_file(*SWISH)
    assert replayed(report).outcome == "fixed"


def test_own_definitions_as_functions_and_objects(tanh_pair, own):
    """Plain jax.numpy functions, or gradcheck.Activation and gradcheck.Cost with more to say."""
    members = {}
    exec(OWN, members)
    swish, quartic = members["swish"], members["quartic"]
    pair = tanh_pair(*SWISH)
    assert gradcheck.verify(pair, activations=[swish], costs=[quartic], max_examples=15).verdict == "pass"
    said = {"activations": [gradcheck.Activation("swish", swish)], "costs": [gradcheck.Cost("quartic", quartic)]}
    report = gradcheck.verify(pair, max_examples=15, **said)
    assert report.verdict == "pass"
    assert {c.what: c.value for c in report.conventions}["cost"] == "quartic · 1/m"


def test_an_own_definition_that_the_file_does_not_have(tanh_pair, own):
    """The message says what was looked for."""
    with pytest.raises(gradcheck.UsageError, match="defines no 'swosh'"):
        gradcheck.verify(tanh_pair(), activations=[f"{own}:swosh"])


# check_vjp


def softmax(x):
    """Over axis 0."""
    e = np.exp(x - x.max(axis=0))
    return e / e.sum(axis=0)


def softmax_pullback(g, x):
    """Jᵀ g."""
    a = softmax(x)
    return a * (g - (a * g).sum(axis=0))


X = np.array([[0.3, -1.0], [0.8, 0.1], [-0.5, 2.0]])


def test_check_vjp_passes_a_right_pullback():
    """Against differences of its own primal, and with power."""
    report = gradcheck.check_vjp(softmax, softmax_pullback, X)
    assert (report.verdict, report.tally.cases) == ("pass", 50)
    assert report.power[0].smallest_relative_error < 1e-6


@pytest.mark.parametrize(
    "pullback",
    [
        lambda g, x: softmax(x) * g,
        lambda g, x: np.zeros_like(x),
        lambda g, x: softmax_pullback(g, x) * (1 + 1e-6),
        lambda g, x: -softmax_pullback(g, x),
    ],
    ids=["diagonal", "zero", "a millionth too large", "sign"],
)
def test_check_vjp_fails_a_wrong_one(pullback):
    """A zero softmax backward, which passes under a sum, fails here: cotangents are Gaussian."""
    report = gradcheck.check_vjp(softmax, pullback, X)
    assert report.verdict == "fail"
    assert report.findings[0].code.name == "GC405"


def test_check_vjp_of_several_arguments_by_name():
    """One cotangent each, in order; the wrong one is named."""

    def affine(x, w):
        return w @ x

    example = {"x": np.ones((3, 2)), "w": np.arange(12.0).reshape(4, 3)}
    assert gradcheck.check_vjp(affine, lambda g, x, w: (w.T @ g, g @ x.T), example).verdict == "pass"
    report = gradcheck.check_vjp(affine, lambda g, x, w: (w.T @ g, 2 * g @ x.T), example)
    assert {d.parameter for d in report.findings[0].discrepancies} == {"w"}


def test_check_vjp_takes_a_strategy():
    """Its examples keep their own shapes."""
    shapes = st.tuples(st.integers(1, 4), st.integers(1, 3))
    arrays = shapes.map(lambda s: [np.linspace(-1.0, 1.0, s[0] * s[1]).reshape(s)])
    assert gradcheck.check_vjp(softmax, softmax_pullback, arrays, max_examples=20).verdict == "pass"


def test_check_vjp_with_a_jax_reference():
    """The same function in jax.numpy brings jax.grad in: a wrong forward pass shows."""
    import jax

    def reference(x):
        return jax.nn.softmax(x, axis=0)

    right = gradcheck.check_vjp(softmax, softmax_pullback, X, reference=reference, max_examples=10)
    assert right.verdict == "pass"
    wrong = gradcheck.check_vjp(
        lambda x: 2 * softmax(x), lambda g, x: 2 * softmax_pullback(g, x), X, reference=reference, max_examples=10
    )
    assert [f.code.name for f in wrong.findings] == ["GC301"]


def test_check_vjp_of_a_scalar_function():
    """A number out is an array of shape ()."""
    report = gradcheck.check_vjp(lambda x: float(np.sum(x**3)), lambda g, x: g * 3 * x**2, X, max_examples=10)
    assert report.verdict == "pass"


@pytest.mark.parametrize(
    ("pullback", "code"),
    [
        (lambda g, x: (g, g), "GC102"),
        (lambda g, x: softmax_pullback(g, x).T, "GC104"),
        (lambda g, x: None, "GC103"),
        (lambda g, x: g.__imul__(2.0) + softmax_pullback(g, x), "GC201"),
    ],
    ids=["count", "shape", "type", "mutation"],
)
def test_check_vjp_names_what_is_no_pullback(pullback, code):
    """Structure and effects come before values."""
    report = gradcheck.check_vjp(softmax, pullback, X, max_examples=5)
    assert [f.code.name for f in report.findings] == [code]


def test_check_vjp_reports_a_pullback_that_raises():
    """As a failure of the subject."""

    def pullback(g, x):
        raise RuntimeError("not today")

    report = gradcheck.check_vjp(softmax, pullback, X, max_examples=5)
    assert report.verdict in ("error", "fail")
    assert "not today" in report.findings[0].detail


@pytest.mark.parametrize("arguments", [[], {}, ["text"], [None], "abc"])
def test_check_vjp_needs_arrays(arguments):
    """The message says what it got."""
    with pytest.raises(gradcheck.UsageError):
        gradcheck.check_vjp(softmax, softmax_pullback, arguments)
