"""How often correct subjects are called wrong: ``python -m tests.benchmarks.false_alarms --cases 100000``.

Each case goes through the whole ladder (`gradcheck.checks.examine`) for one of nine correct subjects, in turn; every
eighth with the effects rung. Target: 0 fails. Peers judge the first cases of each stratum (stated in the table).

``--float32`` asks for single precision everywhere, and adds wide networks with subjects that sum in eight orders (`wide`):
what is at stake there is the rounding of claims, and so finite differences are left to the run without it.
"""

from tests.benchmarks.output import one_thread

one_thread()

import sys  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from collections import Counter  # noqa: E402
from dataclasses import dataclass, field  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

from gradcheck.checks import Examination, examine  # noqa: E402
from gradcheck.errors import SubjectError  # noqa: E402
from tests.benchmarks import output, peers  # noqa: E402
from tests.benchmarks.strata import STRATA, companion, draw  # noqa: E402
from tests.benchmarks.subjects import CorrectSubject, correct_subjects  # noqa: E402
from tests.benchmarks.wide import WIDE, draw_wide, examine_together, wide_subjects  # noqa: E402

NUMERICS = frozenset({"UNSTABLE"})
"""Faults that speak of overflow or log(0), not of a wrong gradient."""
EFFECTS_EVERY = 8
PART = 60
QUICK_CASES, FULL_CASES = 480, 10_000
QUICK_PEERS, FULL_PEERS = 3, 180
SHOWN = 25


@dataclass
class Tally:
    """Counts of one part: verdicts by (stratum, subject), why inconclusive, every fail, peers' flags and trials."""

    verdicts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[dict[str, Any]] = field(default_factory=list)
    flagged: Counter[tuple[str, str]] = field(default_factory=Counter)
    judged: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        """Take another part in."""
        for mine, theirs in ((self.verdicts, other.verdicts), (self.reasons, other.reasons),
                             (self.flagged, other.flagged), (self.judged, other.judged)):  # fmt: skip
            mine.update(theirs)  # type: ignore[arg-type]
        self.failures += other.failures

    def count(self, verdict: str, stratum: str | None = None, subject: str | None = None) -> int:
        """Cases of a verdict, of one stratum or subject or of all."""
        return sum(
            n
            for (s, j, v), n in self.verdicts.items()
            if v == verdict and stratum in (None, s) and subject in (None, j)
        )

    def total(self, stratum: str | None = None, subject: str | None = None) -> int:
        """Cases in all."""
        return sum(n for (s, j, _), n in self.verdicts.items() if stratum in (None, s) and subject in (None, j))


def verdict(examination: Examination) -> str:
    """pass, fail, numerics or inconclusive."""
    if examination.fault is None:
        return "inconclusive" if examination.silent else "pass"
    return "numerics" if examination.fault.name in NUMERICS else "fail"


