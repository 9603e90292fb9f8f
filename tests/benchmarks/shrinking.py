"""How small counterexamples become, and how simple their numbers: specimens, layer faults, functions of drawn arguments.

    python -m tests.benchmarks.shrinking            # all specimens, every layer fault: some minutes
    python -m tests.benchmarks.shrinking --quick    # under 45 seconds

Of each finding: the first case that broke, the smallest that shrinking found, and the same at simple numbers. The finding there
is made anew, by a diagnosis (networks), or by another check (layers): it must be the same, in code, place, named mistake and
wrong tensors. Exit code 1 when a target is missed.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from tests.benchmarks import output

output.one_thread()

import numpy as np  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import gradcheck  # noqa: E402
from gradcheck.campaign import legible  # noqa: E402
from gradcheck.campaign.layers import wrong_parts  # noqa: E402
from gradcheck.campaign.minimising import short  # noqa: E402
from gradcheck.campaign.operation_shrinking import OperationShrinking  # noqa: E402
from gradcheck.campaign.shrinking import Shrinking  # noqa: E402
from gradcheck.faults.diagnosis import diagnose  # noqa: E402
from gradcheck.faults.layers import FAULTS, gradient_of, planted  # noqa: E402
from gradcheck.networks import Case, OperationCase, case_from_json  # noqa: E402
from gradcheck.report import Finding  # noqa: E402

SPECIMENS = Path(__file__).resolve().parents[1] / "specimens"
PARAMETERS, SHORT, EASY = 12, 90.0, 75.0
"""Targets: the median network's parameters at most; percent of short numbers, and of those that are 0, 1 or −1, at least."""
LAYER_NUMBERS = 12
"""Target: the median layer case's numbers at most."""
QUICK_SPECIMENS, QUICK_FAULTS = 3, 9
"""Of the quick run: every third specimen, every ninth fault."""


@dataclass
class Shown:
    """One counterexample on its way. numbers: parameters (arguments) of the first case, of the smallest, of the simple one.

    short, easy: percent of all its numbers that are short, and that are 0, 1 or −1. questions: cases that were examined for the
    smallest, and for simple numbers. same: whether the finding is; None where nothing could be told anew.
    """

    kind: str
    name: str
    code: str
    numbers: tuple[int, int, int]
    short: tuple[float, float]
    easy: tuple[float, float]
    questions: tuple[int, int]
    same: bool | None


@dataclass
class Watch:
    """What is seen of one campaign while it runs."""

    kind: str
    name: str
    first: list[Any] = field(default_factory=list)
    questions: int = 0
    sought: int = 0
    shown: list[Shown] = field(default_factory=list)


def everything(case: Case | OperationCase) -> np.ndarray:
    """All numbers of a case."""
    rest = (case.inputs, case.targets) if isinstance(case, Case) else (case.cotangent,)
    return np.concatenate([np.ravel(a) for a in (*case.arguments.values(), *rest)])


def parameters(case: Case | OperationCase) -> int:
    """Numbers that are differentiated by."""
    return int(sum(a.size for a in case.arguments.values()))


def shares(case: Case | OperationCase) -> tuple[float, float]:
    """Percent of short numbers, and of 0, 1 and −1."""
    values = everything(case)
    return 100 * float(short(values).mean()), 100 * float(np.isin(values, [-1, 0, 1]).mean())


def entry(watch: Watch, code: str, cases: Sequence[Any], questions: tuple[int, int], same: bool | None) -> Shown:
    """One row from the three cases."""
    first, smallest, simple = cases
    (short_1, easy_1), (short_2, easy_2) = shares(smallest), shares(simple)
    sizes = parameters(first), parameters(smallest), parameters(simple)
    return Shown(watch.kind, watch.name, code, sizes, (short_1, short_2), (easy_1, easy_2), questions, same)


# -- networks -----------------------------------------------------------------------------------------------------------


@contextmanager
def watched_networks(watch: Watch) -> Iterator[None]:
    """Counts what shrinking examines, and tells each finding anew at its simple numbers."""
    smallest, attempt, simple = Shrinking.smallest, Shrinking.attempt, legible.legible

    def counted(self: Shrinking, *a: Any, **k: Any) -> Any:
        watch.questions += 1
        return attempt(self, *a, **k)

    def begun(self: Shrinking, examination: Any, case: Case, *a: Any, **k: Any) -> Any:
        watch.first.append(case)
        before = watch.questions
        found = smallest(self, examination, case, *a, **k)
        watch.sought += watch.questions - before
        return found

    def told(findings: list[Finding], shrinking: Shrinking, claims: Any) -> list[Finding]:
        before = watch.questions
        after = simple(findings, shrinking, claims)
        asked = (watch.questions - before) // max(1, len(findings))
        for pair in zip(findings, after, strict=True):
            _book(watch, pair, shrinking, claims, asked)
        return after

    with ExitStack() as stack:
        stack.enter_context(patch.object(Shrinking, "smallest", begun))
        stack.enter_context(patch.object(Shrinking, "attempt", counted))
        stack.enter_context(patch.object(legible, "legible", told))
        yield


