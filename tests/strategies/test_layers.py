"""Sizes and settings of layers shrink to the smallest there are; what is drawn always runs."""

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings

from gradcheck.networks.layers import LAYERS
from gradcheck.networks.namespace import xp_numpy
from gradcheck.strategies import layer_inputs

QUIET = settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))


def smallest(layer, condition=lambda arguments, settings_: True, **pinned):
    """The smallest arguments and settings of a layer that meet a condition."""
    arguments, chosen, _ = find(layer_inputs(LAYERS[layer], pinned), lambda i: condition(i[0], i[1]), settings=QUIET)
    return arguments, chosen


@pytest.mark.parametrize("name", LAYERS)
def test_what_is_drawn_runs(name):
    """The trusted definition takes it, and gives numbers."""

    @settings(QUIET, max_examples=15)
    @given(layer_inputs(LAYERS[name]))
    def runs(inputs):
        arguments, chosen, _ = inputs
        assert np.all(np.isfinite(LAYERS[name].define(arguments, chosen, xp_numpy)))

    runs()


@pytest.mark.parametrize(
    ("name", "argument", "shape"),
    [
        ("conv2d", "w", (1, 1, 1, 1)),
        ("conv2d", "x", (1, 1, 2, 2)),
        ("lstm", "x", (1, 1, 1)),
        ("lstm", "wh", (1, 4)),
        ("attention", "k", (1, 1, 1)),
        ("multi_head_attention", "x", (1, 1, 2)),
        ("batchnorm", "x", (1, 1)),
    ],
)
def test_sizes_shrink_to_one(name, argument, shape):
    """Batch, channels, kernel, steps, units; as many features as there are heads."""
    assert smallest(name)[0][argument].shape == shape


def test_settings_shrink_to_the_simplest():
    """Stride 1, no padding, no dilation, one group."""
    chosen = smallest("conv2d")[1]
    assert {n: chosen[n] for n in ("stride", "pad", "dilation", "groups")} == {
        "stride": 1,
        "pad": 0,
        "dilation": 1,
        "groups": 1,
    }


def test_only_what_a_condition_needs_stays_large():
    """Two rows of windows with stride 2, and nothing else."""
    arguments, chosen = smallest("conv2d", lambda a, s: s["stride"] == 2 and len(a["x"]) == 2)
    assert (len(arguments["x"]), chosen["stride"], chosen["dilation"], chosen["groups"]) == (2, 2, 1, 1)
    assert arguments["w"].shape == (1, 1, 1, 1)


def test_pinned_settings_stay():
    """What the subject fixes itself."""
    assert smallest("conv2d", stride=2, pad=1)[1]["stride"] == 2
