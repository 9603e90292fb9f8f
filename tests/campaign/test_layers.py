"""Pairs of any layer: the references pass, faults are placed and named, unknown layers are judged by differences."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

import gradcheck
from gradcheck.faults.layers import FAULTS, planted
from gradcheck.networks.layers import LAYERS

REFERENCES = sorted((Path(__file__).parents[2] / "reference" / "layers").glob("*.py"))


def verify(functions, **options):
    """A quick verification of a mapping of functions."""
    return gradcheck.verify(functions, max_examples=8, **options)


def broken(name):
    """The reference functions with a fault of the catalogue planted."""
    fault = next(f for f in FAULTS if f.name == name)
    return {n: f for n, f in planted(fault).items() if n.startswith(f"{fault.layer}_")}


@pytest.mark.parametrize("path", REFERENCES, ids=lambda p: p.stem)
def test_a_reference_passes(path):
    """And it is recognised as the layer that its file is named after."""
    report = gradcheck.verify(path, max_examples=8, in_process=True)
    assert report.verdict == "pass", report.findings
    assert any(note.startswith(f"{path.stem}: {path.stem}") for note in report.notes) or path.stem in (
        "affine",
        "activations",
    )


def test_every_layer_has_a_reference():
    """Softmax is among the activations."""
    assert set(LAYERS) - {p.stem for p in REFERENCES} == {"softmax"}


@pytest.mark.parametrize(
    ("fault", "places"),
    [
        ("lstm_dh_reset", {"gradient of wx", "gradient of h0"}),
        ("rnn_h0_is_zero", {"gradient of wh"}),
        ("mha_wq_uses_dk", {"gradient of wq"}),
        ("mha_no_value_path", {"gradient of x"}),
        ("bn_no_gamma", {"gradient of x"}),
    ],
)
def test_a_fault_is_placed_and_named(fault, places):
    """The argument that is wrong, and the catalogue's name."""
    finding = verify(broken(fault)).findings[0]
    assert places <= {p.equation for p in finding.places}
    assert fault in [e.fault for e in finding.explanations]


@pytest.mark.parametrize(
    ("fault", "gate"),
    [
        ("lstm_forget_no_prime", "f"),
        ("lstm_candidate_sigmoid", "g"),
        ("gru_z_swapped", "z"),
        ("gru_reset_no_prime", "r"),
    ],
)
def test_the_gate_is_named(fault, gate):
    """At one step only its own columns are wrong."""
    places = {p.equation for p in verify(broken(fault)).findings[0].places}
    assert {f"gradient of {n} (gate {gate})" for n in ("wx", "wh", "b")} <= places


def test_settings_in_one_dict():
    """conv_param, in the style of cs231n, with the customary suffix of a slow version."""
    reference = {}
    exec((REFERENCES[0].parent / "conv2d.py").read_text(), reference)

    def conv_forward_naive(x, w, b, conv_param):
        return reference["conv2d_forward"](x, w, b, conv_param["stride"], conv_param["pad"])

    def conv_backward_naive(dout, cache):
        return reference["conv2d_backward"](dout, cache)

    pair = {"conv_forward_naive": conv_forward_naive, "conv_backward_naive": conv_backward_naive}
    report = verify(pair)
    assert report.verdict == "pass"
    assert "conv_naive: conv2d, dilation = 1, groups = 1" in report.notes


def test_a_forward_pass_of_no_layer_is_judged_by_differences():
    """x cubed: the right backward passes, the wrong one fails."""

    def cube_forward(x):
        return x**3, x

    right = {"cube_forward": cube_forward, "cube_backward": lambda dout, x: 3 * x**2 * dout}
    wrong = {"cube_forward": cube_forward, "cube_backward": lambda dout, x: 2 * x**2 * dout}
    report = verify(right)
    assert report.verdict == "pass"
    assert any("no trusted layer" in note for note in report.notes)
    assert verify(wrong).verdict == "fail"


def test_a_stated_layer_must_fit_the_signature():
    """The message lists those that fit."""
    pair = {"f_forward": lambda x: (x, x), "f_backward": lambda dout, cache: dout * 1.0}
    with pytest.raises(gradcheck.UsageError, match="--layer lstm"):
        verify(pair, layer="lstm")


def test_a_stated_layer_that_is_not_it_fails():
    """The output is compared with the stated layer's."""
    pair = {"f_forward": lambda x: (2 * x, x), "f_backward": lambda dout, cache: 2 * dout}
    assert verify(pair).verdict == "pass"
    assert verify(pair, layer="l2_normalise").findings[0].code.name == "GC301"


def reference(name):
    """The functions of a reference file."""
    scope = {"__name__": name}
    exec(compile((REFERENCES[0].parent / f"{name}.py").read_text(), f"{name}.py", "exec"), scope)
    return scope[f"{name}_forward"], scope[f"{name}_backward"]


def last(a):
    """NCHW -> NHWC."""
    return a.transpose(0, 2, 3, 1)


def first(a):
    """NHWC -> NCHW."""
    return a.transpose(0, 3, 1, 2)


