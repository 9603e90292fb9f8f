"""jax.custom_vjp and jax.custom_jvp: the undecorated function judges the rule."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradcheck

X = np.random.default_rng(0).normal(size=4)


def log1pexp(x):
    return jnp.log1p(jnp.exp(x))


def custom(primal, forward, backward):
    """A custom_vjp function of these three."""
    function = jax.custom_vjp(primal)
    function.defvjp(forward, backward)
    return function


softplus = custom(log1pexp, lambda x: (log1pexp(x), x), lambda x, g: (g / (1 + jnp.exp(-x)),))
softplus_wrong = custom(log1pexp, lambda x: (log1pexp(x), x), lambda x, g: (g / (1 + jnp.exp(x)),))
softplus_forward = custom(log1pexp, lambda x: (jnp.exp(x), x), lambda x, g: (g / (1 + jnp.exp(-x)),))


@jax.custom_jvp
def sine(x, p):
    return {"y": jnp.sin(x) * p["k"]}


@sine.defjvp
def sine_jvp(primals, tangents):
    (x, p), (v, q) = primals, tangents
    return sine(x, p), {"y": jnp.cos(x) * p["k"] * v + jnp.sin(x) * q["k"]}


@jax.custom_jvp
def sine_wrong(x):
    return jnp.sin(x)


sine_wrong.defjvp(lambda primals, tangents: (jnp.sin(primals[0]), jnp.sin(primals[0]) * tangents[0]))


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def power(f, n, x):
    return f(x) ** n


power.defvjp(lambda f, n, x: (f(x) ** n, x), lambda f, n, x, g: (g * n * f(x) ** (n - 1) * f(x),))


@jax.custom_vjp
def root(a):
    """Twelve steps of Newton's iteration in a loop that jax cannot go backwards through."""
    return jax.lax.while_loop(lambda c: c[0] < 12, lambda c: (c[0] + 1, (c[1] + a / c[1]) / 2), (0, a + 1.0))[1]


root.defvjp(lambda a: (root(a), root(a)), lambda r, g: (g / (2 * r),))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_right_rule_passes(dtype):
    """In both precisions, from numpy's arrays."""
    report = gradcheck.check_vjp(softplus, arguments=[X.astype(dtype)], max_examples=10)
    assert report.verdict == "pass"


@pytest.mark.parametrize(
    ("rule", "code"), [(softplus_wrong, "GC405"), (sine_wrong, "GC405"), (softplus_forward, "GC301")]
)
def test_a_wrong_rule_fails(rule, code):
    """The derivative, or the value that the rule's forward pass gives."""
    report = gradcheck.check_vjp(rule, arguments=[X], max_examples=10)
    assert (report.verdict, report.findings[0].code.name) == ("fail", code)


def test_trees_and_custom_jvp():
    """The pullback of a custom_jvp is its transpose."""
    report = gradcheck.check_vjp(sine, arguments=[jnp.asarray(X), {"k": jnp.asarray(2.0)}], max_examples=10)
    assert report.verdict == "pass"


def test_arguments_without_a_derivative_are_bound():
    """Functions and numbers of nondiff_argnums."""
    assert gradcheck.check_vjp(power, arguments=[jnp.exp, 3.0, X], max_examples=10).verdict == "pass"


def test_differences_judge_where_jax_cannot():
    """A loop without a reverse pass."""
    report = gradcheck.check_vjp(root, arguments=[jnp.asarray(np.abs(X) + 1)], max_examples=10)
    assert report.verdict == "pass"


def test_a_strategy_names_no_places():
    """An example is asked for."""
    from hypothesis import strategies as st

    with pytest.raises(gradcheck.UsageError, match="must be an example"):
        gradcheck.check_vjp(softplus, arguments=st.just([X]))
