"""Which cases of a run are audited: the oracle's transcription against compiled `jax.grad`, which costs a compilation each.

rule    what the oracle makes of one definition (an activation, a cost) or one depth; its audits are kept beside it
open    no audit has covered it yet, neither here nor in the process that wrote the cache

A case that accuses is audited before it does, if it has an open rule. Of the others those are chosen, once the cases are over
and before anything is reported, that cover the most open rules: `FRESH` of them where the cache knew of no audit at all (it is
new, or the versions changed), `OPEN` where some were left open by earlier runs. Where none is open, one run in sixteen, and
each with ``--audit``, looks again at one case, chosen by the seed: a cache is never beyond question.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.campaign.outcome import Options
from gradcheck.networks import Case
from gradcheck.oracles.audit import audit_if_due
from gradcheck.oracles.autodiff import rules_of
from gradcheck.oracles.store import rules

FRESH, OPEN = 3, 2
_KEPT = 256
"""Cases with open rules that are kept to choose from."""


@dataclass(slots=True)
class Auditing:
    """The audits of one campaign. Its methods raise OracleError where an audit fails."""

    options: Options
    cases: int = 0
    of: int = 0
    known: int = 0
    _seen: set[str] = field(default_factory=set)
    _open: set[str] = field(default_factory=set)
    _closed: set[str] = field(default_factory=set)
    _candidates: dict[frozenset[str], Case] = field(default_factory=dict)
    _chosen: Case | None = None
    _dice: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._dice = np.random.default_rng([self.options.seed, 21])

    def note(self, case: Case) -> None:
        """Take in a case that the oracle has judged, and that is clean."""
        self.of += 1
        mine = frozenset(self._look_up(case))
        if mine and len(self._candidates) < _KEPT:
            self._candidates.setdefault(mine, case)
        if self.options.audit and self._dice.integers(self.of) == 0:
            self._chosen = case

    def accuse(self, case: Case) -> None:
        """Audit a case that is about to accuse, if it has an open rule."""
        self.of += 1
        self._audit(case, self._look_up(case))

    def finish(self) -> None:
        """Audit what is due of the cases that were taken in."""
        for _ in range(OPEN if self.known else FRESH):
            best = max(self._candidates, key=lambda mine: len(mine & self._open), default=frozenset[str]())
            if best & self._open:
                self._audit(self._candidates[best], set(best))
        if self._chosen is not None and not self.cases:
            self.cases += audit_if_due(self._chosen, forced=True)

    def told(self) -> dict[str, Any]:
        """For the report: how many of the cases that the oracle judged were audited, and how its rules stand."""
        share = self.cases / self.of if self.of else 0.0
        of_rules = {"used": len(self._seen), "known": self.known, "new": len(self._closed), "open": len(self._open)}
        return {"cases": self.cases, "of": self.of, "share": round(share, 4), "rules": of_rules}

    def _look_up(self, case: Case) -> set[str]:
        """The open rules of a case."""
        used = rules_of(case)
        first = [k for k in used if k not in self._seen]
        if first:
            unaudited = rules.unaudited(first)
            self._seen.update(first)
            self._open.update(unaudited)
            self.known += len(first) - len(unaudited)
        return self._open.intersection(used)

    def _audit(self, case: Case, covered: set[str]) -> None:
        if covered:
            self.cases += audit_if_due(case)
            self._closed |= covered
            self._open -= covered
