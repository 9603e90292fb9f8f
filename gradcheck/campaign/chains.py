"""Layers in a chain: which one is the first at fault in backward order, and what follows from it for the whole."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gradcheck.campaign.outcome import Outcome
from gradcheck.report import Finding


def in_chain(outcomes: Mapping[str, Outcome], chain: Sequence[str]) -> dict[str, Outcome]:
    """Outcomes by operation, with the findings of a chain (last layer first, the whole at the end) put in relation."""
    *layers, whole = chain or ("",)
    faulty = [n for n in layers if n in outcomes and _failures(outcomes[n])]
    told = dict(outcomes)
    if faulty:
        first = f"the first layer at fault in backward order{f' of {len(faulty)}' if len(faulty) > 1 else ''}"
        told[faulty[0]] = _adding(told[faulty[0]], first)
    if whole in outcomes and _failures(outcomes[whole]):
        lone = "each of its layers passes by itself: the mistake is in how it runs them"
        told[whole] = _adding(
            told[whole], f"as follows where {faulty[0]} is wrong; mend that first" if faulty else lone
        )
    return told


def _failures(outcome: Outcome) -> list[Finding]:
    return [f for f in outcome.findings if f.verdict == "fail"]


def _adding(outcome: Outcome, words: str) -> Outcome:
    findings = (replace(f, detail=f"{f.detail}; {words}") if f.verdict == "fail" else f for f in outcome.findings)
    return replace(outcome, findings=tuple(findings))
