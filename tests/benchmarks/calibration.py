"""How often the truth lies inside the bounds, and how tight they are: ``python -m tests.benchmarks.calibration``.

The truth is the gradient of the trusted definition to 50 digits (`exact`). Three estimates are held against it, with the very
bounds that the ladder used at that case: (a) finite differences of the subject's own cost, along one direction a tensor; (b)
the jax oracle; (c) the claims of nine correct subjects; both of these component by component.

Targets: inside in at least 99.99 % in every stratum, established with 95 % confidence for the components in a full run (by the
rule of three without misses, by Clopper & Pearson with some), and a median relative tolerance (claim and oracle together, over
the tensor's largest component) of at most 1e-12 where float64 is well conditioned.
"""

from tests.benchmarks.output import one_thread

one_thread()

import math  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from collections import defaultdict  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from dataclasses import dataclass, field, replace  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

from gradcheck.errors import SubjectError  # noqa: E402
from gradcheck.numerics import Array, Arrays, Estimate  # noqa: E402
from gradcheck.oracles.error_analysis import rounding_bounds  # noqa: E402
from gradcheck.oracles.finite_difference import Derivative  # noqa: E402
from tests.benchmarks import exact, output  # noqa: E402
from tests.benchmarks.engine import corners  # noqa: E402
from tests.benchmarks.strata import STRATA, WELL_CONDITIONED, WIDE, draw  # noqa: E402
from tests.benchmarks.subjects import correct_subjects  # noqa: E402

COVERAGE, TOLERANCE, CONFIDENCE = 0.9999, 1e-12, 0.95
CORNERS = ("finite differences", "jax oracle", "claims")
PART = 9
QUICK_EACH, FULL_EACH = 12, 900
SHOWN = 25


@dataclass
class Inside:
    """Components of one corner in one stratum: how many, how many without a bound, bound/error of the others, misses."""

    count: int = 0
    unbounded: int = 0
    misses: int = 0
    tightness: list[float] = field(default_factory=list)

    def add(self, other: "Inside") -> None:
        """Take another part in."""
        self.count += other.count
        self.unbounded += other.unbounded
        self.misses += other.misses
        self.tightness += other.tightness

    @property
    def established(self) -> float:
        """Share inside that is established with `CONFIDENCE`: components without a bound are no evidence."""
        return coverage(self.count - self.unbounded, self.misses)

    def take(self, error: Array, bound: Array) -> Array:
        """Count components; returns which of them are misses."""
        bounded = np.isfinite(bound)
        missed = bounded & ~(error <= bound)
        self.count += error.size
        self.unbounded += int(np.sum(~bounded))
        self.misses += int(np.sum(missed))
        some = bounded & (error > 0) & np.isfinite(error)
        self.tightness += [float(r) for r in (bound[some] / error[some])]
        return np.asarray(missed)


@dataclass
class Part:
    """Results of some cases: by (stratum, corner), relative tolerances by (stratum, corner), misses in words."""

    inside: dict[tuple[str, str], Inside] = field(default_factory=lambda: defaultdict(Inside))
    tolerance: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    misses: list[str] = field(default_factory=list)
    cases: int = 0
    ended: int = 0

    def add(self, other: "Part") -> None:
        """Take another part in."""
        for key, value in other.inside.items():
            self.inside[key].add(value)
        for key, values in other.tolerance.items():
            self.tolerance[key] += values
        self.misses += other.misses
        self.cases += other.cases
        self.ended += other.ended