def _book(watch: Watch, pair: tuple[Finding, Finding], shrinking: Shrinking, claims: Any, questions: int) -> None:
    before, after = pair
    if before.counterexample is None or before.verdict == "pass":
        return
    cases = [case_from_json(f.counterexample or {}) for f in pair]
    first = max([*watch.first, cases[0]], key=parameters)
    same = network_same(before, (cases[0], cases[1]), shrinking, claims)
    watch.shown.append(entry(watch, after.code.name, [first, *cases], (watch.sought, questions), same))


def network_same(finding: Finding, cases: tuple[Any, Any], shrinking: Shrinking, claims: Any) -> bool | None:
    """Whether fresh diagnoses at both cases tell the same mistakes and places; without names, whether the same rung breaks."""
    if finding.explanations and finding.rung == "triangle":
        repertoire = shrinking.recognition().repertoire
        one, other = (diagnose(c, claims, repertoire=repertoire, seed=1) for c in cases)
        names, places = ({e.fault for e in d.explanations} for d in (one, other)), (one.places, other.places)
        return len({frozenset(n) for n in names}) == 1 and places[0] == places[1]
    if finding.rung in ("isolation", "laws of the cost"):
        return None
    second = cases[1] if finding.rung == "effects" else None
    again = shrinking.attempt(cases[1], other=second, differences=True)
    return again is not None and again.rung == finding.rung and again.fault is not None


def specimen(name: str) -> Watch:
    """One specimen, verified in this process."""
    watch = Watch("network", name)
    with watched_networks(watch):
        gradcheck.verify(SPECIMENS / f"{name}_wrong.py", in_process=True)
    return watch


# -- layers -------------------------------------------------------------------------------------------------------------


@contextmanager
def watched_layers(watch: Watch, fault: Any) -> Iterator[None]:
    """Counts what is looked at for the smallest sizes and for simple numbers."""
    smaller, simpler = OperationShrinking.smaller, OperationShrinking.simpler
    seen: dict[str, Any] = {}

    def counted(look: Any) -> Any:
        def looked(case: OperationCase) -> Any:
            watch.questions += 1
            return look(case)

        return looked

    def sized(self: OperationShrinking, shown: Any, case: OperationCase, look: Any) -> Any:
        found = smaller(self, shown, case, counted(look))
        seen.update(first=case, smallest=found[1], sought=watch.questions)
        return found

    def simple(self: OperationShrinking, shown: Any, case: OperationCase, look: Any) -> Any:
        found = simpler(self, shown, case, counted(look))
        cases = [seen.get("first", case), case, found[1]]
        questions = seen.get("sought", 0), watch.questions - seen.get("sought", 0)
        code = getattr(getattr(found[0], "fault", None), "name", "exception").lower()
        watch.shown.append(entry(watch, code, cases, questions, layer_same(fault, found)))
        return found

    with ExitStack() as stack:
        stack.enter_context(patch.object(OperationShrinking, "smaller", sized))
        stack.enter_context(patch.object(OperationShrinking, "simpler", simple))
        yield


def layer_same(fault: Any, found: Any) -> bool | None:
    """Whether the faulty definition is wrong in just the arguments that the finding says, at the simple numbers."""
    shown, case = found
    claim = None if fault is None or not getattr(shown, "wrong", ()) else gradient_of(fault, case)
    if claim is None:
        return None
    return {w.partition(" ")[0] for w in wrong_parts(case, claim)} == set(shown.wrong)


def layer(name: str) -> Watch:
    """One fault of the catalogue, planted in its reference."""
    fault = next(f for f in FAULTS if f.name == name)
    watch = Watch("layer", name)
    with watched_layers(watch, fault):
        gradcheck.verify({n: f for n, f in planted(fault).items() if n.startswith(f"{fault.layer}_")}, max_examples=12)
    return watch


# -- functions ----------------------------------------------------------------------------------------------------------

VECTORS = st.lists(st.floats(0.25, 8), min_size=1, max_size=9).map(np.array)
MATRICES = st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 99)).map(
    lambda s: np.random.default_rng(s[2]).standard_normal(s[:2])
)
FUNCTIONS: dict[str, tuple[Any, Any, Any]] = {
    "ln x": (np.log, lambda d, x: d / x**2, st.tuples(VECTORS)),
    "x³": (lambda x: x**3, lambda d, x: 2 * d * x**2, st.tuples(VECTORS)),
    "Σ xᵢ xⱼ": (lambda x: np.sum(x) ** 2, lambda d, x: 2 * d * x, st.tuples(VECTORS)),
    "x xᵀ": (lambda x: x @ x.T, lambda d, x: d @ x, st.tuples(MATRICES)),
    "softmax": (
        lambda x: np.exp(x) / np.sum(np.exp(x)),
        lambda d, x: d * np.exp(x) / np.sum(np.exp(x)),
        st.tuples(VECTORS),
    ),
}