def part(task: tuple[int, str, int, int, int, str | None]) -> Tally:
    """Cases start … stop − 1 of a stratum; peers judge those below `peer_cases`; the dtype, where it is not the stratum's."""
    seed, stratum, start, stop, peer_cases, dtype = task
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    judged = examine_together if stratum in WIDE else examine
    tally, subjects = Tally(), wide_subjects() if stratum in WIDE else correct_subjects()
    for k in range(start, stop):
        subject = subjects[k % len(subjects)]
        case = (
            draw_wide(seed, stratum, k // len(subjects)) if stratum in WIDE else draw(seed, stratum, k, subject, dtype)
        )
        other = companion(case, np.random.default_rng([seed, k])) if k % EFFECTS_EVERY == 0 else None
        try:
            examination = judged(subject.subject, case, subject.layout, other=other, differences=dtype is None)
        except SubjectError as error:
            _book(tally, stratum, k, subject, "error", f"{error.kind}: {error}", case)
            continue
        _book(tally, stratum, k, subject, verdict(examination), _why(examination), case)
        if k < peer_cases:
            _ask_peers(tally, stratum, subject, case)
    return tally


def _why(e: Examination) -> str:
    if e.fault is None:
        return e.silent
    said = f"{e.fault.name}: {e.message}"
    if not e.discrepancies:
        return said
    d = e.discrepancies[0]
    where = f"{d.parameter}{list(d.index)} claimed {d.claimed!r} expected {d.expected!r} bound {d.bound:.2g}"
    return f"{said}; {where}"


def _book(tally: Tally, stratum: str, k: int, subject: CorrectSubject, verdict: str, why: str, case: Any) -> None:
    tally.verdicts[stratum, subject.name, verdict] += 1
    if verdict in ("inconclusive", "numerics"):
        tally.reasons[stratum, why.partition(";")[0] if verdict == "inconclusive" else verdict] += 1
    if verdict in ("fail", "error"):
        tally.failures.append(
            {"stratum": stratum, "number": k, "subject": subject.name, "why": why, "case": case.architecture.describe()}
        )


def _ask_peers(tally: Tally, stratum: str, subject: CorrectSubject, case: Any) -> None:
    problem = peers.problem_of(subject, case)
    if problem is None:
        return
    for name in peers.installed():
        tally.judged[stratum, name] += 1
        tally.flagged[stratum, name] += peers.flags(name, problem)


def main() -> int:
    """Run, report, judge."""
    p = output.parser(__doc__.splitlines()[0])
    p.add_argument("--cases", type=int, help=f"in all (default {FULL_CASES}, quick {QUICK_CASES})")
    p.add_argument("--peer-cases", type=int, help=f"for each stratum (default {FULL_PEERS}, quick {QUICK_PEERS})")
    p.add_argument("--strata", help="some strata only, separated by commas")
    p.add_argument("--float32", action="store_true", help="single precision in every stratum, and wide networks")
    arguments = p.parse_args()
    everything = [*STRATA, *WIDE] if arguments.float32 else list(STRATA)
    strata, dtype = (
        arguments.strata.split(",") if arguments.strata else everything,
        "float32" if arguments.float32 else None,
    )
    cases = arguments.cases or (QUICK_CASES if arguments.quick else FULL_CASES)
    peer_cases = arguments.peer_cases
    if peer_cases is None:
        peer_cases = QUICK_PEERS if arguments.quick else FULL_PEERS
    each = -(-cases // len(strata))
    tasks = [
        (arguments.seed, s, k, min(k + PART, each), 0 if s in WIDE else peer_cases, dtype)
        for s in strata
        for k in range(0, each, PART)
    ]
    started, tally = time.monotonic(), Tally()
    for result in output.spread(part, tasks, arguments.jobs):
        tally.add(result)
    fails, errors = tally.count("fail"), tally.count("error")
    missed = [f"{fails} correct gradients were called wrong"] if fails else []
    missed += [f"{errors} correct subjects were reported as raising"] if errors else []
    figures = {
        "cases": tally.total(),
        "fails": fails,
        "errors": errors,
        "numerics": tally.count("numerics"),
        "inconclusive": tally.count("inconclusive"),
        "inconclusive_by_stratum": {
            s: round(tally.count("inconclusive", s) / max(1, tally.total(s)), 4) for s in strata
        },
        "peers_false_alarm_rate": {n: _rate(tally, strata, n) for n in peers.installed()},
        "peers_skipped": peers.skipped(),
        "failures": tally.failures[:5],
        "seconds": round(time.monotonic() - started, 1),
    }
    name = "false_alarms_float32" if arguments.float32 else "false_alarms"
    return output.finish(name, arguments, _text(tally, strata, not arguments.float32), figures, missed)


def _asked(tally: Tally) -> list[str]:
    """The subjects, in their order."""
    names = {j for _, j, _ in tally.verdicts}
    return [j.name for j in (*correct_subjects(), *wide_subjects()) if j.name in names]


def _rate(tally: Tally, strata: list[str], peer: str) -> float:
    judged = sum(tally.judged[s, peer] for s in strata)
    return round(sum(tally.flagged[s, peer] for s in strata) / judged, 4) if judged else 0.0


def _peers(tally: Tally, strata: list[str], names: list[str]) -> list[str]:
    if not tally.judged:
        return []
    return [
        "Peers: the share of correct gradients that they flag, on the first cases of each stratum (where cost and gradient",
        "are finite). scipy: above 1e-5. cs231n: relative error above 1e-7, with kinks above 1e-4. The others: defaults."
        + (f" Not installed, so skipped: {', '.join(peers.skipped())}." if peers.skipped() else ""),
        "",
        output.table(
            ("stratum", "cases", "gradcheck", *names),
            [
                (
                    s,
                    max([tally.judged[s, n] for n in names] or [0]),
                    output.percent(tally.count("fail", s), tally.total(s)),
                    *(output.percent(tally.flagged[s, n], tally.judged[s, n]) for n in names),
                )
                for s in strata
                if tally.judged[s, names[0]]
            ],
        ),
        "",
    ]


def _text(tally: Tally, strata: list[str], full: bool) -> str:
    names = peers.installed()
    lines = [
        "# False alarms: correct subjects called wrong",
        "",
        f"`{output.command('false_alarms')}` · {output.versions(('torch', 'scipy'))}",
        "",
        f"{tally.total():,} cases, {len(_asked(tally))} correct subjects in turn, each through the whole ladder"
        f"{'' if full else ' but for finite differences'}. "
        f"**Fails: {tally.count('fail')}.**",
        "“Numerics” counts overflow and log(0) in right but unstable formulas, reported as such and not as a wrong gradient.",
        "",
        output.table(
            ("stratum", "cases", "fails", "raised", "numerics", "inconclusive"),
            [
                (s, tally.total(s), *(tally.count(v, s) for v in ("fail", "error", "numerics")),
                 output.percent(tally.count("inconclusive", s), tally.total(s)))
                for s in strata
            ],
        ),
        "",
        output.table(
            ("subject", "cases", "fails", "raised", "numerics", "inconclusive"),
            [
                (j, tally.total(None, j), *(tally.count(v, None, j) for v in ("fail", "error", "numerics")),
                 output.percent(tally.count("inconclusive", None, j), tally.total(None, j)))
                for j in _asked(tally)
            ],
        ),
        "",
        *_peers(tally, strata, names),
        "Why inconclusive:",
        "",
        output.table(("stratum", "reason", "cases"), [(s, w, n) for (s, w), n in sorted(tally.reasons.items())]),
    ]  # fmt: skip
    if tally.failures:
        lines += ["", "Fails (reproduce with `draw(seed, stratum, number, subject)` of `tests.benchmarks.strata`):", ""]
        lines += [
            f"- {f['stratum']} {f['number']}, {f['subject']}: {f['why']} · {f['case']}" for f in tally.failures[:SHOWN]
        ]
        lines += [f"- … {len(tally.failures) - SHOWN} more"] if len(tally.failures) > SHOWN else []
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
