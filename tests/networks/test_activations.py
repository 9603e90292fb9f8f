"""Activations: known values, independent references at 30 digits, names, and what the definitions declare of themselves."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.errors import UsageError
from gradcheck.networks import Activation, activation_named, builtin_activations
from gradcheck.networks.activations import wants_namespace
from gradcheck.networks.namespace import xp_numpy

ULP = 2.0**-52
REFERENCE = {
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "tanh": mpmath.tanh,
    "relu": lambda z: max(z, mpmath.mpf(0)),
    "softplus": lambda z: mpmath.log1p(mpmath.exp(z)),
    "gelu": lambda z: z * mpmath.ncdf(z),
    "gelu_tanh": lambda z: z / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (z + mpmath.mpf("0.044715") * z**3))),
    "identity": lambda z: z,
    "leaky_relu(0.2)": lambda z: z if z > 0 else mpmath.mpf(0.2) * z,
    "leaky_relu(0.01)": lambda z: z if z > 0 else mpmath.mpf(0.01) * z,
    "elu(1.0)": lambda z: z if z > 0 else mpmath.expm1(z),
    "elu(0.5)": lambda z: z if z > 0 else mpmath.mpf(0.5) * mpmath.expm1(z),
}
SUBTRACTING = {"gelu", "gelu_tanh"}  # 1 + erf and 1 + tanh cancel to the left of zero: the error is absolute there


def at(name, *z):
    """Values of a built-in activation at some numbers."""
    return activation_named(name)(np.array([z]), xp_numpy)[0]


@pytest.mark.parametrize("name", REFERENCE)
@given(z=st.floats(-30, 30))
def test_values_against_thirty_digits(name, z):
    """A few units in the last place; relative to the size of z where the formula subtracts."""
    with mpmath.workdps(30):
        expected = REFERENCE[name](mpmath.mpf(z))
        error = abs(mpmath.mpf(float(at(name, z)[0])) - expected)
    size = max(abs(z), 1.0) if name in SUBTRACTING else abs(float(expected)) + abs(z) * 1e-300
    assert error <= 4 * ULP * size + 1e-300


@pytest.mark.parametrize(
    ("name", "z", "a"),
    [("sigmoid", 0, 0.5), ("tanh", 0, 0), ("relu", 0, 0), ("relu", -3, 0), ("relu", 3, 3), ("softplus", 0, np.log(2)),
     ("gelu", 0, 0), ("gelu_tanh", 0, 0), ("identity", -7, -7), ("leaky_relu(0.2)", -5, -1), ("elu(0.5)", 0, 0)],
)  # fmt: skip
def test_known_values(name, z, a):
    """At points that everyone can check."""
    assert at(name, float(z))[0] == pytest.approx(a, rel=1e-15)


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "elu(1.0)", "softmax", "tanh", "gelu"])
def test_no_overflow_far_out(name):
    """±800 give finite values and no warning."""
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(activation_named(name)(np.array([[800.0, -800.0], [-800.0, 800.0]]), xp_numpy)).all()


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=6))
def test_softmax_columns_sum_to_one_and_shift_freely(z):
    """Over axis 0; adding a constant to a column changes nothing beyond rounding."""
    column = np.array(z)[:, None]
    a = activation_named("softmax")(column, xp_numpy)
    assert a.sum() == pytest.approx(1, abs=1e-14)
    np.testing.assert_allclose(activation_named("softmax")(column + 8.0, xp_numpy), a, rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize(
    ("given_name", "name"),
    [("tanh", "tanh"), (" tanh ", "tanh"), ("linear", "identity"), ("logistic", "sigmoid"), ("none", "identity"),
     ("leaky_relu", "leaky_relu(0.01)"), ("leaky_relu(0.2)", "leaky_relu(0.2)"), ("leaky_relu( 1e-1 )", "leaky_relu(0.1)"),
     ("elu", "elu(1.0)"), ("elu(2)", "elu(2.0)"), ("elu()", "elu(1.0)")],
)  # fmt: skip
def test_names_have_one_canonical_form(given_name, name):
    """Parameters included, aliases resolved."""
    assert activation_named(given_name).name == name


@pytest.mark.parametrize(
    "name", ["", "tnah", "tanh(2)", "leaky_relu(", "leaky_relu(a)", "relu relu", "leaky_relu(1,2)"]
)
def test_unknown_names_are_usage_errors(name):
    """The message lists the names there are."""
    with pytest.raises(UsageError, match=r"unknown activation .*expected one of sigmoid, tanh.*elu\(x\)"):
        activation_named(name)


@pytest.mark.parametrize("name", ["leaky_relu(1e)", "elu(-)", "elu(1.2.3)"])
def test_a_parameter_that_is_no_number_is_a_usage_error(name):
    """As any other unknown name."""
    with pytest.raises(UsageError, match="unknown activation"):
        activation_named(name)


def test_builtin_activations_are_distinct_and_resolve_to_themselves():
    """Each name leads back to the same definition's name."""
    names = [f.name for f in builtin_activations()]
    assert len(set(names)) == len(names) == 12
    assert [activation_named(n).name for n in names] == names


