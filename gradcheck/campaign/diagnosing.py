"""From a wrong gradient to findings that say what is wrong: one finding a mistake, each on its own smallest network.

The smallest counterexample is diagnosed first. Then deeper networks are asked: which of the explanations hold there too, and
is there a gradient that they do not explain? The smallest network with such a gradient is the next finding. Every question
costs a call of the subject, so that there is a limit to them; what the subject does wrong while it is asked (a crash, a time
limit) ends the diagnosis, and the finding says so.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from gradcheck.campaign.findings import diagnosed_findings, finding_of, slope_finding
from gradcheck.campaign.source_lines import Trace, with_line
from gradcheck.checks import Examination
from gradcheck.checks import Fault as Wrong
from gradcheck.checks.kink_slopes import wrong_slope
from gradcheck.checks.localisation import locate
from gradcheck.errors import SubjectError
from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.diagnosis import Diagnosis, Mistake, diagnose, when
from gradcheck.faults.fault import Fault, Planting
from gradcheck.faults.matching import Known, know, synthesise
from gradcheck.faults.places import places_of
from gradcheck.faults.sampling import draw_case
from gradcheck.networks import Case
from gradcheck.networks.repertoire import Repertoire
from gradcheck.numerics import Arrays
from gradcheck.report import Finding

QUESTIONS = 1000
"""A diagnosis that asks the subject more often is given up: what is known by then is reported."""
SECONDS = 60.0
"""So is one that takes longer: far beyond what is usual, so that the clock has no say in an ordinary report."""
MOST = 3
"""Findings of one subject at most."""
_DEEP = 6
_DEPTH = 3

Claims = Callable[[Case], Arrays | None]
Condition = Callable[[Case], bool]
Shrink = Callable[[Examination, Case, Condition], tuple[Examination, Case] | None]


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What a diagnosis may use.

    claims: asks the subject; may raise SubjectError. shrink: the smallest case that breaks in the same way and meets a
    condition, with its examination. costs_compared: whether the subject's own cost was compared. besides: the end of the
    detail of the first finding. trace: watches the lines of the subject, where its source is at hand. one_by_one: the subject
    takes one sample a call, and what it says of several is a sum of its answers.
    """

    claims: Claims
    repertoire: Repertoire
    seed: int
    shrink: Shrink
    costs_compared: bool = True
    besides: str = ""
    trace: Trace | None = None
    one_by_one: bool = False


class _Enough(Exception):
    """Ends a diagnosis early; its text says why."""


@dataclass(slots=True)
class _Asker:
    """Asks the subject within the limits; exceptions of its code are no answer, what kills its process is the end."""

    claims: Claims
    deadline: float = field(default_factory=lambda: time.monotonic() + SECONDS)
    left: int = QUESTIONS

    def __call__(self, case: Case) -> Arrays | None:
        self.left -= 1
        if self.left < 0:
            raise _Enough(f"the diagnosis was given up after {QUESTIONS} calls of the subject")
        if time.monotonic() > self.deadline:
            raise _Enough(f"the diagnosis was given up after {SECONDS:g} s")
        try:
            return self.claims(case)
        except SubjectError as error:
            raise _Enough(f"the diagnosis was cut short: {error.message.splitlines()[0]}") from None


def explained(examination: Examination, case: Case, inquiry: Inquiry) -> list[Finding]:
    """The findings of a wrong gradient whose smallest case is given."""
    found: list[Finding] = []
    at: list[Case] = []
    known: list[Mistake] = []
    ask = _Asker(inquiry.claims)
    try:
        slope = wrong_slope(case, ask)
        if slope is not None:
            finding = slope_finding(examination, case, slope)
            return [replace(finding, detail=finding.detail + inquiry.besides)]
        while len(found) < MOST:
            diagnosis, inquiry = _diagnosed(examination, case, inquiry, ask)
            diagnosis, telling = _deeper(diagnosis, known, case, inquiry, ask)
            new = [m for m in diagnosis.mistakes if not _is_known(m, known)]
            if diagnosis.mistakes and not new:
                break
            found += diagnosed_findings(examination, case, replace(diagnosis, mistakes=tuple(new)))
            at += [case] * (len(found) - len(at))
            known += new
            following = None if telling is None else _next(examination, telling, known, inquiry, ask)
            if following is None:
                break
            examination, case = following
    except _Enough as enough:
        found = found or [_unexplained(examination, case, inquiry, str(enough))]
    # last of all, for a subject that dies when it is watched answers nothing any more
    asked = (inquiry.claims, inquiry.repertoire, inquiry.seed)
    found = [with_line(f, c, inquiry.trace, asked) for f, c in zip(found, at or [case], strict=True)]
    first, *rest = found
    return [replace(first, detail=first.detail + inquiry.besides), *rest]


