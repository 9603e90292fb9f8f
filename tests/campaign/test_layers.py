"""Pairs of any layer: the references pass, faults are placed and named, unknown layers are judged by differences."""

from pathlib import Path

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
    assert any(note.startswith(f"{path.stem}: {path.stem}") for note in report.notes) or path.stem == "affine"


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