def part(task: tuple[int, str, int, int]) -> Any:
    """Cases start … stop − 1 of a stratum, the subjects in turn."""
    seed, stratum, start, stop = task
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    out, subjects = Part(), correct_subjects()
    for k in range(start, stop):
        subject = subjects[k % len(subjects)]
        case = draw(seed, stratum, k, subject)
        out.cases += 1
        try:
            _, oracles = corners(subject, case)
        except SubjectError:
            oracles = None
        if oracles is None or oracles.trusted is None:
            out.ended += 1  # not finite: nothing was compared
            continue
        truth = exact.gradient(case)
        label = f"{stratum} {k}, {subject.name}"
        estimates = {"jax oracle": oracles.trusted, "claims": oracles.claim}
        jump = rounding_bounds(case, case.dtype).jump
        for corner, estimate in estimates.items():
            _components(out, stratum, corner, _with_jump(estimate, jump), truth, label)
        _projections(out, stratum, oracles.own, truth, label)
        if case.dtype == "float64":
            bound = {n: oracles.claim.error[n] + oracles.trusted.error[n] for n in truth}
            out.tolerance[stratum, "claims"] += list(_relative(bound, truth))
    return _plain(out)


def _plain(out: Part) -> Part:
    """Dictionaries that cross processes (a defaultdict with a local factory does not)."""
    return Part(dict(out.inside), dict(out.tolerance), out.misses, out.cases, out.ended)


def _components(out: Part, stratum: str, corner: str, estimate: Estimate, truth: Arrays, label: str) -> None:
    for name, reference in truth.items():
        error = exact.distance(estimate.value[name], reference)
        bound = estimate.error[name]
        missed = out.inside[stratum, corner].take(error, bound)
        for index in np.argwhere(missed)[:1]:
            at = tuple(int(i) for i in index)
            out.misses.append(
                f"{corner}, {label}: {name}{list(at)} value {float(estimate.value[name][at])!r}, "
                f"reference {float(reference[at])!r}, error {error[at]:.3g}, bound {bound[at]:.3g}"
            )


def _with_jump(estimate: Estimate, jump: Arrays) -> Estimate:
    """At a kink the trusted gradient is the centre of all right ones and the truth any of them: up to a jump further off."""
    return replace(estimate, error={n: e + jump[n] if n in jump else e for n, e in estimate.error.items()})


def _projections(out: Part, stratum: str, own: Any, truth: Arrays, label: str) -> None:
    for name, (v, derivative) in own.items():
        expected = exact.along(truth, v)
        error = exact.distance(np.array([derivative.value]), np.array([expected], dtype=object))
        missed = out.inside[stratum, "finite differences"].take(error, np.array([derivative.error]))
        _fd_tolerance(out, stratum, derivative, truth[name])
        if missed.any():
            out.misses.append(
                f"finite differences, {label}: along {name} value {derivative.value!r}, reference {float(expected)!r}, "
                f"error {error[0]:.3g}, bound {derivative.error:.3g}"
            )


def _fd_tolerance(out: Part, stratum: str, derivative: Derivative, reference: Array) -> None:
    norm = math.sqrt(sum(float(g) ** 2 for g in np.ravel(reference)))
    if norm > 0 and math.isfinite(derivative.error):
        out.tolerance[stratum, "finite differences"].append(derivative.error / norm)


def _relative(bound: Arrays, truth: Arrays) -> Iterator[float]:
    for name, reference in truth.items():
        largest = max((abs(float(g)) for g in np.ravel(reference)), default=0.0)
        worst = float(np.max(bound[name], initial=0.0))
        if largest > 0 and math.isfinite(worst):
            yield worst / largest


def _median(values: list[float]) -> float:
    return float(np.median(values)) if values else float("nan")


def _figure(values: list[float]) -> float | None:
    return float(f"{_median(values):.2g}") if values else None


