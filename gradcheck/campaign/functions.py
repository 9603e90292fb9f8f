"""Check a (primal, pullback) pair: any function of pytrees of arrays, in this process."""

import inspect
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np

from gradcheck.campaign.findings import failure_of, finding_of
from gradcheck.campaign.function_shrinking import at_smallest_arguments, is_strategy
from gradcheck.campaign.generation import draw
from gradcheck.campaign.minimising import short
from gradcheck.campaign.operation_shrinking import OperationShrinking, T, looking
from gradcheck.campaign.outcome import Options, Outcome
from gradcheck.campaign.power import Evidence, vacuous
from gradcheck.campaign.session import report_of
from gradcheck.checks import Fault
from gradcheck.checks.functions import Examined, examine_function
from gradcheck.checks.operations import Trusted
from gradcheck.errors import SubjectError, UsageError
from gradcheck.networks import OperationCase
from gradcheck.numerics import Array, Arrays, Estimate
from gradcheck.numerics.trees import leaves
from gradcheck.oracles.functions import reference_vjp
from gradcheck.report import Code, Finding, Recognised, Report, SubjectInfo, Tally
from gradcheck.subjects import SubjectConfiguration, autograd_function, custom_rule
from gradcheck.subjects.arrays import differentiable
from gradcheck.subjects.function import CONVENTIONS, MIXED, ROUNDOFF, Convention, FunctionAdapter, FunctionSubject
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.rules import Rule

Parts = list[tuple[str, Any]]
_NAMES = {None: None, "jax": "jax", "torch": "torch", "conjugate": "torch"}
_WORDS = {
    "jax": "jax: ∂f/∂x − i ∂f/∂y, so that grad of |z|² is 2·conj(z)",
    "torch": "torch (the conjugate): ∂f/∂x + i ∂f/∂y, so that grad of |z|² is 2·z",
}
_MISSING = {
    "result": "with its result conjugated the claim is right: a conj is missing (or one too many) on what it returns",
    "cotangent": "with its cotangent conjugated the claim is right: a conj is missing (or one too many) on the cotangent",
}
_EFFECTS = 4
_QUESTIONS = 100
"""Cases that are looked at for simple numbers, at most; a function may be slow."""


def verify_pair(
    primal: Callable[..., Any],
    pullback: Callable[..., Any] | None,
    arguments: Any,
    reference: Callable[..., Any] | None,
    max_examples: int,
    seed_: int,
    *,
    static: Mapping[str, Any] | None = None,
    complex_convention: str | None = None,
) -> Report:
    """The report of a pair; see `gradcheck.check_vjp`."""
    started = time.monotonic()
    pair = _pair(primal, pullback, arguments)
    convention = _convention(complex_convention) or (None if pullback else pair.convention)
    examples = example_arguments(pair.arguments, max_examples, seed_, primal if pullback else pair.primal)
    name, options = pair.name, Options(max_examples, seed_)
    adapter = FunctionAdapter(
        pair.primal, pair.pullback, name, static or {}, CONVENTIONS[convention or "jax"], pair.forward
    )
    many = _Numbers.STAY if is_strategy(pair.arguments) else _Numbers.SIMPLE
    campaign = Campaign(adapter, examples, reference or pair.reference, options, convention, reference is None, many)

    def alone(drawn: Any, last: bool) -> Outcome:
        single = example_arguments(drawn, 1, seed_, primal if pullback else pair.primal)
        c, numbers = campaign, _Numbers.DRAWN if last else _Numbers.STAY
        return Campaign(c.adapter, single, c.reference, Options(1, seed_), c.stated, c.implied, numbers).run()

    try:
        outcome = at_smallest_arguments(campaign.run(), pair.arguments, seed_, alone)
    except SubjectError as error:
        outcome = Outcome((failure_of(error, None),), Tally(), ())
    info = SubjectInfo(f"<{name}>", None, "vjp", None)
    report = report_of(info, outcome, None, options, time.monotonic() - started, (SubjectConfiguration(), ()))
    return replace(report, conventions=tuple(campaign.conventions()))


