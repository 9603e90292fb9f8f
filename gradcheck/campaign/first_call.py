"""Is the first call with arrays of a shape right and a later one with other numbers wrong? Then a cache was never filled anew.

Asked of a wrong gradient, with sizes that nothing has used before: two sets of numbers, one after the other, then in the
other order with fewer samples. Whichever comes first is right, whichever comes second is wrong.
It must not know how cases are examined.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gradcheck.checks import Examination
from gradcheck.errors import FATAL, SubjectError, UsageError
from gradcheck.networks import Case, case_from_json
from gradcheck.networks.sampling import sample_case
from gradcheck.report import Code, Finding

INPUTS = (9, 11)
"""Widths of the input that no repertoire draws."""
SAMPLES = (4, 3)
WORDS = "the first call with arrays of a shape is right, a later one with other numbers is wrong: its cache is not filled anew"


def named(finding: Finding, examine: Callable[[Case], Examination]) -> Finding:
    """The finding, as one of a stale cache where only the first call of a shape is right."""
    if finding.verdict != "fail" or finding.code.name[:3] not in ("GC4", "GC5") or not finding.counterexample:
        return finding
    try:
        case = case_from_json(finding.counterexample)
    except UsageError:  # a definition of the caller's own, which its name alone does not give
        return finding
    if not isinstance(case, Case):
        return finding
    stale = all(_right(c, examine) and not _right(d, examine) for c, d in _pairs(case))
    return replace(finding, code=Code.GC204, detail=f"{WORDS}; {finding.detail}") if stale else finding


def _pairs(case: Case) -> list[tuple[Case, Case]]:
    generator = np.random.default_rng(5)
    pairs = []
    for inputs in INPUTS:
        architecture = replace(case.architecture, inputs=inputs)
        one, other = (sample_case(architecture, SAMPLES[0], generator) for _ in range(2))
        pairs += [(one, other), (_fewer(other), _fewer(one))]
    return pairs


def _fewer(case: Case) -> Case:
    return replace(case, inputs=case.inputs[:, : SAMPLES[1]], targets=case.targets[:, : SAMPLES[1]])


def _right(case: Case, examine: Callable[[Case], Examination]) -> bool:
    try:
        return examine(case).fault is None
    except SubjectError as error:
        if error.kind in FATAL:
            raise
        return False