def explained_precision(examination: Examination, case: Case, inquiry: Inquiry) -> list[Finding]:
    """Of a gradient that is right to single precision: a small error of another kind looks so at one case, not at others.

    A cast that reproduces the claim to the last bits has its place.
    """
    wrong = replace(examination, fault=Wrong.BACKWARD, message="jax.grad disagrees: the claim is wrong")
    found = explained(wrong, case, inquiry)
    if any(not e.fault.startswith("prec_") for f in found for e in f.explanations):
        return found
    finding = finding_of(examination, case, (), inquiry.besides)
    cast = next((f for f in found if f.explanations), None)
    if cast is None:
        return [finding]
    return [
        replace(finding, places=cast.places, explanations=cast.explanations, evidence=cast.evidence, lines=cast.lines)
    ]


def _unexplained(examination: Examination, case: Case, inquiry: Inquiry, why: str) -> Finding:
    """The place alone, where the subject still answers."""

    def claims(asked: Case) -> Arrays | None:
        try:
            return inquiry.claims(asked)
        except Exception as error:  # a dead child is no defect of ours here: the finding stands without a place
            raise _Enough(str(error)) from error

    try:
        places = locate(case, claims)
    except _Enough:
        places = ()
    return replace(finding_of(examination, case, places), evidence=(why,))


def _diagnosed(examination: Examination, case: Case, inquiry: Inquiry, ask: _Asker) -> tuple[Diagnosis, Inquiry]:
    """The diagnosis, with several samples or, where that has no name and the subject takes them singly, with one.

    A mistake that is not linear in δ (a square, an inverse) is another one when it is made of each sample by itself.
    """
    diagnosis = _diagnosis(examination, case, inquiry, ask)
    if diagnosis.named or not inquiry.one_by_one or case.samples > 1:
        return diagnosis, inquiry
    single = replace(inquiry, repertoire=replace(inquiry.repertoire, samples=(1, 1)), one_by_one=False)
    again = _diagnosis(examination, case, single, ask)
    return (again, single) if again.named else (diagnosis, inquiry)


def _diagnosis(examination: Examination, case: Case, inquiry: Inquiry, ask: _Asker) -> Diagnosis:
    """At one case. A uniform scale is no fault where no cost was compared: it gets no name."""
    diagnosis = diagnose(case, ask, repertoire=inquiry.repertoire, seed=inquiry.seed)
    if examination.ratio is None or inquiry.costs_compared:
        return diagnosis
    said = (
        f"the claim is {examination.ratio:.6g} times the trusted gradient in every tensor, and no cost is declared that "
        "could tell a mistake from a scale"
    )
    return replace(diagnosis, mistakes=(), evidence=(said,))


# -- deeper networks ------------------------------------------------------------------------------------------------------


def _deeper(
    diagnosis: Diagnosis, known: Sequence[Mistake], case: Case, inquiry: Inquiry, ask: _Asker
) -> tuple[Diagnosis, Case | None]:
    """The diagnosis with the explanations that hold in deeper networks too, and a case there that they do not explain."""
    knowns, refused = _asked_deeper(case, inquiry, ask)
    if not knowns:
        return diagnosis, None
    if not diagnosis.mistakes:
        return _with_deeper_places(diagnosis, knowns, ask), None
    seen = tuple(_as_known(m, known) for m in diagnosis.mistakes)
    others = [k for k in known if not _is_known(k, seen)]  # a mistake of both lists would be planted twice
    mistakes = tuple(_held(m, seen, others, (knowns, refused)) for m in seen)
    every = [*others, *mistakes]
    unexplained = [k.case for k in knowns if not explains(every, k)]
    evidence = diagnosis.evidence
    for before, after in zip(diagnosis.mistakes, mistakes, strict=True):
        evidence = tuple(e.replace(when(before), when(after)) for e in evidence)
    return replace(diagnosis, mistakes=mistakes, evidence=evidence), unexplained[0] if unexplained else None


