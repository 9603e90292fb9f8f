"""Counterexamples of functions whose arguments come from a Hypothesis strategy: the smallest arguments that break it alike."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

from gradcheck.campaign.generation import smallest
from gradcheck.campaign.outcome import Outcome
from gradcheck.errors import SubjectError, UsageError
from gradcheck.report import Finding

_EXAMPLES = 50
_TRIES = 80
"""Arguments that are looked at, each a check of its own."""
Run = Callable[[Any, bool], Outcome]
"""The outcome at arguments alone, as they were drawn; True: for the last time, so that its finding is shown."""


def is_strategy(arguments: Any) -> bool:
    """Whether arguments are drawn, and not an example."""
    return hasattr(arguments, "example") and hasattr(arguments, "map")


def at_smallest_arguments(outcome: Outcome, arguments: Any, seed: int, run: Run) -> Outcome:
    """The outcome with its finding at the smallest arguments that a strategy has for it; as it is for an example."""
    blamed = [f for f in outcome.findings if f.verdict in ("fail", "error")]
    if not blamed or not is_strategy(arguments):
        return outcome
    wanted, left = _what(blamed[0]), _TRIES
    best: list[Any] = [blamed[0]]

    def alike(drawn: Any, last: bool) -> list[Finding]:
        try:
            return [f for f in run(drawn, last).findings if _what(f) == wanted]
        except (SubjectError, UsageError):
            return []

    def same(drawn: Any) -> bool:
        nonlocal left
        left -= 1
        found = alike(drawn, False) if left >= 0 else []
        best[:] = [*found[:1], drawn] if found else best
        return bool(found)

    smallest(arguments, same, seed, _EXAMPLES)
    shown = next(iter(alike(best[1], True)), best[0]) if len(best) > 1 else best[0]
    return replace(outcome, findings=tuple(shown if f is blamed[0] else f for f in outcome.findings))


def _what(finding: Finding) -> Hashable:
    """What must stay: code, rung, and the arguments whose derivatives are wrong."""
    raised = finding.detail.partition(":")[0] if finding.rung == "isolation" else ""
    return finding.code, finding.rung, finding.places, frozenset(d.parameter for d in finding.discrepancies), raised
