"""A network as data: sizes, words for people, and the JSON form with its errors."""

import json

import pytest

from gradcheck.errors import UsageError
from gradcheck.networks import (
    Activation,
    Architecture,
    Cost,
    Dense,
    Regularisation,
    Vocabulary,
    architecture_from_json,
    architecture_to_json,
    with_regularisation,
)
from gradcheck.networks.costs import guarded
from gradcheck.networks.repertoire import Repertoire, default_repertoire, heads, hidden_activations


def test_sizes(dense):
    """Depth counts weight layers; widths begin with the input."""
    network = dense(3, 4, 2)
    assert (network.depth, network.widths, network.activation_names) == (2, (3, 4, 2), ("tanh", "identity"))


@pytest.mark.parametrize(
    ("bias", "shapes"),
    [(True, {"W1": (4, 3), "b1": (4, 1), "W2": (2, 4), "b2": (2, 1)}), (False, {"W1": (4, 3), "W2": (2, 4)})],
)
def test_shapes_are_to_by_from(dense, bias, shapes):
    """In the order W1, b1, W2, …; without biases only the weights."""
    network = dense(3, 4, 2, bias=bias)
    assert network.shapes() == shapes
    assert list(network.shapes()) == list(shapes)


def test_the_line_for_people(dense):
    """Layers, cost with its scale, and λ where there is one."""
    network = dense(3, 4, 2, output="softmax", cost="cross_entropy", l2=0.1)
    assert network.describe() == "3 → 4 tanh → 2 softmax, cross_entropy · 1/m, λ = 0.1"
    assert "λ" not in dense(3, 2).describe()


def test_the_scale_counts_samples_and_outputs(dense):
    """1/(m n) of 5 samples and 2 outputs."""
    assert dense(3, 2, scale="1/(m n)").cost_scale(5) == pytest.approx(0.1)


def test_another_lambda_is_another_network(dense):
    """Form and biases stay."""
    network = with_regularisation(dense(2, 2, l2=0.5, form="lambda/m", l2_biases=True), 0.25)
    assert network.regularisation == Regularisation(0.25, "lambda/m", True)
    assert network.regularisation.factor(5) == pytest.approx(0.05)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"output": "softmax", "cost": "cross_entropy", "scale": "3 * 1/m", "dtype": "float32"},
        {"hidden": "leaky_relu(0.2)", "bias": False, "l2": 0.5, "form": "lambda/(2m)", "l2_biases": True},
    ],
)
def test_json_round_trip(dense, options):
    """Equal after the way through text."""
    network = dense(3, 4, 2, **options)
    assert architecture_from_json(json.loads(json.dumps(architecture_to_json(network)))) == network


def test_a_guarded_cost_survives_the_round_trip():
    """The ε of its logarithms is part of the case."""
    network = Architecture(2, (Dense(2, Vocabulary().activation("softmax")),), guarded("cross_entropy", 1e-9))
    assert architecture_from_json(architecture_to_json(network)).cost is network.cost


def test_own_definitions_are_named_with_their_source_and_come_from_the_vocabulary():
    """JSON holds names; the vocabulary gives them meaning."""
    swish, quartic = Activation("swish", abs, source="own.py:swish"), Cost("quartic", abs, source="own.py:quartic")
    network = Architecture(2, (Dense(2, swish),), quartic)
    data = architecture_to_json(network)
    assert (data["layers"][0]["source"], data["cost"]["source"]) == ("own.py:swish", "own.py:quartic")
    words = Vocabulary({"swish": swish}, {"quartic": quartic})
    assert architecture_from_json(data, words) == network
    with pytest.raises(UsageError, match="unknown activation 'swish'"):
        architecture_from_json(data)


def test_own_names_go_before_built_in_ones():
    """A user's tanh is the user's."""
    mine, cheap = Activation("tanh", abs), Cost("mse", abs)
    words = Vocabulary({"tanh": mine}, {"mse": cheap})
    assert (words.activation("tanh"), words.cost("mse")) == (mine, cheap)
    assert words.cost("mae").name == "mae"


BROKEN = [
    ({"inputs": "three"}, "not an architecture of gradcheck: ValueError"),
    ({"layers": 3}, "TypeError"),
    ({"layers": [{"units": 2}]}, "KeyError: 'activation'"),
    ({"cost": "mse"}, "AttributeError|TypeError"),
    ({"cost": {}}, "KeyError: 'name'"),
    ({"cost": {"name": "mes"}}, "unknown cost 'mes'"),
    ({"cost": {"name": "mse", "guard": 1e-9}}, "KeyError: 'mse'"),
    ({"scale": "1/k"}, "unknown scale '1/k'"),
    (
        {"regularisation": {"strength": 0, "form": "half"}},
        "unknown form of the L2 term 'half'; expected one of lambda/2",
    ),
    ({"regularisation": {}}, "KeyError: 'strength'"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN, ids=lambda v: str(v)[:30])
def test_broken_json_is_a_usage_error(dense, change, message):
    """It says what is wrong."""
    data = {**architecture_to_json(dense(2, 2)), **change}
    with pytest.raises(UsageError, match=message):
        architecture_from_json(data)


@pytest.mark.parametrize("key", ["inputs", "layers", "cost", "scale", "regularisation", "dtype"])
def test_a_missing_key_is_a_usage_error(dense, key):
    """The key is named."""
    data = architecture_to_json(dense(2, 2))
    del data[key]
    with pytest.raises(UsageError, match=f"KeyError: '{key}'"):
        architecture_from_json(data)


def test_every_legal_pair_is_a_head():
    """Behind every cost there is an activation, and behind every activation a cost."""
    everything = default_repertoire()
    assert {h.cost.name for h in everything.heads} >= {"mse", "mae", "bce", "cross_entropy", "hinge", "bce_logits"}
    assert {h.activation for h in everything.heads} > set(everything.hidden)
    assert all(f.elementwise for f in everything.hidden)


def test_a_repertoire_without_heads_is_a_usage_error():
    """No cost and activation fit together."""
    words = Vocabulary()
    pairs = heads((words.activation("sigmoid"),), (words.cost("cross_entropy"),))
    with pytest.raises(UsageError, match="name a cost and an activation that fit together"):
        Repertoire((), pairs)


def test_softmax_serves_in_hidden_layers_only_where_there_is_nothing_else():
    """Elementwise ones go first."""
    softmax, tanh = Vocabulary().activation("softmax"), Vocabulary().activation("tanh")
    assert hidden_activations((softmax, tanh)) == (tanh,)
    assert hidden_activations((softmax,)) == (softmax,)
