"""Several symptoms of one mistake: the named one comes first, and the others say that they are it."""

import numpy as np
import pytest

from gradcheck.campaign.same_mistake import joined, mistakes_of
from gradcheck.networks import COSTS, Architecture, Dense, activation_named
from gradcheck.networks.sampling import sample_case
from gradcheck.report import Code, Explanation, Finding, Place

SHAPES = Finding(Code.GC104, "fail", "structure", "a wrong shape", (Place("structure", 1),))


def named(fault):
    """The finding of a mistake in the recursion."""
    return Finding(
        Code.GC402,
        "fail",
        "triangle",
        "",
        (Place("BP2", 1),),
        explanations=(Explanation(fault, "W stands for Wᵀ", None),),
    )


def case(*widths):
    """A random one."""
    layers = tuple(Dense(n, activation_named("tanh")) for n in widths[1:])
    return sample_case(Architecture(widths[0], layers, COSTS["mse"]), 2, np.random.default_rng(1))


UNEQUAL, EQUAL = case(2, 3, 4), case(3, 3, 3)


def test_a_wrong_shape_is_the_named_mistake():
    """W δ has another length than Wᵀ δ."""
    first, second = joined([SHAPES, named("bp2_no_transpose")], [UNEQUAL], [])
    assert (first.code, second.code) == (Code.GC402, Code.GC104)
    assert second.explanations == first.explanations
    assert second.evidence[0].startswith("it is the mistake of GC402 (W stands for Wᵀ)")


def test_an_exception_is_the_named_mistake():
    """It raises where the widths differ."""
    (found,) = joined([named("bp2_no_transpose")], [], [UNEQUAL])
    assert "the exceptions are this mistake too" in found.evidence[0]


@pytest.mark.parametrize(("fault", "where"), [("bp2_no_transpose", EQUAL), ("bp2_no_sigma_prime", UNEQUAL)])
def test_a_mistake_that_conforms_accounts_for_nothing(fault, where):
    """Neither where the layers are equally wide, nor when it never raises."""
    findings = [SHAPES, named(fault)]
    assert joined(findings, [where], [where]) == findings


def test_without_a_name_nothing_is_joined():
    """Two findings stay two."""
    assert joined([SHAPES], [UNEQUAL], [UNEQUAL]) == [SHAPES]


def test_the_mistakes_of_a_finding_come_back():
    """Explanations with one number are alternatives of one mistake."""
    e = [Explanation(f, f, None, "BP3", "", k) for f, k in (("bp3_zero", 1), ("idx_b_skipped", 1), ("reg_l1", 2))]
    finding = Finding(Code.GC403, "fail", "triangle", "", (Place("BP3", 2),), explanations=tuple(e))
    assert [[x.fault for x in m.explanations] for m in mistakes_of(finding)] == [
        ["bp3_zero", "idx_b_skipped"],
        ["reg_l1"],
    ]
