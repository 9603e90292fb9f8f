"""Only what is wrong by itself for a batch of one is named so."""

from types import SimpleNamespace

import numpy as np
import pytest

from gradcheck.campaign import batch_of_one
from gradcheck.networks import Architecture, Dense, activation_named, cost_named
from gradcheck.networks.sampling import sample_case
from gradcheck.report import Code, Finding
from gradcheck.report.types import Place


@pytest.fixture
def renamed():
    """renamed(code) -> the code of a finding at a batch of one, where every larger batch is clean."""
    architecture = Architecture(3, (Dense(2, activation_named("tanh")),), cost_named("mse"))
    one, *several = (sample_case(architecture, m, np.random.default_rng(0)) for m in (1, *[3] * 20))

    def name(code):
        finding = Finding(code, "fail", "triangle", "words", (Place("BP4", 1),), counterexample=one.to_json())
        return batch_of_one.named(finding, several, lambda case: SimpleNamespace(fault=None)).code

    return name


def test_a_wrong_gradient_of_one_sample_alone_is_named_so(renamed):
    """The same network with two samples is right."""
    assert renamed(Code.GC404) is Code.GC209


def test_a_lack_of_precision_keeps_its_name(renamed):
    """Noise stands out of some cases and not of others, whatever their batch."""
    assert renamed(Code.GC601) is Code.GC601
