"""Nielsen's classes, against finite differences of the trusted cost."""

import types

import numpy as np
import pytest

from gradcheck.errors import SubjectError
from gradcheck.subjects import Layout, LocalSubject, detect, load, members_of


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("widths", [(2, 3), (3, 4, 2), (1, 1, 1), (3, 3, 3, 2)])
@pytest.mark.parametrize(("name", "loss", "scale"), [("nielsen", "mse", "1/2"), ("nielsen_cost", "bce", "1")])
def test_a_correct_class_agrees(subject, network_case, agrees, name, loss, scale, widths, samples):
    """Detected without configuration, in either order of the gradients, equal shapes included."""
    options = {"loss": loss, "scale": scale, "samples": samples}
    agrees(subject(name), *(network_case(*widths, seed=s, **options) for s in (1, 2)))


def test_without_a_cost_only_its_derivative_is_offered(subject, network_case):
    """network.py declares outputs and ∂C/∂a, and no value."""
    nielsen, case = subject("nielsen"), network_case(3, 4, 2)
    assert (nielsen.offer.declares_cost, nielsen.offer.declares_output) == (False, True)
    assert nielsen.offer.cost_derivative
    assert nielsen.vjp(case, Layout())[0] is None
    a = nielsen.output(case, Layout())
    np.testing.assert_array_equal(nielsen.cost_derivative(case, a, case.targets, Layout()), a - case.targets)


def test_outputs_are_those_of_the_trusted_forward_pass(subject, network_case):
    """One column a sample."""
    from gradcheck.networks import forward

    case = network_case(3, 4, 2)
    np.testing.assert_allclose(subject("nielsen").output(case, Layout()), forward(case)[1][-1], rtol=1e-12)


def test_a_reassigned_attribute_is_a_mutation(file, network_case):
    """A backprop that updates ``self.weights`` is seen although the handed list is untouched."""
    network = load(file("nielsen"))["Network"]

    class Training(network):
        """Applies its own update."""

        def backprop(self, x, y):
            """Update, then return."""
            nabla_b, nabla_w = super().backprop(x, y)
            self.weights = [w - 0.1 * g for w, g in zip(self.weights, nabla_w, strict=True)]
            return nabla_b, nabla_w

    subject = LocalSubject(detect(members_of(Training), "Training"))
    effects = subject.effects(network_case(3, 4, 2), network_case(3, 4, 2, seed=2), Layout())
    assert {(e.kind, e.what) for e in effects} == {("mutation", "weights[0]"), ("mutation", "weights[1]")}


def test_two_classes_ask_for_a_name(file):
    """Where two classes fit, the message says how to choose."""
    module = types.ModuleType("two")
    network = load(file("nielsen"))["Network"]
    module.A, module.B = (type(n, (network,), {"__module__": "two"}) for n in "AB")
    with pytest.raises(SubjectError, match=r"name one of them: two\.py:A, two\.py:B"):
        detect(vars(module), "two.py")


def test_a_constructor_with_other_arguments_is_named():
    """The near miss says what the constructor raised."""

    class Network:
        """Takes no list of sizes."""

        def __init__(self, inputs, outputs):
            self.weights, self.biases = [], []

        def feedforward(self, a):
            """Nothing."""

        def backprop(self, x, y):
            """Nothing."""

    with pytest.raises(SubjectError, match="a constructor that takes the list of sizes"):
        detect(members_of(Network), "near.py")
