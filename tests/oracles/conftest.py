"""Random cases of named networks."""

import numpy as np
import pytest

from gradcheck.networks import Architecture, Dense, Regularisation, activation_named, cost_named
from gradcheck.networks.sampling import sample_case


@pytest.fixture
def make_case():
    """make_case(*widths, hidden=…, output=…, cost=…, samples=…, seed=…, regime=…, l2=…, dtype=…) -> a case."""

    def make(*widths, hidden="tanh", output="identity", cost="mse", samples=3, seed=0, regime="ordinary", **options):
        names = [hidden] * (len(widths) - 2) + [output]
        layers = tuple(Dense(n, activation_named(f)) for n, f in zip(widths[1:], names, strict=True))
        decay = Regularisation(options.pop("l2", 0.0))
        architecture = Architecture(widths[0], layers, cost_named(cost), regularisation=decay, **options)
        return sample_case(architecture, samples, np.random.default_rng(seed), regime)

    return make
