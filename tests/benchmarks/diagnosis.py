"""How often the diagnosis is right: places, names, and no wrong name.

    python -m tests.benchmarks.diagnosis [--quick] [--seed N] [--singles N] [--pairs N] [--mutants N]

singles    one fault of the catalogue in the trusted network, at one layer or at all
pairs      two faults at different places
mutants    edits of the syntax tree of backward passes in `reference/` and `tests/specimens/`, whose source the diagnosis
           never sees; a name is wrong if it does not reproduce the claim on hold-out cases, or is of another equation
specimens  the mistakes of the four texts
correct    right code, unusual code and other conventions: nothing may be named

The last line of standard output is one JSON object; exit code 1 when a target is missed.
"""

import argparse
import ast
import json
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from gradcheck.checks import Wanted, recognise
from gradcheck.checks.recognition import Recognition
from gradcheck.errors import SubjectError
from gradcheck.faults.backprop import backprop
from gradcheck.faults.catalogue import CATALOGUE, FAMILIES
from gradcheck.faults.diagnosis import Diagnosis, diagnose
from gradcheck.faults.fault import Fault, Planting
from gradcheck.faults.holdout import holds
from gradcheck.faults.matching import Claims, know, synthesise
from gradcheck.faults.mutation import Mutant, mutants
from gradcheck.faults.planting import claims_of
from gradcheck.faults.sampling import draw_case
from gradcheck.faults.specimen import Source, answer, executed_lines
from gradcheck.networks import SCALES, Case
from gradcheck.networks.repertoire import Repertoire, default_repertoire
from gradcheck.subjects.configuration import SubjectConfiguration
from gradcheck.subjects.local import LocalSubject

ROOT = Path(__file__).resolve().parents[2]
EQUATIONS: tuple[tuple[str, frozenset[str]], ...] = tuple(
    (pattern, frozenset(equations.split()))
    for pattern, equations in (
        (r"# output error|# \(BP1\)|# \(1\)|# first|nabla_a =|delta = \{L:", "BP1"),
        (r"# recursion|# \(BP2\)|# \(2\)|# second|previous_layer_error\(W\[", "BP2"),
        (r"# bias gradient|# \(BP3\)|# third|^\s+db =", "BP3"),
        (r"# \(BP4\)|# fourth|^\s+dW =", "BP4"),
        (r"# weight gradient", "BP4 regularisation"),
        (r"# \(3\)|rates = \[", "BP3 BP4"),
    )
)
"""Which equation a line of a backward pass computes, by its comment or its left-hand side."""
FUNCTIONS: dict[str, frozenset[str]] = {
    "previous_layer_error": frozenset({"BP2"}),
    "output_error": frozenset({"BP1"}),
    "softmax_log_loss_error": frozenset({"BP1"}),
    "sigmoid_bce_error": frozenset({"BP1"}),
    "hinge_gradient": frozenset({"BP1"}),
    "y_over": frozenset({"BP1"}),
    **{name: frozenset({"BP1", "BP2"}) for name in
       ("sigmoid_prime", "sigma_prime", "tanh_prime", "gelu_prime", "gelu_tanh_prime", "softmax_pullback", "slope")},
}  # fmt: skip


@dataclass
class Group:
    """Counts of one group, and what went wrong in it."""

    counts: Counter[str] = field(default_factory=Counter)
    sizes: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def share(self, key: str) -> float:
        return self.counts[key] / max(self.counts["n"], 1)

    def to_json(self) -> dict[str, object]:
        shares = {k: round(self.share(k), 4) for k in self.counts if k != "n"}
        sizes = {"median_set": float(np.median(self.sizes)), "largest_set": max(self.sizes)} if self.sizes else {}
        return {"n": self.counts["n"], **shares, **sizes}


# -- the catalogue ----------------------------------------------------------------------------------------------------