def _pair(primal: Callable[..., Any], pullback: Callable[..., Any] | None, arguments: Any) -> Rule:
    """Both functions, from the rule that the first carries where there is no second. Raises UsageError."""
    if arguments is None:
        msg = "arguments are missing: give an example, such as arguments=[x, w]"
        raise UsageError(msg)
    if pullback is not None:
        return Rule(getattr(primal, "__name__", "function"), primal, pullback, arguments, "jax")
    if autograd_function.is_rule(primal):
        return autograd_function.rule(primal, arguments)
    if custom_rule.is_rule(primal):
        return custom_rule.rule(primal, arguments)
    msg = (
        f"a pullback is missing: {primal!r:.80} carries no rule of its own; give pullback(cotangent, *arguments), or a "
        "subclass of torch.autograd.Function, a jax.custom_vjp or a jax.custom_jvp function"
    )
    raise UsageError(msg)


def _convention(said: str | None) -> str | None:
    if said in _NAMES:
        return _NAMES[said]
    msg = f'complex_convention must be "jax", "torch" or "conjugate" (or None: recognise it); got {said!r}'
    raise UsageError(msg)


class _Numbers(Enum):
    """Which numbers of a counterexample may become simple."""

    SIMPLE = "all of them"
    DRAWN = "the cotangent alone: the arguments come from a strategy, which knows what they may be"
    STAY = "none: smaller arguments are looked for first"


