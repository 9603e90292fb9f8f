"""The jax.grad oracle: transcriptions against compiled jax, the template of a depth, kinks, the fallback."""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from gradcheck.networks import COSTS, Activation, Cost, activation_named, builtin_activations, forward
from gradcheck.networks import cost as trusted_cost
from gradcheck.oracles.autodiff import (
    activation_second,
    activation_value_and_vjp,
    activation_vjp,
    affine_vjp,
    compiled_gradient,
    cost_hvp,
    cost_vjp,
    function_vjp,
    value_and_gradient,
    xp_jax,
)
from gradcheck.strategies import cases

RNG = np.random.default_rng(3)
Z, CT, V = RNG.standard_normal((3, 4, 5))
CLOSE = {"rtol": 4e-14, "atol": 4e-16}
ROUGH = {"rtol": 4e-14, "atol": 1e-14}  # 1 + tanh and 1 − tanh² cancel: the error is absolute


@pytest.mark.parametrize("f", builtin_activations(), ids=lambda f: f.name)
def test_an_activation_and_its_pullback_are_those_of_compiled_jax(f):
    """To a few units in the last place, at values from 1e-3 to 20."""
    close = ROUGH if f.name in ("tanh", "gelu", "gelu_tanh") else CLOSE
    for scale in (1e-3, 1.0, 20.0):
        value, pullback = jax.vjp(jax.jit(lambda z: f(z, xp_jax)), scale * Z)
        ours, cotangent = activation_value_and_vjp(f, scale * Z, CT)
        np.testing.assert_allclose(ours, value, **close)
        np.testing.assert_allclose(cotangent, pullback(CT)[0], **close)


@pytest.mark.parametrize("f", [f for f in builtin_activations() if f.elementwise], ids=lambda f: f.name)
def test_a_second_derivative_is_that_of_compiled_jax(f):
    """What the error analysis is made of."""
    expected = jax.vmap(jax.vmap(jax.grad(jax.grad(lambda t: f(t, xp_jax)))))(Z)
    np.testing.assert_allclose(activation_second(f)(Z), expected, rtol=1e-12, atol=1e-14)


def outputs_for(cost):
    """Outputs and targets that a cost takes."""
    a = {"unit_interval": 1 / (1 + np.exp(-Z)), "simplex": np.exp(Z) / np.exp(Z).sum(axis=0)}.get(cost.domain, Z)
    return a, np.eye(4)[[0, 2, 1, 3, 0]].T.copy()


@pytest.mark.parametrize("name", COSTS)
def test_a_costs_gradient_and_hessian_are_those_of_compiled_jax(name):
    """The Hessian applied to a direction."""
    cost = COSTS[name]
    a, y = outputs_for(cost)
    gradient = jax.jit(jax.grad(lambda t: cost(t, y, xp_jax)))
    np.testing.assert_allclose(cost_vjp(cost)(a, y, np.asarray(0.5)), 0.5 * gradient(a), **CLOSE)
    np.testing.assert_allclose(cost_hvp(cost)(a, y, V), jax.jvp(gradient, (a,), (V,))[1], rtol=1e-12, atol=1e-12)


@settings(max_examples=8)
@given(cases(None, ("ordinary", "tiny", "large", "saturated")))
def test_the_template_of_a_depth_is_compiled_jax_grad(case):
    """Value, every gradient and the gradient by the input, on random cases away from kinks and cancellation: the audit."""
    value, gradient = value_and_gradient(case, by_input=True)
    expected, audited = compiled_gradient(case, by_input=True)
    assert value == pytest.approx(expected, rel=1e-12, abs=1e-300)
    assert list(gradient) == [*case.parameters, "x"]
    for name, g in gradient.items():
        np.testing.assert_allclose(g, audited[name], rtol=1e-9, atol=1e-12 * (1 + np.abs(audited[name]).max()))


@settings(max_examples=40)
@given(cases())
def test_the_value_is_that_of_the_trusted_forward_pass(case):
    """Two ways to one number."""
    assert value_and_gradient(case)[0] == pytest.approx(trusted_cost(case), rel=1e-11, abs=1e-12)


def test_the_gradient_has_the_shapes_of_the_parameters(make_case):
    """By the input only where it is asked for."""
    case = make_case(3, 4, 2)
    assert {n: g.shape for n, g in value_and_gradient(case)[1].items()} == case.architecture.shapes()


@pytest.mark.parametrize(
    ("name", "slope"),
    [("softplus", 0.5), ("sigmoid", 0.25), ("tanh", 1.0), ("relu", 0.0), ("leaky_relu(0.2)", 0.2), ("elu(1.0)", 1.0),
     ("elu(0.5)", 0.5), ("gelu", 0.5), ("gelu_tanh", 0.5), ("identity", 1.0)],
)  # fmt: skip
def test_slopes_at_exactly_zero(name, slope):
    """softplus has ½ there; at a kink it is the slope from below, as in most code."""
    z = np.zeros((1, 1))
    assert activation_vjp(activation_named(name))(z, np.ones((1, 1)))[0, 0] == pytest.approx(slope, abs=1e-16)


