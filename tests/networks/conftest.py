"""Dense networks in one line."""

import numpy as np
import pytest

from gradcheck.networks import Architecture, Dense, Regularisation, activation_named, cost_named
from gradcheck.networks.sampling import sample_case


def network(*widths, hidden="tanh", output="identity", cost="mse", **options):
    """An architecture from its widths n_0, …, n_L."""
    names = [hidden] * (len(widths) - 2) + [output]
    layers = tuple(Dense(n, activation_named(f)) for n, f in zip(widths[1:], names, strict=True))
    decay = Regularisation(options.pop("l2", 0.0), options.pop("form", "lambda/2"), options.pop("l2_biases", False))
    return Architecture(widths[0], layers, cost_named(cost), regularisation=decay, **options)


@pytest.fixture
def dense():
    """`network`."""
    return network


@pytest.fixture
def sampled():
    """sampled(*widths, samples=…, seed=…, regime=…, digits=…, hard=…, **network options) -> a case."""

    def make(*widths, samples=4, seed=0, regime="ordinary", digits=None, hard=False, **options):
        return sample_case(
            network(*widths, **options), samples, np.random.default_rng(seed), regime, digits=digits, hard_targets=hard
        )

    return make