@dataclass(slots=True)
class Campaign:
    """All cases of one function, until the first that breaks.

    implied: nobody gave the reference; where jax cannot differentiate it, differences judge alone. numbers: which of those of a
    counterexample may become simple.
    """

    adapter: FunctionAdapter
    examples: Sequence[Parts]
    reference: Callable[..., Any] | None
    options: Options
    stated: str | None
    implied: bool = False
    numbers: _Numbers = _Numbers.SIMPLE
    subject: FunctionSubject = field(init=False)
    kinks: dict[str, float] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=Evidence)
    silent: Counter[str] = field(default_factory=Counter)
    cases: int = 0
    components: int = 0
    complex: bool = False

    def __post_init__(self) -> None:
        self.subject = FunctionSubject(self.adapter)

    def run(self) -> Outcome:
        """Draw, examine, keep the first that breaks."""
        previous: OperationCase | None = None
        for k, case in enumerate(self._cases()):
            if k == 0:
                self.complex = any(form.complex for form in self.adapter.form(case))
                self.subject.wide = widens(self.subject, case)
                if self.complex and self.stated is None:
                    self._recognise(case)
            other = (
                (previous if previous is not None and _same_shapes(previous, case) else case) if k < _EFFECTS else None
            )
            try:
                found = self._examined(case, other)
            except SubjectError as error:
                raised = failure_of(*self._at_simple_numbers(error, case, effects=False))
                return Outcome((raised,), self._tally(), ())
            if found.examination.fault is not None:
                return Outcome((self._broken(found, case),), self._tally(), ())
            self._note(found)
            previous = case
        nothing = (vacuous(self.silent),) if self.silent and not self.cases else ()
        return Outcome(nothing, self._tally(), tuple(self.evidence.powers()))

    def conventions(self) -> Iterator[Recognised]:
        """The complex convention, and what is claimed at kinks that were met."""
        if self.complex:
            how = "recognised" if self.stated is None else "configured"
            yield Recognised("complex convention", _WORDS.get(self.adapter.convention.name, ""), how)  # type: ignore[arg-type]
        for name, share in self.kinks.items():
            side = {0.0: "the left derivative", 1.0: "the right derivative"}.get(
                round(share, 6), f"{share:.3g} of the way from the left to the right derivative"
            )
            yield Recognised(f"at a kink of {name}", side, "recognised")

    def _cases(self) -> Iterator[OperationCase]:
        generator = np.random.default_rng([self.options.seed, 3])
        first: list[OperationCase] = []
        for k in range(self.options.max_examples):
            if k < len(self.examples):
                case = self.adapter.case(self.examples[k], generator.standard_normal)
                first.append(case)
            else:
                case = self._perturbed(first[k % len(first)], generator)
            yield case

    def _perturbed(self, case: OperationCase, generator: np.random.Generator) -> OperationCase:
        """Other numbers in the same shapes: as far away as the primal is still finite there."""
        form, results = self.adapter.form(case)
        cotangent = results.ravel(results.rounded(results.unravel(generator.standard_normal(case.cotangent.shape))))
        moves = {n: generator.standard_normal(a.shape) * _spread(a) for n, a in case.arguments.items()}
        for size in (1.0, 0.1, 0.01, 0.001):
            values = form.rounded({n: a + size * moves[n] for n, a in case.arguments.items()})
            there = replace(case, arguments=values, cotangent=cotangent)
            if self._finite(there):
                return there
        return replace(case, cotangent=cotangent)

    def _finite(self, case: OperationCase) -> bool:
        try:
            return bool(np.all(np.isfinite(self.subject.forward([case], Layout())[0])))
        except SubjectError:
            return False

    def _examined(self, case: OperationCase, other: OperationCase | None = None) -> Examined:
        differenced = "float64" if self.subject.wide else case.dtype
        return examine_function(self.subject, case, self._trusted(case), other=other, differenced=differenced)

    def _trusted(self, case: OperationCase) -> Trusted | None:
        if self.reference is None:
            return None
        try:
            value, value_error, gradient, error = self._referred(self.reference, case)
        except UsageError:
            if not self.implied:
                raise
            self.reference = None
            return None
        if self.implied and not all(np.all(np.isfinite(a)) for a in (value, *gradient.values())):
            return None
        scale = ROUNDOFF[case.dtype] / ROUNDOFF["float64"]
        slack = 4 * scale * value_error + 8 * ROUNDOFF[case.dtype] * float(np.max(np.abs(value), initial=0.0))
        return Trusted(value, slack, Estimate(gradient, {n: scale * e for n, e in error.items()}, "jax.grad"))

    def _referred(self, reference: Callable[..., Any], case: OperationCase) -> tuple[Array, Array, Arrays, Arrays]:
        """Value, its error, derivative and its errors by the reference. Raises UsageError."""
        form, results = self.adapter.form(case)
        return reference_vjp(reference, form, results, case.arguments, case.cotangent, self.adapter.static)

    def _recognise(self, case: OperationCase) -> None:
        """The convention under which the claim is right here; the one it has now where none is."""
        for convention in CONVENTIONS.values():
            if self._right_under(convention, case):
                self.adapter.convention = convention
                return

    def _right_under(self, convention: Convention, case: OperationCase) -> bool:
        before, self.adapter.convention = self.adapter.convention, convention
        try:
            return self._examined(case).examination.fault is None
        except SubjectError:
            return False
        finally:
            self.adapter.convention = before

    def _at_simple_numbers(self, shown: T, case: OperationCase, *, effects: bool) -> tuple[T, OperationCase]:
        """The same at a simple cotangent, and at simple arguments unless they are short already, or drawn."""
        if self.numbers is _Numbers.STAY:
            return shown, case
        kept = self.numbers is _Numbers.DRAWN or all(np.all(short(a)) for a in case.arguments.values())
        frozen = frozenset(case.arguments) if kept else frozenset()
        seed, away = self.options.seed, self._representable
        shrinking = OperationShrinking(seed, None, away, signs=True, frozen=frozen, questions=_QUESTIONS)
        look = looking(lambda c: self._examined(c, c if effects else None).examination)
        return shrinking.minimal(shown, case, look)

    def _representable(self, case: OperationCase) -> bool:
        """Whether each leaf of arguments and results has these numbers in its own precision."""
        form, results = self.adapter.form(case)
        arguments = form.rounded(case.arguments)
        cotangent = results.ravel(results.rounded(results.unravel(case.cotangent)))
        same = all(np.array_equal(arguments[n], a) for n, a in case.arguments.items())
        return same and np.array_equal(cotangent, case.cotangent)

    def _broken(self, found: Examined, case: OperationCase) -> Finding:
        effects = found.examination.rung == "effects"
        examination, simple = self._at_simple_numbers(found.examination, case, effects=effects)
        return self._finding(replace(found, examination=examination), simple)

    def _finding(self, found: Examined, case: OperationCase) -> Finding:
        finding = finding_of(found.examination, case)
        if not self.complex or found.examination.fault not in (Fault.BACKWARD, Fault.FORWARD, Fault.COST_CODE):
            return finding
        mine = self.adapter.convention.name
        for other in CONVENTIONS.values():
            if self.stated is not None and other.name != mine and self._right_under(other, case):
                detail = f"the claim follows the convention of {_WORDS[other.name]}; stated is that of {_WORDS[mine]}"
                return replace(finding, code=Code.GC306, detail=detail, discrepancies=finding.discrepancies)
        mixed = next((_MISSING[m.name] for m in MIXED if self._right_under(m, case)), "")
        return replace(finding, detail=f"{finding.detail}; {mixed}") if mixed else finding

    def _note(self, found: Examined) -> None:
        self.kinks.update(found.kinks)
        examination = found.examination
        if examination.silent:
            self.silent[examination.silent] += 1
            return
        self.cases += 1
        self.components += examination.components
        self.evidence.note(examination)

    def _tally(self) -> Tally:
        return Tally(self.cases, self.components, self.silent.total(), dict(self.silent))


