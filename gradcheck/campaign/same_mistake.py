"""One mistake, several symptoms: wrong numbers where its matrices conform, a wrong shape or an exception where they do not.

A named mistake that gives no gradient of the right shape at a case accounts for what the subject did there; then its finding
comes first, and the others say so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from gradcheck.checks.localisation import Place
from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.diagnosis import Explanation, Mistake
from gradcheck.faults.fault import Planting
from gradcheck.faults.matching import synthesise
from gradcheck.networks import Case
from gradcheck.report import Finding

_CASES = 3


def mistakes_of(finding: Finding) -> Iterator[Mistake]:
    """The named mistakes of a finding, as its diagnosis had them."""
    places = tuple(Place(p.equation, p.layer) for p in finding.places)
    for _, group in groupby(finding.explanations, key=lambda e: e.mistake):
        yield Mistake(places, (), tuple(Explanation(e.fault, e.title, e.equation, e.layer, e.hint) for e in group))


def joined(findings: Sequence[Finding], structural: Sequence[Case], raised: Sequence[Case]) -> list[Finding]:
    """The findings with the named mistake first, where it accounts for the wrong shapes or the exceptions."""
    named = next((f for f in findings if f.explanations), None)
    if named is None:
        return list(findings)
    shapes = next((f for f in findings if f.rung == "structure" and not f.explanations), None)
    if raised and _accounts(named, raised):
        said = "where it does not conform it raises: the exceptions are this mistake too"
        findings = [_saying(f, said) if f is named else f for f in findings]
    if shapes is None or not structural or not _accounts(named, structural):
        return list(findings)
    title = named.explanations[0].title
    said = f"it is the mistake of {named.code.name} ({title}), which gives a wrong shape where the widths differ"
    rest = [f for f in findings if f is not shapes]
    also = replace(_saying(shapes, said), explanations=named.explanations)
    return [*rest, also]


def _saying(finding: Finding, sentence: str) -> Finding:
    return replace(finding, evidence=(*finding.evidence, sentence))


def _accounts(finding: Finding, cases: Sequence[Case]) -> bool:
    """Whether one of the named mistakes, at every layer, gives no gradient of the right shape at any of these cases."""
    faults = [CATALOGUE[m.explanations[0].fault] for m in mistakes_of(finding)]
    return any(all(synthesise(c, (Planting(f),)) is None for c in cases[:_CASES]) for f in faults)
