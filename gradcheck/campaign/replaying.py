"""Replay: the counterexamples of a report, or one bare case, on the subject as it is now."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from gradcheck.campaign import oracle_cache
from gradcheck.campaign.findings import failure_of, finding_of, nothing_checked
from gradcheck.campaign.lawful import broken_at
from gradcheck.campaign.opening import Limits, Target, opened, vocabulary_of
from gradcheck.campaign.operations import trusted_of
from gradcheck.campaign.outcome import Options, Outcome
from gradcheck.campaign.session import report_of, wanted
from gradcheck.checks import Examination, Recognition, examine, recognise
from gradcheck.checks.localisation import locate
from gradcheck.checks.operations import examine_operation
from gradcheck.errors import SubjectError, UsageError
from gradcheck.networks import Case, OperationCase, case_from_json
from gradcheck.numerics import Arrays
from gradcheck.report import SCHEMA, Report, SubjectInfo, Tally
from gradcheck.subjects import Layout, Subject, SubjectConfiguration, check_path

ReplayOutcome = Literal["fixed", "still failing", "error"]


def replay_source(
    source: Mapping[str, Any], target: Target | None, limits: Limits
) -> tuple[ReplayOutcome, Report, str]:
    """Outcome, report and a sentence. Raises UsageError for a source without a case, or without a subject."""
    from gradcheck.campaign.session import sha256_of

    _cases(source)
    where, convention = _where(source, target)
    vocabulary = vocabulary_of(_sources(source, "activation"), _sources(source, "cost"))[0]
    points = [case_from_json(data, vocabulary) for data in _cases(source)]
    if where.path is not None:
        check_path(where.path)
    said = SubjectConfiguration(convention=convention)
    try:
        oracle_cache.install()
        with opened(where, said, limits) as subject:
            outcome = _examined(subject, points, wanted(where, said, vocabulary))
    except SubjectError as error:
        outcome = Outcome((failure_of(error, None),), Tally(), ())
    info = SubjectInfo(where.path or f"<{where.name}>", where.object, convention, sha256_of(where))
    report = report_of(info, outcome, None, Options(len(points)), 0.0, (said, ()))
    return _verdict(report, len(points))


def _verdict(report: Report, count: int) -> tuple[ReplayOutcome, Report, str]:
    cases = "the case" if count == 1 else f"all {count} cases"
    if report.verdict == "pass":
        return "fixed", report, f"{cases} of the report pass now"
    if report.verdict == "fail":
        return "still failing", report, report.findings[0].detail.splitlines()[0]
    return "error", report, report.findings[0].detail.splitlines()[0] if report.findings else "nothing was checked"


def _examined(subject: Subject, points: list[Case | OperationCase], asked: Any) -> Outcome:
    recognised: Recognition | None = None
    components = 0
    for point in points:
        try:
            if isinstance(point, Case):
                recognised = recognised or recognise(subject, asked)
                found = examine(subject, point, recognised.layout, trusted=recognised.trusted, other=point)
                if found.fault is None and not recognised.trusted:
                    found = next(iter(broken_at(subject, recognised, point)), found)
            else:
                found = examine_operation(subject, point, subject.offer.layouts[0], trusted_of(point), other=point)
        except SubjectError as error:
            return Outcome((failure_of(error, point),), Tally(), ())
        if found.fault is not None:
            return Outcome((_finding(subject, point, found, recognised),), Tally(), ())
        components += found.components
    if not components:
        return Outcome((nothing_checked("nothing could be compared at this case"),), Tally(), ())
    return Outcome((), Tally(len(points), components), ())


def _finding(subject: Subject, point: Any, found: Examination, recognised: Recognition | None) -> Any:
    def claims(case: Case) -> Arrays | None:
        try:
            claim = subject.vjp(case, recognised.layout if recognised else Layout())[1](case.cotangent)
        except SubjectError:
            return None
        return None if claim.problems else claim.gradient

    places = locate(point, claims) if isinstance(point, Case) and recognised and recognised.trusted else ()
    return finding_of(found, point, places)


def _cases(source: Any) -> list[Mapping[str, Any]]:
    if not isinstance(source, Mapping):
        msg = f"this is not a report or a case of gradcheck: expected a JSON object, got {type(source).__name__}"
        raise UsageError(msg)
    if source.get("schema") != SCHEMA:
        return [source]
    cases = [f["counterexample"] for f in source.get("findings", []) if f.get("counterexample")]
    if not cases:
        msg = f"this report ({source.get('verdict')}) holds no counterexample to replay"
        raise UsageError(msg)
    return cases


def _sources(source: Mapping[str, Any], what: str) -> list[str] | None:
    """``file.py:name`` of the user's own definitions that the cases mention."""
    found = []
    for data in _cases(source):
        architecture = data.get("architecture")
        if not isinstance(architecture, Mapping):
            continue
        parts = architecture.get("layers", []) if what == "activation" else [architecture.get("cost", {})]
        found += [p["source"] for p in parts if isinstance(p, Mapping) and p.get("source")]
    return found or None


def _where(source: Mapping[str, Any], target: Target | None) -> tuple[Target, str | None]:
    subject = source.get("subject") or {}
    convention = subject.get("convention")
    if target is not None:
        return target if target.object or target.path is None else replace(
            target, object=subject.get("object")
        ), convention
    path = subject.get("path")
    if not path or str(path).startswith("<"):
        msg = "the source names no file to replay on; say which with --subject PATH (or target=)"
        raise UsageError(msg)
    return Target(path, subject.get("object")), convention
