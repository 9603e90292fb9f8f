"""The trusted layers: numpy's run of jax's equations against compiled jax, and bounds that are finite and small."""

import numpy as np
import pytest

from gradcheck.campaign.layers import Reading
from gradcheck.networks import case_from_json
from gradcheck.networks.layers import LAYERS
from gradcheck.oracles.layers import compiled_layer, trusted_layer


def case_of(name, seed=1, dtype="float64"):
    """A random case of a layer that is told everything."""
    layer = LAYERS[name]
    return Reading(name, name, {}, [*layer.arguments, *layer.optional]).case(np.random.default_rng(seed), dtype=dtype)


@pytest.mark.parametrize("name", LAYERS)
def test_the_bound_holds_and_is_small(name):
    """Compiled jax lies within it; no component of the gradient is off by more than 1e-9 of the largest."""
    case = case_of(name)
    trusted = trusted_layer(case)[0]
    value, gradient = compiled_layer(case)
    assert (np.abs(value - trusted.output) <= trusted.output_error).all()
    for n, g in gradient.items():
        error = trusted.pullback.error[n]
        assert (np.abs(g - trusted.pullback.value[n]) <= error).all()
        assert error.max() < 1e-9 * max(1.0, np.abs(g).max())


@pytest.mark.parametrize("name", ["conv2d", "lstm", "multi_head_attention", "embedding"])
def test_a_case_survives_its_json_form(name):
    """Arrays among the settings too."""
    case = case_of(name)
    again = case_from_json(case.to_json())
    np.testing.assert_array_equal(trusted_layer(again)[0].output, trusted_layer(case)[0].output)


def test_single_precision_has_wider_bounds():
    """By about 2²⁹."""
    single, double = (trusted_layer(case_of("lstm"), d)[0].pullback.error["wx"].min() for d in ("float32", "float64"))
    assert 1e8 < single / double < 1e10


def test_a_kink_is_noticed():
    """relu at 1e-9 from its kink."""
    case = case_of("residual")
    x, w1 = case.arguments["x"], case.arguments["w1"]
    near = case.at({"b1": np.full_like(case.arguments["b1"], 1e-9) - (x @ w1)[0]})
    assert trusted_layer(near)[1] < 1e-8 < trusted_layer(case)[1]
