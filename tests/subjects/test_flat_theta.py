"""Parameters in one vector, against finite differences of the trusted cost."""

import numpy as np
import pytest

from gradcheck.subjects import Layout, LocalSubject, detect, load, members_of
from gradcheck.subjects.flat_theta import LAYOUTS, split, unroll
from gradcheck.subjects.layout import parameters_to_subject


def test_one_function_with_layer_sizes_by_name_agrees(subject, network_case, agrees):
    """(J, grad) with the bias unit's column, np.matrix inside, λ under the name of a learning rate."""
    cases = [network_case(3, 4, 2, loss="bce", l2=0.5, form="lambda/(2m)", seed=s) for s in (1, 2)]
    agrees(subject("flat_theta"), *cases, Layout("to_from", "rows", "first_column"))


@pytest.mark.parametrize("widths", [(2, 3), (3, 4, 2), (3, 4, 2, 3)])
def test_two_functions_with_a_list_of_sizes_agree(subject, network_case, agrees, widths):
    """A cost and a gradient apart, Fortran order, weights before biases, any depth."""
    layout = Layout("from_to", "rows", "vector", "F", "weights_first")
    cases = [network_case(*widths, activations=("tanh",), scale="1/2", seed=s) for s in (1, 2)]
    agrees(subject("flat_sizes"), *cases, layout)


def test_a_class_with_params_agrees(subject, network_case, agrees):
    """Sizes as attributes, no biases, one output."""
    cases = [network_case(4, 2, 1, activations=("tanh",), scale="1/2", bias=False, seed=s) for s in (1, 2)]
    agrees(subject("flat_object"), *cases, Layout("from_to", "rows", "none"))


def test_offers_say_what_is_fixed(subject):
    """Depth, outputs and λ are read from the arguments."""
    offers = [subject(n).offer for n in ("flat_theta", "flat_sizes", "flat_object")]
    assert [o.depths for o in offers] == [(2, 2), (1, None), (2, 2)]
    assert [o.outputs for o in offers] == [(1, None), (1, None), (1, 1)]
    assert [o.takes_l2 for o in offers] == [True, False, False]
    assert {o.convention for o in offers} == {"flat_theta"}


@pytest.mark.parametrize("layout", LAYOUTS, ids=Layout.describe)
def test_split_is_the_inverse_of_unroll(network_case, layout):
    """In every layout."""
    case = network_case(3, 4, 2, bias=layout.bias != "none")
    weights, biases = parameters_to_subject(case, layout)
    parts = split(unroll(weights, biases, layout), case.architecture, layout)
    for k, w in enumerate(weights, start=1):
        np.testing.assert_array_equal(parts[f"W{k}"], w)
    for k, b in enumerate(biases or [], start=1):
        np.testing.assert_array_equal(parts[f"b{k}"], b)


def test_layouts_can_be_told_apart(network_case):
    """No two candidates in C order unroll a case in the same way, and those in Fortran order add nothing new."""
    case = network_case(3, 4, 2)
    ways = {k: (unroll(*parameters_to_subject(case, k), k).tobytes(), k.samples) for k in LAYOUTS}
    plain = [way for k, way in ways.items() if k.order == "C"]
    assert len(set(plain)) == len(plain)
    assert set(ways.values()) == set(plain)


@pytest.mark.parametrize(
    ("grad", "kind"),
    [(np.zeros(3), "shape"), (np.zeros((13, 1)), None), ("no", "type"), (np.zeros((13, 13)), "shape"), (None, "type")],
)
def test_grad_must_have_the_size_of_theta(network_case, grad, kind):
    """A column of the right size is accepted, everything else named."""
    function = {"f": lambda theta, input_size, hidden_size, num_labels, X, y: (0.0, grad)}
    subject = LocalSubject(detect(members_of(function), "f"))
    claim = subject.vjp(network_case(2, 3, 1), Layout("to_from", "rows", "first_column"))[1](np.ones(()))
    assert [p.kind for p in claim.problems] == ([kind] if kind else [])


def test_one_value_instead_of_the_pair_is_a_problem(file, network_case):
    """A function that returns the gradient alone is told what is expected."""
    whole = load(file("flat_theta"))["nn_cost_function"]

    def f(theta, input_size, hidden_size, num_labels, X, y):
        return whole(theta, input_size, hidden_size, num_labels, X, y, 0.0)[1]

    claim = LocalSubject(detect(members_of(f), "f")).vjp
    from gradcheck.errors import SubjectError

    with pytest.raises(SubjectError, match=r"expected the pair \(cost, gradient\)"):
        claim(network_case(2, 3, 1), Layout("to_from", "rows", "first_column"))
