"""The laws of a network's cost in a run: where no trusted definition is the subject's own they stand beside its differences.

Tried on a handful of cases, some dozens of calls of the subject. A broken law is a finding where nothing else was found, and
names what differences found; kept and broken ones are evidence beside a mistake that has no name.
It must not know how cases are drawn or booked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from gradcheck.campaign.findings import CODES
from gradcheck.checks import Examination, Fault, Recognition
from gradcheck.checks.invariance import SAMPLES
from gradcheck.checks.network_laws import (
    Ask,
    Gate,
    Judgement,
    asking,
    by_assumption,
    by_cost,
    by_output,
    by_trusted_cost,
    judgements,
)
from gradcheck.networks import Case
from gradcheck.networks.repertoire import Repertoire
from gradcheck.networks.sampling import sample_case
from gradcheck.report import Code, Finding
from gradcheck.strategies import corner_cases
from gradcheck.subjects import Subject

HANDFUL = 3
MOST_TELLING = (Fault.ORDER, Fault.NOT_ADDITIVE, Fault.UNITS, Fault.LOSS_SCALE)
"""Of several broken laws the first names the finding: who mixes up the samples also breaks those that follow."""
_NAMED_BY_A_LAW = frozenset({Code.GC405})


def broken_at(subject: Subject, recognition: Recognition, case: Case) -> list[Examination]:
    """The laws that are broken at one case, the most telling first."""
    found = [j.broken for j in _judged(subject, recognition, [case]) if j.broken is not None]
    return sorted(found, key=_rank)


def broken_laws(subject: Subject, recognition: Recognition, seed: int) -> Iterator[tuple[Examination, Case]]:
    """The laws that are broken at the handful of cases, with these."""
    for case in handful(recognition.repertoire, seed):
        yield from ((broken, case) for broken in broken_at(subject, recognition, case))


def with_evidence(finding: Finding, subject: Subject, recognition: Recognition, seed: int) -> Finding:
    """The finding with what the laws say; one of a network that only says "wrong" takes the name of the broken law."""
    judged = _judged(subject, recognition, handful(recognition.repertoire, seed))
    broken = sorted((j for j in judged if j.broken is not None), key=lambda j: _rank(j.broken))
    named = bool(broken) and finding.code in _NAMED_BY_A_LAW and not recognition.trusted
    said = [*_sentences(judged), *_remarks(subject, recognition, seed)]
    if not named or broken[0].broken is None or broken[0].broken.fault is None:
        return replace(finding, evidence=(*finding.evidence, *said))
    name = _sentence(broken[0])
    others = (s for s in said if s != name)
    code = CODES[broken[0].broken.fault]
    return replace(finding, code=code, detail=f"{finding.detail}; {name}", evidence=(*finding.evidence, *others))


def what_the_laws_say(subject: Subject, recognition: Recognition, seed: int) -> tuple[str, ...]:
    """Sentences for a gradient of which nothing is known to be wrong."""
    judged = _judged(subject, recognition, handful(recognition.repertoire, seed))
    return (*_sentences(judged), *_remarks(subject, recognition, seed))


def handful(repertoire: Repertoire, seed: int) -> Iterator[Case]:
    """Ordinary numbers for the first corners of the repertoire, with the samples that laws of the batch need."""
    generator = np.random.default_rng([seed, 19])
    low, high = repertoire.samples
    samples = min(max(SAMPLES, low), high)
    for _, corner in zip(range(HANDFUL), corner_cases(repertoire, seed), strict=False):
        yield sample_case(corner.architecture, samples, generator)


def _rank(examination: Examination | None) -> int:
    fault = None if examination is None else examination.fault
    return MOST_TELLING.index(fault) if fault in MOST_TELLING else len(MOST_TELLING)


def _judged(subject: Subject, recognition: Recognition, cases: Sequence[Case] | Iterator[Case]) -> list[Judgement]:
    gate = _gate(subject, recognition)
    if gate is None:
        return []
    ask, batches = asking(subject, recognition.layout), subject.offer.batch
    return [j for case in cases for j in judgements(case, ask, gate, batches=batches)]


def _gate(subject: Subject, recognition: Recognition) -> Gate | None:
    """What vouches for the cost: the trusted one where it is the subject's, its own, or outputs that stay as they are."""
    if recognition.trusted:
        return by_trusted_cost()
    if subject.offer.declares_cost:
        return by_cost(subject, recognition.layout)
    return by_output(subject, recognition.layout) if subject.offer.declares_output else None


def _sentence(judged: Judgement) -> str:
    message = judged.broken.message if judged.broken else f"keeps the {judged.law.name}"
    return f"{message} (widths {', '.join(map(str, judged.case.architecture.widths))})"


def _sentences(judged: Sequence[Judgement], said_first: str = "") -> Iterator[str]:
    """One for each broken law, then one for those that were kept."""
    broken = {j.law.name: j for j in reversed(judged) if j.broken is not None}
    yield from (said_first + _sentence(j) for j in reversed(broken.values()))
    kept = [j for j in judged if j.law.name not in broken and j.power < 1]
    if kept:
        names = ", ".join(dict.fromkeys(j.law.name for j in kept))
        yield f"{said_first}it keeps, to within {np.median([j.power for j in kept]):.1g} of a tensor: {names}"


def _remarks(subject: Subject, recognition: Recognition, seed: int) -> Iterator[str]:
    """Where nothing vouches for the cost: what follows if it is a sum over the samples. Never a finding."""
    offer = subject.offer
    if recognition.trusted or offer.declares_cost or not offer.declares_output or not offer.batch:
        return
    ask, gate = asking(subject, recognition.layout), by_assumption(subject, recognition.layout)
    found = [j for c in handful(recognition.repertoire, seed) for j in _in_batches(c, ask, gate)]
    yield from _sentences(found, "if its cost is a sum over the samples: ")


def _in_batches(case: Case, ask: Ask, gate: Gate) -> Iterator[Judgement]:
    yield from (j for j in judgements(case, ask, gate, batches=True) if j.law.layer is None)
