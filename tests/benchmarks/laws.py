"""What laws without an oracle see, and what they cost.

    python -m tests.benchmarks.laws [--quick] [--seed N]

faults  mistakes of the catalogue planted in the trusted network: which laws of the cost, and which the symmetry of the
        Jacobian, are broken in at least one of a few networks of three samples, half of them with layers of equal width
right   the trusted network at every cost, scale, form of the L2 term and precision: a broken law is a false alarm
unusual right gradients of costs that are no plain sum over the samples (batchnorm, masks, roots, distances): how many of each
        law were judged at all, and none broken
cost    the share of a verification of a file that no trusted definition fits which goes into the laws, in one run

A mistake that is made in every sample and every unit alike is seen by none of the laws of the cost, and is no miss; the
targets are no false alarm, and a share of at most 5 %. The last line of standard output is one JSON object; exit code 1 when a
target is missed.
"""

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from gradcheck.campaign import lawful
from gradcheck.campaign.outcome import Options
from gradcheck.campaign.verification import verify_subject
from gradcheck.checks import Wanted, recognise
from gradcheck.checks.invariance import SAMPLES
from gradcheck.checks.network_laws import asking, by_cost, judgements
from gradcheck.checks.symmetry import gradient_of_anything
from gradcheck.errors import SubjectError
from gradcheck.faults.backprop import backprop
from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.fault import Fault
from gradcheck.faults.planting import Planted, case_of, planted
from gradcheck.faults.sampling import draw_case
from gradcheck.networks import L2_FORMS, SCALES, Case, Regularisation
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.networks.sampling import sample_case
from gradcheck.oracles.autodiff import value_and_gradient
from gradcheck.subjects import Layout, LocalSubject, detect, load
from gradcheck.subjects.configuration import SubjectConfiguration
from tests.benchmarks import output
from tests.benchmarks.unusual_costs import COSTS, subject_of

FILE = Path(__file__).resolve().parents[1] / "specimens" / "contracts" / "last_sample_counts_right.py"
LAWS = {"NOT_ADDITIVE": "GC407", "ORDER": "GC408", "UNITS": "GC409", "LOSS_SCALE": "GC410"}
SYMMETRY, MOST_SHARE = "GC406", 0.05
LAYOUT = Layout()


def networks(count: int, seed: int) -> list[Case]:
    """Depth 2 and 3, distinct and square in turn, three samples."""
    r, generator = default_repertoire(), np.random.default_rng([seed, 3])
    drawn = (draw_case(r, generator, depth=2 + k % 2, square=k % 4 < 2) for k in range(count))
    return [sample_case(c.architecture, SAMPLES, generator) for c in drawn]


def seen_of(fault: Fault, cases: Sequence[Case]) -> set[str] | None:
    """The codes of the laws that a planted fault breaks; None where no case shows it at all."""
    subject, found, observed = planted(fault), set(), False
    for k, case in enumerate(cases):
        try:
            claim = subject.vjp(case, LAYOUT)[1](case.cotangent)
        except SubjectError:
            continue
        if claim.problems or not _differs(claim.gradient, value_and_gradient(case)[1]):
            continue
        observed = True
        judged = judgements(case, asking(subject, LAYOUT), by_cost(subject, LAYOUT), batches=True)
        found |= {LAWS[j.broken.fault.name] for j in judged if j.broken is not None and j.broken.fault is not None}
        if k < 2 or SYMMETRY not in found:
            symmetric = gradient_of_anything(subject, case, LAYOUT, claim).fault is None
            found |= set() if symmetric else {SYMMETRY}
    return found if observed else None


def _differs(claim: Mapping[str, np.ndarray], trusted: Mapping[str, np.ndarray]) -> bool:
    return any(np.any(np.abs(claim[n] - g) > 1e-6 * np.max(np.abs(g), initial=1e-12)) for n, g in trusted.items())


def right_ones(count: int, seed: int) -> Iterator[Case]:
    """Random networks at every scale and L2 form, every fourth in float32."""
    r, generator = default_repertoire(), np.random.default_rng([seed, 4])
    kinds = cycle([(s, f) for s in SCALES for f in L2_FORMS if f != "none"])
    for k, (scale, form) in enumerate(islice(kinds, count)):
        a = draw_case(r, generator, depth=1 + k % 4).architecture
        dtype = "float32" if k % 4 == 3 else "float64"
        decay = Regularisation(0.5 * (k % 2), form)
        yield sample_case(replace(a, scale=scale, regularisation=decay, dtype=dtype), SAMPLES, generator)


def false_alarms(count: int, seed: int) -> tuple[int, list[str], float]:
    """Laws judged, those called broken, and the median of the smallest violation that would have been seen."""
    right = LocalSubject(Planted(lambda case, arrays: backprop(case_of(case, arrays))))
    gate, ask = by_cost(right, LAYOUT), asking(right, LAYOUT)
    judged = [j for case in right_ones(count, seed) for j in judgements(case, ask, gate, batches=True)]
    wrong = [f"{j.broken.message} ({j.case.architecture.describe()})" for j in judged if j.broken is not None]
    return len(judged), wrong, float(np.median([j.power for j in judged]))