def _same_shapes(a: OperationCase, b: OperationCase) -> bool:
    shapes = [{n: v.shape for n, v in c.arguments.items()} for c in (a, b)]
    return shapes[0] == shapes[1] and a.cotangent.shape == b.cotangent.shape


_BESIDE = 1e-10
"""A relative change that single precision does not see."""


def widens(subject: FunctionSubject, case: OperationCase) -> bool:
    """Whether a primal of narrow floats also runs in float64, with the same value to its own precision."""
    if case.dtype == "float64":
        return False
    subject.wide = False
    narrow = subject.forward([case], Layout())[0]
    subject.wide = True
    beside = case.at({n: a + _BESIDE * np.maximum(np.abs(a), 1.0) for n, a in case.arguments.items()})
    try:
        wide, moved = subject.forward([case, beside], Layout())
    except SubjectError:
        return False
    finally:
        subject.wide = False
    near = float(np.max(np.abs(narrow - wide), initial=0.0)) <= 1e3 * ROUNDOFF[case.dtype] * max(1.0, _largest(wide))
    return near and not np.array_equal(wide, moved)  # equal: a cast inside, no precision is won


def _largest(a: Array) -> float:
    return float(np.max(np.abs(a), initial=0.0))


def example_arguments(
    arguments: Any, count: int, seed_: int, primal: Callable[..., Any] | None = None
) -> list[Parts]:  # fmt: skip
    """The arguments by name: of the given example, or as many as are wanted from a strategy, smallest first.

    Raises UsageError.
    """
    if is_strategy(arguments):
        drawn = [_named(a, primal) for a in _drawn(arguments, count, seed_)]
        return sorted(drawn, key=_components)
    return [_named(arguments, primal)]


def _components(parts: Parts) -> int:
    return sum(int(np.size(v)) for root, tree in parts for _, v in leaves(tree, root) if differentiable(v))


def _drawn(strategy: Any, count: int, seed_: int) -> list[Any]:
    found: list[Any] = []
    draw(strategy, count, seed_, found.append)
    return found


def _named(arguments: Any, primal: Callable[..., Any] | None = None) -> Parts:
    if isinstance(arguments, Mapping):
        parts = [(str(n), tree) for n, tree in arguments.items()]
    elif isinstance(arguments, (list, tuple)):
        parts = list(zip(_names(primal, len(arguments)), arguments, strict=True))
    else:
        parts = [(_names(primal, 1)[0], arguments)]
    if not parts:
        msg = "arguments is empty: give at least one example array"
        raise UsageError(msg)
    if not any(differentiable(v) for root, tree in parts for _, v in leaves(tree, root)):
        shown = ", ".join(f"{n}: {type(t).__name__} {t!r:.40}" for n, t in parts)
        msg = f"arguments holds no array (or number) of floating-point numbers to differentiate by; got {shown}"
        raise UsageError(msg)
    return parts


def _names(primal: Callable[..., Any] | None, count: int) -> list[str]:
    """The primal's own names of its positional parameters, else ``argument 0`` …"""
    try:
        parameters = inspect.signature(primal).parameters.values() if primal else []
    except (TypeError, ValueError):
        parameters = []
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return positional[:count] if len(positional) >= count else [f"argument {k}" for k in range(count)]


def _spread(a: Array) -> float:
    return 0.5 * float(np.sqrt(np.mean(a**2))) if a.size and np.any(a) else 0.5


__all__: Sequence[str] = ["Campaign", "example_arguments", "verify_pair", "widens"]
