"""Speed: gradcheck and its peers on the same architectures in one interleaved run, scaling in P, start-up, and phases.

    python -m tests.benchmarks.speed            # everything, 5e7 parameters included: some minutes
    python -m tests.benchmarks.speed --quick    # under 45 seconds, up to 1e6 parameters

Networks are those of the campaign with widths 1 … 64 and 1 … 32 samples, every one new. CPU seconds; judge by the ratios.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.benchmarks import output

output.one_thread()

import json  # noqa: E402

import numpy as np  # noqa: E402

from gradcheck.campaign.outcome import Options  # noqa: E402
from gradcheck.campaign.verification import verify_subject  # noqa: E402
from gradcheck.checks.recognition import Recognition  # noqa: E402
from gradcheck.networks import COSTS, Case, builtin_activations  # noqa: E402
from gradcheck.networks.repertoire import Head, Repertoire, heads, hidden_activations  # noqa: E402
from gradcheck.numerics import size  # noqa: E402
from tests.benchmarks import speed_peers, speed_phases, speed_start, timing  # noqa: E402
from tests.benchmarks.subjects import CorrectSubject, subject_named  # noqa: E402

STEADY, COLD, WARM = 1000.0, 300.0, 1000.0
NANOSECONDS = 150.0
MEMORY = 10.0
SECONDS = {10_000_000: 1.0, 50_000_000: 10.0}
VERIFY_WALL, VERIFY_RATIO, IMPORT_MS = 2.0, 1.5, 50.0
SETTLING = 8
SIZES = (50, 500, 5_000, 50_000, 500_000, 1_000_000)
LARGE = (10_000_000, 50_000_000)
BASE = "jax check_grads"
SLOW_IN_QUICK = ("chex", "torch slow", "jax check_grads, jitted")


@dataclass
class Recorder:
    """A subject that remembers the cases it was asked about."""

    subject: Any
    cases: list[Case]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.subject, name)

    def vjp(self, point: Any, layout: Any) -> Any:
        self.cases.append(point)
        return self.subject.vjp(point, layout)


def recognition(subject: CorrectSubject) -> Recognition:
    """Everything built in, widths up to 64, up to 32 samples."""
    activations = builtin_activations()
    legal = [replace(h, scale=subject.scale(h.cost)) for h in heads(activations, tuple(COSTS.values()))]
    repertoire = Repertoire(
        hidden_activations(activations), tuple(legal), widths=(1, 64), output_widths=(1, 64), samples=(1, 32)
    )
    assert all(isinstance(h, Head) for h in legal)
    return Recognition(subject.layout, repertoire, trusted=True)


def campaign(count: int, seed: int, recorded: list[Case] | None = None) -> tuple[float, int]:
    """CPU seconds of a campaign of `count` cases, and how many it visited; the audit of the oracle is counted in."""
    subject = subject_named("row-major")
    seen: list[Case] = [] if recorded is None else recorded
    asked: Any = Recorder(subject.subject, seen)
    outcomes: list[Any] = []
    seconds = timing.cpu_of(lambda: outcomes.append(verify_subject(asked, recognition(subject), Options(count, seed))))
    assert not outcomes[0].findings, outcomes[0].findings
    return seconds, outcomes[0].tally.cases + outcomes[0].tally.inconclusive


def race(rounds: int, count: int, slow: int, skip: tuple[str, ...]) -> tuple[dict[str, list[float]], list[Case]]:
    """CPU seconds a case: ours (campaigns of `count` cases) and the peers (on cases of the same campaign), interleaved."""
    for k in range(SETTLING):  # templates, imports, and the audits of a new cache, two or three a run
        campaign(60, 900 + k)
    names = [n for n in speed_peers.installed() if n not in skip]
    times: dict[str, list[float]] = {"gradcheck": [], **{n: [] for n in names}}
    every: list[Case] = []
    for k in range(rounds):
        cases: list[Case] = []
        seconds, visited = campaign(count, k, cases)
        times["gradcheck"] += [seconds / visited] * visited
        every += cases
        chosen = [c for c in cases[:: max(1, len(cases) // 40)] if c.architecture.cost.name != "hinge"]
        for name in names:
            each = speed_peers.TIMED[name][2] * slow
            mine = [chosen[(7 * j + k) % len(chosen)] for j in range(each + (k == 0))]
            seconds_each = [timing.cpu_of(lambda c=c, n=name: speed_peers.check(n, c)) for c in mine]  # type: ignore[misc]
            times[name] += seconds_each[1:] if k == 0 else seconds_each  # the first of all also imports
    return times, every


def scaling(quick: bool) -> list[dict[str, Any]]:
    """One process for each size."""
    rows = []
    for P in SIZES if quick else (*SIZES, *LARGE):
        ran = timing.process(["-m", "tests.benchmarks.speed_scaling", str(P)])
        rows.append(json.loads(ran.output.splitlines()[-1]) if ran.code == 0 else {"P": P, "failed": ran.output[-400:]})
    return rows


def slope(rows: list[dict[str, Any]]) -> float:
    """Nanoseconds that a parameter more costs, between 5e5 parameters and the largest measured."""
    known = [r for r in rows if r.get("seconds") and r["P"] > 4e5]
    first, last = known[0], known[-1]
    return 1e9 * float((last["seconds"] - first["seconds"]) / (last["P"] - first["P"]))


def judged(f: Mapping[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    """The targets that were missed, in words."""
    wrong = [
        (
            f["steady_ratio"] < STEADY,
            f"steady {f['steady_ratio']:.0f}x a check_grads loop; {STEADY:.0f}x is the target",
        ),
        (f["cold_ratio"] < COLD, f"500 cases, cold: {f['cold_ratio']:.0f}x; {COLD:.0f}x is the target"),
        (f["warm_ratio"] < WARM, f"500 cases, warm: {f['warm_ratio']:.0f}x; {WARM:.0f}x is the target"),
        (f["ns_per_parameter"] > NANOSECONDS, f"{f['ns_per_parameter']:.0f} ns a parameter; {NANOSECONDS:.0f} at most"),
        (
            f["verify_wall"] > VERIFY_WALL,
            f"gradcheck verify took {f['verify_wall']:.2f} s; {VERIFY_WALL:.0f} s at most",
        ),
        (f["isolation_ratio"] > VERIFY_RATIO, f"isolation costs {f['isolation_ratio']:.2f}x; {VERIFY_RATIO}x at most"),
        (f["jax_on_warm_path"], "a warm run imports jax"),
        (bool(f["heavy_imports"]), f"import gradcheck imports {f['heavy_imports']}"),
    ]
    wrong += [(ms > IMPORT_MS, f"{name}: {ms:.0f} ms; {IMPORT_MS:.0f} at most") for name, ms in f["import_ms"].items()]
    for row in rows:
        P, limit = row["P"], min((s for n, s in SECONDS.items() if row["P"] <= 1.01 * n), default=10.0)
        wrong.append(("failed" in row, f"P = {P:.0e}: {row.get('failed')}"))
        wrong.append((row.get("seconds", 0) > limit, f"P = {P:.0e}: {row.get('seconds', 0):.2f} s; {limit:g} at most"))
        memory = row.get("memory") if P > 4e5 else None
        wrong.append(((memory or 0) > MEMORY, f"P = {P:.0e}: {memory or 0:.1f} P floats; {MEMORY:g} at most"))
    return [text for missed, text in wrong if missed]


def main() -> int:
    """Run, report, judge."""
    parser = output.parser(__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of everything that is timed (default 5)")
    arguments = parser.parse_args()
    quick, rounds = arguments.quick, arguments.rounds
    skip = SLOW_IN_QUICK if quick else ()
    times, cases = race(2 if quick else rounds, 150 if quick else 1000, 1 if quick else -(-rounds // 2), skip)
    mean = {name: float(np.mean(t)) for name, t in times.items() if t}
    base = mean.get(BASE, float("nan"))
    every = cases[:: max(1, len(cases) // (60 if quick else 400))]
    phases = speed_phases.phases(every, recognition(subject_named("row-major")).repertoire)
    cold, warm = speed_start.cold_and_warm(1 if quick else -(-rounds // 2))
    isolated, in_process = speed_start.commands(1 if quick else rounds)
    rows = scaling(quick)
    figures = {
        "mean_P": round(float(np.mean([size(c.parameters) for c in cases]))),
        "milliseconds": {n: round(1e3 * s, 3) for n, s in mean.items()},
        "ratios": {n: round(s / mean["gradcheck"], 1) for n, s in mean.items() if n != "gradcheck"},
        "steady_ratio": round(base / mean["gradcheck"], 1),
        "cold_ratio": round(base * speed_start.CASES / cold, 1),
        "warm_ratio": round(base * speed_start.CASES / warm, 1),
        "cold_seconds": round(cold, 3),
        "warm_seconds": round(warm, 3),
        "verify_wall": round(isolated.wall, 3),
        "isolation_ratio": round(isolated.wall / in_process.wall, 3),
        "import_ms": {k: round(v, 1) for k, v in speed_start.imports(2 if quick else rounds + 2).items()},
        "heavy_imports": speed_start.heavy("import gradcheck"),
        "jax_on_warm_path": speed_start.jax_on_warm_path(),
        "ns_per_parameter": round(slope(rows), 1),
        "scaling": rows,
        "phases_us": {k: round(1e6 * v, 1) for k, v in phases.items()},
        "peers_skipped": [*speed_peers.skipped(), *(f"{n} (quick)" for n in skip)],
    }
    if not quick or arguments.write:
        draw(rows, mean)
    return output.finish("speed", arguments, text(figures, mean), figures, judged(figures, rows))


def text(f: Mapping[str, Any], mean: Mapping[str, float]) -> str:
    """The tables."""
    ours = mean["gradcheck"]
    milliseconds = f["import_ms"]
    floor = f["phases_us"]["floor: forward and backward"]
    peers = [(n, f"{1e3 * s:.3g}", f"{s / ours:.0f}×") for n, s in sorted(mean.items(), key=lambda p: p[1])]
    rows = [
        (f"{r['P']:,}", f"{1e3 * r['seconds']:.3g}", f"{1e3 * r['floor']:.3g}", f"{r['seconds'] / r['floor']:.1f}×",
         f"{1e9 * r['seconds'] / r['P']:.0f}", "–" if r["memory"] is None or r["P"] < 4e5 else f"{r['memory']:.1f}")
        for r in f["scaling"] if "seconds" in r
    ]  # fmt: skip
    starts = [
        ("500 cases, process start included, empty cache", f"{f['cold_seconds']} s CPU", f"{f['cold_ratio']:.0f}× check_grads"),
        ("the same, warm cache", f"{f['warm_seconds']} s CPU", f"{f['warm_ratio']:.0f}× check_grads"),
        ("`gradcheck verify`, small file, 200 cases, warm, isolated", f"{f['verify_wall']} s wall",
         f"{f['isolation_ratio']:.2f}× in process"),
        ("`import gradcheck`, beyond Python", f"{milliseconds['gradcheck']} ms CPU", ""),
        ("the pytest plug-in, beyond pytest", f"{milliseconds['plug-in']} ms CPU", ""),
    ]  # fmt: skip
    lines = [
        "# Speed",
        "",
        f"`{output.command('speed')}` · {output.versions(('chex', 'torch', 'scipy'))}",
        "",
        "CPU time a new architecture (mean): depth 1 … 6, widths 1 … 64, 1 … 32 samples, mean P "
        f"{f['mean_P']:,}; gradcheck through its campaign (draw, subject, oracle, bounds, differences, audit), the peers on",
        "architectures of the same campaign, interleaved."
        + (f" Left out: {', '.join(f['peers_skipped'])}." if f["peers_skipped"] else ""),
        "",
        output.table(("checker", "ms a case", "gradcheck is faster by"), peers),
        "",
        "Where a case's time goes (the same cases, each phase by itself):",
        "",
        output.table(
            ("phase", "µs", "of the floor"), [(k, f"{v:.0f}", f"{v / floor:.2f}") for k, v in f["phases_us"].items()]
        ),
        "",
        "One full check with P parameters (tanh, 8 samples; memory: the peak above the interpreter, the case included):",
        "",
        output.table(("P", "ms", "floor, ms", "ratio", "ns a parameter", "memory, P floats"), rows),
        "",
        output.table(("start-up", "time", "ratio"), starts),
    ]
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], mean: Mapping[str, float]) -> None:
    """reports/benchmarks/speed.svg: one check against P, and the peers at their mean P."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "gradcheck"
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    known = [r for r in rows if "seconds" in r]
    axes[0].loglog([r["P"] for r in known], [r["seconds"] for r in known], "o-", label="one full check")
    axes[0].loglog([r["P"] for r in known], [r["floor"] for r in known], "s--", label="forward and backward alone")
    axes[0].set(xlabel="parameters P", ylabel="CPU seconds", title="Linear in P")
    axes[0].legend()
    names = sorted(mean, key=lambda n: mean[n])
    axes[1].barh(names, [1e3 * mean[n] for n in names], log=True)
    axes[1].set(xlabel="CPU milliseconds a new architecture", title="The same architectures")
    folder = Path(output.REPORTS)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "speed.svg", metadata={"Date": None})


if __name__ == "__main__":
    sys.exit(main())
