"""Kinks that a definition does not declare are found where they are, and none where there are none."""

from dataclasses import replace

import jax.numpy as jnp
import pytest

from gradcheck.networks import COSTS, Activation, Cost, builtin_activations
from gradcheck.oracles.kink_finder import has_unknown_kinks, with_kinks


@pytest.mark.parametrize(("function", "kinks"), [
    (lambda z: jnp.clip(z, 0, 6), (0.0, 6.0)),
    (lambda z: jnp.clip(0.2 * z + 0.5, 0, 1), (-2.5, 2.5)),
    (lambda z: z * jnp.clip(z + 3, 0, 6) / 6, (-3.0, 3.0)),
    (lambda z: jnp.sign(z) * jnp.maximum(jnp.abs(z) - 0.3, 0), (-0.3, 0.3)),
    (lambda z: jnp.where(z >= 0, z, 0.1 * z), (0.0,)),
    (lambda z: jnp.tanh(50 * z), ()),
    (lambda z: z / (1 + jnp.exp(-z)), ()),
    (lambda z: jnp.where(z > 0, z * z, 0), ()),
    (lambda z: z / (1 + jnp.abs(z)), ()),
])  # fmt: skip
def test_the_kinks_of_an_activation_are_found(function, kinks):
    """At short decimals; a steep place and a jump of the curvature are none."""
    assert with_kinks(Activation("own", function)).kinks == kinks


@pytest.mark.parametrize("f", builtin_activations(), ids=lambda f: f.name)
def test_the_built_in_kinks_are_found_too(f):
    """As they are declared."""
    assert with_kinks(replace(f, kinks=(), joints=())).kinks == f.kinks


def test_declared_kinks_are_kept():
    """Their author knows better."""
    assert with_kinks(Activation("own", jnp.abs, kinks=(1.0,))).kinks == (1.0,)


@pytest.mark.parametrize("name", COSTS)
def test_a_cost_with_kinks_that_it_does_not_declare_is_known(name):
    """mae and hinge."""
    assert has_unknown_kinks(replace(COSTS[name], kinks=None)) == (COSTS[name].kinks is not None)
    assert not has_unknown_kinks(COSTS[name])


@pytest.mark.parametrize(("function", "kinked"), [
    (lambda a, y: jnp.sum(jnp.maximum(0.3 * (a - y), -0.7 * (a - y))), True),
    (lambda a, y: jnp.sum(jnp.where(jnp.abs(a - y) < 1, (a - y) ** 2 / 2, jnp.abs(a - y) - 0.5)), False),
])  # fmt: skip
def test_a_quantile_loss_has_a_kink_and_huber_none(function, kinked):
    """Only the curvature of Huber's jumps."""
    assert has_unknown_kinks(Cost("own", function)) == kinked