@pytest.mark.parametrize("f", builtin_activations(), ids=lambda f: f.name)
def test_kinks_and_joints_are_where_the_slopes_jump(f):
    """One-sided difference quotients at 0 differ exactly for the activations that declare a kink there."""
    if not f.elementwise:
        return
    h = 1e-6
    left, middle, right = f(np.array([[-h, 0.0, h]]), xp_numpy)[0]
    assert (abs((right - middle) - (middle - left)) / h > 1e-3) == (f.kinks == (0.0,))


def test_elu_has_a_kink_or_a_joint():
    """With alpha 1 the slope is continuous and only the curvature jumps."""
    assert (activation_named("elu(1)").kinks, activation_named("elu(1)").joints) == ((), (0.0,))
    assert (activation_named("elu(2)").kinks, activation_named("elu(2)").joints) == ((0.0,), ())
    assert activation_named("leaky_relu(1)").kinks == ()


@pytest.mark.parametrize("f", builtin_activations(), ids=lambda f: f.name)
def test_the_declared_range_holds(f):
    """Values in (0, 1) and columns that sum to one are what the costs behind rely on."""
    a = f(np.linspace(-8, 8, 24).reshape(4, 6), xp_numpy)
    if f.range == "unit_interval":
        assert ((a > 0) & (a < 1)).all()
    if f.range == "simplex":
        np.testing.assert_allclose(a.sum(axis=0), 1)


def test_the_declared_cancellation_of_gelu_tanh_grows_with_z_and_stops():
    """It is a function of z."""
    kappa = activation_named("gelu_tanh").cancellation
    assert list(kappa(np.array([0.0, 2.0, 10.0, 99.0]))) == pytest.approx([1.0, 4.2, 161.0, 161.0])


def test_own_definitions_with_and_without_the_namespace():
    """A function of z, or of z and xp."""
    plain, spaced = Activation("p", lambda z: z + 1), Activation("s", lambda z, xp: xp.exp(z))
    assert plain(np.zeros(1), xp_numpy)[0] == spaced(np.zeros(1), xp_numpy)[0] == 1.0


def test_a_function_without_a_signature_takes_no_namespace():
    """Built-ins of C and ufuncs are called with z alone."""
    assert not wants_namespace(np.tanh)
    assert not wants_namespace(dict)


def test_the_namespace_is_numpy_with_erf():
    """In the dtype that it is given."""
    assert xp_numpy.erf(np.array([0.5], dtype=np.float32)).dtype == np.float32
    assert xp_numpy.erf(np.array([0.5]))[0] == pytest.approx(0.5204998778130465, rel=1e-15)
    assert xp_numpy.exp is np.exp