def _asked_deeper(case: Case, inquiry: Inquiry, ask: _Asker) -> tuple[list[Known], list[Case]]:
    """Claims in networks deeper than the case, half of them of equal width; and the cases where there is none."""
    depth = min(max(_DEPTH, case.architecture.depth + 1), inquiry.repertoire.depths[1])
    generator = np.random.default_rng([inquiry.seed, 43])
    knowns, refused = [], []
    for k in range(_DEEP if depth > case.architecture.depth else 0):
        drawn = draw_case(inquiry.repertoire, generator, depth, square=k % 2 == 0)
        claim = ask(drawn)
        if claim is not None and all(np.all(np.isfinite(g)) for g in claim.values()):
            knowns.append(know(drawn, claim, fresh=True))
        else:
            refused.append(drawn)
    return knowns, refused


def _held(
    mistake: Mistake, all_of_them: Sequence[Mistake], known: Sequence[Mistake], deep: tuple[list[Known], list[Case]]
) -> Mistake:
    """The mistake with those explanations that hold in deeper networks; with all of them where none does."""
    others = [*known, *(m for m in all_of_them if m is not mistake)]
    knowns, refused = deep
    alone = [replace(mistake, explanations=(e,)) for e in mistake.explanations]
    holding = [m for m in alone if all(explains([*others, m], k) for k in knowns)]
    crashing = [m for m in holding if refused and all(_crashes(m, c) for c in refused)]
    kept = crashing or holding
    return replace(mistake, explanations=tuple(m.explanations[0] for m in kept)) if kept else mistake


def explains(mistakes: Sequence[Mistake], known: Known) -> bool:
    """Whether the mistakes give the claim, each at every layer, or at its layer counted from below or from above."""
    if not known.informative:
        return True
    for plantings in product(*(_plantings(m, known.case) for m in mistakes)):
        gradient = synthesise(known.case, plantings)
        if gradient is not None and all(known.agrees(n, gradient[n]) for n in known.claim):
            return True
    return False


def _plantings(mistake: Mistake, case: Case) -> Iterator[Planting]:
    fault, depth = _fault(mistake), case.architecture.depth
    yield Planting(fault)
    places = {p.layer for p in mistake.places if p.layer is not None}
    for layer in dict.fromkeys([*places, *(depth - l for l in places), *range(depth, 0, -1)]):
        yield Planting(fault, layer)


def _crashes(mistake: Mistake, case: Case) -> bool:
    return synthesise(case, (Planting(_fault(mistake)),)) is None


def _fault(mistake: Mistake) -> Fault:
    return CATALOGUE[mistake.explanations[0].fault]


def _as_known(mistake: Mistake, known: Sequence[Mistake]) -> Mistake:
    """The mistake with those explanations that a known one has too, where there are any."""
    names = {e.fault for k in known for e in k.explanations}
    both = tuple(e for e in mistake.explanations if e.fault in names)
    return replace(mistake, explanations=both) if both else mistake


def _is_known(mistake: Mistake, known: Sequence[Mistake]) -> bool:
    names = {e.fault for e in mistake.explanations}
    return any(names & {e.fault for e in k.explanations} for k in known)


def _with_deeper_places(diagnosis: Diagnosis, knowns: Sequence[Known], ask: _Asker) -> Diagnosis:
    """An unknown mistake: equations that are wrong in deeper networks only are said in words."""
    wrong = [k for k in knowns if k.informative][:3]
    deeper = {p.equation for k in wrong for p in places_of(k.case, ask)} - {p.equation for p in diagnosis.places}
    if not diagnosis.places or not deeper:
        return diagnosis
    said = f"in deeper networks {' and '.join(sorted(deeper))} {'is' if len(deeper) == 1 else 'are'} wrong too"
    return replace(diagnosis, evidence=(*diagnosis.evidence, said))


def _next(
    examination: Examination, telling: Case, known: Sequence[Mistake], inquiry: Inquiry, ask: _Asker
) -> tuple[Examination, Case] | None:
    """The smallest case whose gradient the mistakes known so far do not explain."""

    def unexplained(case: Case) -> bool:
        claim = ask(case)
        return claim is not None and not explains(known, know(case, claim, fresh=True))

    return inquiry.shrink(examination, telling, unexplained)
