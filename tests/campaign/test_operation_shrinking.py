"""Layers break at their smallest sizes and simplest settings, and show the same finding there at numbers for a pencil."""

import json

import numpy as np
import pytest

import gradcheck
from gradcheck.campaign.minimising import short
from gradcheck.faults.layers import FAULTS, planted
from gradcheck.networks import case_from_json


def shown(functions, **options):
    """The first finding of functions, with its case."""
    finding = gradcheck.verify(functions, max_examples=12, **options).findings[0]
    return finding, case_from_json(finding.counterexample)


def broken(name):
    """The reference functions with a fault of the catalogue planted."""
    fault = next(f for f in FAULTS if f.name == name)
    return {n: f for n, f in planted(fault).items() if n.startswith(f"{fault.layer}_")}


def numbers(case):
    """All numbers of a case."""
    return np.concatenate([np.ravel(a) for a in (*case.arguments.values(), case.cotangent)])


@pytest.mark.parametrize(
    ("fault", "most", "settings"),
    [
        ("conv_dw_ignores_stride", 12, {"dilation": 1, "stride": 2, "pad": 0, "groups": 1}),
        ("conv_first_group", 12, {"dilation": 1, "stride": 1, "groups": 2}),
        ("conv_dx_padding_kept", 8, {"pad": 1}),
        ("lstm_forget_no_prime", 16, {}),
        ("rnn_h0_missing", 5, {}),
        ("bn_unbiased", 4, {}),
    ],
)
def test_a_layer_breaks_at_its_smallest_sizes(fault, most, settings):
    """Few numbers, all short, with just the setting that the mistake needs; and it keeps its name."""
    finding, case = shown(broken(fault))
    assert sum(a.size for a in case.arguments.values()) <= most
    assert short(numbers(case)).all()
    assert {n: case.fixed[n] for n in settings} == settings
    assert fault in [e.fault for e in finding.explanations]


def test_two_steps_are_shown_where_one_does_not_show_it():
    """A gradient that is cut off after one step."""
    _, case = shown(broken("rnn_truncated"))
    assert case.arguments["x"].shape == (1, 2, 1)


def test_zeros_make_no_ties():
    """The windows of a maximum keep one largest value each: at ties every convention differs from every other."""
    finding, case = shown(broken("max_pool_everywhere"))
    x = case.arguments["x"][0, 0]
    for i, j in np.ndindex(2, 2):
        window = np.sort(x[i : i + 2, j : j + 2].ravel())
        assert window[-1] > window[-2]
    assert {d.expected for d in finding.discrepancies} <= {0.0, 1.0}


def test_a_variance_of_zero_is_no_example():
    """There everything is a few hundred times as large, and means nothing."""
    finding, _ = shown(broken("bn_no_gamma"))
    assert max(abs(d.claimed) for d in finding.discrepancies) < 20


def test_an_activation_at_a_simple_number():
    """tanh′ from 1 − a: at 1, with a cotangent of 1."""
    pair = {"tanh_forward": lambda x: (np.tanh(x),) * 2, "tanh_backward": lambda dout, y: dout * (1 - y)}
    _, case = shown(pair)
    assert (case.arguments["x"].tolist(), case.cotangent.tolist()) == ([[1]], [[1]])


def test_who_ignores_the_upstream_gradient_is_shown_where_it_is_not_one():
    """Nor zero: at one the gradient is right."""
    finding, case = shown(broken("ce_ignores_upstream"))
    assert finding.code.name == "GC208"
    assert float(case.cotangent) not in (0.0, 1.0)


def test_a_relu_stays_off_its_kink():
    """Zero would be the simplest number."""
    pair = {"relu_forward": lambda x: (np.maximum(x, 0), x), "relu_backward": lambda dout, x: dout * (x > -1)}
    _, case = shown(pair)
    assert np.abs(case.arguments["x"]).min() >= 0.02


def test_a_case_on_a_kink_stays_on_it():
    """A slope of 1.5 at 0, which is right everywhere else."""
    slope = lambda x: np.where(x == 0, 1.5, (x > 0).astype(float))  # noqa: E731
    pair = {"relu_forward": lambda x: (np.maximum(x, 0), x), "relu_backward": lambda dout, x: dout * slope(x)}
    _, case = shown(pair)
    assert (case.arguments["x"] == 0).any()


def test_a_layer_that_raises_does_so_at_its_smallest():
    """With two samples or more; no zeros, which a reader would take for the reason."""

    def affine_backward(dout, cache):
        x, w, _ = cache
        if len(x) > 1:
            msg = "one sample only"
            raise ValueError(msg)
        return dout @ w.T, x.T @ dout, dout.sum(axis=0)

    def affine_forward(x, w, b):
        return x @ w + b, (x, w, b)

    finding, case = shown({"dense_forward": affine_forward, "dense_backward": affine_backward})
    assert finding.code.name == "GC902"
    assert case.arguments["x"].shape == (1, 2), "one feature, two samples"
    assert np.isin(numbers(case), [1, -1]).all()


def test_the_same_seed_shrinks_to_the_same_case():
    """Sizes, settings and numbers."""
    first, again = (shown(broken("rnn_truncated"), seed=4)[0].counterexample for _ in range(2))
    assert json.dumps(first) == json.dumps(again)