def convolution_of_channels_last(wrong=False):
    """x (n, h, w, c), w (kh, kw, c, f), b (1, 1, 1, f); square kernels only."""
    forward, backward = reference("conv2d")

    def conv_forward(A_prev, W, b, hparameters):
        assert W.shape[0] == W.shape[1]
        assert b.ndim == 4
        y, cache = forward(
            first(A_prev), W.transpose(3, 2, 0, 1), b[0, 0, 0], hparameters["stride"], hparameters["pad"]
        )
        return last(y), (cache, b)

    def conv_backward(dZ, cache):
        dx, dw, db = backward(first(dZ), cache[0])
        dw = dw.transpose(3, 2, 1, 0) if wrong else dw.transpose(2, 3, 1, 0)
        return last(dx), dw, db.reshape(cache[1].shape)

    return {"conv_forward": conv_forward, "conv_backward": conv_backward}


def pooling_of_channels_last(wrong=False):
    """The settings in a dictionary, under other names; a stride that the backward pass may forget."""
    forward, backward = reference("max_pool")

    def pool_forward(A_prev, hparameters, mode="max"):
        assert mode == "max"
        y = forward(first(A_prev), hparameters["f"], hparameters["stride"])[0]
        return last(y), (A_prev, hparameters)

    def pool_backward(dA, cache):
        x, hparameters = first(cache[0]), cache[1]
        y, saved = forward(x, hparameters["f"], 1 if wrong else hparameters["stride"])
        upstream = y * 0
        upstream[:, :, : dA.shape[1], : dA.shape[2]] = first(dA)
        return last(backward(upstream, saved))

    return {"pool_forward": pool_forward, "pool_backward": pool_backward}


def recurrent(name, order, wrong=False):
    """x (t, n, d), weights (to, from), gates in this order; a wrong one has the first two gates' gradients swapped."""
    forward, backward = reference(name)
    usual = {"lstm": "ifog", "gru": "rzn", "rnn": ""}[name]

    def gates(a, there, back):
        if not there:
            return a
        pieces = dict(zip(there, np.split(a, len(there), axis=-1), strict=True))
        return np.concatenate([pieces[g] for g in back], axis=-1)

    def run_forward(x, h0, Wx, Wh, b):
        held = [gates(a, order, usual) for a in (Wx.T, Wh.T, b)]
        c0 = [np.zeros_like(h0)] if name == "lstm" else []
        y, cache = forward(x.transpose(1, 0, 2), h0, *held, *c0)
        return y.transpose(1, 0, 2), cache

    def run_backward(dh, cache):
        dx, dh0, dwx, dwh, db = backward(dh.transpose(1, 0, 2), cache)[:5]
        back = order[1::-1] + order[2:] if wrong and order else order
        dwx, dwh, db = (gates(a, usual, back) for a in (dwx, dwh, db))
        return dx.transpose(1, 0, 2), dh0, dwx.T, dwh.T * (0.5 if wrong else 1.0), db

    return {f"{name}_forward": run_forward, f"{name}_backward": run_backward}


@pytest.mark.parametrize(
    ("make", "note"),
    [
        (convolution_of_channels_last, "conv2d, layout = nhwc"),
        (pooling_of_channels_last, "max_pool, layout = nhwc"),
        (partial(recurrent, "rnn", ""), "rnn, time_major = True, weights = to_from"),
        (partial(recurrent, "lstm", "figo"), "lstm, time_major = True, weights = to_from, gates = figo"),
        (partial(recurrent, "gru", "zrn"), "gru, time_major = True, weights = to_from, gates = zrn"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_other_layouts_are_recognised(make, note):
    """By experiment, and the gradient is judged in them."""
    right = verify(make())
    assert right.verdict == "pass", right.findings
    assert any(note in n for n in right.notes)
    assert verify(make(wrong=True)).verdict == "fail"


def test_a_fault_is_named_in_another_layout():
    """The pooling that takes the size for the stride, in NHWC."""
    functions = planted(next(f for f in FAULTS if f.name == "max_pool_stride_is_size"))

    def pool_forward(x, size, stride):
        y, cache = functions["max_pool_forward"](first(x), size, stride)
        return last(y), cache

    def pool_backward(dout, cache):
        return last(functions["max_pool_backward"](first(dout), cache))

    (finding,) = verify({"pool_forward": pool_forward, "pool_backward": pool_backward}).findings
    assert [e.fault for e in finding.explanations] == ["max_pool_stride_is_size"]


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "pass"), (1 + 1e-6, "fail")])
def test_a_layer_of_no_name_is_granted_the_rounding_it_shows(factor, verdict):
    """Ten digits are lost where a million is added and taken away; what is left says how much would have been seen."""

    def odd_forward(x):
        return np.sin(x) * x, x

    def odd_backward(dout, x):
        return dout * factor * ((np.sin(x) + x * np.cos(x) + 1e6) - 1e6)

    report = gradcheck.verify({"odd_forward": odd_forward, "odd_backward": odd_backward}, max_examples=20)
    assert report.verdict == verdict
    assert all(1e-12 < p.smallest_relative_error < 1e-8 for p in report.power)
