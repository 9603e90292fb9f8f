"""The bounds of one layer cover what the usual formulas of each activation compute, near zero and far out."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from mpmath import mpf

from gradcheck.networks import activation_named
from gradcheck.networks.namespace import xp_numpy
from gradcheck.numerics import Array
from gradcheck.oracles.layer_errors import activation_errors
from tests.benchmarks import exact

UNIT = 2.0**-53
Z = np.array([s * m for m in (1e-300, 1e-16, 1e-8, 1e-3, 0.3, 1, 3, 7, 19, 36, 38, 40, 200, 700) for s in (1.0, -1.0)])
Formula = Callable[[Array], Array]


def logistic(z: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-z)))


VALUES: Mapping[str, tuple[Formula, ...]] = {
    "sigmoid": (logistic, lambda z: 0.5 * (1 + np.tanh(0.5 * z)), lambda z: 1 - 1 / (1 + np.exp(z))),
    "tanh": (
        np.tanh,
        lambda z: 2 * logistic(2 * z) - 1,
        lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),
    ),
    "softplus": (lambda z: np.logaddexp(0.0, z), lambda z: np.log(1 + np.exp(z)), lambda z: z - np.log(logistic(z))),
    "elu(0.5)": (lambda z: np.where(z > 0, z, 0.5 * (np.exp(np.minimum(z, 0)) - 1)),),
}
SLOPES: Mapping[str, tuple[Formula, ...]] = {
    "sigmoid": (lambda z: logistic(z) * (1 - logistic(z)), lambda z: (1 - np.tanh(0.5 * z) ** 2) / 4),
    "tanh": (lambda z: 1 - np.tanh(z) ** 2, lambda z: 1 / np.cosh(z) ** 2),
    "softplus": (logistic, lambda z: 1 - np.exp(-np.logaddexp(0.0, z))),
    "elu(0.5)": (lambda z: np.where(z > 0, 1.0, 0.5 * (np.exp(np.minimum(z, 0)) - 1) + 0.5),),
}


def outside(name: str, formula: Formula, *, slope: bool) -> list[float]:
    """Those z at which a formula is further from 50 digits than the bound."""
    f, z = activation_named(name), Z[None, :]
    errors = activation_errors(f, z, np.asarray(f(z, xp_numpy)), np.zeros_like(z), UNIT)
    true = exact.slope if slope else exact.value
    with np.errstate(all="ignore"):
        computed = formula(Z)
    off = exact.distance(computed, np.array([true(name, mpf(t)) for t in Z], dtype=object))
    bound = (errors.E_f1 if slope else errors.E_a)[0] + 1e-300
    return [float(t) for t in Z[np.isfinite(computed) & (off > bound)]]


@pytest.mark.parametrize("name", VALUES)
def test_usual_formulas_of_an_activation_are_within_its_bound(name: str):
    """Also those that lose relative precision far out, as ½(1 + tanh(z/2)) does."""
    assert [outside(name, formula, slope=False) for formula in VALUES[name]] == [[]] * len(VALUES[name])


@pytest.mark.parametrize("name", SLOPES)
def test_usual_formulas_of_a_slope_are_within_its_bound(name: str):
    """Also those that compute it from the activation."""
    assert [outside(name, formula, slope=True) for formula in SLOPES[name]] == [[]] * len(SLOPES[name])


def test_a_formula_that_loses_half_the_digits_is_outside():
    """Its neighbour: a float32 cast on the way."""
    assert outside("sigmoid", lambda z: logistic(z).astype(np.float32).astype(np.float64), slope=False)
