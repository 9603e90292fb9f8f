"""A wrong slope at a kink is told with its value and the values that are right; other mistakes are not taken for one."""

import pytest

import gradcheck
from gradcheck.checks.kink_slopes import wrong_slope
from tests.checks.test_kink_codes import COLUMNS, RIGHT, WRONG, hinge, mae, on_the_kink, relu, written


def claims_of(subject):
    """case -> the claimed gradient."""
    return lambda case: subject.vjp(case, COLUMNS)[1](case.cotangent).gradient


@pytest.mark.parametrize(("name", "slope", "low", "high"), [
    ("1.01 at 0", 1.01, 0, 1), ("z > 0 plus z == 0 twice", 2, 0, 1), ("leaky with 0 at 0", 0, 0.2, 1),
    ("leaky, both slopes at 0", 1.2, 0.2, 1), ("elu with ½ at 0", 0.5, 1, 2), ("sign(0) = 2", 2, -1, 1),
    ("a margin that counts twice", 2, 0, 1),
])  # fmt: skip
def test_the_slope_and_its_interval_are_told(subject_of, make_case, name, slope, low, high):
    """Solved for from one claim."""
    what, code = WRONG[name]
    found = wrong_slope(on_the_kink(make_case, what, 1), claims_of(subject_of(written(what, code))))
    assert (found.slope, found.low, found.high) == pytest.approx((slope, low, high))
    assert (found.layer is None) == (what in (mae, hinge))


@pytest.mark.parametrize("name", ["z > 0", "heaviside ½", "sign", "margin >= 0"])
def test_right_code_has_no_wrong_slope(subject_of, make_case, name):
    """Ends and middle of the interval."""
    what, code = RIGHT[name]
    assert wrong_slope(on_the_kink(make_case, what, 1), claims_of(subject_of(written(what, code)))) is None


def test_a_mistake_on_both_sides_of_the_kink_is_no_slope_at_it(subject_of, make_case):
    """Twice the slope everywhere looks like 2 at 0 as well."""
    doubled = written(relu, lambda z: 2.0 * (z >= 0))
    assert wrong_slope(on_the_kink(make_case, relu, 1), claims_of(subject_of(doubled))) is None


def test_the_finding_says_so():
    """GC501 at the layer of the unit."""
    report = gradcheck.verify(
        written(relu, WRONG["1.01 at 0"][1]), activations=["relu", "identity"], costs=["mse"], max_examples=120
    )
    finding = report.findings[0]
    assert (report.verdict, finding.code.name) == ("fail", "GC501")
    assert "the derivative of relu in layer 1 is 1.01; right is anything from 0 to 1" in finding.detail
