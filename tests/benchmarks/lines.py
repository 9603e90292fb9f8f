"""How often the line that is named is the line of the mistake.

    python -m tests.benchmarks.lines [--quick] [--seed N]

specimens  the wrong files of tests/specimens: the true line is the one that differs from the right neighbour
mutants    one edit of the syntax tree of a backward pass in reference/ and of the right specimens, written to a file; the
           true line is the one that differs. Only mutants whose cost is right and whose gradient has a wrong place.

right: the true line, sure. unsure: said to be unsure, the true line or not. wrong: another line, sure. none: no line.
The last line of standard output is one JSON object; exit code 1 when a target is missed: no wrong line, and at least half
of the specimens with a wrong equation right.
"""

import argparse
import ast
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import gradcheck
from gradcheck.campaign.source_lines import with_line
from gradcheck.checks import Wanted, recognise
from gradcheck.checks.localisation import locate
from gradcheck.checks.recognition import Recognition
from gradcheck.errors import SubjectError
from gradcheck.faults.mutation import mutants
from gradcheck.faults.sampling import draw_case
from gradcheck.faults.specimen import Source, answer, executed_lines
from gradcheck.networks import Case, cost
from gradcheck.numerics import Arrays
from gradcheck.report import Code, Finding, Line, Place
from gradcheck.subjects import LocalSubject, detect, load
from gradcheck.subjects.configuration import SubjectConfiguration
from tests.benchmarks import output

ROOT = Path(__file__).resolve().parents[2]
SPECIMENS = ROOT / "tests" / "specimens"
EQUATIONS = frozenset({"BP1", "BP2", "BP3", "BP4"})
OUTCOMES = ("right", "unsure, true line", "unsure, other line", "wrong", "none")


def outcome_of(lines: tuple[Line, ...], true: frozenset[int]) -> str:
    """One of OUTCOMES."""
    if not lines:
        return "none"
    hit = lines[0].number in true
    return ("right" if hit else "wrong") if lines[0].sure else f"unsure, {'true' if hit else 'other'} line"


def differing(one: str, other: str) -> frozenset[int]:
    """Numbers of the lines of code in which two texts differ, docstring left out."""
    first = ast.parse(other).body[0].end_lineno or 0
    pairs = zip(one.splitlines(), other.splitlines(), strict=True)
    return frozenset(k for k, (a, b) in enumerate(pairs, start=1) if a != b and k > first)


# -- specimens ------------------------------------------------------------------------------------------------------------


def specimens(names: list[str], seed: int) -> Iterator[tuple[str, str]]:
    """(name, outcome) of each finding of a wrong equation."""
    for name in names:
        path = SPECIMENS / f"{name}_wrong.py"
        true = differing((SPECIMENS / f"{name}_right.py").read_text(), path.read_text())
        report = gradcheck.verify(str(path), max_examples=40, seed=seed, in_process=True)
        for finding in report.findings:
            places = {p.equation for p in finding.places}
            if places & EQUATIONS and finding.rung in ("triangle", "components"):
                yield f"{name} ({', '.join(sorted(places))})", outcome_of(finding.lines, true)


# -- mutants --------------------------------------------------------------------------------------------------------------


def source_mutants(paths: list[Path], count: int, generator: np.random.Generator) -> Iterator[tuple[str, str]]:
    """(description, outcome) of up to `count` mutants of each file."""
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            source = Source(ast.unparse(ast.parse(path.read_text())), str(path), SubjectConfiguration())
            original = source.subject()
            recognition = recognise(original, Wanted())
            cases = [draw_case(recognition.repertoire, generator, None, k % 2 == 0) for k in range(8)]
            tree = ast.parse(source.text)
            possible = mutants(tree, executed_lines(original, cases[:4], recognition.layout, source.name))
            done = 0
            for i in generator.permutation(len(possible)):
                if done >= count:
                    break
                text = ast.unparse(possible[i].applied(tree))
                file = Path(folder) / f"mutant_{path.stem}_{done}_{i}.py"
                file.write_text(text)
                outcome = of_mutant(file, differing(source.text, text), recognition, cases)
                if outcome is not None:
                    done += 1
                    yield f"{path.name}: {possible[i].describe()}", outcome


def of_mutant(file: Path, true: frozenset[int], recognition: Recognition, cases: list[Case]) -> str | None:
    """None for a mutant that is no wrong equation of a backward pass."""
    try:
        subject = LocalSubject(detect(load(str(file)), file.name))
    except SubjectError:
        return None

    def claims(case: Case) -> Arrays | None:
        return answer(subject, case, recognition.layout).gradient

    for case in cases:
        said = answer(subject, case, recognition.layout)
        if said.gradient is None:
            continue
        if said.value is not None and not np.isclose(said.value, cost(case), rtol=1e-9):
            return None
        places = locate(case, claims)
        if places and places[0].equation in EQUATIONS:
            finding = Finding(Code.GC405, "fail", "triangle", "", (Place(places[0].equation, places[0].layer),))
            asked = (claims, recognition.repertoire, 0)
            lines = with_line(finding, case, lambda c: subject.trace(c, recognition.layout), asked).lines
            return outcome_of(lines, true)
    return None


# -- the table ------------------------------------------------------------------------------------------------------------


def main() -> int:
    output.one_thread()
    arguments = output.parser(__doc__ or "").parse_args()
    started = time.monotonic()
    generator = np.random.default_rng([arguments.seed, 53])
    names = sorted(p.name.removesuffix("_wrong.py") for p in SPECIMENS.glob("*_wrong.py"))
    files = [*sorted((ROOT / "reference").glob("*.py")), *sorted(SPECIMENS.glob("*_right.py"))[::6]]
    some = names[1::6] if arguments.quick else names
    few, count = (files[:3], 5) if arguments.quick else (files, 12)
    groups = {
        "specimens": list(specimens(some, arguments.seed)),
        "mutants": list(source_mutants(few, count, generator)),
    }
    counts = {g: Counter(o for _, o in found) for g, found in groups.items()}
    rows = [[g, sum(c.values()), *(c[o] for o in OUTCOMES)] for g, c in counts.items()]
    text = report(arguments, rows, groups, time.monotonic() - started)
    figures = {g: {"findings": sum(c.values()), **{o: c[o] for o in OUTCOMES}} for g, c in counts.items()}
    return output.finish("lines", arguments, text, figures, missed(counts))


def report(
    arguments: argparse.Namespace, rows: list[list[object]], groups: dict[str, list[tuple[str, str]]], seconds: float
) -> str:
    """The page: counts, then every specimen, then every wrong line."""
    each = output.table(["specimen", "line"], groups["specimens"])
    wrong = [f"- {name}" for name, o in groups["mutants"] if o == "wrong"]
    return "\n".join(
        [
            "# Lines: is the line that is named the line of the mistake?",
            "",
            f"`{output.command('lines')}` · seed {arguments.seed} · {seconds:.0f} s · {output.versions()}",
            "",
            output.table(["group", "findings", *OUTCOMES], rows),
            "",
            each,
            "",
            *(["Wrong though sure:", "", *wrong, ""] if wrong else []),
        ]
    )


def missed(counts: dict[str, Counter[str]]) -> list[str]:
    """The targets that are not met."""
    found = [f"{g}: {c['wrong']} wrong though sure; target 0" for g, c in counts.items() if c["wrong"]]
    c = counts["specimens"]
    if 2 * c["right"] < c.total():
        found.append(f"specimens: {c['right']} of {c.total()} right; target half")
    return found


if __name__ == "__main__":
    sys.exit(main())
