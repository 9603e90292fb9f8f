"""The JSON form of reports: valid against the schema, strict JSON, and readable again."""

import json
from dataclasses import replace
from math import inf, nan
from types import MappingProxyType

import jsonschema
import numpy as np
import pytest

from gradcheck.errors import UsageError
from gradcheck.report import SCHEMA, Code, Tally, from_json, schema

KINDS = ("passing", "failing", "inconclusive", "broken", "hostile")


@pytest.fixture(params=KINDS)
def report(request, samples):
    """Each hand-made report."""
    return getattr(samples, request.param)()


def test_the_schema_is_a_valid_schema():
    """The shipped schema obeys its own draft."""
    jsonschema.Draft202012Validator.check_schema(schema())


def test_every_report_is_valid(report):
    """What is written obeys the schema."""
    jsonschema.validate(report.to_json(), schema(), cls=jsonschema.Draft202012Validator)


def test_every_report_is_strict_json(report):
    """Neither NaN nor Infinity is ever written."""
    assert json.loads(json.dumps(report.to_json(), allow_nan=False)) == report.to_json()


def test_reading_is_the_inverse_of_writing(report):
    """A report that went through JSON text is the same report."""
    assert from_json(json.loads(json.dumps(report.to_json()))).to_json() == report.to_json()


def test_reading_gives_equal_objects(samples):
    """Where every number is finite, the objects are equal."""
    assert from_json(samples.failing().to_json()) == samples.failing()


def test_the_schema_names_the_version():
    """The constant in the code is the one in the schema."""
    assert schema()["properties"]["schema"] == {"const": SCHEMA}


def test_non_finite_floats_become_texts(samples):
    """nan, inf and -inf are strings in JSON."""
    (discrepancy,) = samples.hostile().to_json()["findings"][0]["discrepancies"]
    assert [discrepancy[k] for k in ("claimed", "expected", "bound")] == ["nan", "inf", "-inf"]


def test_whatever_is_in_the_environment_becomes_plain(samples):
    """numpy scalars, arrays, sets, keys that are no texts and unknown objects cross into JSON."""
    environment = {
        "f": np.float32(nan),
        "a": np.array([1, 2]),
        "s": {2, 1},
        3: object,
        "i": np.int64(4),
        "n": {"x": -inf},
    }
    data = replace(samples.passing(), environment=environment).to_json()
    assert data["environment"] == {"f": "nan", "a": [1, 2], "s": [1, 2], "3": str(object), "i": 4, "n": {"x": "-inf"}}
    json.dumps(data, allow_nan=False)


def test_numpy_numbers_in_power_and_discrepancies_become_plain(samples):
    """A check that forgets float() does not break the report."""
    report = samples.failing()
    (finding,) = report.findings
    first = replace(finding.discrepancies[0], index=(np.int64(1), 0), claimed=np.float32(0.5))
    data = replace(report, findings=(replace(finding, discrepancies=(first,)),)).to_json()
    assert json.loads(json.dumps(data, allow_nan=False))["findings"][0]["discrepancies"][0]["index"] == [1, 0]


def test_frozen_mappings_are_accepted(samples):
    """A mapping proxy, which cannot be copied, is written like a dict."""
    report = replace(samples.passing(), tally=Tally(1, 1, 1, MappingProxyType({"kink": 1})))
    assert report.to_json()["tally"]["reasons"] == {"kink": 1}


def test_every_code_has_a_title_of_one_line():
    """Titles are lower case, without a full stop."""
    assert all(c.title and "\n" not in c.title and not c.title.endswith(".") for c in Code)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "gradcheck.report/99"}, "schema is 'gradcheck.report/99'"),
        ({"verdict": "maybe"}, "unknown verdict 'maybe'"),
        ({"subject": {"path": "x.py"}}, "'object' is missing"),
        ({"tally": {"cases": "many", "components": 1, "inconclusive": 0}}, "invalid literal"),
        ({"tally": None}, "not a report"),
        ({"findings": [{"code": "GC000"}]}, "unknown finding code 'GC000'"),
        ({"power": [{"smallest_relative_error": "tiny", "confidence": 1}]}, "expected a number, got 'tiny'"),
        ({"power": 3}, "not iterable"),
    ],
)
def test_what_is_no_report_is_a_usage_error(samples, change, message):
    """The message says what is wrong with the file."""
    with pytest.raises(UsageError, match=message):
        from_json({**samples.passing().to_json(), **change})


@pytest.mark.parametrize("data", [{}, [], "text", None, 3])
def test_other_json_is_a_usage_error(data):
    """JSON that is no report at all is told apart from a crash."""
    with pytest.raises(UsageError, match="names no schema"):
        from_json(data)
