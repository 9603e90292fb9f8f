"""Is it wrong for a batch of one only? Then that is its name: a squeezed axis, an average over m − 1.

Smallest counterexamples have one sample whatever the mistake is; so the same network with two samples must be right, and so
must every other network with several. A wrong cost keeps its code: some subjects have a cost of their own for one pair, and
the culprit is that cost, not the batch. It must not know how cases are examined.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from gradcheck.checks import Examination
from gradcheck.checks.network_laws import RUNG as LAWS
from gradcheck.errors import SubjectError, UsageError
from gradcheck.networks import Case, case_from_json
from gradcheck.report import Code, Finding

ENOUGH = 3
"""Cases with several samples that must be right, beside the counterexample's own network."""


def named(
    finding: Finding,
    others: Iterable[Case],
    examine: Callable[[Case], Examination],
) -> Finding:
    """The finding, as one of a batch of one where everything with several samples is right."""
    case = _of_one_sample(finding)
    if case is None:
        return finding
    several = [c for c in others if c.samples > 1]
    if len(several) < ENOUGH or not all(_clean(c, examine) for c in (with_two_samples(case), *several)):
        return finding
    words = "only a batch of one is wrong, the same network with two samples is right (an axis squeezed away?)"
    code = finding.code if _of_the_cost(finding) else Code.GC209
    return replace(finding, code=code, detail=f"{words}: {finding.detail}")


def _of_the_cost(finding: Finding) -> bool:
    """A factor that was found in an equation of the gradient (GC303 with a place in BP1) is none of its cost."""
    equations = any(p.equation.startswith("BP") for p in finding.places)
    return finding.code.name.startswith("GC3") and not equations


def with_two_samples(case: Case) -> Case:
    """The same network with a second sample beside the first."""
    inputs = np.hstack([case.inputs, 0.5 * case.inputs + 0.25])
    return replace(case, inputs=inputs, targets=np.hstack([case.targets, case.targets]))


def _of_one_sample(finding: Finding) -> Case | None:
    data = finding.counterexample
    if (
        finding.verdict != "fail"
        or not data
        or data.get("kind") != "network"
        or finding.code.name.startswith(("GC2", "GC6"))  # a lack of precision shows here and there, for any batch
        or finding.rung == LAWS
    ):
        return None
    try:
        case = case_from_json(data)
    except UsageError:  # a definition of the caller's own, which its name alone does not give
        return None
    return case if isinstance(case, Case) and case.samples == 1 else None


def _clean(case: Case, examine: Callable[[Case], Examination]) -> bool:
    try:
        return examine(case).fault is None
    except (SubjectError, UsageError):  # it raises, or its process is gone
        return False