def function(name: str) -> Watch:
    """One function with a wrong pullback, at drawn arguments."""
    primal, pullback, arguments = FUNCTIONS[name]
    watch, simpler = Watch("function", name), OperationShrinking.simpler
    drawn: list[np.ndarray] = []

    def recorded(d: Any, *given: Any) -> Any:
        drawn.append(np.concatenate([np.ravel(a) for a in given]))
        return pullback(d, *given)

    def simple(self: OperationShrinking, shown: Any, case: OperationCase, look: Any) -> Any:
        found = simpler(self, shown, case, look)
        watch.shown.append(entry(watch, "backward", [case, case, found[1]], (len(drawn), 0), None))
        return found

    with patch.object(OperationShrinking, "simpler", simple):
        report = gradcheck.check_vjp(primal, recorded, arguments=arguments, max_examples=20)
    assert report.verdict == "fail", name
    largest = max(a.size for a in drawn)
    watch.shown = [replace(s, numbers=(largest, *s.numbers[1:])) for s in watch.shown]
    return watch


# -- the whole ----------------------------------------------------------------------------------------------------------


def part(task: tuple[str, str]) -> list[Shown]:
    """The rows of one subject."""
    kind, name = task
    return {"network": specimen, "layer": layer, "function": function}[kind](name).shown


def tasks(quick: bool) -> list[tuple[str, str]]:
    """Specimens that the texts and the contracts have, layer faults, functions."""
    names = [
        p.relative_to(SPECIMENS).as_posix().removesuffix("_wrong.py") for p in sorted(SPECIMENS.glob("**/*_wrong.py"))
    ]
    faults = [f.name for f in FAULTS]
    if quick:
        names, faults = names[::QUICK_SPECIMENS], faults[::QUICK_FAULTS]
    return [*(("network", n) for n in names), *(("layer", f) for f in faults), *(("function", f) for f in FUNCTIONS)]


def summary(kind: str, rows: Sequence[Shown]) -> list[str]:
    """One row of the table: medians, and how often the finding is the same."""
    of = [r for r in rows if r.kind == kind]
    sizes = [f"{median(r.numbers[k] for r in of):g}" for k in range(3)]
    short_, easy = (
        [f"{np.mean([getattr(r, name)[k] for r in of]):.0f} %" for k in (0, 1)] for name in ("short", "easy")
    )
    told = [r.same for r in of if r.same is not None]
    asked = [f"{median(r.questions[k] for r in of):g}" for k in (0, 1)]
    return [kind, len(of), *sizes, *short_, *easy, *asked, f"{sum(told)} of {len(told)}"]  # type: ignore[list-item]


def missed(rows: Sequence[Shown]) -> list[str]:
    """The targets that were missed, in words."""
    found = []
    for kind, most in (("network", PARAMETERS), ("layer", LAYER_NUMBERS)):
        of = [r for r in rows if r.kind == kind]
        size = median(r.numbers[2] for r in of)
        if size > most:
            found.append(f"the median {kind} has {size:g} numbers, more than {most}")
        share, easy = (float(np.mean([getattr(r, name)[1] for r in of])) for name in ("short", "easy"))
        if share < SHORT or easy < EASY:
            found.append(f"of {kind} cases {share:.0f} % of the numbers are short and {easy:.0f} % are 0, 1 or -1")
    found += [f"{r.kind} {r.name}: another finding at the simple numbers" for r in rows if r.same is False]
    return found


def row(r: Shown) -> list[str]:
    """One counterexample in the table of all."""
    shares_ = (f"{v:.0f} %" for v in (*r.short, r.easy[1]))
    return [f"{r.kind} {r.name}", r.code, str(r.numbers[0]), str(r.numbers[2]), *shares_, str(sum(r.questions))]


HEAD = (
    "kind", "cases", "first", "smallest", "simple", "short before", "short", "0, ±1 before", "0, ±1", "looks", "looks, numbers",
    "same finding",
)  # fmt: skip
NOTE = """
Medians. first, smallest, simple: numbers that are differentiated by, at the first case that broke, after shrinking, and at
simple numbers. short: percent of all numbers of a case with at most two decimals, or one digit; then of 0, 1 and −1, each
before and after. looks: cases that were examined for the smallest, and for simple numbers (functions: calls of the pullback).
same finding: of those whose finding could be made anew.
"""


def main() -> int:
    """Run, print, write the table."""
    given = output.parser("How small and how simple counterexamples become.").parse_args()
    rows = [r for found in output.spread(part, tasks(given.quick), given.jobs) for r in found]
    table = output.table(HEAD, [summary(kind, rows) for kind in ("network", "layer", "function")])
    each = output.table(
        ("counterexample", "code", "first", "smallest", "short before", "short", "0, ±1", "looks"),
        [row(r) for r in rows],
    )
    head = f"# Counterexamples: how small, how simple\n\n`{output.command('shrinking')}` · {output.versions()}\n"
    text = f"{head}{NOTE}\n{table}\n\n{each}\n"
    told = [dict(zip(HEAD, map(str, summary(k, rows)), strict=True)) for k in ("network", "layer")]
    figures = {"rows": len(rows), "summary": told}
    worst = max(rows, key=lambda r: r.numbers[2])
    return output.finish("shrinking", given, text, {**figures, "largest": asdict(worst)}, missed(rows))


if __name__ == "__main__":
    sys.exit(main())
