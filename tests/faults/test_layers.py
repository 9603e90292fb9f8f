"""The catalogue of layer faults: each edit can be planted, and each shows at a random case."""

import numpy as np
import pytest

from gradcheck.campaign.layers import Reading
from gradcheck.faults.layers import FAULTS, LayerFault, gradient_of, planted_source
from gradcheck.networks.layers import LAYERS
from gradcheck.oracles.layers import trusted_layer


def case_of(name, seed):
    """A random case of a layer that is told everything."""
    layer = LAYERS[name]
    return Reading(name, name, {}, [*layer.arguments, *layer.optional]).case(np.random.default_rng(seed))


def test_there_are_many_and_their_names_differ():
    """At least 60."""
    assert len({f.name for f in FAULTS}) == len(FAULTS) >= 60


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.name)
def test_a_fault_changes_the_gradient(fault):
    """At one of a few cases it differs from the trusted one, or crashes."""
    for seed in range(8):
        case = case_of(fault.layer, seed)
        claim, trusted = gradient_of(fault, case), trusted_layer(case)[0].pullback
        if claim is None or any(
            claim[n].shape != g.shape or (np.abs(claim[n] - g) > 2 * trusted.error[n]).any()
            for n, g in trusted.value.items()
        ):
            return
    pytest.fail("no case shows it")


@pytest.mark.parametrize("layer", sorted({f.layer for f in FAULTS}))
def test_the_equations_without_a_fault_are_right(layer):
    """The machinery that plants gives the trusted gradient when nothing is planted."""
    nothing = LayerFault(f"nothing_{layer}", layer, "", "from typing import Any\n", "from typing import Any\n")
    case = case_of(layer, 3)
    claim, trusted = gradient_of(nothing, case), trusted_layer(case)[0].pullback
    for n, g in trusted.value.items():
        assert (np.abs(claim[n] - g) <= 2 * trusted.error[n]).all()


def test_an_equation_that_is_not_there_is_an_error():
    """It names the equation."""
    with pytest.raises(ValueError, match="stands 0 times"):
        planted_source(LayerFault("x", "lstm", "", "no such line", ""))
