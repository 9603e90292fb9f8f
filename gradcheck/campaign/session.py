"""From what the caller said to a running subject, and from its outcome to a report."""

import hashlib
import importlib.metadata
import inspect
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from gradcheck.campaign import oracle_cache
from gradcheck.campaign.apart import apart_of
from gradcheck.campaign.elsewhere import Post, epochs_of
from gradcheck.campaign.figures import Illustrator
from gradcheck.campaign.findings import failure_of, nothing_checked
from gradcheck.campaign.likely_source import with_likely_lines
from gradcheck.campaign.opening import Limits, Target, opened
from gradcheck.campaign.operations import verify_operations
from gradcheck.campaign.outcome import Options, Outcome
from gradcheck.campaign.scripts import with_script
from gradcheck.campaign.verification import verify_subject
from gradcheck.checks import Recognition, Wanted, recognise
from gradcheck.checks.kinks import kink_conventions
from gradcheck.errors import SubjectError
from gradcheck.networks import Vocabulary
from gradcheck.report import Finding, Recognised, Report, SubjectInfo, Tally, Verdict
from gradcheck.subjects import (
    CONVENTIONS,
    SubjectConfiguration,
    check_path,
    configuration_from,
    members_of,
)
from gradcheck.version import __version__


def run(target: Target, said: SubjectConfiguration, vocabulary: Vocabulary, options: Options, limits: Limits) -> Report:
    """The report of one verification. Raises UsageError for what the caller said; the subject's failures are findings."""
    started = time.monotonic()
    oracle_cache.install()
    options = replace(options, audit=options.audit or oracle_cache.reaudit())
    if target.path is not None:
        check_path(target.path)
    recognition: Recognition | None = None
    subject_convention: str | None = said.convention
    notes: tuple[str, ...] = ()
    try:
        with opened(target, said, limits) as subject:
            subject_convention = subject.offer.convention
            notes = (*subject.offer.notes, *(f"not checked: {s}" for s in subject.offer.skipped))
            if subject.offer.kind == "operation":
                with apart_of(Post(target, said, limits, vocabulary), options) as apart:
                    outcome = verify_operations(subject, options, said.layer, apart)
                layouts = outcome.layouts
            else:
                recognition = recognise(subject, wanted(target, said, vocabulary), options.seed)
                with epochs_of(Post(target, said, limits, vocabulary), options) as epochs:
                    outcome = verify_subject(subject, recognition, options, epochs)
                wrong = [f for f in outcome.findings if f.verdict in ("fail", "error")]
                if not wrong and not outcome.ignored:  # a fault would pass for a convention
                    at_kinks = tuple(kink_conventions(subject, recognition, options.seed))
                    recognition = replace(recognition, conventions=(*recognition.conventions, *at_kinks))
                layouts = {"": recognition.layout}
            draw = Illustrator(subject, layouts, recognition, vocabulary, options.seed)
            outcome = replace(outcome, findings=tuple(draw(f) for f in outcome.findings))
            if target.path is not None:
                scripts = (with_script(f, target.path, target.object, subject.offer, layouts) for f in outcome.findings)
                outcome = replace(outcome, findings=tuple(with_likely_lines(f, target.path) for f in scripts))
    except SubjectError as error:
        unknown = error.kind == "unrecognised"
        outcome = Outcome((nothing_checked(error.message) if unknown else failure_of(error, None),), Tally(), ())
    info = SubjectInfo(target.path or f"<{target.name}>", target.object, subject_convention, sha256_of(target))
    return report_of(info, outcome, recognition, options, time.monotonic() - started, (said, notes))


def report_of(
    info: SubjectInfo,
    outcome: Outcome,
    recognition: Recognition | None,
    options: Options,
    seconds: float,
    context: tuple[SubjectConfiguration, tuple[str, ...]],
) -> Report:
    """Verdict and report of an outcome."""
    said, notes = context
    findings = outcome.findings
    verdict = verdict_of(findings, outcome.tally)
    if verdict == "inconclusive" and not findings:
        findings = (nothing_checked("no case was run"),)
    refused = recognition.refused if recognition else ()
    return Report(
        verdict,
        info,
        {**environment(options, seconds), "ended": outcome.ended, "audited": dict(outcome.audited)},
        outcome.tally,
        outcome.power,
        tuple(conventions(recognition, said)) if recognition else (),
        findings,
        (*notes, *(recognition.notes if recognition else ()), *refusals(refused), *outcome.notes),
    )


