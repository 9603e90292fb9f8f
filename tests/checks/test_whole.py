"""float32 tensors judged as a whole: a factor that no component shows is found, a right claim is not."""

from dataclasses import replace

import numpy as np
import pytest

from gradcheck.checks import compare, with_whole
from gradcheck.checks.ladder import Fault, examine
from gradcheck.checks.whole import whole_bounds
from gradcheck.numerics import Estimate
from gradcheck.oracles.error_analysis import rounding_bounds
from gradcheck.oracles.trusted import trusted_estimate
from gradcheck.subjects.protocol import Claim
from tests.benchmarks.subjects import subject_named

SUBJECT = subject_named("logits")
WIDE = (20, 200, 200, 5)


class Scaled:
    """A correct subject whose gradient of one parameter is multiplied by 1 + e."""

    def __init__(self, name: str, e: float) -> None:
        self.name, self.e, self.offer = name, e, SUBJECT.subject.offer

    def forward(self, cases, layout):
        """Right."""
        return SUBJECT.subject.forward(cases, layout)

    def vjp(self, case, layout):
        """Wrong by the factor."""
        value, pullback = SUBJECT.subject.vjp(case, layout)

        def wrong(cotangent):
            claim = pullback(cotangent)
            gradient = {**claim.gradient, self.name: claim.gradient[self.name] * (1 + self.e)}
            return Claim(gradient, claim.error, claim.problems)

        return value, wrong


@pytest.fixture
def wide(make_case):
    """A float32 network of 45,000 parameters."""
    return make_case(*WIDE, samples=4, dtype="float32")


def stated(case, name):
    """The factor, less 1, that a pass says it would have seen on the whole tensor."""
    found = examine(SUBJECT.subject, case, SUBJECT.layout)
    assert found.fault is None
    return found.whole[name]


def test_stated_power_of_the_whole_is_smaller(wide):
    """A pass states it for every weight matrix, an order of magnitude below that of single components."""
    found = examine(SUBJECT.subject, wide, SUBJECT.layout)
    assert all(10 * found.whole[n] < found.power[n] for n in ("W1", "W2", "W3"))


@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2", "W3", "b3"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_factor_of_the_stated_size_is_found(wide, name, sign):
    """Planted on a real claim, with its own rounding; half of what is needed for certainty passes."""
    e = sign * stated(wide, name)
    found = examine(Scaled(name, e), wide, SUBJECT.layout)
    assert found.fault is Fault.BACKWARD
    assert found.wrong == (name,)
    assert found.discrepancies[0].index == ()
    assert examine(Scaled(name, 0.4 * e), wide, SUBJECT.layout).fault is None


def test_float64_has_no_need_of_it(make_case):
    """Component bounds are as good there."""
    case = make_case(*WIDE)
    assert whole_bounds(case, trusted_estimate(case, False), {}) == {}


def test_component_discrepancies_come_first(make_case):
    """Where components differ, they are shown, and the whole is not."""
    case = make_case(3, 4, 2, dtype="float32")
    oracle, bounds = trusted_estimate(case, False), rounding_bounds(case).gradient
    claim = Estimate({n: 1.5 * g for n, g in oracle.value.items()}, {n: bounds[n] for n in oracle.value}, "claim")
    found = with_whole(compare(claim, oracle), claim, oracle, whole_bounds(case, oracle, {}))
    assert all(d.index for d in found.discrepancies)


def test_what_is_granted_widens_the_bound(make_case):
    """An update's rounding, for one, component by component."""
    case = make_case(3, 4, 2, dtype="float32")
    oracle = trusted_estimate(case, False)
    granted = {n: np.abs(0.01 * g) for n, g in oracle.value.items()}
    plain, wider = whole_bounds(case, oracle, {}), whole_bounds(case, oracle, granted)
    assert all(wider[n] == pytest.approx(plain[n] + 0.01) for n in plain)


def test_a_zero_gradient_has_no_scale(make_case):
    """Nothing is said of it."""
    case = make_case(2, 1, dtype="float32")
    zero = Estimate({n: 0 * a for n, a in case.parameters.items()}, {n: 0 * a for n, a in case.parameters.items()}, "")
    assert whole_bounds(replace(case), zero, {}) == {}
