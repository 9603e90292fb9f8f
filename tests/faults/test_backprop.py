"""The trusted backprop against jax, and its equations as values."""

import numpy as np
import pytest

from gradcheck.faults.backprop import TRUSTED, backprop, edited
from gradcheck.faults.sampling import draw_case
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.oracles.autodiff import value_and_gradient
from gradcheck.oracles.error_analysis import rounding_bounds
from tests.faults.families import plain_case


@pytest.mark.parametrize("seed", range(30))
def test_is_the_gradient_of_jax(seed):
    """Within the rounding bounds, for random architectures, costs and activations."""
    case = draw_case(default_repertoire(), np.random.default_rng(seed))
    expected, bounds = value_and_gradient(case)[1], rounding_bounds(case).gradient
    for name, g in backprop(case).items():
        assert np.all(np.abs(g - expected[name]) <= 2 * bounds[name])


def test_an_edit_changes_its_layer_and_those_below(generator):
    """Doubling the recursion into layer 1 doubles the gradients of layer 1 alone."""
    case = plain_case(generator)
    wrong = backprop(case, edited(TRUSTED, "recursion", {1: lambda s, l, v: 2 * v}))
    right = backprop(case)
    ratios = {n: float(np.max(np.abs(wrong[n] / right[n] - 1))) for n in right}
    assert [n for n, r in ratios.items() if r > 0.5] == ["W1", "b1"]


def test_edits_compose(generator):
    """An edit of an edited equation sees the edited value."""
    case = plain_case(generator)
    once = edited(TRUSTED, "bias_gradient", {3: lambda s, l, v: v + 1})
    twice = edited(once, "bias_gradient", {3: lambda s, l, v: 10 * v})
    assert np.allclose(backprop(case, twice)["b3"], 10 * (backprop(case)["b3"] + 1))


def test_handed_back_arrays_can_be_edited_late(generator):
    """The results are read when all layers are done: a layer can hand back what another one has made."""
    case = plain_case(generator)
    swapped = edited(TRUSTED, "bias_result", {3: lambda s, l, v: s.db[1][:2]})
    assert np.allclose(backprop(case, swapped)["b3"], backprop(case)["b1"][:2])
