"""A layer that stands on kinks: ties of a maximum, margins of exactly 0, relu at 0.

Components that no kink moves are compared with the trusted layer as ever; the others must lie between the layer's own limits,
for each output alone (`checks/limits.py`), along three sets of fresh directions before it counts.
"""

from typing import Any

import numpy as np

from gradcheck.checks.comparison import compare
from gradcheck.checks.examination import Examination, Fault
from gradcheck.checks.ladder import structure
from gradcheck.checks.limits import beyond_limits, unsettled
from gradcheck.checks.operations import Trusted
from gradcheck.checks.projection import ATTEMPTS
from gradcheck.networks import OperationCase
from gradcheck.numerics import Estimate, unit_roundoff
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Subject

OUTPUTS = 4
"""Outputs of a case that are taken each for itself: a mistake at a tie is made at every tie."""
NO_KINK = "no kink at the point"


def examine_at_kink(subject: Subject, case: OperationCase, layout: Layout, trusted: Trusted | None) -> Examination:
    """Silent where nothing stands on a kink. Raises SubjectError when the subject fails to run."""
    claim = subject.vjp(case, layout)[1](case.cotangent)
    broken = structure(claim)
    if broken is not None:
        return broken
    there: Any = _InLayout(subject, layout)
    u = unit_roundoff(case.dtype)
    depend = unsettled(there, case, u, 0)
    if depend is None or not any(np.any(d) for d in depend.values()):
        return Examination(None, "components", silent=NO_KINK)
    components = sum(int((~d).sum()) for d in depend.values())
    if trusted is not None:
        error = trusted.pullback.error
        granted = {n: np.where(d, np.inf, error[n]) for n, d in depend.items() if n in error}
        settled = compare(Estimate(claim.gradient, granted, "claim"), trusted.pullback)
        if not settled.agrees:
            wrong = tuple(settled.wrong())
            message = "beside a tie or a kink, where no side matters, the claim is wrong"
            return Examination(Fault.BACKWARD, "components", message, wrong[0], settled.discrepancies, wrong=wrong)
    for attempt in range(ATTEMPTS):
        fault = beyond_limits(there, case, u, attempt, OUTPUTS)
        if fault is None:
            return Examination(None, "components", components=components)
    return fault if fault is not None else Examination(None, "components", components=components)


class _InLayout:
    """A subject that is always asked in one layout."""

    def __init__(self, subject: Subject, layout: Layout) -> None:
        self.subject, self.layout = subject, layout

    def forward(self, points: Any, _: Layout) -> Any:
        """As the subject's."""
        return self.subject.forward(points, self.layout)

    def vjp(self, case: Any, _: Layout) -> Any:
        """As the subject's."""
        return self.subject.vjp(case, self.layout)