def unusual(count: int, seed: int) -> tuple[list[list[object]], list[str]]:
    """A row for each unusual cost, with how often each law was judged; and the laws called broken."""
    rows: list[list[object]] = []
    wrong: list[str] = []
    r, generator = default_repertoire(), np.random.default_rng([seed, 6])
    cases = [sample_case(draw_case(r, generator, depth=2).architecture, SAMPLES, generator) for _ in range(count)]
    for name in COSTS:
        subject = subject_of(name)
        ask, gate = asking(subject, LAYOUT), by_cost(subject, LAYOUT)
        judged = [j for case in cases for j in judgements(case, ask, gate, batches=True)]
        counts = Counter(LAWS[j.law.fault.name] for j in judged)
        rows.append([name, *(counts[c] for c in LAWS.values())])
        wrong += [f"{name}: {j.broken.message}" for j in judged if j.broken is not None]
    return rows, wrong


def share_of_the_laws(seed: int) -> float:
    """Seconds of the laws over those of the whole campaign, of a right file that no trusted definition fits."""
    subject = LocalSubject(detect(load(str(FILE), None), FILE.name, SubjectConfiguration()))
    recognition, spent = recognise(subject, Wanted(), seed), 0.0
    wrapped = lawful.broken_laws

    def timed(*arguments: object) -> list[object]:
        nonlocal spent
        started = time.perf_counter()
        found = list(wrapped(*arguments))  # type: ignore[arg-type]
        spent += time.perf_counter() - started
        return found

    lawful.broken_laws = timed  # type: ignore[assignment]
    try:
        started = time.perf_counter()
        outcome = verify_subject(subject, recognition, Options(max_examples=60, seed=seed))
        whole = time.perf_counter() - started
    finally:
        lawful.broken_laws = wrapped
    assert not outcome.findings
    assert not recognition.trusted
    return spent / whole


def main() -> int:
    """Run and print."""
    output.one_thread()
    arguments = output.parser(__doc__ or "").parse_args()
    started = time.monotonic()
    share = share_of_the_laws(arguments.seed)
    count, wrong, power = false_alarms(60 if arguments.quick else 600, arguments.seed)
    odd, alarms = unusual(2 if arguments.quick else 8, arguments.seed)
    wrong += alarms
    faults = [f for f in CATALOGUE.values() if not f.shape][:: 40 if arguments.quick else 4]
    cases = networks(4, arguments.seed)
    by_equation: dict[str, Counter[str]] = defaultdict(Counter)
    for fault in faults:
        seen = seen_of(fault, cases)
        if seen is not None:
            codes = {*seen, "any of 407–410"} if seen - {SYMMETRY} else seen
            by_equation[fault.equation].update(["observed", *codes, *(["any law"] if seen else [])])
    columns = ["observed", *LAWS.values(), "any of 407–410", SYMMETRY, "any law"]
    rows = [[e, *(c[k] for k in columns)] for e, c in sorted(by_equation.items())]
    total = sum(by_equation.values(), Counter())
    rows.append(["all", *(total[k] for k in columns)])
    figures = {
        "faults": {k: total[k] for k in columns},
        "right": {"judged": count, "broken": len(wrong), "median_visible": power},
        "unusual": {"costs": len(odd), "broken": len(alarms)},
        "share": round(share, 4),
    }
    tables = output.table(["equation", *columns], rows), output.table(["cost", *LAWS.values()], odd)
    text = page(arguments, tables, figures, time.monotonic() - started)
    missed = [*wrong, *([f"share {share:.3f}; target {MOST_SHARE}"] if share > MOST_SHARE else [])]
    return output.finish("laws", arguments, text, figures, missed)


def page(arguments: argparse.Namespace, tables: tuple[str, str], figures: Mapping[str, object], seconds: float) -> str:
    """The report."""
    right = figures["right"]
    assert isinstance(right, dict)
    return "\n".join(
        [
            "# Laws without an oracle: what they see",
            "",
            f"`{output.command('laws')}` · seed {arguments.seed} · {seconds:.0f} s · {output.versions()}",
            "",
            "Mistakes of the catalogue that at least one of four networks shows, and how many of them break each law.",
            "",
            tables[0],
            "",
            "How often each law was judged for a right gradient of an unusual cost; 0: the cost does not keep it.",
            "",
            tables[1],
            "",
            f"Right networks: {right['judged']} laws judged, {right['broken']} called broken; half of them would have seen a "
            f"violation of {right['median_visible']:.1g} of a tensor. Share of the laws in the campaign of an unrecognised "
            f"file: {figures['share']}.",
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
