"""The JSON form of a report: its published schema, and the way back from JSON to a `Report`.

It must not read reports from disk (the faces do) and it validates without jsonschema: the messages are for people.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, get_args

from gradcheck.errors import UsageError
from gradcheck.report.codes import Code
from gradcheck.report.plain import number, numbers
from gradcheck.report.types import (
    SCHEMA,
    Curve,
    Difference,
    Explanation,
    Finding,
    Line,
    Place,
    Power,
    Recognised,
    Report,
    SubjectInfo,
    Tally,
    Tensor,
    Verdict,
)


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of gradcheck.report/1, as shipped in the package."""
    text = files("gradcheck.report").joinpath("report.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def from_json(data: Mapping[str, Any]) -> Report:
    """The inverse of `Report.to_json`. Raises UsageError when it is not a report of this schema, with what is wrong."""
    _require_schema(data)
    try:
        return Report(
            verdict=_verdict(data["verdict"]),
            subject=SubjectInfo(**{k: data["subject"][k] for k in ("path", "object", "convention", "sha256")}),
            environment=dict(data["environment"]),
            tally=_tally(data["tally"]),
            power=tuple(_power(p) for p in data["power"]),
            conventions=tuple(Recognised(c["what"], c["value"], c["how"]) for c in data["conventions"]),
            findings=tuple(_finding(f) for f in data["findings"]),
            notes=tuple(data.get("notes", ())),
        )
    except KeyError as error:
        msg = f"this is not a whole report of gradcheck: {error} is missing"
        raise UsageError(msg) from error
    except (TypeError, ValueError, AttributeError) as error:
        msg = f"this is not a report of gradcheck: {error}"
        raise UsageError(msg) from error


def _require_schema(data: Mapping[str, Any]) -> None:
    found = data.get("schema") if isinstance(data, Mapping) else None
    if found != SCHEMA:
        given = f"its schema is {found!r:.60}" if found else "it names no schema"
        msg = f"this is not a report that this version of gradcheck reads: {given}, expected {SCHEMA!r}"
        raise UsageError(msg)


def _verdict(value: Any) -> Verdict:
    if value not in get_args(Verdict):
        msg = f"unknown verdict {value!r:.40}; expected one of {', '.join(get_args(Verdict))}"
        raise ValueError(msg)
    verdict: Verdict = value
    return verdict


def _code(name: Any) -> Code:
    if name not in Code.__members__:
        msg = f"unknown finding code {name!r:.40}; was it written by another version of gradcheck?"
        raise ValueError(msg)
    return Code[name]


def _tally(data: Mapping[str, Any]) -> Tally:
    cases, components, inconclusive = (int(data[k]) for k in ("cases", "components", "inconclusive"))
    return Tally(cases, components, inconclusive, dict(data.get("reasons", {})))


def _power(data: Mapping[str, Any]) -> Power:
    smallest, confidence = number(data["smallest_relative_error"]), number(data["confidence"])
    whole = data.get("as_a_whole")
    return Power(data["parameter"], smallest, confidence, int(data["cases"]), None if whole is None else number(whole))


def _difference(data: Mapping[str, Any]) -> Difference:
    index = tuple(int(i) for i in data["index"])
    claimed, expected, bound = (number(data[k]) for k in ("claimed", "expected", "bound"))
    return Difference(data["parameter"], index, claimed, expected, bound, data["oracle"])


def _explanation(data: Mapping[str, Any]) -> Explanation:
    more = (data.get("equation", ""), data.get("hint", ""), int(data.get("mistake", 1)))
    return Explanation(data["fault"], data["title"], data["layer"], *more)


def _line(data: Mapping[str, Any]) -> Line:
    return Line(data["path"], int(data["number"]), data["text"], bool(data["sure"]), data["reason"])


def _tensor(data: Mapping[str, Any]) -> Tensor:
    claimed, expected, bound = (numbers(data[k]) for k in ("claimed", "expected", "bound"))
    return Tensor(data["parameter"], claimed, expected, bound)


def _curve(data: Mapping[str, Any]) -> Curve:
    points = ((number(z), number(r), number(right)) for z, r, right in data["points"])
    return Curve(int(data["layer"]), data["activation"], tuple(points))


def _finding(data: Mapping[str, Any]) -> Finding:
    code = _code(data["code"])
    return Finding(
        code=code,
        verdict=_verdict(data["verdict"]),
        rung=data["rung"],
        detail=data.get("detail", ""),
        places=tuple(Place(p["equation"], p["layer"]) for p in data["places"]),
        explanations=tuple(_explanation(e) for e in data["explanations"]),
        evidence=tuple(data.get("evidence", ())),
        lines=tuple(_line(line) for line in data.get("lines", ())),
        discrepancies=tuple(_difference(d) for d in data["discrepancies"]),
        counterexample=data["counterexample"],
        replay=data["replay"],
        script=data.get("script"),
        tensors=tuple(_tensor(t) for t in data.get("tensors", ())),
        curve=_curve(data["curve"]) if data.get("curve") else None,
        title=None if data["title"] == code.title else data["title"],
    )
