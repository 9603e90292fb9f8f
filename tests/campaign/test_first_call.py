"""A cache that is kept by shape: right the first time, wrong with other numbers."""

from types import SimpleNamespace

import numpy as np
import pytest

from gradcheck.campaign.first_call import named
from gradcheck.networks import Architecture, Dense, activation_named, cost_named
from gradcheck.networks.sampling import sample_case
from gradcheck.report import Code, Finding

FINDING = Finding(
    Code.GC401,
    "fail",
    "triangle",
    "wrong",
    counterexample=sample_case(
        Architecture(2, (Dense(2, activation_named("tanh")),), cost_named("mse")), 3, np.random.default_rng(0)
    ).to_json(),
)


class Kept:
    """Wrong once the shape was seen at other numbers."""

    def __init__(self):
        self.seen = {}

    def __call__(self, case):
        kept = self.seen.setdefault(case.inputs.shape, case.inputs)
        return SimpleNamespace(fault=None if np.array_equal(kept, case.inputs) else "backward")


@pytest.mark.parametrize(
    ("examine", "code"),
    [
        (Kept(), "GC204"),
        (lambda case: SimpleNamespace(fault="backward"), "GC401"),
        (lambda case: SimpleNamespace(fault=None), "GC401"),
        (lambda case: SimpleNamespace(fault=None if case.inputs[0, 0] > 0 else "backward"), "GC401"),
    ],
    ids=["kept", "always wrong", "never again", "by its numbers"],
)
def test_only_what_is_right_first_and_wrong_second_is_stale(examine, code):
    """In both orders of the numbers, at sizes that nobody has drawn."""
    assert named(FINDING, examine).code.name == code
