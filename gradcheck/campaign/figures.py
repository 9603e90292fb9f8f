"""What a report can draw of a finding: claimed and expected tensors of a small counterexample, and the curve of the effective
derivative. Asked last of all, and only where a finding is about values; whatever goes wrong costs the figure and nothing else.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.campaign.operations import trusted_of
from gradcheck.checks import Recognition
from gradcheck.errors import FATAL, GradcheckError, SubjectError
from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.evidence import effective_points
from gradcheck.faults.matching import know
from gradcheck.faults.sampling import draw_near
from gradcheck.networks import Case, OperationCase, Vocabulary, case_from_json
from gradcheck.networks.repertoire import Repertoire
from gradcheck.numerics import Arrays
from gradcheck.oracles.error_analysis import rounding_bounds
from gradcheck.report import Code, Curve, Finding, Tensor
from gradcheck.subjects import Layout, Subject

NUMBERS = 400
"""Tensors of a counterexample are drawn up to so many numbers in all."""
POINTS = 60
SECONDS = 10.0
"""A slow subject is asked no more for figures after this time; what is known by then is drawn."""
_DRAWS = 8
_CURVED = frozenset({Code.GC401, Code.GC402, Code.GC501})
_VALUES = _CURVED | {Code.GC106, Code.GC303, Code.GC304, Code.GC403, Code.GC404, Code.GC405, Code.GC601}
_NO_FIGURE = (GradcheckError, ValueError, TypeError, KeyError, IndexError, ArithmeticError, np.linalg.LinAlgError)


@dataclass(frozen=True, slots=True)
class Illustrator:
    """What figures are drawn from: the subject, its layouts by operation ("" for a network), and what was recognised."""

    subject: Subject
    layouts: Mapping[str, Layout]
    recognition: Recognition | None
    vocabulary: Vocabulary
    seed: int

    def __call__(self, finding: Finding) -> Finding:
        """The finding with its figures, where it is about values and the trusted gradient is known at its counterexample."""
        if finding.code not in _VALUES or finding.counterexample is None or finding.verdict != "fail":
            return finding
        try:
            return self._drawn(finding, case_from_json(finding.counterexample, self.vocabulary))
        except _NO_FIGURE:
            return finding

    def _drawn(self, finding: Finding, case: Case | OperationCase) -> Finding:
        if isinstance(case, OperationCase):
            return replace(finding, tensors=tuple(_of_operation(self.subject, case, self.layouts)))
        r = self.recognition
        if r is None or not r.trusted:
            return finding
        ask = _Asker(self.subject, r.layout)
        curve = _curve(finding, case, r.repertoire, ask, self.seed) if _is_of_derivative(finding) else None
        return replace(finding, tensors=tuple(_of_network(case, ask)), curve=curve)


class _Asker:
    """The subject's gradient at a case; None where it raises or a claim has the wrong form. What kills it ends the figures."""

    def __init__(self, subject: Subject, layout: Layout) -> None:
        self.subject, self.layout = subject, layout
        self.deadline = time.monotonic() + SECONDS

    def __call__(self, case: Case) -> Arrays | None:
        if time.monotonic() > self.deadline:
            return None
        try:
            claim = self.subject.vjp(case, self.layout)[1](case.cotangent)
        except SubjectError as error:
            if error.kind in FATAL:
                raise
            return None
        return None if claim.problems else claim.gradient


def _of_network(case: Case, ask: _Asker) -> Iterator[Tensor]:
    claim = ask(case)
    if claim is None:
        return
    known = know(case, claim, fresh=False)
    yield from _tensors(known.claim, known.gradient, rounding_bounds(case).gradient)


def _of_operation(subject: Subject, case: OperationCase, layouts: Mapping[str, Layout]) -> Iterator[Tensor]:
    trusted = trusted_of(case)
    if trusted is None:
        return
    layout = layouts.get(case.operation, Layout())
    claim = subject.vjp(case, layout)[1](case.cotangent)
    if not claim.problems:
        yield from _tensors(claim.gradient, trusted.pullback.value, trusted.pullback.error)


def _tensors(claimed: Arrays, expected: Arrays, bound: Arrays) -> Iterator[Tensor]:
    """Those that fit; bound: that of the expected value and as much again for the claim."""
    left = NUMBERS
    for name in (n for n in expected if n in claimed and claimed[n].shape == expected[n].shape):
        left -= expected[name].size
        if left >= 0:
            bounds = np.broadcast_to(2 * np.asarray(bound[name]), expected[name].shape)
            yield Tensor(name, claimed[name].tolist(), expected[name].tolist(), bounds.tolist())


def _is_of_derivative(finding: Finding) -> bool:
    """Whether σ′ is what is wrong, or nothing is known: δ over what comes from above is a function of z only then."""
    named = [CATALOGUE[e.fault] for e in finding.explanations if e.fault in CATALOGUE]
    return finding.code in _CURVED and (not named or any(fault.slot == "derivative" for fault in named))


def _curve(finding: Finding, case: Case, repertoire: Repertoire, ask: _Asker, seed: int) -> Curve | None:
    """Effective derivative against z at units with the activation of the wrong layer; none where it is the right one."""
    layer = next((p.layer for p in finding.places if p.equation in ("BP1", "BP2") and p.layer), None)
    if layer is None:
        return None
    above, activation = case.architecture.depth - layer, case.architecture.layers[layer - 1].activation
    generator = np.random.default_rng([seed, 61])
    points: list[tuple[float, float, float]] = []
    for k in range(_DRAWS):
        drawn = draw_near(case, repertoire, generator, 4 * (k // 2) + 3 * (k % 2))
        at = drawn.architecture.depth - above
        if drawn.architecture.layers[at - 1].activation == activation:
            points += [(p.z, p.r, p.right) for p in effective_points(drawn, ask, at)]
    finite = sorted(p for p in points if np.all(np.isfinite(p)))[:: max(1, len(points) // POINTS)]
    shown = len(finite) >= 4 and any(abs(r - right) > 1e-6 * (1 + abs(right)) for _, r, right in finite)
    return Curve(layer, activation.name, tuple(finite)) if shown else None
