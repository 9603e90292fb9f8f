"""Judge of layers: every pair of a file in the layout, and as the layer, that its original was recognised as.

A mutant of the forward pass is held against the trusted layer, so that one that changes forward and backward pass alike is
found too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from gradcheck.campaign.findings import CODES, FAILURES
from gradcheck.campaign.layer_objects import explained_object, known_layer
from gradcheck.campaign.layers import explained, recognise, trusted_at
from gradcheck.campaign.operations import SIZES, operation_case, operation_layout, trusted_of, verify_function
from gradcheck.campaign.outcome import Detection, Options
from gradcheck.campaign.selftest.judge import AnyCase
from gradcheck.checks.operations import Trusted, examine_operation
from gradcheck.errors import SubjectError, UsageError
from gradcheck.faults.layers import FAULTS, gradient_of
from gradcheck.faults.outcomes import Diagnosed, Plan
from gradcheck.faults.specimen import Answer, answer
from gradcheck.faults.survivors import Difference, compared
from gradcheck.networks import OperationCase, case_from_json
from gradcheck.numerics import Arrays
from gradcheck.report import Finding
from gradcheck.subjects import Layout, Subject
from gradcheck.subjects.claims import PLAIN_FUNCTION

_FRESH = (4, 6, 7, 9, 10, 12)
"""Numbers of cases of several sizes, a square one among them; in float64."""
HOW = {code: kind for kind, code in reversed(list(FAILURES.items()))} | {
    code: fault.name.lower() for fault, code in CODES.items()
}
"""Finding code -> the name that `outcomes.ways` groups by."""


@dataclass(frozen=True, slots=True)
class Known:
    """One pair of the original: its layout, its cases, the trusted side, and how a finding of it is explained."""

    layout: Layout
    draw: Callable[[np.random.Generator, int], OperationCase]
    trusted: Callable[[OperationCase], Trusted | None]
    explain: Callable[[Finding, Subject], Finding]


class OperationJudge:
    """`Judge` of subjects whose cases are layers."""

    def __init__(self, original: Subject, said: str | None, plan: Plan) -> None:
        self.plan = plan
        self.known = {name: _known(original, name, said, plan.seed) for name in original.offer.operations}

    def draw(self) -> Iterator[AnyCase]:
        """One case of each pair in turn."""
        generator = np.random.default_rng([self.plan.seed, 43])
        for k in count():
            for pair in self.known.values():
                yield pair.draw(generator, k)

    def ask(self, subject: Subject, case: AnyCase) -> Answer:
        """Output and cotangents of the arguments."""
        return answer(subject, case, self._of(case).layout)

    def differs(self, case: AnyCase, given: Answer, right: Answer) -> Difference:
        """Beyond the bounds of the trusted layer; without one, beyond 1e-12 of the largest component."""
        assert isinstance(case, OperationCase)
        trusted = self._of(case).trusted(case)
        if trusted is not None:
            gradient = {n: 2 * e for n, e in trusted.pullback.error.items()}
            return compared(given, right, gradient, 4 * trusted.output_error + 1e-300)
        guessed = {n: 1e-12 * np.max(np.abs(g), initial=0.0) for n, g in (right.gradient or {}).items()}
        return compared(given, right, guessed, 1e-12 * np.max(np.abs(np.asarray(right.value)), initial=0.0))

    def effect(self, subject: Subject, case: AnyCase, other: AnyCase) -> str:
        """Of every pair, at two cases of its own."""
        for pair in self.known.values():
            one, second, *_ = _fresh(pair)
            effects = subject.effects(one, second, pair.layout)
            if effects:
                return effects[0].kind
        return ""

    def detect(self, subject: Subject) -> Detection | None:
        """Each pair with its share of the cases, up to the first finding."""
        share = Options(max(8, self.plan.examples // max(1, len(self.known))), self.plan.seed)
        for name in self.known:
            if name not in subject.offer.operations:
                return Detection("missing", None)
            found = self._finding(subject, name, share)
            if found is not None:
                case = None if found.counterexample is None else case_from_json(found.counterexample)
                return Detection(
                    HOW.get(found.code, "nothing checked" if found.verdict == "inconclusive" else "backward"),
                    case,
                    found,
                )
        return None

    def fault(self, subject: Subject, case: AnyCase) -> str:
        """One climb of the ladder."""
        assert isinstance(case, OperationCase)
        pair = self._of(case)
        try:
            fault = examine_operation(subject, case, pair.layout, pair.trusted(case)).fault
        except SubjectError as error:
            return error.kind
        return "" if fault is None else fault.name.lower()

    def diagnosed(self, subject: Subject, original: Subject, found: Detection) -> tuple[Diagnosed, str] | None:
        """Of the backward pass alone: are the arguments right whose gradients are said to be wrong, and the name?"""
        case, finding = found.case, found.finding
        if finding is None or not isinstance(case, OperationCase) or finding.code.name != "GC405":
            return None
        pair = self._of(case)
        if not _same_output(self.ask(subject, case), self.ask(original, case)):
            return None
        said = pair.explain(finding, subject)
        named = [p.equation.removeprefix("gradient of ").partition(" (")[0] for p in said.places]
        names = tuple(e.fault for e in said.explanations)
        placed = bool(named) and set(named) == self._wrong(subject, original, pair)
        right = all(self._gives(name, subject, pair) for name in names)
        return Diagnosed(1, int(placed), int(bool(names))), "" if right else ", ".join(names)

    def _wrong(self, subject: Subject, original: Subject, pair: Known) -> set[str]:
        """The arguments whose gradients are not the original's on some fresh case."""
        found: set[str] = set()
        for case in _fresh(pair):
            claim, right = (self.ask(one, case).gradient for one in (subject, original))
            if claim is not None and right is not None:
                found |= {n for n, g in right.items() if n in claim and not _close({n: claim[n]}, {n: g})}
        return found

    def _gives(self, name: str, subject: Subject, pair: Known) -> bool:
        """Whether a fault of the catalogue gives the claim on fresh cases."""
        fault = next(f for f in FAULTS if f.name == name)
        for case in _fresh(pair):
            claim, planted = self.ask(subject, case).gradient, gradient_of(fault, case)
            if claim is not None and planted is not None and not _close(claim, planted):
                return False
        return True

    def _finding(self, subject: Subject, name: str, share: Options) -> Finding | None:
        pair = self.known[name]
        outcome = verify_function(subject, pair.layout, pair.draw, pair.trusted, share)
        deciding = [f for f in outcome.findings if f.verdict != "pass"]
        return deciding[0] if deciding else None

    def _of(self, case: AnyCase) -> Known:
        assert isinstance(case, OperationCase)
        return self.known[case.operation.removeprefix(PLAIN_FUNCTION)]


