"""Named arrays as a vector space."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.numerics import axpy, basis, dot, norm, random_direction, ravel, size, unravel, zeros_like

U = {"W": np.arange(6.0).reshape(2, 3), "b": np.array([[1.0], [-2.0]])}


@st.composite
def points(draw):
    """Two or three arrays of small integers, so that sums are exact."""
    shapes = draw(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=3))
    seed = draw(st.integers(0, 1000))
    generator = np.random.default_rng(seed)
    return {f"p{k}": generator.integers(-9, 10, s).astype(float) for k, s in enumerate(shapes)}


def test_size_counts_all_components():
    """Over all names; an empty point has none."""
    assert (size(U), size({})) == (8, 0)


def test_the_origin_is_float64_whatever_the_dtype():
    """Zeros in the same shapes."""
    zeros = zeros_like({"a": np.ones((2, 2), dtype=np.float32)})
    assert zeros["a"].dtype == np.float64
    assert not zeros["a"].any()


@given(points())
def test_dot_is_that_of_the_ravelled_vectors(u):
    """⟨u, u⟩ = ‖u‖²."""
    assert dot(u, u) == float(ravel(u) @ ravel(u)) == pytest.approx(norm(u) ** 2)


def test_dot_takes_the_names_of_the_first():
    """The second may hold more."""
    assert dot({"b": U["b"]}, U) == 5.0


@given(points(), st.integers(-3, 3))
def test_axpy_is_linear(u, alpha):
    """u + αu = (1 + α) u, exactly for integers."""
    np.testing.assert_array_equal(ravel(axpy(alpha, u, u)), (1 + alpha) * ravel(u))


def test_axpy_leaves_a_name_that_the_direction_lacks():
    """The very array: a direction is zero there."""
    moved = axpy(2.0, {"b": np.ones((2, 1))}, U)
    assert moved["W"] is U["W"]
    np.testing.assert_array_equal(moved["b"], [[3.0], [0.0]])


@given(points())
def test_unravel_is_the_inverse_of_ravel(u):
    """Names, shapes and values."""
    again = unravel(ravel(u), u)
    assert {n: a.shape for n, a in again.items()} == {n: a.shape for n, a in u.items()}
    np.testing.assert_array_equal(ravel(again), ravel(u))


def test_nothing_ravels_to_nothing():
    """An empty point is the empty vector, and back."""
    assert ravel({}).shape == (0,)
    assert unravel(np.zeros(0), {}) == {}


def test_a_basis_vector_picks_its_component():
    """⟨e, u⟩ is the component, and e holds one name only."""
    e = basis(U, "W", (1, 2))
    assert (list(e), dot(e, U)) == (["W"], U["W"][1, 2])


def test_random_directions_are_gaussian():
    """Both signs, unit variance, only the names asked for."""
    v = random_direction({"a": np.zeros(4000), "b": np.zeros(2)}, np.random.default_rng(1), ["a"])
    assert list(v) == ["a"]
    assert abs(v["a"].mean()) < 0.1
    assert v["a"].std() == pytest.approx(1.0, abs=0.05)
