"""The functional contract and row_major, against finite differences of the trusted cost."""

import numpy as np
import pytest

from gradcheck.subjects import Layout, LocalSubject, SubjectConfiguration, detect, load, members_of
from gradcheck.subjects.protocol import Malformed


def test_functional_is_checked_on_told_activations_and_l2(subject, network_case, agrees):
    """Value, gradients and effects of a correct file are those of the trusted definition."""
    cases = [network_case(3, 4, 2, activations=("tanh", "sigmoid"), scale="1/(2m)", l2=0.3, seed=s) for s in (1, 2)]
    agrees(subject("functional"), *cases)


@pytest.mark.parametrize("samples", [1, 4])
@pytest.mark.parametrize("widths", [(2, 3), (3, 3, 3), (2, 4, 3, 1)])
def test_every_depth_and_batch_size_agrees(subject, network_case, agrees, widths, samples):
    """Depth 1, square layers, one output and one sample are handed over rightly."""
    cases = [network_case(*widths, scale="1/(2m)", samples=samples, seed=s) for s in (1, 2)]
    agrees(subject("functional"), *cases)


def test_samples_in_rows_are_one_of_the_layouts(subject, network_case, agrees):
    """The same contract with rows and (from, to) weights works in its own layout."""
    layout = Layout("from_to", "rows", "vector")
    rows = subject("rows")
    assert layout in rows.offer.layouts
    cases = [network_case(3, 4, 2, activations=("tanh",), scale="1", seed=s) for s in (1, 2)]
    agrees(rows, *cases, layout)


def test_row_major_starts_with_rows(file):
    """Chosen by name, it is the functional adapter with two layouts."""
    adapter = detect(load(file("rows")), "rows", SubjectConfiguration(convention="row_major"))
    assert adapter.offer.convention == "row_major"
    assert {k.samples for k in adapter.offer.layouts} == {"rows"}


def test_offer_says_what_the_signature_takes(subject):
    """A loss of four arguments is told nothing."""
    offer = subject("rows").offer
    assert (offer.told_activations, offer.told_cost, offer.takes_l2) == (False, False, False)
    told = subject("functional").offer
    assert (told.told_activations, told.told_cost, told.takes_l2) == (True, True, True)


def test_keyword_dictionary_receives_everything(network_case):
    """A function with ``**kwargs`` is handed activations, cost and l2."""
    seen = {}

    def loss(weights, biases, x, y, **kwargs):
        seen.update(kwargs)
        return 0.0

    subject = LocalSubject(detect(members_of((loss, loss)), "pair"))
    subject.forward([network_case(2, 3, l2=0.5)], Layout())
    assert seen == {"activations": ["sigmoid"], "cost": "mse", "l2": 0.5}


def test_options_may_be_positional(network_case):
    """The same names without the star are filled in by name."""

    def loss(W, b, X, Y, activations, cost, l2):
        return float(len(activations)) + l2

    subject = LocalSubject(detect(members_of({"loss": loss, "backprop": loss}), "pair"))
    assert subject.forward([network_case(2, 3, 2, l2=0.5)], Layout()) == [2.5]


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (None, "type"),
        ([[], [], []], "count"),
        (([], []), "count"),
        ((1.0, 2.0), "type"),
        (({"W1": 1}, {"b1": 1}), "type"),
    ],
)
def test_a_result_that_is_no_pair_of_lists_is_a_problem(network_case, result, kind):
    """Anything but (weight_gradients, bias_gradients) of the right length is named, never raised."""
    functions = {"loss": lambda weights, biases, x, y: 0.0, "backprop": lambda weights, biases, x, y: result}
    _, pullback = LocalSubject(detect(members_of(functions), "pair")).vjp(network_case(2, 3), Layout())
    assert [p.kind for p in pullback(np.ones(())).problems] == [kind]


def test_malformed_carries_its_problem():
    """Adapters raise it with the parts of a Problem."""
    assert Malformed("count", "W", "too few").problem.parameter == "W"
