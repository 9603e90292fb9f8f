"""100,000 cases in one process: resident memory, sampled at every thousandth case, and its slope in bytes a case.

    python -m tests.benchmarks.memory [--quick] [--cases N]

The subject is `reference/row_major.py`, examined in this process by the campaign of `gradcheck verify`: drawn by Hypothesis,
climbed rung by rung, booked. The slope is that of a least-squares line through the second half of the samples: by then
everything that is made once has been made. Targets: 64 bytes a case (the medians of the power statement are kept in bounded
memory), and no more than 32 MiB between the first and the last thousand cases.
"""

import gc
import sys
import time

import numpy as np

import gradcheck
from tests.benchmarks.output import REPORTS, command, finish, parser, table, versions
from tests.benchmarks.timing import ROOT, peak, resident

SUBJECT = "reference/row_major.py"
SLOPE, RISE = 64.0, 32 * 2**20
MIB = 2**20


def sampled(cases: int, seed: int, every: int) -> tuple[gradcheck.Report, list[tuple[int, int]]]:
    """The report of a campaign, and (cases done, bytes resident) at every `every`-th case."""
    samples: list[tuple[int, int]] = []

    def look(done: int, total: int) -> None:
        if done >= every * (len(samples) + 1):
            samples.append((done, resident() or 0))
            if sys.stderr.isatty():
                print(f"  {done}/{total} cases, {samples[-1][1] / MIB:.1f} MiB", end="\r", file=sys.stderr, flush=True)

    report = gradcheck.verify(ROOT / SUBJECT, max_examples=cases, seed=seed, in_process=True, progress=look)
    return report, samples


def slope(samples: list[tuple[int, int]]) -> float:
    """Bytes a case, over the second half."""
    done, size = np.array(samples[len(samples) // 2 :], dtype=float).T
    return float(np.polyfit(done, size, 1)[0])


def shown(samples: list[tuple[int, int]]) -> str:
    """Ten of the samples."""
    chosen = samples[:: max(1, len(samples) // 10)]
    if chosen[-1] != samples[-1]:
        chosen.append(samples[-1])
    return table(["cases", "resident, MiB"], [[f"{done:,}", f"{size / MIB:.1f}"] for done, size in chosen])


def plot(samples: list[tuple[int, int]]) -> None:
    """`reports/benchmarks/memory.svg`; nothing where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "gradcheck"
    from matplotlib import pyplot

    done, size = np.array(samples, dtype=float).T
    figure, axes = pyplot.subplots(figsize=(7, 3.2))
    axes.plot(done, size / MIB)
    axes.set(xlabel="cases", ylabel="resident memory, MiB", ylim=(0, None), title=f"one process, {SUBJECT}")
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(REPORTS / "memory.svg", metadata={"Date": None})


def main() -> int:
    """Run, print, write; 1 when a target is missed."""
    p = parser(__doc__ or "")
    p.add_argument("--cases", type=int, help="default: 100,000; with --quick 3,000")
    arguments = p.parse_args()
    cases = arguments.cases or (3_000 if arguments.quick else 100_000)
    started = time.process_time()
    report, samples = sampled(cases, arguments.seed, max(1, cases // 100))
    gc.collect()
    most = (peak() or 0) / MIB
    per_case, rise = slope(samples), samples[-1][1] - samples[0][1]
    missed = [f"{per_case:.0f} bytes a case, {SLOPE:g} wanted"] if per_case > SLOPE and not arguments.quick else []
    missed += [f"a rise of {rise / MIB:.1f} MiB, {RISE / MIB:g} wanted"] if rise > RISE else []
    if report.verdict != "pass":
        missed.append(f"the verdict was {report.verdict}")
    text = "\n".join(
        [
            "# Memory of one process",
            "",
            f"`{command('memory')}` · {versions()}",
            "",
            f"{cases:,} cases of `{SUBJECT}` in one process, verdict {report.verdict}: {per_case:.0f} bytes a case over the",
            f"second half, {rise / MIB:.1f} MiB more at the end than after the first hundredth, at most "
            f"{most:.0f} MiB.",
            "",
            shown(samples),
        ]
    )
    if not arguments.quick or arguments.write:
        plot(samples)
        text += "\n\n![resident memory over cases](memory.svg)"
    figures = {
        "cases": cases,
        "bytes_per_case": round(per_case, 1),
        "rise_mib": round(rise / MIB, 2),
        "peak_mib": round(most, 1),
        "cpu_seconds": round(time.process_time() - started, 1),
    }
    return finish("memory", arguments, text, figures, missed)


if __name__ == "__main__":
    raise SystemExit(main())
