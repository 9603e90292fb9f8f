"""The catalogue: names, sentences, layers, and that every fault can be seen."""

import subprocess
import sys

import numpy as np
import pytest

from gradcheck.faults.backprop import backprop
from gradcheck.faults.catalogue import CATALOGUE, FAMILIES
from gradcheck.faults.fault import Planting
from gradcheck.faults.matching import know, synthesise
from gradcheck.faults.sampling import draw_case
from gradcheck.networks import Architecture, Dense, activation_named, cost_named
from gradcheck.networks.repertoire import default_repertoire

HIDDEN = {
    "reg_biases_exempt",
    "prec_output_error_clipped_at_5",
    "prec_recursion_clipped_at_5",
    "prec_bias_gradient_clipped_at_5",
}


def network(*activations):
    """A network of width 3 with these activations."""
    return Architecture(3, tuple(Dense(3, activation_named(a)) for a in activations), cost_named("mse"))


def test_names_are_unique():
    """No family has a fault that another one has."""
    assert len(CATALOGUE) == sum(len(faults) for faults in FAMILIES.values()) >= 120


def test_every_fault_says_what_it_is():
    """A title without a full stop, a hint, and where it is hidden."""
    for fault in CATALOGUE.values():
        says_what_it_is(fault)


def says_what_it_is(fault):
    """The sentences of one fault."""
    assert fault.title[0] != " "
    assert not fault.title.endswith(".")
    assert fault.hint
    assert fault.hidden_when
    assert fault.equation in ("BP1", "BP2", "BP3", "BP4", "activation", "regularisation")


def test_every_fault_can_be_seen():
    """On random cases each changes the gradient, or crashes, or gives a wrong shape; the exceptions need large numbers."""
    generator = np.random.default_rng(1)
    cases = [draw_case(default_repertoire(), generator, 3, k % 2 == 1) for k in range(150)]
    knowns = [know(case, backprop(case), fresh=True) for case in cases]
    unseen = {name for name, fault in CATALOGUE.items() if not any(seen(fault, k) for k in knowns)}
    assert unseen <= HIDDEN


def seen(fault, known):
    """Whether a fault shows at a case."""
    if not fault.layers(known.case.architecture):
        return False
    gradient = synthesise(known.case, (Planting(fault),))
    return gradient is None or known.tells_apart(gradient, known.gradient)


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("bp1_no_sigma_prime", (3,)),
        ("bp2_no_sigma_prime", (1, 2)),
        ("bp3_zero", (1, 2, 3)),
        ("bp4_weighted_input", (2, 3)),
        ("act_tanh_value", (1, 3)),
        ("bp2_weights_two_above", (1,)),
    ],
)
def test_a_fault_knows_where_it_can_stand(name, layers):
    """Output, hidden, every, upper, deep, and layers of one activation."""
    assert CATALOGUE[name].layers(network("tanh", "relu", "tanh")) == layers


def test_an_activation_is_bp1_at_the_output_and_bp2_below():
    """The place of a wrong derivative depends on the layer."""
    places = Planting(CATALOGUE["act_tanh_value"]).places(network("tanh", "relu", "tanh"))
    assert places == (("BP1", 3), ("BP2", 1))


def test_importing_the_catalogue_does_not_import_jax():
    """`gradcheck explain` must be quick."""
    code = "import sys, gradcheck.faults; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
