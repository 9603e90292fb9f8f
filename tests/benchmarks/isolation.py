"""What isolation costs: the same cases examined in this process and through a child process, in turns, in one run.

    python -m tests.benchmarks.isolation [--quick] [--seed N]

Per subject: CPU of this process and, isolated, of its child as well, for the full ladder at every case (the least of the
rounds: what others do on the machine only adds); then for the whole command `gradcheck verify` with 200 cases, both processes
from their start. The same at one network of P parameters (tanh, 8 samples), small and large. Ratios, because both sides see
the same machine. Round trips a case are counted at the worker. Targets: a ratio of at most 1.5 everywhere.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from gradcheck.campaign import oracle_cache
from gradcheck.campaign.opening import Limits, Target, opened
from gradcheck.checks import Wanted, examine, recognise
from gradcheck.isolation import Worker
from gradcheck.networks import Case, activation_named, cost_named
from gradcheck.numerics import size
from gradcheck.strategies import corner_cases
from gradcheck.subjects import Layout, SubjectConfiguration
from tests.benchmarks.output import command, finish, number, parser, table, versions
from tests.benchmarks.speed_scaling import case_of, network
from tests.benchmarks.timing import ROOT, process

SMALL_FILE = "tests/files/tanh_mse.py"
SUBJECTS = ("reference/row_major.py", "reference/layer_error.py", SMALL_FILE)
TOLD: dict[str, dict[str, Any]] = {SMALL_FILE: {"activations": ("tanh",), "costs": ("mse",)}}
PARAMETERS = (60, 5_000, 50_000, 500_000, 5_000_000)
LIMIT = 1.5


class Counted:
    """Counts the requests of every worker, and knows the children."""

    def __init__(self) -> None:
        self.trips, self.pids = 0, set[int]()
        self._request = Worker.request

    def __enter__(self) -> "Counted":
        counted, request = self, self._request

        def count(worker: Worker, *arguments: object, **more: object) -> object:
            counted.trips += 1
            if worker._child is not None:
                counted.pids.add(worker._child.pid)
            return request(worker, *arguments, **more)  # type: ignore[arg-type]

        Worker.request = count  # type: ignore[assignment,method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        Worker.request = self._request  # type: ignore[method-assign]


def cpu(pids: Sequence[int]) -> float:
    """CPU seconds of this process and of others, to the nanosecond (Linux numbers the clock of a process after it)."""
    return time.process_time() + sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


def drawn(repertoire: object, seed: int, count: int) -> Iterator[Case]:
    """Corner cases of one seed after another."""
    return islice((c for s in range(10**6) for c in corner_cases(repertoire, seed + s)), count)  # type: ignore[arg-type]


def per_case(path: str, seed: int, rounds: int, batch: int) -> dict[str, float]:
    """Milliseconds a case in this process and isolated, round trips a case; the least of several rounds over the same cases."""
    target, said = Target(str(ROOT / path), None), SubjectConfiguration()
    with (
        Counted() as counted,
        opened(target, said, Limits(in_process=True)) as here,
        opened(target, said, Limits()) as there,
    ):
        recognition = recognise(here, wanted(path), seed)
        cases = drawn(recognition.repertoire, seed, batch + 1)
        there.forward([next(cases)], recognition.layout)
        pids = sorted(counted.pids)
        times: dict[str, list[float]] = {"here": [], "there": []}
        trips = 0
        some = [next(cases) for _ in range(batch)]
        for k in range(rounds):
            sides = [("here", here), ("there", there)]
            for name, subject in sides if k % 2 else reversed(sides):
                began, before = cpu(pids), counted.trips
                for case in some:
                    examine(subject, case, recognition.layout, trusted=recognition.trusted)
                times[name].append((cpu(pids) - began) / batch)
                trips += counted.trips - before
    here_least, there_least = min(times["here"]), min(times["there"])
    return {
        "here_ms": 1e3 * here_least,
        "there_ms": 1e3 * there_least,
        "ratio": there_least / here_least,
        "trips": trips / (rounds * batch),
    }


def wanted(path: str) -> Wanted:
    """What the subject is told to be."""
    told = TOLD.get(path, {})
    activations = tuple(map(activation_named, told["activations"])) if told else None
    return Wanted(activations, tuple(map(cost_named, told["costs"])) if told else None, None, None, None, None)


def by_size(parameters: int, rounds: int) -> dict[str, float]:
    """Milliseconds of one case with P parameters in this process and isolated, and its round trips."""
    target, said, layout = Target(str(ROOT / SMALL_FILE), None), SubjectConfiguration(), Layout()
    with (
        Counted() as counted,
        opened(target, said, Limits(in_process=True)) as here,
        opened(target, said, Limits(time_limit=60.0, memory_limit=None)) as there,
    ):
        case = case_of(network(parameters))
        times: dict[str, list[float]] = {"here": [], "there": []}
        trips = 0
        for k in range(rounds):
            sides = [("here", here), ("there", there)]
            for name, subject in sides if k % 2 else reversed(sides):
                began, before = cpu(sorted(counted.pids)), counted.trips
                assert examine(subject, case, layout).fault is None
                times[name].append(cpu(sorted(counted.pids)) - began)
                trips += counted.trips - before
    here_least, there_least = min(times["here"]), min(times["there"])
    return {
        "P": size(case.parameters),
        "here_ms": 1e3 * here_least,
        "there_ms": 1e3 * there_least,
        "ratio": there_least / here_least,
        "trips": trips / rounds,
    }


def whole(path: str, seed: int, rounds: int) -> float:
    """Isolated over in-process, for the command `gradcheck verify` from its start, with 200 cases: the least CPU of each."""
    least = {}
    told = [f"--{k}={','.join(v)}" for k, v in TOLD.get(path, {}).items()]
    run = ["-m", "gradcheck", "verify", str(ROOT / path), "--max-examples=200", f"--seed={seed}", "--no-report", *told]
    for _ in range(rounds):
        for extra in ((), ("--in-process",)):
            ran = process([*run, "--quiet", "--output-format=concise", *extra])
            assert ran.code == 0, ran.output
            least[extra] = min(least.get(extra, ran.cpu), ran.cpu)
    return least[()] / least[("--in-process",)]


def main() -> int:
    """Run, print, write; 1 when a target is missed."""
    arguments = parser(__doc__ or "").parse_args()
    oracle_cache.install()
    rounds, runs = (8, 1) if arguments.quick else (30, 3)
    found = {}
    for path in SUBJECTS:
        found[path] = per_case(path, arguments.seed, rounds, 40) | {"whole": whole(path, arguments.seed, runs)}
        print(f"  {path}: {found[path]}", file=sys.stderr, flush=True)
    sizes = []
    for parameters in PARAMETERS[: 4 if arguments.quick else None]:
        sizes.append(by_size(parameters, 40 if parameters < 10_000 else 8 if parameters < 10**6 else 3))
        print(f"  {sizes[-1]}", file=sys.stderr, flush=True)
    rows = [
        [
            path,
            number(f["here_ms"]),
            number(f["there_ms"]),
            f"{f['ratio']:.2f}",
            f"{f['trips']:.2f}",
            f"{f['whole']:.2f}",
        ]
        for path, f in found.items()
    ]
    header = [
        "subject",
        "here, ms a case",
        "isolated, ms a case",
        "ratio",
        "round trips a case",
        "ratio of the whole command",
    ]
    text = "\n".join(
        ["# What isolation costs", "", f"`{command('isolation')}` · {versions()}", "",
         "CPU of both processes, in turns in one run, the least of several rounds; the command from its start, with 200 cases.",
         "", table(header, rows)]
    )  # fmt: skip
    of_sizes = [
        [f"{s['P']:,}", number(s["here_ms"]), number(s["there_ms"]), f"{s['ratio']:.2f}", f"{s['trips']:.2f}"]
        for s in sizes
    ]
    text += "\n\nOne case of a network with P parameters:\n\n" + table(["P", *header[1:5]], of_sizes)
    missed = [f"{path}: {what} {f[what]:.2f}, {LIMIT} wanted" for path, f in found.items() for what in ("ratio", "whole") if f[what] > LIMIT]  # noqa: E501  # fmt: skip
    missed += [f"P {s['P']:,}: ratio {s['ratio']:.2f}, {LIMIT} wanted" for s in sizes if s["ratio"] > LIMIT]
    figures = {p.rpartition("/")[2]: {k: round(v, 3) for k, v in f.items()} for p, f in found.items()}
    return finish("isolation", arguments, text, figures, missed)


if __name__ == "__main__":
    raise SystemExit(main())
