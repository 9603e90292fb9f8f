"""What the user may say, and how a mistake is answered."""

import pytest

from gradcheck.errors import UsageError
from gradcheck.networks import Activation, Vocabulary
from gradcheck.subjects import Layout, SubjectConfiguration, configuration_from, narrow


def test_a_mapping_becomes_a_configuration():
    """Lists become tuples, None is not said."""
    said = {
        "path": "a.py",
        "weights": "from_to",
        "activations": ["tanh", "elu(0.5)"],
        "costs": "mse, bce",
        "dtype": None,
    }
    configuration = configuration_from(said)
    assert configuration.activations == ("tanh", "elu(0.5)")
    assert configuration.costs == ("mse", "bce")
    assert configuration == SubjectConfiguration(
        path="a.py", weights="from_to", activations=("tanh", "elu(0.5)"), costs=("mse", "bce")
    )


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"wieghts": "to_from"}, "unknown configuration key 'wieghts'; did you mean 'weights'"),
        ({"weights": "from-to"}, "unknown value of weights 'from-to'; did you mean 'from_to'"),
        ({"samples": "row"}, "did you mean 'rows'"),
        ({"bias": "firstrow"}, "did you mean 'first_row'"),
        ({"dtype": "float23"}, "did you mean 'float32'"),
        ({"cost_scale": "1/(2 m)"}, r"did you mean '1/\(2m\)'"),
        ({"l2": "lambda/3"}, "did you mean 'lambda"),
        ({"activations": ["sigmod"]}, "unknown activation 'sigmod'; did you mean 'sigmoid'"),
        ({"activations": [1]}, "activations must be a list of names"),
        ({"costs": ["msee"]}, "did you mean 'mse'"),
        ({"path": 3}, "path must be a string; got int"),
        ({"convention": "nilsen"}, "did you mean 'nielsen'"),
    ],
)
def test_each_mistake_names_the_nearest(said, says):
    """Keys and values alike."""
    with pytest.raises(UsageError, match=says):
        configuration_from(said, conventions=("nielsen", "functional"))


def test_own_names_are_known():
    """A user's activation counts, by name or by file."""
    swish = Activation("swish", lambda z, xp: z / (1 + xp.exp(-z)))
    words = Vocabulary({"swish": swish})
    said = {"activations": ["swish", "mine.py:swish"]}
    assert configuration_from(said, vocabulary=words).activations == ("swish", "mine.py:swish")


def test_narrow_keeps_the_layouts_that_agree(subject):
    """And hands the names on."""
    offer = narrow(
        subject("functional").offer, SubjectConfiguration(samples="rows", bias="vector", activations=("relu",))
    )
    assert {(k.samples, k.bias) for k in offer.layouts} == {("rows", "vector")}
    assert offer.activations == ("relu",)


def test_a_contradiction_says_what_the_convention_has(subject):
    """Nielsen has no rows."""
    with pytest.raises(UsageError, match="nielsen has no layout with samples = rows; it has samples: columns"):
        narrow(subject("nielsen").offer, SubjectConfiguration(samples="rows"))


def test_nothing_said_changes_nothing(subject):
    """The offer stays as it is."""
    offer = subject("functional").offer
    assert narrow(offer, SubjectConfiguration()) == offer
    assert Layout() in offer.layouts
