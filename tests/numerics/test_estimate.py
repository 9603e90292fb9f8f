"""Values with their error bounds, and the constants of rounding."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.numerics import Estimate, gamma, unit_roundoff
from gradcheck.numerics.estimate import excess

E = Estimate({"a": np.array([1.0, -2.0]), "b": np.array([4.0])}, {"a": np.array([0.1, 0.2]), "b": np.array([0.4])}, "m")


def test_restriction_keeps_the_order_that_is_asked_for():
    """Names that the estimate lacks are left out."""
    part = E.restricted(dict.fromkeys(["b", "c", "a"]))
    assert (list(part.value), list(part.error), part.method) == (["b", "a"], ["b", "a"], "m")


def test_scaling_scales_the_error_by_the_absolute_factor():
    """An error stays non-negative."""
    half = E.scaled(-0.5)
    np.testing.assert_array_equal(half.value["a"], [-0.5, 1.0])
    np.testing.assert_array_equal(half.error["a"], [0.05, 0.1])


def test_errors_along_a_direction_add_up():
    """In the worst case, whatever the signs of the direction."""
    value, error = E.along({"a": np.array([1.0, 1.0]), "b": np.array([-1.0])})
    assert value == -5.0
    assert error == pytest.approx(0.7)


@given(st.integers(0, 10**6))
def test_the_projection_covers_its_own_rounding(seed):
    """The exact sum of products lies within value ± error although no component has an error."""
    generator = np.random.default_rng(seed)
    g, v = generator.standard_normal(50) * 10.0 ** generator.integers(-8, 8, 50), generator.standard_normal(50)
    value, error = Estimate({"a": g}, {"a": np.zeros(50)}, "").along({"a": v})
    exact = sum(Fraction(float(p)) * Fraction(float(q)) for p, q in zip(g, v, strict=True))
    assert abs(Fraction(value) - exact) <= Fraction(error)


@pytest.mark.parametrize(
    ("difference", "bound", "expected"),
    [(2.0, 1.0, 2.0), (-2.0, 1.0, 2.0), (0.0, 0.0, 0.0), (1.0, 0.0, np.inf), (np.nan, 1.0, np.inf), (0.0, 1.0, 0.0),
     (np.inf, 1.0, np.inf), (1.0, np.inf, 0.0), (0.0, np.nan, 0.0), (np.inf, np.inf, np.inf)],
)  # fmt: skip
def test_excess(difference, bound, expected):
    """0/0 is 0, and NaN counts as infinite: it never passes."""
    assert excess(np.array([difference]), np.array([bound]))[0] == expected


@pytest.mark.parametrize(
    ("dtype", "u"), [("float64", 2.0**-53), ("float32", 2.0**-24), (np.dtype("float32"), 2.0**-24)]
)
def test_unit_roundoff(dtype, u):
    """Half the distance from 1 to the next number."""
    assert unit_roundoff(dtype) == u


def test_gamma_is_a_little_more_than_n_u():
    """γ_n = n u/(1 − n u)."""
    u = 2.0**-24
    assert gamma(0, u) == 0
    assert 10 * u < gamma(10, u) < 10.001 * u


def test_gamma_has_no_meaning_for_too_many_roundings():
    """n u ≥ 1 is a ValueError that says so."""
    with pytest.raises(ValueError, match="longer than the precision allows"):
        gamma(2**24, 2.0**-24)
