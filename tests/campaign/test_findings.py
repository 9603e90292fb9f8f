"""From an examination to a finding: every fault has a code, every failure of a subject too."""

import numpy as np
import pytest

from gradcheck.campaign.findings import CODES, EQUATIONS, FAILURES, failure_of, finding_of, nothing_checked
from gradcheck.checks import Discrepancy, Examination, Fault
from gradcheck.checks.localisation import Place
from gradcheck.errors import SubjectError
from gradcheck.networks import OperationCase
from gradcheck.report import Code

POINT = OperationCase("relu", {"x": np.ones((1, 1))}, np.ones((1, 1)), {})
WORST = Discrepancy("W1", (0, 1), np.float64(1.5), np.float64(1.0), np.float64(1e-9), "jax.grad")


@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_has_a_code(fault):
    """BACKWARD by its equation, the others by the table."""
    code = finding_of(Examination(fault, "triangle"), POINT).code
    assert code is CODES.get(fault, Code.GC405)


@pytest.mark.parametrize("equation", EQUATIONS)
def test_a_wrong_backward_pass_has_the_code_of_its_equation(equation):
    """With the place in words."""
    finding = finding_of(Examination(Fault.BACKWARD, "triangle"), POINT, [Place(equation, 2)])
    assert finding.code is EQUATIONS[equation]
    assert "of layer 2" in finding.detail
    assert [(p.equation, p.layer) for p in finding.places] == [(equation, 2)]


def test_numbers_and_case_come_along():
    """Plain floats, and a whole case with its digest."""
    finding = finding_of(Examination(Fault.BACKWARD, "triangle", "no", discrepancies=(WORST,), ratio=2.0), POINT)
    (difference,) = finding.discrepancies
    assert (type(difference.claimed), difference.index) == (float, (0, 1))
    assert finding.counterexample["kind"] == "operation"
    assert len(finding.counterexample["digest"]) == 16
    assert "the claim is 2 times the expected gradient" in finding.detail


@pytest.mark.parametrize(
    ("examination", "equation", "layer"),
    [
        (Examination(Fault.SHAPE, "structure", parameter="W3"), "structure", 3),
        (Examination(Fault.MUTATION, "effects"), "effects", None),
        (Examination(Fault.FORWARD, "primal", wrong=("b2", "b1")), "forward", 2),
        (Examination(Fault.COST_CODE, "triangle", wrong=("W1",)), "cost", 1),
        (Examination(Fault.BACKWARD, "triangle", parameter="x"), "unknown", None),
    ],
)
def test_a_place_is_named_where_none_was_located(examination, equation, layer):
    """From the rung and the parameter."""
    (place,) = finding_of(examination, POINT).places
    assert (place.equation, place.layer) == (equation, layer)


@pytest.mark.parametrize("kind", [*FAILURES, "something new"])
def test_every_failure_has_a_code(kind):
    """With the subject's own traceback below the message."""
    finding = failure_of(SubjectError(kind, "it broke", details="  line 3\n"), None)
    assert finding.code is FAILURES.get(kind, Code.GC902)
    assert (finding.detail, finding.verdict, finding.counterexample) == ("it broke\nline 3", "error", None)


def test_a_failure_at_a_case_holds_the_case():
    """So that it can be replayed."""
    finding = failure_of(SubjectError("exception", "it broke"), POINT, "fail", [Place("BP2", 1)])
    assert (finding.counterexample["operation"], finding.places[0].equation) == ("relu", "BP2")


def test_nothing_checked_is_inconclusive():
    """With the reason."""
    finding = nothing_checked("no time")
    assert (finding.code, finding.verdict, finding.detail) == (Code.GC951, "inconclusive", "no time")


def test_a_clean_case_is_no_finding():
    """That would be our mistake."""
    with pytest.raises(AssertionError, match="only a broken rung"):
        finding_of(Examination(None, "components"), POINT)
