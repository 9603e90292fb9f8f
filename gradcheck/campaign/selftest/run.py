"""The self-test as a whole: its trials spread over processes that may hang or crash, and their outcomes added up."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gradcheck.campaign import oracle_cache
from gradcheck.campaign.selftest.catalogue_trials import CatalogueTrial, CatalogueTrials
from gradcheck.campaign.selftest.mutant_trials import MutantTrial, MutantTrials
from gradcheck.campaign.selftest.processes import spread_out
from gradcheck.campaign.selftest.setup import Setup
from gradcheck.faults.layers import FAULTS as OF_LAYERS
from gradcheck.faults.outcomes import CatalogueResult, Diagnosed, MutantResult, SelfTest, ways

Progress = Callable[[str, int, int], None]
"""(what is planted, how many are done, how many there are)."""


def selftest(
    setup: Setup,
    *,
    catalogue: bool = True,
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
    of_layer: bool = True,
) -> SelfTest:
    """Plant the catalogue into the trusted network, and mutants into the file of the setup, if it has one.

    names: of the catalogue (default: as the plan says). of_layer: whether a layer's faults of the catalogue are planted
    into its reference, where that is the file. Raises UsageError for what the caller said and SubjectError where the
    file cannot be loaded; a file that is not correct itself is `refused` in the outcome.
    """
    oracle_cache.install()
    run = _Run(setup, progress or (lambda what, done, of: None))
    layer = setup.reference if of_layer and any(f.layer == setup.reference for f in OF_LAYERS) else ""
    whole = run.catalogue(names, layer) if catalogue or layer else None
    if setup.path is None:
        return SelfTest(setup.plan, whole, notes=tuple(run.notes))
    result, refused = run.mutants()
    return SelfTest(setup.plan, whole, result, tuple(run.notes), refused)


class _Run:
    def __init__(self, setup: Setup, progress: Progress) -> None:
        self.setup, self.plan, self.progress = setup, setup.plan, progress
        self.started = time.monotonic()
        self.notes: list[str] = []

    def catalogue(self, names: Sequence[str] | None, layer: str = "") -> CatalogueResult:
        trials = CatalogueTrials(self.plan, names, layer)
        done: list[CatalogueTrial] = []
        for trial in self._spread("catalogue", trials, len(trials), (self.plan, names, layer)):
            done.append(trial)
        found = Counter(t.how for t in done if t.how)
        return CatalogueResult(
            len(done),
            sum(t.visible for t in done),
            found.total(),
            sum((t.diagnosed for t in done if t.diagnosed), Diagnosed()),
            tuple(t.name for t in done if t.visible and not t.how),
            tuple(t.name for t in done if not t.visible),
            ways(found),
            layer,
        )

    def mutants(self) -> tuple[MutantResult | None, str]:
        trials = MutantTrials(self.setup)
        name = str(self.setup.path)
        fault = trials.original_fault()
        if fault and fault != "unstable":
            why = f"it needs a file that passes: see `gradcheck verify {name}`"
            return None, f"{name} is not correct itself ({fault.replace('_', ' ')}), and nothing was planted; {why}"
        done: list[MutantTrial] = []
        for trial in self._spread("mutants", trials, len(trials.chosen), self.setup):
            done.append(trial if isinstance(trial, MutantTrial) else MutantTrial(trial.how))
        survivors = tuple(t.survivor for t in done if t.survivor)
        found = Counter(t.how for t in done if t.how)
        blind = sum(s.kind == "blind spot" for s in survivors)
        diagnosed = sum((t.diagnosed for t in done if t.diagnosed), Diagnosed())
        counts = (len(trials.possible), len(done), found.total() + blind, found.total())
        place = "the layer" if trials.original.offer.kind == "network" else "every wrong argument"
        return MutantResult(name, *counts, survivors, diagnosed, ways(found), place), ""

    def _spread(self, kind: str, trials: Any, count: int, payload: Any) -> Iterator[Any]:
        """The outcomes in order, as far as the budget goes."""
        done = 0
        for outcome in spread_out(kind, payload, trials, count, self.plan.jobs, self._late):
            done += 1
            self.progress(kind, done, count)
            yield outcome
        if done < count:
            self.notes.append(f"the budget of {self.plan.budget:g} s ended after {done} of {count} ({kind})")

    def _late(self) -> bool:
        return self.plan.budget is not None and time.monotonic() - self.started > self.plan.budget