def singles(count: int | None, generator: np.random.Generator) -> dict[str, Group]:
    """Every fault (or a sample), once at one layer or at all."""
    groups: dict[str, Group] = defaultdict(Group)
    family = {f.name: name for name, faults in FAMILIES.items() for f in faults}
    names = [str(n) for n in generator.permutation(list(CATALOGUE))]
    for name in names[:count]:
        fault = CATALOGUE[name]
        group = groups[family[name]]
        found = shown([fault], generator)
        if found is None:
            group.counts["invisible"] += 1
            continue
        case, (planting,) = found
        book_single(group, case, planting)
    return groups


def book_single(group: Group, case: Case, planting: Planting) -> None:
    diagnosis = diagnose(case, claims_of([planting]), repertoire=default_repertoire())
    names = [e.fault for e in diagnosis.explanations]
    place = top(diagnosis) in planting.places(case.architecture)
    group.counts.update(n=1, place=place, name=planting.fault.name in names, empty=not names)
    group.sizes.append(len(names))
    if not place or planting.fault.name not in names:
        group.failures.append(f"{planting.fault.name} at {planting.layer}: {diagnosis.places[:2]}, {names[:5]}")


def pairs(count: int, generator: np.random.Generator) -> Group:
    """Two faults at different places, neither of which hides the other."""
    group = Group()
    names = list(CATALOGUE)
    while group.counts["n"] < count:
        faults = [CATALOGUE[names[i]] for i in generator.integers(0, len(names), 2)]
        found = shown(faults, generator)
        if found is None:
            continue
        case, plantings = found
        one, other = (p.places(case.architecture) for p in plantings)
        if set(one) & set(other):
            continue
        diagnosis = diagnose(case, claims_of(plantings), repertoire=default_repertoire())
        places = {(p.equation, p.layer) for p in diagnosis.places}
        said = [e.fault for e in diagnosis.explanations]
        both = all(places & set(p) for p in (one, other))
        group.counts.update(n=1, both_places=both, first_place=top(diagnosis) in {*one, *other}, named=bool(said),
                            both_names=all(f.name in said for f in faults))  # fmt: skip
        if not both:
            group.failures.append(
                f"{[(p.fault.name, p.layer) for p in plantings]}: {sorted(places, key=str)[:4]}, {said[:4]}"
            )
    return group


def shown(faults: list[Fault], generator: np.random.Generator) -> tuple[Case, list[Planting]] | None:
    """A random case and plantings whose wrong numbers show every one of the faults."""
    for k in range(80):
        case = draw_case(default_repertoire(), generator, int(generator.integers(1, 4)), k % 2 == 1)
        plantings = [p for f in faults if (p := placed(f, case, generator)) is not None]
        if len(plantings) < len(faults):
            continue
        whole = synthesise(case, plantings)
        less = [synthesise(case, [p for p in plantings if p is not q]) for q in plantings]
        if whole is None or any(g is None for g in less) or not all(np.all(np.isfinite(g)) for g in whole.values()):
            continue
        known = know(case, whole, fresh=False)
        if all(g is not None and known.tells_apart(whole, g) for g in less):
            return case, plantings
    return None


def placed(fault: Fault, case: Case, generator: np.random.Generator) -> Planting | None:
    layers = fault.layers(case.architecture)
    if not layers or fault.shape:
        return None
    everywhere = fault.activation is not None or generator.random() < 0.5
    return Planting(fault, None if everywhere else int(generator.choice(layers)))


def top(diagnosis: Diagnosis) -> tuple[str, int | None]:
    return (diagnosis.places[0].equation, diagnosis.places[0].layer) if diagnosis.places else ("", None)


# -- source ------------------------------------------------------------------------------------------------------------


@dataclass
class File:
    """A correct file as a subject, and what is known about it."""

    source: Source
    subject: LocalSubject
    recognition: Recognition

    @property
    def repertoire(self) -> Repertoire:
        return self.recognition.repertoire

    def claims(self, subject: LocalSubject) -> Claims:
        return lambda case: answer(subject, case, self.recognition.layout).gradient

    def value(self, subject: LocalSubject, case: Case) -> float | None:
        return answer(subject, case, self.recognition.layout).value


