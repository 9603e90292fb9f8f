"""Verify single layers and plain functions: draw arguments and a random cotangent, climb the ladder, keep the smallest."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np

from gradcheck.campaign.at_kinks import WORDS, examined_at_kinks, slopes_said
from gradcheck.campaign.chains import in_chain
from gradcheck.campaign.findings import failure_of, finding_of, nothing_checked
from gradcheck.campaign.ignoring import Ignoring, told
from gradcheck.campaign.layer_objects import explained_object, known_layer
from gradcheck.campaign.layers import STRUCTURES, trusted_at, verify_layer
from gradcheck.campaign.operation_shrinking import OperationShrinking, T, looking
from gradcheck.campaign.outcome import Options, Outcome
from gradcheck.campaign.power import Evidence, vacuous
from gradcheck.checks import Examination
from gradcheck.checks.at_kink import examine_at_kink
from gradcheck.checks.ladder import effects
from gradcheck.checks.laws import linear
from gradcheck.checks.operations import Trusted, examine_operation
from gradcheck.errors import FATAL, SubjectError
from gradcheck.networks import OperationCase, activation_named
from gradcheck.networks.sampling import MARGIN
from gradcheck.oracles.layers import layer_of
from gradcheck.oracles.operations import activation_of, trusted_operation
from gradcheck.report import Code, Finding, Place, Tally
from gradcheck.subjects import Layout, Subject
from gradcheck.subjects.claims import PLAIN_FUNCTION

Draw = Callable[[np.random.Generator, int], OperationCase]
Reference = Callable[[OperationCase], Trusted | None]
SIZES = ((1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2), (2, 3, 2), (3, 2, 5), (3, 3, 3), (5, 4, 7))

_TELLING = 5
"""The number of a case with several components of each kind: with one, a dead unit looks like an ignored cotangent."""
_EFFECTS = 8


class Later(Protocol):
    """Who verifies the operations after the first (`campaign.apart`)."""

    def begin(self, names: Sequence[str]) -> None:
        """Start on them."""
        ...

    def outcome(self, name: str) -> Outcome:
        """The outcome of one, asked for in turn; raises what verifying it raised."""
        ...


def verify_operations(
    subject: Subject, options: Options, layer: str | None = None, apart: Later | None = None
) -> Outcome:
    """Every operation that the subject offers, in its own most plausible layout; `layer`: which layer it is said to be.

    apart: who verifies those after the first; None: this subject does.
    """
    first, *later = subject.offer.operations or ("",)
    if apart is not None:
        apart.begin(later)
    outcomes = {first: _outcome(first, lambda: verify_one(subject, first, options, layer))} if first else {}
    for name in later:
        outcomes[name] = _outcome(
            name, partial(verify_one, subject, name, options, layer) if apart is None else partial(apart.outcome, name)
        )
    results = list(in_chain(outcomes, subject.offer.chain).values())
    tally = Tally(
        sum(o.tally.cases for o in results),
        sum(o.tally.components for o in results),
        sum(o.tally.inconclusive for o in results),
    )
    return Outcome(
        tuple(f for o in results for f in o.findings),
        tally,
        tuple(p for o in results for p in o.power),
        tuple(dict.fromkeys(n for o in results for n in o.notes)),
        layouts={name: k for o in results for name, k in o.layouts.items()},
    )


def _outcome(name: str, verify: Callable[[], Outcome]) -> Outcome:
    """A failure that ends the subject is that of its operation; the others are verified all the same."""
    try:
        return verify()
    except SubjectError as error:
        return named(Outcome((failure_of(error, None),), Tally(), ()), name)


def verify_one(subject: Subject, name: str, options: Options, layer: str | None) -> Outcome:
    """One operation, with its share of the cases and of the time."""
    count = max(1, len(subject.offer.operations))
    time_ = None if options.budget is None else options.budget * min(count, options.jobs) / count
    share = replace(options, max_examples=max(8, options.max_examples // count), budget=time_)
    if name in subject.offer.candidates:
        return named(verify_layer(subject, name, share, verify_function, layer), name)

    def draw(generator: np.random.Generator, k: int) -> OperationCase:
        return operation_case(subject, name, generator, SIZES[k % len(SIZES)])

    if name in subject.offer.operation_numbers:
        return named(_verify_object(subject, name, share, layer), name)
    plain = name in subject.offer.operation_shapes
    layout = Layout() if plain else operation_layout(subject, name, options.seed)
    shrinking = OperationShrinking(options.seed, None, _away, signs=plain)
    outcome = verify_function(subject, layout, draw, trusted_of, share, shrinking)
    where = f"{name}: {layout.describe()}" if name == "affine" else f"{name}: samples in {layout.samples}"
    notes = outcome.notes if plain else (where, *outcome.notes)
    return replace(named(outcome, name), notes=notes, layouts={name: layout})


def _verify_object(subject: Subject, name: str, options: Options, layer: str | None) -> Outcome:
    """The campaign of one layer object, against the layer that it was recognised as where there is one."""
    known = known_layer(subject, name, options.seed, layer)
    drawn = frozenset(subject.offer.operation_draws.get(name, {}))
    shrinking = OperationShrinking(options.seed, None, known.away, signs=True, frozen=drawn)
    outcome = verify_function(subject, Layout(), known.case, known.trusted, options, shrinking)
    findings = tuple(explained_object(f, known) for f in outcome.findings)
    return replace(outcome, findings=findings, notes=(*known.notes, *outcome.notes))


def named(outcome: Outcome, name: str) -> Outcome:
    """An outcome that says which operation it is of."""
    return replace(
        outcome,
        findings=tuple(replace(f, detail=f"{name}: {f.detail}") for f in outcome.findings),
        power=tuple(replace(p, parameter=f"{name}.{p.parameter}") for p in outcome.power),
    )


def verify_function(
    subject: Subject,
    layout: Layout,
    draw: Draw,
    reference: Reference,
    options: Options,
    shrinking: OperationShrinking | None = None,
) -> Outcome:
    """The campaign of one operation; sizes grow with the case number. What breaks is shown at its smallest, if `shrinking`."""
    generator = np.random.default_rng([options.seed, 7])
    silent: Counter[str] = Counter()
    evidence = Evidence()
    checked = components = 0
    previous: OperationCase | None = None
    ignoring = Ignoring(options.selection, lambda _: None)
    telling = draw(np.random.default_rng([options.seed, 9]), _TELLING)
    looks = _Looks(subject, layout, reference)
    unlawful = _laws(subject, layout, telling)
    if unlawful is not None and not ignoring.whole(_finding(unlawful, telling).code):
        return Outcome((_finding(*_minimal(shrinking, unlawful, telling, looks.at_laws)),), Tally(1, 1), ())
    started = time.monotonic()
    for k in range(options.max_examples):
        if options.budget is not None and time.monotonic() - started > options.budget:
            break
        case = draw(generator, k)
        other = (previous or case) if k < _EFFECTS else None
        try:
            found = _examined(subject, case, layout, reference, (other, k), ignoring)
        except SubjectError as error:
            reason = "" if error.kind in FATAL else ignoring.whole(failure_of(error, case).code)
            if not reason:
                return _failed(*_minimal(shrinking, error, case, looks.at_values), Tally(checked, components))
            found = Examination(None, "isolation", silent=reason)
        previous = case
        if found.fault is not None:
            look = looks.at_effects if found.rung == "effects" else looks.at_values
            finding = _finding(*_minimal(shrinking, found, case, look))
            return Outcome((finding,), Tally(checked, components, silent.total(), dict(silent)), ())
        if found.silent:
            silent[found.silent] += 1
            continue
        checked, components = checked + 1, components + found.components
        evidence.note(found)
        if options.progress is not None:
            options.progress(k + 1, options.max_examples)
    done = checked + silent.total()
    late = () if done == options.max_examples else (_out_of_time(options, done),)
    notes = tuple(f"{_called(telling)}: {note}" for note in (*told(ignoring.counts, done), *late))
    slopes: tuple[str, ...] = ()
    for found, at in examined_at_kinks(subject, layout, draw, reference, options.seed) if checked else ():
        if found.fault is not None and not ignoring.whole(_finding(found, at).code):
            shown = _finding(*_minimal(shrinking and shrinking.at_kinks(), found, at, looks.at_kinks))
            finding = replace(shown, detail=f"{found.message}{WORDS.get(str(layer_of(at)), '')}")
            return Outcome((finding,), Tally(checked, components, silent.total(), dict(silent)), ())
        checked, components = checked + 1, components + found.components
        slopes = slopes or tuple(f"{_called(at)}: {said}" for said in slopes_said(subject, layout, at))
    tally = Tally(checked, components, silent.total(), dict(silent))
    code = Code.GC951 if ignoring.counts else Code.GC952
    nothing = (vacuous(silent, code),) if silent and not checked else ()
    return Outcome(nothing, tally, tuple(evidence.powers()), (*notes, *slopes), ignored=ignoring.counts)


@dataclass(frozen=True, slots=True)
class _Looks:
    """The ways in which a case of one operation is looked at."""

    subject: Subject
    layout: Layout
    reference: Reference

    def at_values(self, case: OperationCase) -> Examination:
        """All but the effects."""
        return examine_operation(self.subject, case, self.layout, self.reference(case))

    def at_effects(self, case: OperationCase) -> Examination:
        """Effects too, and the linearity of the pullback."""
        return examine_operation(self.subject, case, self.layout, self.reference(case), other=case)

    def at_laws(self, case: OperationCase) -> Examination:
        """Effects and the linearity of the pullback, before values; a broken law is shown where values are wrong too.

        At a cotangent of 1, who ignores it is right.
        """
        broken = _laws(self.subject, self.layout, case)
        if broken is None or (broken.rung != "effects" and self.at_values(case).fault is None):
            return Examination(None, "effects")
        return broken

    def at_kinks(self, case: OperationCase) -> Examination:
        """What stands on a kink."""
        return examine_at_kink(self.subject, case, self.layout, self.reference(case))


def _minimal(
    shrinking: OperationShrinking | None, shown: T, case: OperationCase, look: Callable[[OperationCase], Examination]
) -> tuple[T, OperationCase]:
    return (shown, case) if shrinking is None else shrinking.minimal(shown, case, looking(look))


def _out_of_time(options: Options, done: int) -> str:
    return f"its share of the budget, {options.budget:.3g} s, ended after {done} of {options.max_examples} cases"


def _examined(
    subject: Subject,
    case: OperationCase,
    layout: Layout,
    reference: Reference,
    which: tuple[OperationCase | None, int],
    ignoring: Ignoring,
) -> Examination:
    """One case, k-th of the campaign; an ignored fault makes it silent, and what stands above the effects is looked at."""
    other, k = which
    trusted, differences = reference(case), k < STRUCTURES
    found = examine_operation(subject, case, layout, trusted, other=other, differences=differences)
    reason = ignoring.whole(_finding(found, case).code) if found.fault is not None else ""
    if reason and found.rung == "effects":
        return _examined(subject, case, layout, reference, (None, k), ignoring)
    return Examination(None, found.rung, silent=reason) if reason else found


def _laws(subject: Subject, layout: Layout, case: OperationCase) -> Examination | None:
    """The law that the pullback breaks, before values are compared: a name says more than a number."""
    try:
        pullback = subject.vjp(case, layout)[1]
        claim = pullback(case.cotangent)
        if claim.problems:
            return None
        return effects(subject, case, case, layout) or linear(case, pullback, claim.gradient)
    except SubjectError as error:
        if error.kind in FATAL:
            raise
        return None  # the campaign will meet it, and says so


def operation_case(
    subject: Subject, name: str, generator: np.random.Generator, sizes: tuple[int, int, int]
) -> OperationCase:
    """Gaussian arguments and cotangent for (from, to, m); activations keep a margin from their kinks."""
    if name in subject.offer.operation_shapes:
        return plain_case(subject, name, generator)
    before, after, m = sizes
    fixed = dict(subject.offer.operation_fixed.get(name, {}))
    if name == "affine":
        shapes = {"x": (before, m), "w": (after, before), "b": (after, 1)}
        arguments = {n: generator.standard_normal(s) for n, s in shapes.items()}
        return OperationCase(name, arguments, generator.standard_normal((after, m)), fixed)
    x = generator.standard_normal((before, m)) * generator.choice([0.3, 1.0, 3.0])
    case = OperationCase(name, {"x": x}, generator.standard_normal((before, m)), fixed)
    for kink in activation_named(activation_of(case)).kinks:
        near = np.abs(x - kink) < 2 * MARGIN
        x = np.where(near, kink + np.where(x >= kink, 1, -1) * 3 * MARGIN, x)
    return case.at({"x": x})


def plain_case(subject: Subject, name: str, generator: np.random.Generator) -> OperationCase:
    """Gaussian arguments in shapes that an operation without a trusted definition takes; x stays away from 0."""
    variants = subject.offer.operation_shapes[name]
    shapes = variants[int(generator.integers(len(variants)))]
    arguments = {n: generator.standard_normal(s) for n, s in shapes.items() if n}
    if name in subject.offer.positive:
        arguments = {n: 0.3 + np.abs(a) for n, a in arguments.items()}
    if "x" in arguments:
        x = arguments["x"]
        arguments["x"] = x + np.copysign(3 * MARGIN, x)
    return OperationCase(f"{PLAIN_FUNCTION}{name}", arguments, generator.standard_normal(shapes[""]), {})


def trusted_of(case: OperationCase) -> Trusted | None:
    """The trusted corner of a built-in layer; None for any other function."""
    if layer_of(case) is not None:
        return trusted_at(case)[0]
    if case.operation.startswith(PLAIN_FUNCTION):
        return None
    t = trusted_operation(case)
    return Trusted(t.output, t.output_error, t.pullback)


def operation_layout(subject: Subject, name: str, seed: int) -> Layout:
    """The first layout in which the forward pass is the trusted one; else the first in which it runs."""
    generator = np.random.default_rng([seed, 11])
    case = operation_case(subject, name, generator, (3, 4, 5))
    expected = trusted_operation(case).output
    runs, failure = [], None
    for layout in subject.offer.layouts:
        try:
            value = subject.forward([case], layout)[0]
        except SubjectError as error:
            if error.kind in FATAL:
                raise
            failure = error
            continue
        if value.shape == expected.shape and np.allclose(value, expected, rtol=1e-6, atol=1e-8):
            return layout
        runs.append(layout)
    if not runs:
        raise failure or SubjectError("contract", f"{name} could not be run")
    return runs[0]


def _called(case: OperationCase) -> str:
    return case.operation.removeprefix(PLAIN_FUNCTION)


def _away(case: OperationCase) -> bool:
    """Whether an activation keeps its margin from the kinks; other operations have none that are known."""
    if case.operation == "affine" or case.operation.startswith(PLAIN_FUNCTION):
        return True
    kinks = activation_named(activation_of(case)).kinks
    return all(bool(np.all(np.abs(case.arguments["x"] - kink) >= MARGIN)) for kink in kinks)


def _failed(error: SubjectError, case: OperationCase, tally: Tally) -> Outcome:
    unknown = error.kind == "unrecognised"
    return Outcome((nothing_checked(error.message) if unknown else failure_of(error, case),), tally, ())


def _finding(found: Examination, case: OperationCase) -> Finding:
    """A wrong gradient is placed at the arguments whose gradients are wrong."""
    finding = finding_of(found, case)
    if finding.code.name not in ("GC405", "GC601") or not found.wrong:
        return finding
    return replace(finding, places=tuple(Place(f"gradient of {n}") for n in found.wrong))
