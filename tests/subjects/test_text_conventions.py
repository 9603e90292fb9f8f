"""The conventions of the four texts, against finite differences of the trusted cost."""

import numpy as np
import pytest

from gradcheck.subjects import LocalSubject, detect, load, members_of

CONVENTIONS = [
    ("column_vector", "tanh", "1/2"),
    ("theta_bias_unit", "tanh", "1/m"),
    ("theta_bias_unit", "sigmoid", "1/m"),
    ("layer_error", "tanh", "1"),
    ("from_to_bias_row", "sigmoid", "1/m"),
]


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("widths", [(2, 3), (3, 4, 2), (1, 1, 1), (3, 3, 3, 2)])
@pytest.mark.parametrize(("name", "activation", "scale"), CONVENTIONS)
def test_a_correct_file_agrees(subject, network_case, agrees, name, activation, scale, widths, samples):
    """Detected without configuration; value, gradients and effects are those of the trusted definition."""
    correct = subject(name)
    assert correct.offer.convention == name
    options = {"activations": (activation,), "scale": scale, "samples": samples}
    agrees(correct, *(network_case(*widths, seed=s, **options) for s in (1, 2)))


def test_column_vector_returns_the_gradient_by_the_input(subject, network_case, finite_differences):
    """nabla_x has one column a sample and is that of the summed cost."""
    case = network_case(3, 4, 2, activations=("tanh",), scale="1/2")
    column_vector = subject("column_vector")
    assert column_vector.offer.input_gradient
    claim = column_vector.vjp(case, column_vector.offer.layouts[0])[1](np.ones(()))
    by_input = finite_differences(_ByInput(case))
    np.testing.assert_allclose(claim.gradient["x"], by_input["x"], rtol=1e-6, atol=1e-8)


class _ByInput:
    """A case whose only argument is the input, for the finite differences."""

    def __init__(self, case):
        self._case, self.arguments = case, {"x": case.inputs}

    def at(self, arguments):
        """The network case with that input."""
        return self._case.at(arguments)


def test_column_vector_may_leave_out_the_input(file, network_case):
    """A backprop that returns (nabla_w, nabla_b) only is complete."""
    members = dict(load(file("column_vector")))
    whole = members["backprop"]

    def backprop(w, b, x, y, sigma, C):
        nabla_w, nabla_b, _ = whole(w, b, x, y, sigma, C)
        return nabla_w, nabla_b

    subject = LocalSubject(detect(members_of({**members, "backprop": backprop}), "pair"))
    assert not subject.offer.input_gradient
    claim = subject.vjp(network_case(2, 3, activations=("tanh",)), subject.offer.layouts[0])[1](np.ones(()))
    assert claim.problems == ()
    assert set(claim.gradient) == {"W1", "b1"}


def test_single_pairs_are_added_up_where_there_is_no_batch(file, network_case, agrees):
    """With C and gradient alone the sum over the pairs is checked."""
    members = {n: f for n, f in load(file("from_to_bias_row")).items() if n in ("C", "gradient")}
    subject = LocalSubject(detect(members, "pairs"))
    assert not subject.offer.batch
    agrees(subject, *(network_case(3, 4, 2, scale="1", seed=s) for s in (1, 2)))


def test_one_pair_uses_the_functions_for_one_pair(file, network_case):
    """With one sample C is called, with more MSE."""
    members = {**load(file("from_to_bias_row")), "C": lambda w, x, y: 42.0, "MSE": lambda w, xs, ys: 7.0}
    subject = LocalSubject(detect(members, "pairs"))
    cases = [network_case(2, 3, samples=m) for m in (1, 2)]
    assert subject.forward(cases, subject.offer.layouts[0]) == [42.0, 7.0]


def test_offers_say_what_is_told(subject):
    """Each convention states what it hands over by name."""
    offers = {n: subject(n).offer for n in ("column_vector", "theta_bias_unit", "layer_error", "from_to_bias_row")}
    assert [(o.told_activations, o.told_cost) for o in offers.values()] == [(1, 1), (1, 0), (1, 1), (0, 0)]
    assert offers["theta_bias_unit"].one_activation
    assert not any(o.takes_l2 for o in offers.values())
    assert [o.batch for o in offers.values()] == [False, True, False, True]