def refusals(refused: Sequence[tuple[str, str]]) -> Iterator[str]:
    """One line for each reason, with the names it was given for."""
    groups: dict[str, list[str]] = {}
    for name, reason in refused:
        groups.setdefault(re.sub(r"(['\"]).*?\1", "…", reason.splitlines()[0]), []).append(name)
    for reason, names in groups.items():
        firsts = list(dict.fromkeys(n.partition(" with ")[0] for n in names))
        costs = {n.partition(" with ")[2] for n in names}
        whole_cost = len(costs) == 1 and len(names) > 1 and "" not in costs
        shown = sorted(costs) if whole_cost else names if len(names) <= 3 else firsts
        more = f" and {len(shown) - 8} more" if len(shown) > 8 else ""
        yield f"not supported by the subject: {', '.join(shown[:8])}{more} ({reason})"


def verdict_of(findings: Sequence[Finding], tally: Tally) -> Verdict:
    """The worst verdict of the findings; without findings, pass where something was checked."""
    verdicts = {f.verdict for f in findings}
    order: tuple[Verdict, ...] = ("fail", "error", "inconclusive")
    for verdict in order:
        if verdict in verdicts:
            return verdict
    return "pass" if tally.cases and tally.components else "inconclusive"


def conventions(recognition: Recognition, said: SubjectConfiguration) -> Iterator[Recognised]:
    """Recognised conventions; those that the caller said are marked so."""
    told = {k for k, v in asdict(said).items() if v is not None}
    keys = {"cost": "cost_scale"}
    for c in recognition.conventions:
        yield Recognised(c.what, c.value, "configured" if keys.get(c.what, c.what) in told else "recognised")


def environment(options: Options, seconds: float) -> dict[str, Any]:
    """Versions, machine and seed; no paths, no names of people or hosts."""
    versions = {p: importlib.metadata.version(p) for p in ("numpy", "jax", "jaxlib", "hypothesis")}
    return {
        "gradcheck": __version__,
        "python": platform.python_version(),
        **versions,
        "platform": f"{sys.platform} {platform.machine()}",
        "seed": options.seed,
        "max_examples": None if options.adaptive else options.max_examples,
        **{k: list(v) for k, v in asdict(options.selection).items() if v},
        "seconds": round(seconds, 2),
    }


def sha256_of(target: Target) -> str | None:
    """Of the file's bytes; None for a thing in memory."""
    return None if target.path is None else hashlib.sha256(Path(target.path).read_bytes()).hexdigest()


def wanted(target: Target, said: SubjectConfiguration, vocabulary: Vocabulary) -> Wanted:
    """What the caller said, with names resolved to definitions."""
    activations = tuple(vocabulary.activation(n) for n in said.activations) if said.activations else None
    costs = tuple(vocabulary.cost(n) for n in said.costs) if said.costs else None
    return Wanted(activations, costs, said.cost_scale, said.l2, said.dtype, mentioned(target))


def mentioned(target: Target) -> Callable[[str], bool] | None:
    """Whether the source names an activation or cost as a word; None where there is no source, or it names nothing."""
    text = _source(target)
    if text is None:
        return None
    words = set(re.findall(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*", text))
    return (lambda name: name in words) if words else None


def _source(target: Target) -> str | None:
    try:
        if target.path is not None:
            return Path(target.path).read_text(errors="replace")
        return "".join(
            inspect.getsource(v)
            for v in members_of(target.thing).values()
            if inspect.isroutine(v) or inspect.isclass(v)
        )
    except (OSError, TypeError):
        return None


def configuration(options: Mapping[str, Any], vocabulary: Vocabulary) -> SubjectConfiguration:
    """The checked configuration of keyword options."""
    return configuration_from(options, conventions=CONVENTIONS, vocabulary=vocabulary)
