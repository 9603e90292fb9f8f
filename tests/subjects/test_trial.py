"""Small networks show which depths and outputs a file accepts."""

import pytest

from gradcheck.subjects import detect, members_of
from gradcheck.subjects.trial import tried_out


def offer_of(accepts):
    """The tried-out offer of a dict subject whose forward pass asserts something about depth and outputs."""

    def forward(X, parameters):
        depth = len(parameters) // 2
        outputs = len(parameters["W" + str(depth)])
        assert accepts(depth, outputs)
        return X[:1], None

    functions = {"forward": forward, "backward": lambda X, Y: {}}
    return tried_out(detect(members_of(functions), "f"))


@pytest.mark.parametrize(
    ("accepts", "depths", "outputs"),
    [
        (lambda depth, outputs: True, (1, None), (1, None)),
        (lambda depth, outputs: outputs == 1, (1, None), (1, 1)),
        (lambda depth, outputs: depth >= 2, (2, None), (1, None)),
        (lambda depth, outputs: depth == 2 and outputs == 1, (2, 2), (1, 1)),
        (lambda depth, outputs: False, (1, None), (1, None)),
    ],
)
def test_depths_and_outputs_are_narrowed(accepts, depths, outputs):
    """To what ran; where nothing ran, nothing is known."""
    offer = offer_of(accepts)
    assert (offer.depths, offer.outputs) == (depths, outputs)


def test_a_told_subject_is_not_tried(subject):
    """It accepts what it is told, and nothing has run yet."""
    calls = []

    def loss(weights, biases, x, y, *, activations):
        calls.append(activations)

    tried_out(detect(members_of((loss, loss)), "f"))
    assert calls == []
