"""Check tangents (Jacobian-vector products) of any function of pytrees, in this process.

J v    the claim of pushforward(v, x), judged along lines through x (subjects/lines.py)
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from gradcheck.campaign.findings import failure_of
from gradcheck.campaign.function_shrinking import at_smallest_arguments
from gradcheck.campaign.functions import Campaign, example_arguments
from gradcheck.campaign.outcome import Options, Outcome
from gradcheck.campaign.session import report_of
from gradcheck.checks.functions import LEVELS, first_step
from gradcheck.errors import SubjectError
from gradcheck.networks import OperationCase, digest
from gradcheck.numerics import Array, Arrays
from gradcheck.oracles.finite_difference import Derivative, directional
from gradcheck.oracles.functions import reference_jvp
from gradcheck.report import Code, Difference, Finding, Report, SubjectInfo, Tally
from gradcheck.report import Place as Where
from gradcheck.subjects import SubjectConfiguration
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.function import ROUNDOFF, Form, FunctionAdapter
from gradcheck.subjects.lines import Lines, Place
from gradcheck.subjects.protocol import Malformed

_EFFECTS = 3
_MOST_SHOWN = 24
_SIZES = (1.0, 0.1, 0.01, 0.001)


@dataclass(frozen=True, slots=True, eq=False)
class TangentClaim:
    """What is checked: the function whose Jacobian acts, the claim of its action, and a reference in jax.numpy.

    numerical: the function is itself made of differences, so that its value is not that of the reference to rounding.
    """

    name: str
    kind: str
    function: Callable[..., Any]
    pushforward: Callable[..., Any]
    reference: Callable[..., Any] | None
    static: Mapping[str, Any]
    numerical: bool = False


def verify_pushforward(
    primal: Callable[..., Any],
    pushforward: Callable[..., Any],
    arguments: Any,
    reference: Callable[..., Any] | None,
    max_examples: int,
    seed: int,
    static: Mapping[str, Any] | None = None,
) -> Report:
    """The report of a Jacobian-vector product; see `gradcheck.check_jvp`."""
    claim = TangentClaim(name_of(primal), "jvp", primal, pushforward, reference, static or {})
    return report_on(claim, primal, arguments, Options(max_examples, seed))


def name_of(function: Any) -> str:
    """For reports."""
    return str(getattr(function, "__name__", "function"))


def report_on(
    claim: TangentClaim,
    primal: Callable[..., Any],
    arguments: Any,
    options: Options,
    further: Callable[[Outcome, Lines], Outcome] = lambda outcome, _: outcome,
) -> Report:
    """The report of a claim at these arguments and at other numbers in their shapes. further: what else is to be said."""
    started = time.monotonic()

    def run(given: Any, count: int) -> Outcome:
        lines = Lines(claim.function, claim.pushforward)
        examples = example_arguments(given, count, options.seed, primal)
        return further(_outcome(claim, lines, examples, replace(options, max_examples=count)), lines)

    try:
        outcome = run(arguments, options.max_examples)
        outcome = at_smallest_arguments(outcome, arguments, options.seed, lambda drawn, _: run(drawn, 1))
    except SubjectError as error:
        outcome = Outcome((failure_of(error, None),), Tally(), ())
    info = SubjectInfo(f"<{claim.name}>", None, claim.kind, None)
    return report_of(info, outcome, None, options, time.monotonic() - started, (SubjectConfiguration(), ()))


def _outcome(claim: TangentClaim, lines: Lines, examples: Sequence[Any], options: Options) -> Outcome:
    parts = list(_places(claim, lines, examples, options))
    for place in lines.places[:_EFFECTS]:
        broken = _effect(lines, place, claim)
        if broken is not None:
            return Outcome((broken,), Tally(1, 1), ())
    adapter = FunctionAdapter(lines.primal, lines.pullback, claim.name, claim.static)
    outcome = _Campaign(adapter, parts, claim.reference, options, "jax", lines=lines, numerical=claim.numerical).run()
    return replace(outcome, findings=tuple(_told(f, lines, claim) for f in outcome.findings))


@dataclass(slots=True)
class _Campaign(Campaign):
    """The campaign of φ, whose reference is one of f."""

    lines: Lines = field(kw_only=True)
    numerical: bool = field(kw_only=True)

    def _referred(self, reference: Callable[..., Any], case: OperationCase) -> tuple[Array, Array, Arrays, Arrays]:
        place = self.lines.places[int(case.fixed["form"])]
        tangents = {line: {n: place.tangent[n] for n in place.leaves_of(line)} for line in place.names}
        value, value_error, along, error = reference_jvp(
            reference, place.form, place.results, place.values, tangents, case.cotangent, self.adapter.static
        )
        return value, np.full(value.shape, np.inf) if self.numerical else value_error, along, error


def _places(
    claim: TangentClaim, lines: Lines, examples: Sequence[Any], options: Options
) -> Iterator[list[tuple[str, Any]]]:
    """The arguments of φ for every case: the examples themselves, then other numbers in their shapes."""
    generator = np.random.default_rng([options.seed, 5])
    forms = [Form(parts) for parts in examples[: options.max_examples]]
    results = [lines.results(f, f.named([tree for _, tree in f.parts]), claim.static) for f in forms]
    for k in range(options.max_examples):
        form, output = forms[k % len(forms)], results[k % len(forms)]
        given = form.named([tree for _, tree in form.parts])
        scale = {n: 0.5 * size_of(a) for n, a in given.items()}
        tangent = form.rounded({n: generator.standard_normal(a.shape) * 2 * scale[n] for n, a in given.items()})
        if k < len(forms):
            yield lines.add(form, output, given, tangent)
            continue
        moves = {n: generator.standard_normal(a.shape) * scale[n] for n, a in given.items()}
        near = [form.rounded({n: a + size * moves[n] for n, a in given.items()}) for size in _SIZES]
        values = next((v for v in near if _finite(claim, form, v)), given)
        yield lines.add(form, output, values, tangent)


def size_of(a: Array) -> float:
    """Root mean square; 1 for nothing and for zeros."""
    return float(np.sqrt(np.mean(a**2))) if a.size and np.any(a) else 1.0


def _finite(claim: TangentClaim, form: Form, values: Arrays) -> bool:
    try:
        with subject_code():
            output = claim.function(*form.trees(form.stored(values)), **claim.static)
    except SubjectError:
        return False
    results = Form([("output", output)])
    return all(bool(np.all(np.isfinite(a))) for a in results.named([output]).values())


# -- contracts ----------------------------------------------------------------------------------------------------------


def _effect(lines: Lines, place: Place, claim: TangentClaim) -> Finding | None:
    """What the pushforward does beside its result: it writes into what it was handed, or answers differently each time."""
    form = place.form
    handed, v = form.stored(place.values), form.stored(place.tangent)
    before = {n: a.copy() for n, a in {**handed, **{f"tangent of {n}": a for n, a in v.items()}}.items()}
    tangents = form.trees(v, absent=True)
    with subject_code():
        first = claim.pushforward(
            tangents[0] if len(tangents) == 1 else tuple(tangents), *form.trees(handed), **claim.static
        )
    after = {**handed, **{f"tangent of {n}": a for n, a in v.items()}}
    changed = [n for n, a in after.items() if not np.array_equal(a, before[n], equal_nan=True)]
    if changed:
        return _contract(Code.GC201, f"it changed {', '.join(changed)} in place", place, claim)
    with subject_code():
        again = lines.pushed(place, place.values, place.tangent, claim.static)
    one, two = (Form([("t", r)]).named([r]) for r in (first, again))
    if {n: a.shape for n, a in one.items()} != {n: a.shape for n, a in two.items()} or any(
        not np.array_equal(one[n], two[n], equal_nan=True) for n in one
    ):
        return _contract(Code.GC203, "two calls with equal arguments gave different tangents", place, claim)
    return None


def _contract(code: Code, detail: str, place: Place, claim: TangentClaim) -> Finding:
    return Finding(code, "fail", "effects", detail, (Where("effects"),), counterexample=counterexample(place, claim))


# -- words --------------------------------------------------------------------------------------------------------------


def _told(finding: Finding, lines: Lines, claim: TangentClaim) -> Finding:
    """The finding in terms of the function: the place of the case, and the components of the output that are wrong."""
    point = dict(finding.counterexample or {})
    number = (point.get("fixed") or {}).get("form")
    if not isinstance(number, int):
        return finding
    place = lines.places[number]
    told = replace(finding, counterexample=counterexample(place, claim))
    if finding.verdict != "fail" or finding.code.name != "GC405":
        return told
    wrong = list(dict.fromkeys(d.parameter for d in finding.discrepancies))
    what = "J v" if claim.kind == "jvp" else "H v"
    detail = f"{finding.detail}; {what} is wrong for a tangent v along {', '.join(wrong) or 'the arguments'}"
    shown = tuple(_components(lines, place, wrong[0], claim)) if wrong else ()
    places = tuple(Where(f"tangent along {n}") for n in wrong)
    return replace(told, detail=detail, places=places or told.places, discrepancies=shown or told.discrepancies)


def _components(lines: Lines, place: Place, line: str, claim: TangentClaim) -> Iterator[Difference]:
    """Components of the output whose tangent along one line is not the difference quotient's, the first ones."""
    try:
        with subject_code():
            claimed = lines.claimed(place, place.values, line, claim.static)
    except (SubjectError, Malformed):
        return
    moving = {n: place.tangent[n] for n in place.leaves_of(line)}
    for n, v in claimed.items():
        bound = 64 * ROUNDOFF[place.form.dtype] * float(np.max(np.abs(v), initial=0.0))
        for index in list(np.ndindex(v.shape))[:_MOST_SHOWN]:
            derivative = _quotient(place, moving, partial(_component, claim, place, n, index))
            error = float(bound + derivative.error)
            if abs(v[index] - derivative.value) > error:
                yield Difference(
                    f"tangent of {n}", index, float(v[index]), derivative.value, error, "finite differences"
                )


