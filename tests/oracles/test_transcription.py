"""From a jaxpr to numpy: the same numbers as compiled jax, and a refusal where there is no transcription."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.oracles.autodiff import xp_jax  # sets x64 up when it is used
from gradcheck.oracles.transcription import Untranscribable, transcribe, write

xp_jax.zeros(1)
F8 = jax.ShapeDtypeStruct((3, 4), np.float64)
X = np.random.default_rng(1).standard_normal((3, 4))

FUNCTIONS = {
    "arithmetic": lambda x: (x + 2 * x - x / 3) * -x,
    "powers": lambda x: x**2 + x**3 + jnp.abs(x) ** 1.5 + jnp.square(x) + x**-2,
    "exponentials": lambda x: jnp.exp(x) + jnp.exp2(x) + jnp.expm1(x) + jnp.log1p(jnp.abs(x)) + jnp.log(jnp.abs(x)),
    "trigonometry": lambda x: jnp.sin(x) + jnp.cos(x) + jnp.tan(x) + jnp.arctan(x) + jnp.arctan2(x, 2.0),
    "hyperbolas": lambda x: jnp.tanh(x) + jnp.sinh(x) + jnp.cosh(x) + jnp.arcsinh(x),
    "roots": lambda x: jnp.sqrt(jnp.abs(x)) + jnp.cbrt(x) + jax.lax.rsqrt(jnp.abs(x)),
    "logistic": jax.nn.sigmoid,
    "erf": jax.scipy.special.erf,
    "comparisons": lambda x: jnp.where((x > 0) & (x < 1) | (x >= 2) | ~(x <= -1), x, -x) + (x == 0) + (x != 1),
    "extremes": lambda x: jnp.maximum(x, 0.3) + jnp.minimum(x, 0.1) + jnp.clip(x, -0.5, 0.5) + jnp.sign(x),
    "rounding": lambda x: jnp.floor(x) + jnp.ceil(x) + jnp.isfinite(x),
    "sums": lambda x: x.sum() + x.sum(axis=0) + x.sum(axis=1, keepdims=True) + x.prod(axis=0),
    "reductions": lambda x: x.max(axis=0) + x.min(axis=0) + (x > 0).all(axis=0) + (x > 0).any(axis=0),
    "products": lambda x: x @ x.T + jnp.einsum("ij,kj->ik", x, x) + x[:, :3] @ x[:, 1:],
    "transposed": lambda x: x.T @ x,
    "outer": lambda x: jnp.einsum("ij,kl->ijkl", x, x),
    "batched": lambda x: jnp.einsum("ij,ik->ijk", x, x),
    "three deep": lambda x: jnp.einsum("ijk,kl->ijl", jnp.concatenate([x[None], 2 * x[None]]), x.T),
    "shapes": lambda x: jnp.concatenate([x.T.reshape(2, 6), x.reshape(2, 6)], axis=1)[:, ::2][None].squeeze(0),
    "iota": lambda x: x * jnp.arange(4.0) + jnp.arange(3)[:, None],
    "cumulative": lambda x: jnp.cumsum(x, axis=0) + jax.lax.cumsum(x, axis=1, reverse=True),
    "constants": lambda x: x + jnp.asarray(np.arange(4.0)) + jnp.minimum(jnp.inf, x),
    "stopped": lambda x: jax.lax.stop_gradient(x) * x,
    "inner functions": lambda x: jax.jit(jnp.tanh)(x) + jax.jit(jnp.tanh)(2 * x),
    "custom rules": lambda x: jax.nn.relu(x) + jax.nn.silu(x) + jax.nn.logsumexp(x, axis=0),
    "broadcast": lambda x: jnp.broadcast_to(x[:1], (3, 4)) + jnp.full((4,), 2.0),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_transcription_gives_the_numbers_of_jax(name):
    """To a few units in the last place of the largest value."""
    f = FUNCTIONS[name]
    with np.errstate(all="ignore"):
        ours = transcribe(jax.make_jaxpr(f)(F8), "f")(X)[0]
    expected = np.asarray(f(X))
    np.testing.assert_allclose(ours, expected, rtol=1e-14, atol=1e-14 * np.nanmax(np.abs(expected)))


@pytest.mark.parametrize(
    "name", ["arithmetic", "exponentials", "logistic", "erf", "reductions", "transposed", "custom rules"]
)
def test_and_so_does_that_of_its_derivative(name):
    """The pullback that jax writes is transcribed like any other function."""
    f = FUNCTIONS[name]

    def vjp(x):
        return jax.vjp(f, x)[1](jnp.ones(jax.eval_shape(f, x).shape))[0]

    expected = np.asarray(vjp(X))
    np.testing.assert_allclose(transcribe(jax.make_jaxpr(vjp)(F8), "d")(X)[0], expected, rtol=1e-13, atol=1e-14)


def halves(x):
    """Twice the first half of the rows, and as many ones as the number of rows is odd."""
    n, m = x.shape
    first = jax.lax.slice(x, (0, 0), (n // 2, m))
    return first.sum() * 2 + jnp.broadcast_to(jnp.ones(()), (n % 2,)).sum()


@given(st.integers(1, 6), st.integers(1, 5))
def test_symbolic_sizes_are_read_off_the_arguments(n, m):
    """One transcription serves all sizes, also where // and % enter the formula."""
    from jax import export

    abstract = jax.ShapeDtypeStruct(export.symbolic_shape("n, m"), np.float64)
    x = np.arange(float(n * m)).reshape(n, m)
    ours = transcribe(jax.make_jaxpr(halves)(abstract), "halves")(x)[0]
    assert ours == 2 * x[: n // 2].sum() + n % 2


def test_several_results_and_unused_ones():
    """A jaxpr's results come as a tuple."""
    first, second = transcribe(jax.make_jaxpr(lambda x: (x, 2 * x))(F8), "two")(X)
    np.testing.assert_array_equal(second, 2 * first)


def test_a_result_that_is_a_number():
    """A literal is written as it is, infinities and NaN included."""
    values = transcribe(jax.make_jaxpr(lambda x: (1.5, jnp.inf, -jnp.inf, jnp.nan))(F8), "n")(X)
    np.testing.assert_array_equal(values, (1.5, np.inf, -np.inf, np.nan))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: jnp.sort(x, axis=0),
        lambda x: jax.lax.fori_loop(0, 3, lambda i, a: a + x, x),
        lambda x: jax.lax.select_n(jnp.array([[2] * 4] * 3), x, 2 * x, 3 * x),
        lambda x: jnp.linalg.cholesky(x.T @ x),
    ],
    ids=["sort", "loop", "three cases", "cholesky"],
)
def test_what_cannot_be_transcribed_is_refused(f):
    """The caller then runs compiled jax."""
    with pytest.raises(Untranscribable):
        write(jax.make_jaxpr(f)(F8), "f")


