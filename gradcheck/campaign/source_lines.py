"""The line of the subject's source behind a wrong equation: ask for its gradient once more, watched line by line.

A random case with one sample is looked for at which the equation is the first one that is wrong; there the wrong tensor is
known from the claim. Whatever goes wrong on the way (a subject that crashes when watched, an answer of another form, the
limit of time) costs the line and nothing else.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.checks.localisation import peel
from gradcheck.errors import GradcheckError
from gradcheck.faults.blame import Blamed, Wrong, blame
from gradcheck.faults.quantities import Quantities, quantities
from gradcheck.faults.record import read_record
from gradcheck.faults.sampling import draw_near, single_sample
from gradcheck.networks import Case
from gradcheck.networks.repertoire import Repertoire
from gradcheck.numerics import Arrays
from gradcheck.report import Finding, Line

Trace = Callable[[Case], Any]
Claims = Callable[[Case], Arrays | None]
SECONDS = 30.0
"""Far beyond what is usual, so that the clock has no say in an ordinary report."""
_DRAWS = 16
_TRACES = 6
_CONFIRMED = 2
"""So many traced cases must be sure of a line, and none may name another."""
_NO_RECORD = (GradcheckError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)


def with_line(finding: Finding, case: Case, trace: Trace | None, asked: tuple[Claims, Repertoire, int]) -> Finding:
    """The finding with the line that most likely computes what is wrong, where it can be had."""
    equations = {p.equation for p in finding.places}
    if trace is None or len(equations) != 1 or not equations <= {"BP1", "BP2", "BP3", "BP4"}:
        return finding
    (equation,) = equations
    try:
        found = _found(equation, case, trace, asked)
    except _NO_RECORD:
        return finding
    return finding if found is None else replace(finding, lines=(line_of(found),))


def _found(equation: str, case: Case, trace: Trace, asked: tuple[Claims, Repertoire, int]) -> Blamed | None:
    """The line that most cases name; sure only where several are and none names another: values may coincide at one."""
    answers: list[Blamed] = []
    for tried, (small, known, wrong) in enumerate(_cases(equation, case, asked)):
        if tried == _TRACES:
            break
        record = read_record(trace(small))
        blamed = blame(record, known, wrong) if record.crash is None else None
        if blamed is not None:
            answers.append(blamed)
    return _agreed(answers) if answers else None


def _agreed(answers: Sequence[Blamed]) -> Blamed:
    lines = [(b.step.file, b.step.line) for b in answers]
    same = [b for b, line in zip(answers, lines, strict=True) if line == max(lines, key=lines.count)]
    sure = [b for b in same if b.sure]
    if len(same) == len(answers) and len(sure) >= _CONFIRMED:
        return sure[0]
    unsure = next((b for b in same if not b.sure), None)
    return unsure or replace(same[0], sure=False, reason="not every case that was traced points to this line alone")


def _cases(
    equation: str, case: Case, asked: tuple[Claims, Repertoire, int]
) -> Iterator[tuple[Case, Quantities, Wrong]]:
    """Cases with one sample at which the equation is the first wrong one, with the right quantities and the wrong tensor."""
    claims, repertoire, seed = asked
    deadline = time.monotonic() + SECONDS
    generator = np.random.default_rng([seed, 47])
    for k in range(_DRAWS):
        if time.monotonic() > deadline:
            return
        small = single_sample(draw_near(case, repertoire, generator, k))
        claim = claims(small)
        known = quantities(small) if claim is not None else None
        if claim is None or known is None or not all(np.all(np.isfinite(g)) for g in claim.values()):
            continue
        wrong = _wrong(equation, small, claim)
        if wrong is not None:
            yield small, known, wrong


def _wrong(equation: str, case: Case, claim: Arrays) -> Wrong | None:
    places = list(peel(case, claim))
    if not places or places[0].equation != equation or places[0].layer is None:
        return None
    layer = places[0].layer
    if [p.equation for p in places if p.layer == layer] != [equation]:
        return None
    dW, db = claim.get(f"W{layer}"), claim.get(f"b{layer}")
    if equation == "BP4":
        return None if dW is None else Wrong("dW", layer, dW)
    if db is None:
        return None
    return Wrong("db" if equation == "BP3" else "delta", layer, db)


def line_of(blamed: Blamed) -> Line:
    """As the report says it; the path is relative where the file is in or below the working folder."""
    step = blamed.step
    relative = os.path.relpath(step.file)
    path = Path(step.file).name if relative.startswith("..") else relative
    return Line(path, step.line, step.text, blamed.sure, blamed.reason)
