"""Format `concise`: one line for each finding, and one for the verdict; for editors, logs and grep."""

from gradcheck.render import wording
from gradcheck.report import Finding, Report

WIDTH = 300


def render(report: Report) -> str:
    """``path: GC402 layer 2: title; W1[0, 1]: claimed …`` for each finding, then ``path: fail · 57 cases · …``."""
    name = wording.subject(report)
    rows = [f"{name}: {_finding(finding)}" for finding in report.findings]
    return wording.defused("\n".join([*rows, f"{name}: {report.verdict} · {wording.evidence(report)}"]) + "\n")


def _finding(finding: Finding) -> str:
    layers = sorted({p.layer for p in finding.places if p.layer is not None})
    where = f" layer{'s' if len(layers) > 1 else ''} {', '.join(map(str, layers))}:" if layers else ""
    worst = wording.worst_first(finding.discrepancies)[:1]
    named = " ".join(f"{label} {text}" for label, text in wording.explanations(finding))
    because = named or (wording.sentence(worst[0]) if worst else finding.detail.strip())
    text = f"{finding.code.name}{where} {wording.title(finding)}{f'; {because}' if because else ''}"
    return wording.one_line(text, WIDTH)