def main() -> int:
    """Run, report, judge."""
    p = output.parser(__doc__.splitlines()[0])
    p.add_argument("--each", type=int, help=f"cases for each stratum (default {FULL_EACH}, quick {QUICK_EACH})")
    p.add_argument("--strata", help="some strata only, separated by commas")
    arguments = p.parse_args()
    each = arguments.each or (QUICK_EACH if arguments.quick else FULL_EACH)
    strata = arguments.strata.split(",") if arguments.strata else [s for s in STRATA if s != WIDE]
    tasks = [(arguments.seed, s, k, min(k + PART, each)) for s in strata for k in range(0, each, PART)]
    started, everything = time.monotonic(), Part()
    for result in output.spread(part, tasks, arguments.jobs):
        everything.add(result)
    missed = list(_missed(everything, strata, full=not arguments.quick))
    figures = {
        "cases": everything.cases,
        "components": {c: sum(everything.inside[s, c].count for s in strata) for c in CORNERS},
        "outside": {c: sum(everything.inside[s, c].misses for s in strata) for c in CORNERS},
        "median_bound_over_error": {
            c: _figure([t for s in strata for t in everything.inside[s, c].tightness])
            for c in CORNERS
        },
        "median_relative_tolerance": {
            s: _figure(everything.tolerance.get((s, "claims"), []))
            for s in strata
            if s in WELL_CONDITIONED
        },
        "misses": everything.misses[:5],
        "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip
    return output.finish("calibration", arguments, _text(everything, strata), figures, missed)


def coverage(count: int, misses: int) -> float:
    """Lower confidence bound of a share of which `misses` of `count` were seen not to belong (Clopper & Pearson 1934)."""
    if misses >= count:
        return 0.0
    low, high = 0.0, 1.0  # share outside: P(at most `misses` of `count`) falls with it
    for _ in range(60):
        p = (low + high) / 2
        logs = [_log_choose(count, k) + k * math.log(p) + (count - k) * math.log1p(-p) for k in range(misses + 1)]
        low, high = (p, high) if sum(map(math.exp, logs)) > 1 - CONFIDENCE else (low, p)
    return 1 - high


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _missed(everything: Part, strata: list[str], full: bool) -> Iterator[str]:
    for corner in CORNERS:
        for s in strata:
            inside = everything.inside[s, corner]
            if inside.misses > (1 - COVERAGE) * inside.count:
                yield f"{corner}, {s}: {inside.misses} of {inside.count} components outside their bound"
            elif full and corner != "finite differences" and inside.established < COVERAGE:
                yield f"{corner}, {s}: too few components, {100 * inside.established:.3f} % established"
    for s in strata:
        if s in WELL_CONDITIONED and not (m := _median(everything.tolerance.get((s, "claims"), []))) <= TOLERANCE:
            yield f"{s}: the median relative tolerance is {m:.2g}, more than {TOLERANCE:g}"


def _text(everything: Part, strata: list[str]) -> str:
    lines = [
        "# Calibration: is the truth inside the bounds?",
        "",
        f"`{output.command('calibration')}` · {output.versions(('mpmath',))}",
        "",
        f"{everything.cases:,} cases, nine correct subjects in turn; truth: backprop in mpmath, {exact.DIGITS} digits. "
        f"{everything.ended} cases ended before a comparison (not finite).",
        "Established with 95 % confidence; “no bound” is no evidence.",
        "Bound / error: median over components whose error is not zero.",
        "Near or at a kink the ladder takes no differences, so that none are judged there.",
    ]
    for corner in CORNERS:
        what = "projections" if corner == "finite differences" else "components"
        rows = []
        for s in strata:
            i = everything.inside[s, corner]
            tolerance = everything.tolerance.get((s, corner if corner != "jax oracle" else "claims"), [])
            rows.append(
                (s, i.count, i.misses, "–" if not i.count else f"{100 * i.established:.3f} %",
                 output.percent(i.unbounded, i.count), output.number(_median(i.tightness)), output.number(_median(tolerance)))
            )  # fmt: skip
        heading = "relative tolerance, median" if corner != "finite differences" else "bound / ‖g‖, median"
        header = ("stratum", what, "outside", "inside, established", "no bound", "bound / error, median", heading)
        lines += ["", f"## {corner.capitalize()}", "", output.table(header, rows)]
    lines += [
        "",
        "Relative tolerance: bounds of claim and oracle together, over the tensor's largest component; float64 cases.",
    ]
    if everything.misses:
        lines += ["", "Outside (one a tensor):", ""]
        lines += [f"- {m}" for m in everything.misses[:SHOWN]]
        lines += [f"- … {len(everything.misses) - SHOWN} more"] if len(everything.misses) > SHOWN else []
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
