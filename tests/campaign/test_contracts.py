"""Contracts, through whole verifications: each is broken by one edit, and kept by the neighbour without it."""

import numpy as np
import pytest

import gradcheck

LAYER = """
import numpy as np

KEPT = {}

def relu_forward(x):
    out = np.maximum(x, 0)
    KEPT["x"] = x
    return out, x

def relu_backward(dout, cache):
    return dout * (cache > 0)
"""
EDITS = {
    "cotangent written": ("return dout * (cache > 0)", "dout[cache <= 0] = 0; return dout * 1", "GC201"),
    "clipped in place": ("out = np", "x[np.abs(x) > 9] = 9; out = np", "GC201"),
    "aliases the input": (
        "return dout * (cache > 0)",
        "cache[...] = dout * (cache > 0); return cache",
        "GC201",
    ),
    "global cache": ("(cache > 0)", "(KEPT['x'] > 0) if KEPT['x'].shape == dout.shape else dout * 0", "GC204"),
    "memory order": ("(cache > 0)", "(cache.ravel('K').reshape(cache.shape) > 0)", "GC206"),
    "ignores upstream": ("return dout * (cache > 0)", "return 1.0 * (cache > 0)", "GC208"),
    "clips upstream": ("return dout", "return np.clip(dout, -0.1, 0.1)", "GC207"),
    "constant term": ("(cache > 0)", "(cache > 0) + 0.1 * cache", "GC207"),
    "column of a bias": ("return dout * (cache > 0)", "return (dout * (cache > 0))[:1]", "GC104"),
}


def verified(tmp_path, *edits):
    """The report of the layer with these edits, in this process."""
    source = LAYER
    for old, new in edits:
        assert old in source
        source = source.replace(old, new)
    path = tmp_path / "layer.py"
    path.write_text(source)
    return gradcheck.verify(path, max_examples=16, in_process=True)


def test_the_neighbour_of_all_keeps_every_contract(tmp_path):
    """It even keeps a cache that nobody reads."""
    assert verified(tmp_path).verdict == "pass"


@pytest.mark.parametrize("name", EDITS)
def test_each_contract_is_seen_broken(tmp_path, name):
    """By one edit, with its own code."""
    old, new, code = EDITS[name]
    report = verified(tmp_path, (old, new))
    assert (report.verdict, report.findings[0].code.name) == ("fail", code)


@pytest.mark.parametrize(
    "edit",
    [
        ("return dout * (cache > 0)", "g = dout.copy(); g[cache <= 0] = 0; return g"),
        ("return dout * (cache > 0)", "g = np.array(dout); g *= np.asarray(cache) > 0; return g"),
        ("out = np", "assert x.flags.c_contiguous, 'contiguous arrays only'; out = np"),
        ("return dout * (cache > 0)", "return np.ascontiguousarray(dout) * (np.ascontiguousarray(cache) > 0)"),
        ("return dout * (cache > 0)", "dout *= 1.0; return dout * (cache > 0)"),
        ("return out, x", "return out, out"),
    ],
    ids=[
        "own copy",
        "in place on a copy",
        "refuses strides",
        "contiguous copies",
        "same bytes written",
        "cache is the output",
    ],
)
def test_unusual_but_right_code_raises_no_alarm(tmp_path, edit):
    """In-place but safe, refusing, or rewriting the same bytes."""
    assert verified(tmp_path, edit).findings == ()


X = np.array([0.5, -1.25, 2.0])


@pytest.mark.parametrize(
    ("pullback", "code"),
    [
        (lambda g, x: g * 2 * x, None),
        (lambda g, x: 2 * x, "GC208"),
        (lambda g, x: np.tanh(g) * 2 * x, "GC207"),
        (lambda g, x: g * 2 * x + 0.01, "GC207"),
        (lambda g, x: g * 2 * x.ravel("K").reshape(x.shape)[::-1][::-1], None),
        (lambda g, x: g * np.lib.stride_tricks.as_strided(2 * x, x.shape, (8,)), None),
    ],
)
def test_a_pullback_keeps_the_laws_or_breaks_them(pullback, code):
    """`check_vjp` of x²."""
    report = gradcheck.check_vjp(lambda x: x**2, pullback, [X], max_examples=6)
    assert [f.code.name for f in report.findings] == ([code] if code else [])


def test_a_pullback_that_rests_on_the_last_forward_pass():
    """The arrays that it is handed are others; the neighbour uses them."""
    kept = {}

    def primal(x):
        kept["x"] = x.copy()
        return x**2

    stale = gradcheck.check_vjp(primal, lambda g, x: g * 2 * kept["x"], [X], max_examples=4)
    assert [f.code.name for f in stale.findings] == ["GC204"]
    assert gradcheck.check_vjp(primal, lambda g, x: g * 2 * x, [X], max_examples=4).findings == ()


@pytest.mark.parametrize("x", [np.array(0.5), np.array([[1.0, 2.0]])], ids=["0-d", "one row"])
def test_scalars_and_single_rows_raise_no_alarm(x):
    """Passing a cotangent on included: x + 1."""
    assert gradcheck.check_vjp(lambda x: x + 1, lambda g, x: g, [x], max_examples=4).findings == ()