def _known(original: Subject, name: str, said: str | None, seed: int) -> Known:
    if name in original.offer.operation_numbers:
        known = known_layer(original, name, seed, said)
        return Known(
            Layout(),
            known.case,
            known.trusted,
            lambda finding, at: explained_object(finding, replace(known, subject=at)),
        )
    if name not in original.offer.candidates:
        plain = name in original.offer.operation_shapes
        layout = Layout() if plain else operation_layout(original, name, seed)
        return Known(layout, _drawn(original, name), trusted_of, lambda finding, _: finding)
    candidates = original.offer.candidates[name]
    chosen = {n: t for n, t in candidates.items() if said in (None, n)}
    reading, agrees = recognise(original, name, chosen, seed)
    if reading is None:
        msg = f"{name} could not be run as {' or '.join(chosen) or said}"
        raise UsageError(msg)

    def draw(generator: np.random.Generator, k: int) -> OperationCase:
        return reading.case(generator, k, "float32" if k % 6 == 5 else "float64")

    def trusted(case: OperationCase) -> Trusted | None:
        return trusted_at(case)[0] if agrees else None

    return Known(Layout(), draw, trusted, lambda finding, subject: explained(finding, subject, reading))


def _drawn(original: Subject, name: str) -> Callable[[np.random.Generator, int], OperationCase]:
    return lambda generator, k: operation_case(original, name, generator, SIZES[k % len(SIZES)])


def _fresh(pair: Known) -> Iterator[OperationCase]:
    generator = np.random.default_rng(987)
    yield from (pair.draw(generator, k) for k in _FRESH)


def _close(one: Arrays, other: Arrays) -> bool:
    return all(
        n in other
        and other[n].shape == g.shape
        and np.max(np.abs(g - other[n]), initial=0) <= 1e-7 * (1 + np.max(np.abs(g), initial=0))
        for n, g in one.items()
    )


def _same_output(one: Answer, other: Answer) -> bool:
    return one.value is not None and other.value is not None and np.array_equal(one.value, other.value, equal_nan=True)
