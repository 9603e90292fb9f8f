"""Structure: each problem is seen on a planted fault, and absent on its correct neighbour."""

import numpy as np
import pytest

from gradcheck.subjects import Layout, read_claim
from gradcheck.subjects.claims import expected_shapes
from gradcheck.subjects.protocol import Call

COLUMNS, VECTORS = Layout(), Layout("from_to", "rows", "vector")


def raw_for(call, **changes):
    """Gradients of ones in the right shapes, some of them replaced."""
    return {**{n: np.ones(shape) for n, shape in expected_shapes(call).items()}, **changes}


@pytest.fixture
def call(network_case):
    """A call of a 3 → 4 → 2 network with five samples."""
    return Call(network_case(3, 4, 2, samples=5), COLUMNS, {})


def test_right_shapes_are_no_problem(call):
    """And come back in float64, with the dtype they had."""
    claim = read_claim(raw_for(call, W1=np.ones((4, 3), dtype=np.float32)), call)
    assert claim.problems == ()
    assert claim.gradient["W1"].dtype == np.float64
    assert claim.dtypes["W1"] == "float32"


@pytest.mark.parametrize(
    "value",
    [[[1.0] * 3] * 4, np.matrix(np.ones((4, 3))), tuple([(0.5, 1.0, 2.0)] * 4), np.asfortranarray(np.ones((4, 3)))],
)
def test_whatever_converts_is_accepted(call, value):
    """Nested lists, matrices and any memory order."""
    claim = read_claim(raw_for(call, W1=value), call)
    assert claim.problems == ()
    assert type(claim.gradient["W1"]) is np.ndarray
    assert claim.gradient["W1"].flags.c_contiguous


@pytest.mark.parametrize(
    ("name", "value", "kind", "says"),
    [
        ("W1", np.ones((3, 4)), "shape", "has shape (3, 4); expected (4, 3): it is the transpose"),
        ("b1", np.ones((4, 5)), "shape", "one column for each sample"),
        ("b1", np.ones((1, 4)), "shape", "it is the transpose"),
        ("b1", np.ones(4), "shape", "has shape (4,); expected (4, 1)"),
        ("b1", 1.0, "shape", "has shape ()"),
        ("W2", np.array([["a"] * 4] * 2), "type", "dtype <U1"),
        ("W2", np.full((2, 4), None), "type", "dtype object"),
        ("W2", None, "type", "NoneType"),
        ("W2", "two", "type", "str"),
        ("W2", {"a": 1}, "type", "dict"),
        ("W2", np.ones((2, 4)) * 1j, "type", "complex"),
        ("W2", [[1.0], [1.0, 2.0]], "type", "no array of numbers"),
        ("W2", np.ones((2, 4), dtype=int), "dtype", "int64"),
        ("W2", np.ones((2, 4), dtype=bool), "dtype", "bool"),
    ],
)
def test_each_problem_is_seen(call, name, value, kind, says):
    """One planted fault gives one problem that names parameter, given and expected."""
    problems = read_claim(raw_for(call, **{name: value}), call).problems
    assert [(p.kind, p.parameter) for p in problems] == [(kind, name)]
    assert says in problems[0].message


def test_a_missing_gradient_is_named(call):
    """The others are still read."""
    raw = raw_for(call)
    del raw["b2"]
    claim = read_claim(raw, call)
    assert [(p.kind, p.parameter) for p in claim.problems] == [("missing", "b2")]
    assert set(claim.gradient) == {"W1", "b1", "W2"}


def test_nan_is_no_structure_problem(call):
    """Values are for other checks."""
    claim = read_claim(raw_for(call, W1=np.full((4, 3), np.nan)), call)
    assert claim.problems == ()


def test_a_square_transpose_cannot_be_seen(network_case):
    """Only its values betray it."""
    call = Call(network_case(3, 3), COLUMNS, {})
    assert read_claim(raw_for(call, W1=np.arange(9.0).reshape(3, 3).T), call).problems == ()


def test_rows_without_a_sum_are_named(network_case):
    """Where biases are vectors, (m, n) is not summed over the samples."""
    call = Call(network_case(3, 4, samples=5), VECTORS, {})
    problems = read_claim(raw_for(call, b1=np.ones((5, 4))), call).problems
    assert "one row for each sample" in problems[0].message


def test_an_object_that_cannot_convert_is_a_problem(call):
    """Even if its conversion raises something strange."""

    class Odd:
        """Refuses."""

        def __array__(self, *_, **__):
            raise ZeroDivisionError("no")

    assert [p.kind for p in read_claim(raw_for(call, W1=Odd()), call).problems] == ["type"]


def test_folded_biases_come_back_apart(network_case):
    """A first row becomes b1."""
    call = Call(network_case(3, 4), Layout("from_to", "rows", "first_row"), {})
    claim = read_claim({"W1": np.arange(16.0).reshape(4, 4)}, call)
    np.testing.assert_array_equal(claim.gradient["b1"], [[0.0], [1.0], [2.0], [3.0]])
    assert claim.gradient["W1"].shape == (4, 3)


def test_the_input_may_come_too(call):
    """Its shape is checked when it is there."""
    assert read_claim(raw_for(call, x=np.ones((3, 5))), call).problems == ()
    assert [p.parameter for p in read_claim(raw_for(call, x=np.ones((5, 3))), call).problems] == ["x"]
