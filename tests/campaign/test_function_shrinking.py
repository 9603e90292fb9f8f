"""Functions of drawn arguments break at the smallest that the strategy has; examples keep what is short already."""

import numpy as np
import pytest
from hypothesis import strategies as st

from gradcheck import check_hvp, check_jvp, check_vjp

POSITIVE = st.tuples(st.lists(st.floats(0.5, 5), min_size=1, max_size=6).map(np.array))


def case_of(report):
    """Arguments and cotangent of the first finding."""
    point = report.findings[0].counterexample
    return point["arguments"], point["cotangent"]


def test_drawn_arguments_shrink_within_their_strategy():
    """1/x² for the derivative of ln x: one number, the simplest that is drawn, and a cotangent of 1."""
    report = check_vjp(np.log, lambda d, x: d / x**2, arguments=POSITIVE)
    assert report.verdict == "fail"
    assert case_of(report) in [({"x": [v]}, [1.0]) for v in (0.5, 2.0)]


def test_sizes_that_the_mistake_needs_stay():
    """Three numbers or more."""
    wrong = lambda d, x: d / x * (1 if len(x) < 3 else 1.5)  # noqa: E731
    arguments, cotangent = case_of(check_vjp(np.log, wrong, arguments=POSITIVE))
    assert len(arguments["x"]) == 3
    assert np.isin(cotangent, [0, 1]).all()


def test_a_function_that_raises_does_so_at_its_smallest():
    """No zeros in its cotangent: a reader would take them for the reason."""

    def raising(d, x):
        if len(x) > 2:
            msg = "two at most"
            raise ValueError(msg)
        return d / x

    report = check_vjp(np.log, raising, arguments=POSITIVE)
    arguments, cotangent = case_of(report)
    assert report.verdict == "error"
    assert len(arguments["x"]) == 3
    assert np.isin(cotangent, [1, -1]).all()


@pytest.mark.parametrize("given", [[1.5, -2.0], [3.0, 7.0]])
def test_an_example_with_short_numbers_stays(given):
    """They are the caller's own; the cotangent is ours."""
    report = check_vjp(np.tanh, lambda d, x: d * (1 - np.tanh(x)), arguments=[np.array(given)])
    arguments, cotangent = case_of(report)
    assert next(iter(arguments.values())) == given
    assert np.isin(cotangent, [0, 1]).all()


def test_other_numbers_of_an_example_become_simple_and_keep_their_signs():
    """Nothing is known of where the function is defined."""
    report = check_vjp(np.log, lambda d, x: d / x**2, arguments=[np.array([0.1234, 5.4321])])
    arguments, _ = case_of(report)
    assert all(v > 0 and round(v, 2) == v for v in arguments["x"])


def test_tangents_shrink_too():
    """A Jacobian-vector product and a Hessian-vector product."""
    jvp = check_jvp(np.log, lambda v, x: v / x**2, arguments=POSITIVE, max_examples=10)
    hvp = check_hvp(lambda x: float(np.sum(x**4)), lambda v, x: 6 * x**2 * v, arguments=POSITIVE, max_examples=10)
    assert [r.verdict for r in (jvp, hvp)] == ["fail", "fail"]
    assert [len(case_of(r)[0]["x"]) for r in (jvp, hvp)] == [1, 1]


def test_the_first_finding_stays_where_nothing_else_breaks():
    """A strategy of one value, which breaks only beside its own numbers."""
    wrong = lambda d, x: d / x * np.where(x == 1.0, 1, 1.5)  # noqa: E731
    report = check_vjp(np.log, wrong, arguments=st.tuples(st.just(np.array([1.0]))), max_examples=10)
    assert report.verdict == "fail"
    assert case_of(report)[0]["x"] != [1.0]
