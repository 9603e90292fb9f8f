"""Trials by their number in several processes: one that dies costs the trial that killed it, and no other.

Each process makes its own trials from the same setup, so that only numbers go there and outcomes come back.
"""

import contextlib
import multiprocessing
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.campaign import oracle_cache
from gradcheck.campaign.selftest.catalogue_trials import CatalogueTrials
from gradcheck.campaign.selftest.mutant_trials import MutantTrials

MEMORY = 2 * 2**30
"""Bytes a process may use beyond what it starts with."""
_AHEAD = 3
_OWN: dict[str, Any] = {}
"""The trials of this process."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A trial that ended its process."""

    how: str = "crash"


def spread_out(
    kind: str, payload: Any, trials: Any, count: int, jobs: int, late: Callable[[], bool]
) -> Iterator[Any]:  # fmt: skip
    """The outcomes of trials 0 … count − 1 in order, until it is late; in this process for jobs = 0."""
    if jobs == 0:
        for index in range(count):
            if late():
                return
            yield trials.try_one(index)
        return
    yield from _Spread(kind, payload, count, jobs, late).run()


class _Spread:
    """A window of trials under way; a broken pool is replaced, and what was under way is tried again one by one."""

    def __init__(self, kind: str, payload: Any, count: int, jobs: int, late: Callable[[], bool]) -> None:
        self.kind, self.payload, self.count, self.jobs, self.late = kind, payload, count, jobs, late
        self.window: deque[tuple[int, Future[Any]]] = deque()
        self.next = 0

    def run(self) -> Iterator[Any]:
        pool = self._pool(self.jobs)
        try:
            while True:
                self._fill(pool)
                if not self.window:
                    return
                index, future = self.window.popleft()
                try:
                    yield future.result()
                except BrokenProcessPool:
                    suspects = [index, *(i for i, _ in self.window)]
                    self.window.clear()
                    pool.shutdown(wait=False, cancel_futures=True)
                    for suspect in suspects:
                        yield self._alone(suspect)
                    pool = self._pool(self.jobs)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _fill(self, pool: ProcessPoolExecutor) -> None:
        while self.next < self.count and len(self.window) < _AHEAD * self.jobs and not self.late():
            try:
                self.window.append((self.next, pool.submit(_try_one, self.next)))
            except BrokenProcessPool:
                return
            self.next += 1

    def _alone(self, index: int) -> Any:
        with self._pool(1) as pool:
            try:
                return pool.submit(_try_one, index).result()
            except BrokenProcessPool:
                return Lost()

    def _pool(self, jobs: int) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")  # a fork would copy jax's threads
        return ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(self.kind, self.payload))


def _begin(kind: str, payload: Any) -> None:
    warnings.simplefilter("ignore")  # mutants overflow, and divide by zero, as they please
    np.seterr(all="ignore")
    oracle_cache.install()
    _OWN["trials"] = CatalogueTrials(*payload) if kind == "catalogue" else MutantTrials(payload)
    with contextlib.suppress(ImportError):  # no resource limits on Windows
        from gradcheck.isolation.limits import limit_memory

        limit_memory(MEMORY)


def _try_one(index: int) -> Any:
    return _OWN["trials"].try_one(index)