def _quotient(place: Place, moving: Arrays, evaluate: Callable[[Sequence[Arrays]], Sequence[float]]) -> Derivative:
    roundoff, steps = ROUNDOFF[place.form.dtype], [first_step(place.values, moving)]
    return directional(evaluate, place.values, [moving], steps, levels=LEVELS, roundoff=roundoff)[0]


def _component(
    claim: TangentClaim, place: Place, name: str, index: tuple[int, ...], points: Sequence[Arrays]
) -> list[float]:  # fmt: skip
    return [float(_output(claim, place, p)[name][index]) for p in points]


def _output(claim: TangentClaim, place: Place, values: Arrays) -> dict[str, Array]:
    with subject_code():
        output = claim.function(*place.form.trees(place.form.stored({**place.values, **values})), **claim.static)
    return place.results.named([output])


def counterexample(place: Place, claim: TangentClaim) -> Mapping[str, Any]:
    """The place as a case to keep: arguments and tangents."""
    tangents = {f"tangent of {n}": a for n, a in place.tangent.items()}
    case = OperationCase(f"{claim.kind} of {claim.name}", {**place.values, **tangents}, np.zeros(0), {}, "float64")
    return {"digest": digest(case), **case.to_json()}


__all__: Sequence[str] = ["TangentClaim", "counterexample", "name_of", "report_on", "size_of", "verify_pushforward"]
