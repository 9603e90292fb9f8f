"""Parameters and gradients in dicts, against finite differences of the trusted cost."""

import numpy as np
import pytest

from gradcheck.subjects import Layout, LocalSubject, detect, load, members_of
from gradcheck.subjects.parameter_dict import split_forward


@pytest.mark.parametrize("widths", [(2, 1), (3, 4, 1), (3, 4, 2, 1)])
def test_a_file_that_loops_agrees_at_every_depth(subject, network_case, agrees, widths):
    """L_model_forward, compute_cost and L_model_backward: tanh, then sigmoid, one output."""
    activations = ("tanh",) * (len(widths) - 2) + ("sigmoid",)
    agrees(
        subject("parameter_dict"), *(network_case(*widths, activations=activations, loss="bce", seed=s) for s in (1, 2))
    )


def test_a_file_of_two_layers_agrees(subject, network_case, agrees):
    """Other names and orders of arguments, and the L2 strength."""
    two = subject("parameter_dict_two_layers")
    agrees(two, *(network_case(3, 4, 2, l2=0.7, form="lambda/(2m)", seed=s) for s in (1, 2)))


def test_depth_and_outputs_are_found(subject):
    """Spelled-out keys fix the depth; a cost that is one number only with one output limits the outputs."""
    looping, two = subject("parameter_dict").offer, subject("parameter_dict_two_layers").offer
    assert (looping.depths, looping.outputs) == ((1, None), (1, 1))
    assert (two.depths, two.outputs) == ((2, 2), (1, None))
    assert (looping.takes_l2, two.takes_l2) == (False, True)
    assert looping.activations == ("sigmoid", "tanh") or set(looping.activations or ()) >= {"tanh"}


def test_a_missing_key_is_a_problem(file, network_case):
    """A backward pass that forgets db1 is told so."""
    members = dict(load(file("parameter_dict")))
    whole = members["L_model_backward"]
    members["L_model_backward"] = lambda AL, Y, caches: {k: g for k, g in whole(AL, Y, caches).items() if k != "db1"}
    claim = LocalSubject(detect(members, "x")).vjp(network_case(3, 4, 1), Layout())[1](np.ones(()))
    assert [(p.kind, p.parameter) for p in claim.problems] == [("missing", "b1")]


def test_grads_that_are_no_dict_are_a_problem(file, network_case):
    """A tuple is named by its type."""
    members = {**load(file("parameter_dict")), "L_model_backward": lambda AL, Y, caches: (1, 2)}
    claim = LocalSubject(detect(members, "x")).vjp(network_case(3, 4, 1), Layout())[1](np.ones(()))
    assert [p.kind for p in claim.problems] == ["type"]


def test_regularised_functions_go_together(file):
    """Where cost and backward both have a regularised form, those are checked."""
    members = dict(load(file("parameter_dict_two_layers")))
    members["compute_cost_with_regularization"] = members.pop("cost")
    members["backward_propagation_with_regularization"] = lambda x, y, params, cache, lambd: {}
    assert detect(members, "x").offer.takes_l2


@pytest.mark.parametrize("result", [(np.ones(2), {"A2": 0}), ({"A2": 0}, np.ones(2))])
def test_output_and_cache_in_either_order(result):
    """The array is the output."""
    output, cache = split_forward(result, 2)
    assert isinstance(output, np.ndarray)
    assert cache == {"A2": 0}


def test_a_forward_pass_may_return_its_cache_only():
    """The last activation is found by its key."""
    assert split_forward({"A1": 1, "A2": 2}, 2)[0] == 2


def test_an_argument_without_a_meaning_is_named():
    """The near miss says which argument is not understood."""
    functions = {
        "forward": lambda X, parameters: (X, None),
        "cost": lambda AL, Y: 0.0,
        "backward": lambda AL, Y, momentum: {},
    }
    from gradcheck.subjects import parameter_dict

    match = parameter_dict.match(members_of(functions), "x")
    assert match.adapter is None
    assert any("momentum" in line for line in match.missing)
