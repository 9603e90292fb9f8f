"""What all benchmarks share: arguments, two processes, a Markdown table, and the JSON object on the last line."""

import argparse
import json
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

REPORTS = Path(__file__).resolve().parents[2] / "reports" / "benchmarks"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def one_thread() -> None:
    """One thread a process: two processes on two cores. Call it before numpy is imported to have an effect."""
    for name in THREADS:
        os.environ.setdefault(name, "1")


def parser(description: str) -> argparse.ArgumentParser:
    """--quick, --write, --seed and --jobs."""
    p = argparse.ArgumentParser(description=description)
    p.add_argument("--quick", action="store_true", help="under 45 seconds on two cores; writes no table")
    p.add_argument("--write", action="store_true", help="write the table even of a quick run")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--jobs", type=int, default=2, help="processes (the results do not depend on it)")
    return p


def spread(work: Callable[[Any], Any], tasks: Sequence[Any], jobs: int) -> Iterator[Any]:
    """work(task) for each task, in order, in `jobs` processes; progress on stderr."""
    started = time.monotonic()
    if jobs <= 1:
        for k, task in enumerate(tasks):
            yield work(task)
            _progress(k + 1, len(tasks), started)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy jax's threads
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        for k, result in enumerate(pool.map(work, tasks)):
            yield result
            _progress(k + 1, len(tasks), started)


def _progress(done: int, total: int, started: float) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else "\r"
        print(f"  {done}/{total} parts, {time.monotonic() - started:.0f} s", end=end, file=sys.stderr, flush=True)


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table: first column left, the rest right."""
    cells = [[str(c) for c in row] for row in rows]
    widths = [max(len(r[k]) for r in [list(header), *cells]) for k in range(len(header))]
    rule = ["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])]
    lines = [[h.ljust(w) for h, w in zip(header, widths, strict=True)], rule]
    lines += [
        [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))] for row in cells
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(part: float, whole: float) -> str:
    """A share in percent; "–" of nothing."""
    return "–" if not whole else f"{100 * part / whole:.2f} %" if part else "0 %"


def number(value: float | None) -> str:
    """Two significant digits; "–" where there is none."""
    if value is None or value != value:
        return "–"
    return f"{value:.1e}" if value and (abs(value) < 0.01 or abs(value) >= 1000) else f"{value:.2g}"


def versions(peers: Sequence[str] = ()) -> str:
    """Python and the packages that take part."""
    found = [f"python {platform.python_version()}"]
    for name in ("numpy", "jax", *peers):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    return ", ".join(found)


def command(name: str) -> str:
    """The command line as typed after the interpreter's name."""
    return " ".join(["python", "-m", f"tests.benchmarks.{name}", *sys.argv[1:]])


def finish(
    name: str, arguments: argparse.Namespace, text: str, figures: Mapping[str, Any], missed: Sequence[str]
) -> int:
    """Print the tables, write them after a full run, print the JSON object last; 1 when a target was missed."""
    print(text)
    if not arguments.quick or arguments.write:
        REPORTS.mkdir(parents=True, exist_ok=True)
        (REPORTS / f"{name}.md").write_text(text.rstrip() + "\n", encoding="utf-8")
    for line in missed:
        print(f"target missed: {line}")
    print(json.dumps({"benchmark": name, "quick": arguments.quick, **figures, "missed": list(missed)}, sort_keys=False))
    return 1 if missed else 0