def test_the_source_is_one_line_an_equation():
    """It can be read, and looks like numpy."""
    source, constants = write(jax.make_jaxpr(lambda x: jnp.tanh(x) + 1.0)(F8), "f")
    assert source.splitlines() == [
        "def f(v0):",
        "    v1 = np.tanh(v0)",
        "    v2 = (1.0) + v1",
        "    return (v2,)",
    ]
    assert constants == []


def body(f):
    """The lines between signature and result."""
    return [line.strip() for line in write(jax.make_jaxpr(f)(F8), "f")[0].splitlines()[1:-1]]


def test_a_value_is_written_once():
    """Also where its operands come in the other order."""
    assert body(lambda x: jnp.exp(x) * x + x * jnp.exp(x)) == ["v1 = np.exp(v0)", "v2 = v0 * v1", "v3 = v2 + v2"]


def test_what_no_result_needs_is_left_out():
    """The value of a function whose derivative is asked for."""
    assert body(lambda x: (jnp.exp(x), jnp.tanh(x))[1]) == ["v2 = np.tanh(v0)"]


def test_a_constant_is_not_spread_where_numpy_does_it():
    """A full array of ones times x is x; a result that depends on nothing has its shape all the same."""
    assert body(lambda x: jnp.where(x > 0, jnp.full_like(x, 2.0), jnp.zeros_like(x))) == [
        "v1 = v0 > (0.0)",
        "v2 = np.where(v1, (2.0), (0.0))",
    ]
    assert body(lambda x: x * jnp.ones_like(x) + 1.0) == ["v1 = (1.0) + v0"]
    (constant,) = transcribe(jax.make_jaxpr(lambda x: jnp.ones_like(x) + 2.0)(F8), "f")(X)
    np.testing.assert_array_equal(constant, np.full(X.shape, 3.0))


def test_constants_divide_as_arrays_do():
    """0/0 is NaN, and no exception of Python's."""
    with np.errstate(all="ignore"):
        (quotient,) = transcribe(jax.make_jaxpr(lambda x: jnp.zeros_like(x) / jnp.zeros_like(x))(F8), "f")(X)
    assert quotient.shape == X.shape
    assert np.isnan(quotient).all()


def test_small_powers_are_products():
    """As jax lowers them: numpy's power is many times slower."""
    assert body(lambda x: x**3)[-1] == "v1 = v0 * v0 * v0"
    assert body(lambda x: jax.lax.integer_pow(x, -2))[-1] == "v1 = 1.0 / (v0 * v0)"


def test_a_column_spread_over_the_units_stays_a_column():
    """And is spread where a sum over the whole shape asks for it."""
    f = lambda x: (x - jnp.max(x, axis=0), jnp.sum(jnp.broadcast_to(jnp.max(x, axis=0), x.shape)))  # noqa: E731
    for got, expected in zip(transcribe(jax.make_jaxpr(f)(F8), "f")(X), f(X), strict=True):
        np.testing.assert_array_equal(got, expected)