def test_bce_of_logits_has_its_slope_at_exactly_zero():
    """σ(0) − y."""
    gradient = cost_vjp(COSTS["bce_logits"])(np.zeros((1, 1)), np.full((1, 1), 0.2), np.ones(()))
    assert gradient[0, 0] == pytest.approx(0.3)


def test_a_function_that_cannot_be_transcribed_runs_as_compiled_jax():
    """Slower, and the same to the outside."""
    f = Activation("sorted", lambda z: jnp.sort(z, axis=0))
    value, cotangent = activation_value_and_vjp(f, Z, CT)
    np.testing.assert_array_equal(value, np.sort(Z, axis=0))
    np.testing.assert_array_equal(np.take_along_axis(cotangent, np.argsort(Z, axis=0), axis=0), CT)


def test_a_function_that_cannot_be_traced_with_symbolic_sizes_does_too():
    """It may look at the number of units."""
    f = Activation("odd", lambda z: z * (2.0 if z.shape[0] > 3 else 1.0))
    np.testing.assert_array_equal(activation_value_and_vjp(f, Z, CT)[1], 2 * CT)
    np.testing.assert_array_equal(activation_value_and_vjp(f, Z[:2], CT[:2])[1], CT[:2])


def test_own_definitions_take_part_in_the_template(make_case):
    """A plain function of jax.numpy as activation and as cost."""
    from dataclasses import replace

    case = make_case(3, 4, 2)
    swish = Activation("swish", lambda z: z * jax.nn.sigmoid(z))
    quartic = Cost("quartic", lambda a, y: jnp.sum((a - y) ** 4))
    layers = tuple(replace(layer, activation=swish) for layer in case.architecture.layers)
    own = replace(case, architecture=replace(case.architecture, layers=layers, cost=quartic))
    gradient, audited = value_and_gradient(own)[1], compiled_gradient(own)[1]
    for name, g in gradient.items():
        np.testing.assert_allclose(g, audited[name], rtol=1e-12, atol=1e-14)


def test_a_users_reference_by_compiled_jax():
    """Value and cotangents by name."""
    value, gradient = function_vjp(lambda x, w: w @ x, {"x": Z, "w": V[:, :4]}, np.ones((4, 5)))
    np.testing.assert_allclose(value, V[:, :4] @ Z, rtol=1e-13)
    np.testing.assert_allclose(gradient["x"], V[:, :4].T @ np.ones((4, 5)), rtol=1e-13)


def test_the_affine_layer():
    """dx = wᵀ g, dw = g xᵀ, db = Σ g."""
    w, g = V[:3, :4], CT[:3]
    gradient = affine_vjp(Z, w, np.zeros((3, 1)), g)
    np.testing.assert_allclose(gradient["x"], w.T @ g, rtol=1e-14)
    np.testing.assert_allclose(gradient["w"], g @ Z.T, rtol=1e-14)
    np.testing.assert_allclose(gradient["b"], g.sum(axis=1, keepdims=True), rtol=1e-14)


def test_jax_computes_in_double(make_case):
    """x64 is on for this process as soon as the oracle is used."""
    assert xp_jax.ones(1).dtype == np.float64
    assert forward(make_case(2, 2))[1][-1].dtype == np.float64


@pytest.mark.parametrize("strength", [0.0, 0.7])
@pytest.mark.parametrize("biases", [False, True])
def test_what_is_penalised_is_what_compiled_jax_penalises(make_case, strength, biases):
    """Nothing for λ = 0, the weights, or the biases too: each has a transcription of its own."""
    case = make_case(3, 4, 2)
    regularisation = replace(case.architecture.regularisation, strength=strength, biases=biases)
    case = replace(case, architecture=replace(case.architecture, regularisation=regularisation))
    value, gradient = value_and_gradient(case)
    expected_value, expected = compiled_gradient(case)
    assert value == pytest.approx(expected_value, rel=1e-13)
    for name, g in expected.items():
        np.testing.assert_allclose(gradient[name], g, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("seed", range(8))
def test_the_largest_logit_gets_no_rounding_of_the_shift(seed):
    """The derivative of the shift, zero on paper, was an ulp of 1 at the largest of many small probabilities."""
    generator = np.random.default_rng(seed)
    a, y = 1e-3 * generator.standard_normal((60, 1)), generator.dirichlet(np.ones(60))[:, None]
    p = [math.exp(v) for v in a[:, 0]]
    right = np.array([[math.fsum(y[:, 0]) * e / math.fsum(p)] for e in p]) - y
    found = cost_vjp(COSTS["cross_entropy_logits"])(a, y, np.ones(()))
    assert np.all(np.abs(found - right) <= 8 * 2.0**-53 * (np.abs(right) + np.abs(y)))