def test_a_sum_may_hand_its_cotangent_to_both():
    """``return g, g`` for x + y."""
    assert gradcheck.check_vjp(lambda x, y: x + y, lambda g, x, y: (g, g), [X, X], max_examples=4).findings == ()


# Networks: state and memory

NUMPY, RETURN, COST = (
    "import numpy as np\n",
    "    return d_weights, d_biases",
    "float(np.sum((a[-1] - y) ** 2)) / x.shape[1]",
)


TANH = {"activations": ["tanh"], "costs": ["mse"]}


def before_return(*lines):
    """The edit that does something before the gradient is returned."""
    return (RETURN, "".join(f"    {line}\n" for line in lines) + RETURN)


BROKEN = {
    "the loss's cache": ("GC204", [
        (NUMPY, NUMPY + "KEPT = {}\n"), ("    penalty =", "    KEPT['x'] = x.copy()\n    penalty ="),
        before_return("old = KEPT.get('x', x)", "d_weights[0] = d_weights[0] * (old.flat[0] / x.flat[0])"),
    ]),
    "memory order": ("GC206", [before_return("d_weights[0] = d_weights[0] * (1 + np.any(x.ravel('K') != x.ravel()))")]),
    "clipped in place": ("GC201", [before_return("weights[0][np.abs(weights[0]) > 20] = 20")]),
}  # fmt: skip
UNUSUAL = {
    "in place on its own": before_return("x = np.asarray(x) * 1.0", "x -= 5.0"),
    "refuses strides": before_return("assert x.flags.c_contiguous"),
    "writes to copies": before_return("weights = [w.copy() for w in weights]", "weights[0][...] = 0"),
    "a flat buffer of its own": before_return("flat = np.concatenate([g.ravel() for g in d_biases])",
        "ends = np.cumsum([g.size for g in d_biases])[:-1]",
        "d_biases = [v.reshape(-1, 1) for v in np.split(flat, ends)]"),
    "writes the same bytes": before_return("x[...] = x.copy()"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_network_keeps_the_same_contracts(tanh_pair, name):
    """The loss may be called anywhere before the backprop; large weights are drawn by nobody else."""
    code, edits = BROKEN[name]
    assert [f.code.name for f in gradcheck.verify(tanh_pair(*edits), max_examples=12, **TANH).findings] == [code]


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_but_right_networks_raise_no_alarm(tanh_pair, name):
    """Nothing that the caller could notice."""
    assert gradcheck.verify(tanh_pair(UNUSUAL[name]), max_examples=12, **TANH).findings == ()


# The cells of the triangle, and double faults: the words name the culprit

BACKWARD, WORSE = ("(1 - a[l] ** 2)", "(1 - a[l])"), (COST, COST + " + 0.1 * float(a[-1].sum())")
OTHER_COST = [(COST, COST.replace("** 2", "** 4")), ("delta = 2 * (a[-1] - y)", "delta = 4 * (a[-1] - y) ** 3")]
HALVED = [(COST, "0.5 * " + COST), ("delta = 2 *", "delta = 1 *")]
FORWARD = ("np.tanh(W @ a[-1] + b)", "np.tanh(W @ a[-1] + 0.5 * b)")
CELLS = {
    "backward": ([BACKWARD], {"GC402"}),
    "another cost, consistently": (OTHER_COST, {"GC301"}),
    "cost code": ([WORSE], {"GC302"}),
    "a convention, consistently": (HALVED, set()),
    "a convention and recursion": ([*HALVED, BACKWARD], {"GC402"}),
    "cost code and recursion": ([WORSE, BACKWARD], {"GC305"}),
    "forward and backward": ([FORWARD, BACKWARD], {"GC305"}),
    "forward alone": ([FORWARD], {"GC305"}),
    "another cost and recursion": ([*OTHER_COST, BACKWARD], {"GC305"}),
}


@pytest.mark.parametrize("name", CELLS)
def test_the_cell_of_the_triangle_names_the_culprit(tanh_pair, name):
    """Told tanh and mse: which of forward, cost and backward pass is at odds with the other two."""
    edits, codes = CELLS[name]
    report = gradcheck.verify(tanh_pair(*edits), max_examples=30, **TANH)
    assert (report.verdict, {f.code.name for f in report.findings}) == ("fail" if codes else "pass", codes)


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (("delta.sum(axis=1, keepdims=True)", "delta.sum(axis=1, keepdims=x.shape[1] > 1)"), "GC209"),
        (("/ x.shape[1] * (1 -", "/ max(x.shape[1], 2) * (1 -"), "GC209"),
        (before_return("d_weights[0] = d_weights[0] + 1 / 0 if x.shape[1] == 1 else d_weights[0]"), "GC209"),
        (("/ x.shape[1] * (1 -", "/ max(x.shape[1], 1) * (1 -"), None),
        (("delta.sum(axis=1, keepdims=True)", "delta.sum(axis=1)"), "GC104"),
    ],
    ids=["axis dropped", "average over two", "raises", "neighbour", "always"],
)
def test_a_batch_of_one_has_a_name_of_its_own(tanh_pair, edit, code):
    """Only where everything with several samples is right."""
    report = gradcheck.verify(tanh_pair(edit), max_examples=30, **TANH)
    assert [f.code.name for f in report.findings][:1] == ([code] if code else [])
