"""Arrays of torch, jax and the array API: there and back, and as arguments of a pullback that is right or wrong."""

import numpy as np
import pytest

import gradcheck
from gradcheck.subjects.arrays import differentiable, kind_of, precision, to_numpy

jnp = pytest.importorskip("jax.numpy")
rng = np.random.default_rng(0)
V = rng.normal(size=5).astype(np.float32)


def maker(name):
    """From numpy to the library's own array."""
    if name == "torch":
        return pytest.importorskip("torch").from_numpy
    if name == "array API":
        return pytest.importorskip("array_api_strict").asarray
    return {"jax": jnp.asarray, "numpy": np.asarray}[name]


LIBRARIES = ("numpy", "jax", "torch", "array API")


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_there_and_back(name, dtype):
    """Numbers, dtype and library are kept."""
    numbers = (V * (1 + 1j)).astype(dtype) if dtype == "complex64" else V
    array = maker(name)(numbers.copy())
    built = kind_of(array).build(to_numpy(array).copy())
    assert type(built) is type(array)
    assert built.dtype == array.dtype
    assert (differentiable(array), precision(array)) == (True, "float32")
    assert np.array_equal(to_numpy(built), numbers)


@pytest.mark.parametrize("name", LIBRARIES)
def test_integers_are_constants(name):
    """An index differentiates in no library."""
    assert not differentiable(maker(name)(np.arange(3)))


def test_bfloat16_keeps_its_dtype():
    """Stored as float32 in between; torch and jax have it."""
    torch = pytest.importorskip("torch")
    for array, dtype in ((torch.ones(2, dtype=torch.bfloat16), torch.bfloat16), (jnp.ones(2, "bfloat16"), "bfloat16")):
        assert precision(array) == "bfloat16"
        assert kind_of(array).build(np.ones(2, np.float32)).dtype == dtype


def test_a_conjugated_view_of_torch():
    """torch conjugates lazily; a tensor that needs a gradient is read too."""
    torch = pytest.importorskip("torch")
    z = torch.tensor([1 + 2j], requires_grad=True)
    assert np.array_equal(to_numpy(z.conj()), [1 - 2j])


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_pullback_in_this_library(name):
    """softplus: right, and with the sign of its argument turned round."""

    def namespace(x):
        return pytest.importorskip("torch") if name == "torch" else getattr(x, "__array_namespace__", lambda: np)()

    def primal(x):
        xp = namespace(x)
        return xp.log(1 + xp.exp(x))

    def right(g, x):
        return g / (1 + namespace(x).exp(-x))

    def wrong(g, x):
        return g / (1 + namespace(x).exp(x))

    x = maker(name)(V.copy())
    assert gradcheck.check_vjp(primal, right, x, max_examples=10).verdict == "pass"
    assert gradcheck.check_vjp(primal, wrong, x, max_examples=10).findings[0].code.name == "GC405"


def test_a_bfloat16_pullback_in_torch():
    """A right one is not blamed, though eight bits are little evidence; one that is off by a factor of three is."""
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(V.copy()).to(torch.bfloat16)

    def right(g, x):
        return g * (1 - torch.tanh(x) ** 2)

    assert gradcheck.check_vjp(torch.tanh, right, x, max_examples=10).verdict in ("pass", "inconclusive")
    assert gradcheck.check_vjp(torch.tanh, lambda g, x: 3 * right(g, x), x, max_examples=10).verdict == "fail"


def test_a_torch_pullback_that_overwrites_its_argument():
    """Tensors share the memory that is watched."""
    torch = pytest.importorskip("torch")

    def pullback(g, x):
        x.exp_()
        return g * x

    (finding,) = gradcheck.check_vjp(torch.exp, pullback, torch.from_numpy(V.copy()), max_examples=3).findings
    assert finding.code.name.startswith("GC2")


def test_only_memory_that_can_be_written_to_is_shared_at_a_risk():
    """jax's arrays cannot: the pullback of a sum may return its cotangent twice."""
    x = jnp.ones(64)
    report = gradcheck.check_vjp(lambda a, b: a + b, lambda g, a, b: (g, g), [x, x], max_examples=3)
    assert report.verdict == "pass"
