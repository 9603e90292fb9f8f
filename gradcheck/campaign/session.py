"""From what the caller said to a running subject, and from its outcome to a report."""

import contextlib
import hashlib
import importlib.metadata
import inspect
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gradcheck.campaign import oracle_cache
from gradcheck.campaign.figures import Illustrator
from gradcheck.campaign.findings import failure_of, nothing_checked
from gradcheck.campaign.likely_source import with_likely_lines
from gradcheck.campaign.operations import verify_operations
from gradcheck.campaign.scripts import with_script
from gradcheck.campaign.verification import Options, Outcome, verify_subject
from gradcheck.checks import Recognition, Wanted, recognise
from gradcheck.checks.kinks import kink_conventions
from gradcheck.errors import SubjectError, UsageError
from gradcheck.isolation import Worker
from gradcheck.isolation.remote import RemoteSubject
from gradcheck.networks import Activation, Cost, Vocabulary
from gradcheck.oracles.kink_finder import with_kinks
from gradcheck.report import Finding, Recognised, Report, SubjectInfo, Tally, Verdict
from gradcheck.subjects import (
    CONVENTIONS,
    LocalSubject,
    Subject,
    SubjectConfiguration,
    check_path,
    configuration_from,
    detect,
    load,
    members_of,
    narrow,
)
from gradcheck.subjects.loading import NOTES
from gradcheck.version import __version__

HANDLER = "gradcheck.isolation.handler:create"


@dataclass(frozen=True, slots=True)
class Limits:
    """time_limit: seconds a request; memory_limit: bytes beyond Python with numpy, None for none."""

    time_limit: float = 10.0
    memory_limit: int | None = 2 * 2**30
    in_process: bool | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What is verified: a file (with an object in it) or a thing in memory."""

    path: str | None
    object: str | None
    thing: Any = None

    @property
    def name(self) -> str:
        """For messages."""
        if self.path is None:
            return str(getattr(self.thing, "__name__", type(self.thing).__name__))
        return Path(self.path).name


class Named:
    """A subject with a narrowed offer: the same calls, fewer layouts."""

    def __init__(self, subject: Any, configuration: SubjectConfiguration) -> None:
        self._subject = subject
        self.offer = narrow(subject.offer, configuration)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._subject, name)


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
                outcome = verify_operations(subject, options, said.layer)
                layouts = outcome.layouts
            else:
                recognition = recognise(subject, wanted(target, said, vocabulary), options.seed)
                outcome = verify_subject(subject, recognition, options)
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


@contextlib.contextmanager
def opened(target: Target, said: SubjectConfiguration, limits: Limits) -> Iterator[Subject]:
    """The subject, in a child process unless it lives in this one (or `in_process` asks for it)."""
    in_process = target.path is None or bool(limits.in_process)
    if in_process:
        with same_import_path():
            members = members_of(target.thing) if target.path is None else load(target.path, target.object)
            yield Named(LocalSubject(detect(members, target.name, said), members.get(NOTES, ())), said)
        return
    assert target.path is not None
    setup = {
        "path": str(Path(target.path).resolve()),
        "object": target.object,
        "convention": said.convention,
        "name": target.name,
    }
    with Worker(HANDLER, setup, time_limit=limits.time_limit, start_limit=2 * limits.time_limit, memory_limit=limits.memory_limit) as worker:  # noqa: E501  # fmt: skip
        yield Named(RemoteSubject(worker), said)


@contextlib.contextmanager
def same_import_path() -> Iterator[None]:
    """Loading a file puts its folder on sys.path; in the caller's own process it goes again."""
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before


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
        {**environment(options, seconds), "audited": outcome.audited},
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
        "max_examples": options.max_examples,
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


def vocabulary_of(activations: Any, costs: Any) -> tuple[Vocabulary, list[str] | None, list[str] | None]:
    """Names, `file.py:name` references and definition objects, as a vocabulary and the configured names."""
    own_activations, names = _resolved(activations, Activation)
    own_activations = {n: with_kinks(f) for n, f in own_activations.items()}
    own_costs, cost_names = _resolved(costs, Cost)
    return Vocabulary(own_activations, own_costs), names, cost_names


def _resolved(entries: Any, kind: type) -> tuple[dict[str, Any], list[str] | None]:
    if entries is None:
        return {}, None
    listed = [e.strip() for e in entries.split(",")] if isinstance(entries, str) else list(entries)
    own: dict[str, Any] = {}
    names = []
    for entry in listed:
        definition = _definition(entry, kind)
        if definition is not None:
            own[definition.name] = definition
        names.append(definition.name if definition is not None else str(entry))
    return own, names


def _definition(entry: Any, kind: type) -> Any:
    """An Activation or Cost from an object, a function, or ``file.py:name``; None for a plain name."""
    if isinstance(entry, kind):
        return entry
    if isinstance(entry, str):
        path, colon, name = entry.rpartition(":")
        if not colon or not path.endswith(".py"):
            return None
        with same_import_path():
            found = load(str(check_path(path)), None).get(name)
        if found is None:
            msg = f"{path} defines no {name!r}; expected a JAX-traceable function or a gradcheck.{kind.__name__}"
            raise UsageError(msg)
        definition: Any = found if isinstance(found, kind) else kind(name, found)
        return replace(definition, source=entry)
    if callable(entry):
        return kind(entry.__name__, entry)
    msg = f"expected a name, a function or a gradcheck.{kind.__name__}; got {type(entry).__name__}: {entry!r:.60}"
    raise UsageError(msg)


def configuration(options: Mapping[str, Any], vocabulary: Vocabulary) -> SubjectConfiguration:
    """The checked configuration of keyword options."""
    return configuration_from(options, conventions=CONVENTIONS, vocabulary=vocabulary)