def load(path: Path) -> File:
    source = Source(path.read_text(encoding="utf-8"), path.stem, SubjectConfiguration())
    subject = source.subject()
    return File(source, subject, recognise(subject, Wanted()))


def unseen() -> list[Path]:
    """Right files: the references, and the right halves of the specimens."""
    return [*sorted((ROOT / "reference").glob("*.py")), *sorted((ROOT / "tests" / "specimens").glob("*_right.py"))]


def source_mutants(count: int | None, generator: np.random.Generator, paths: list[Path]) -> Group:
    """Mutants of backward passes with wrong numbers."""
    group = Group()
    share = None if count is None else -(-count // len(paths))
    for path in paths:
        file = load(path)
        cases = [draw_case(file.repertoire, generator, None, k % 2 == 1) for k in range(12)]
        lines = executed_lines(file.subject, cases[:6], file.recognition.layout, file.source.name)
        tree = ast.parse(file.source.text)
        possible = [(m, e) for m in mutants(tree, lines) if (e := equations_of(m, file.source.text))]
        order = generator.permutation(len(possible))
        done = 0
        for i in order:
            if share is not None and done >= share:
                break
            done += book_mutant(group, file, possible[int(i)], tree, cases)
    return group


def equations_of(mutant: Mutant, text: str) -> frozenset[str]:
    """Which equations the mutated line computes; empty for what is no backward pass, or says too little."""
    if mutant.function in FUNCTIONS:
        line = text.splitlines()[mutant.line - 1]
        return FUNCTIONS[mutant.function] if not line.lstrip().startswith("return lambda") else frozenset()
    if mutant.function not in ("backprop", "gradient", "example_gradient", "weight_and_bias_rates"):
        return frozenset()
    line = text.splitlines()[mutant.line - 1]
    if "# third" in line and "a_i" in line:
        return frozenset({"BP3", "BP4"})
    return next((equations for pattern, equations in EQUATIONS if re.search(pattern, line)), frozenset())


def book_mutant(
    group: Group, file: File, chosen: tuple[Mutant, frozenset[str]], tree: ast.Module, cases: list[Case]
) -> bool:
    """Diagnose one mutant; False where it is equivalent, crashes everywhere, or changes the cost."""
    mutant, equations = chosen
    try:
        subject = file.source.subject(mutant.applied(tree))
    except (SubjectError, SyntaxError):
        return False
    claims = file.claims(subject)
    case = next((c for c in cases if wrong(c, claims) and file.value(subject, c) == file.value(file.subject, c)), None)
    if case is None:
        return False
    diagnosis = diagnose(case, claims, repertoire=file.repertoire)
    claim = claims(case)
    assert claim is not None
    layer = max(int(n[1:]) for n, right in know(case, claim, fresh=False).right.items() if not right)
    equation, at = top(diagnosis)
    place = equation in equations and at == layer
    bad = diagnosis.named and not holds(diagnosis, case, file.repertoire, claims)
    other = diagnosis.named and not {p.equation for m in diagnosis.mistakes for p in m.places} & equations
    group.counts.update(n=1, place=place, named=diagnosis.named, wrong_name=bad, other_equation=other)
    if not place or bad or other:
        names = [e.fault for e in diagnosis.explanations][:3]
        group.failures.append(f"{file.source.name} {mutant.describe()}: {equation} at {at}, right {sorted(equations)} at {layer}; {names}")  # noqa: E501  # fmt: skip
    return True


def wrong(case: Case, claims: Claims) -> bool:
    claim = claims(case)
    if claim is None or not all(np.all(np.isfinite(g)) for g in claim.values()):
        return False
    return know(case, claim, fresh=False).informative


def specimens() -> Group:
    """The mistakes of the texts that give wrong numbers on some cases; names are checked on hold-out cases."""
    group = Group()
    folder = ROOT / "tests" / "specimens"
    for entry in json.loads((folder / "index.json").read_text(encoding="utf-8")):
        right = load(folder / f"{entry['name']}_right.py")
        file = replace(right, source=replace(right.source, name=entry["name"]))
        text = (folder / f"{entry['name']}_wrong.py").read_text(encoding="utf-8")
        subject = replace(right.source, text=text).subject()
        if entry["equation"] in ("BP1", "BP2", "BP3", "BP4", "scale"):
            book_specimen(group, file, subject, entry)
    return group


def book_specimen(group: Group, file: File, subject: LocalSubject, entry: dict[str, str]) -> None:
    generator = np.random.default_rng(5)
    claims = file.claims(subject)
    cases = [draw_case(file.repertoire, generator, None, k % 2 == 0) for k in range(60)]
    case = next((c for c in cases if wrong(c, claims)), None)
    if case is None:
        group.counts.update(crash=1)
        return
    diagnosis = diagnose(case, claims, repertoire=file.repertoire)
    if not diagnosis.named and case.samples == 1 and not subject.offer.batch:  # as a campaign does it
        file = replace(file, recognition=replace(file.recognition, repertoire=replace(file.repertoire, samples=(1, 1))))
        diagnosis = diagnose(case, claims, repertoire=file.repertoire)
    equation = top(diagnosis)[0]
    place = equation == entry["equation"] or entry["equation"] == "scale"
    bad = diagnosis.named and not holds(diagnosis, case, file.repertoire, claims)
    group.counts.update(n=1, place=place, named=diagnosis.named, wrong_name=bad)
    names = [e.fault for e in diagnosis.explanations][:3]
    group.failures.append(
        f"{entry['name']}: {entry['equation']}, found {equation}, {names or list(diagnosis.evidence[:2])}"
    )


def correct(paths: list[Path], generator: np.random.Generator) -> Group:
    """Right code, and right code under every scale of the cost: nothing may be named, no place given."""
    group = Group()
    for path in paths:
        file = load(path)
        for k in range(3):
            case = draw_case(file.repertoire, generator, None, k % 2 == 1)
            book_correct(group, case, file.claims(file.subject), file.repertoire, path.stem)
    family = default_repertoire()
    for scale in SCALES:
        scaled = replace(family, heads=tuple(replace(h, scale=scale) for h in family.heads))
        case = draw_case(scaled, generator, 2, square=False)
        book_correct(group, case, backprop, scaled, f"scale {scale}")
    return group


def book_correct(group: Group, case: Case, claims: Claims, repertoire: Repertoire, what: str) -> None:
    diagnosis = diagnose(case, claims, repertoire=repertoire)
    group.counts.update(n=1, false_name=diagnosis.named, false_place=bool(diagnosis.places))
    if diagnosis.named or diagnosis.places:
        group.failures.append(f"{what}: {diagnosis.places}, {[e.fault for e in diagnosis.explanations]}")


# -- the whole ---------------------------------------------------------------------------------------------------------


def total(groups: dict[str, Group]) -> Group:
    """All families in one."""
    whole = Group()
    for group in groups.values():
        whole.counts.update(group.counts)
        whole.sizes += group.sizes
        whole.failures += group.failures
    return whole


@dataclass(frozen=True)
class Sizes:
    """How many of each group; None: all."""

    singles: int | None
    pairs: int
    mutants: int | None


Write = Callable[[dict[str, Group], dict[str, Group]], None]


def run(quick: bool, seed: int, sizes: Sizes, write: Write) -> tuple[dict[str, Group], dict[str, Group]]:
    """All groups, and the single faults family by family; each has its own random numbers and is written when done."""
    files = unseen()
    few = [ROOT / "reference" / f"{n}.py" for n in ("row_major", "column_vector", "layer_error", "from_to_bias_row")]
    families: dict[str, Group] = {}

    def of_singles(generator: np.random.Generator) -> Group:
        families.update(singles(sizes.singles, generator))
        return total(families)

    makers: dict[str, Callable[[np.random.Generator], Group]] = {
        "mutants": lambda g: source_mutants(sizes.mutants, g, few if quick else files),
        "pairs": lambda g: pairs(sizes.pairs, g),
        "correct": lambda g: correct(few[:2] if quick else files, g),
        **({} if quick else {"specimens": lambda g: specimens()}),
        "singles": of_singles,
    }
    groups = {}
    for k, (name, make) in enumerate(makers.items()):
        groups[name] = make(np.random.default_rng([seed, k]))
        print(f"{name}: {json.dumps(groups[name].to_json())}", file=sys.stderr)
        for text in groups[name].failures:
            print(f"{name}: {text}", file=sys.stderr, flush=True)
        write(groups, families)
    return groups, families


def missed(groups: dict[str, Group]) -> list[str]:
    """The targets that are not met."""
    at_least: dict[str, tuple[str, Callable[[Group], bool]]] = {
        "singles place": ("singles", lambda g: g.share("place") >= 0.99),
        "singles name": ("singles", lambda g: g.share("name") >= 0.99),
        "singles set size": ("singles", lambda g: float(np.median(g.sizes)) == 1),
        "pairs both places": ("pairs", lambda g: g.share("both_places") >= 0.90),
        "mutants place": ("mutants", lambda g: g.share("place") >= 0.90),
        "mutants wrong name": ("mutants", lambda g: g.counts["wrong_name"] == 0),
        "correct code": ("correct", lambda g: g.counts["false_name"] + g.counts["false_place"] == 0),
        "specimens": ("specimens", lambda g: g.counts["wrong_name"] == 0),
    }
    return [target for target, (name, met) in at_least.items() if name in groups and not met(groups[name])]


def page(groups: dict[str, Group], families: dict[str, Group], failed: list[str], ran: tuple[str, float]) -> str:
    """The report; ran: the command and its seconds."""
    command, seconds = ran
    lines = ["# Diagnosis", "", f"`{command}`, {seconds:.0f} s on one core. "
             f"Targets missed: {', '.join(failed) or 'none'}.", ""]  # fmt: skip
    for title, several in (("Groups", groups), ("Single faults by family", families)):
        lines += [f"## {title}", "", "| group | n | measured |", "|---|---|---|"]
        for name, group in several.items():
            data = {k: v for k, v in group.to_json().items() if k != "n"}
            lines.append(f"| {name} | {group.counts['n']} | {', '.join(f'{k} {v}' for k, v in data.items())} |")
        lines.append("")
    lines += ["## What went otherwise", "", "Specimens are all listed, with what was found.", ""]
    lines += [f"- {name}: {text}" for name, group in groups.items() for text in group.failures]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run, print, write the report in a full run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--singles", type=int, help="default: all")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--mutants", type=int, default=400)
    options = parser.parse_args()
    started = time.monotonic()
    sizes = Sizes(50, 10, 20) if options.quick else Sizes(options.singles, options.pairs, options.mutants)
    command = " ".join(["python -m tests.benchmarks.diagnosis", *sys.argv[1:]])
    target = ROOT / "reports" / "benchmarks" / "diagnosis.md"

    def write(groups: dict[str, Group], families: dict[str, Group]) -> None:
        if not options.quick:
            target.parent.mkdir(parents=True, exist_ok=True)
            ran = (command, time.monotonic() - started)
            target.write_text(page(groups, families, missed(groups), ran), encoding="utf-8")

    groups, _ = run(options.quick, options.seed, sizes, write)
    failed, seconds = missed(groups), time.monotonic() - started
    data = {name: group.to_json() for name, group in groups.items()}
    print(json.dumps({"benchmark": "diagnosis", **data, "missed": failed, "seconds": round(seconds, 1)}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
