"""A guard in the cost that the gradient does not share is said, and blames nothing."""

from pathlib import Path

import pytest

import gradcheck

SOURCE = (Path(__file__).parents[1] / "specimens" / "contracts" / "guarded_logarithm_wrong.py").read_text()
SHARED = (
    "(softmax(a[L]) * y.sum(axis=0) - y) / m",
    "(lambda p, v: p * (v - (p * v).sum(axis=0)))(softmax(a[L]), -y / (softmax(a[L]) + 1e-7)) / m",
)
RECURSION = ("(weights[l].T @ delta) * (1 - a[l] ** 2)", "(weights[l].T @ delta) * (1 - a[l])")


@pytest.mark.parametrize(
    ("edits", "verdict", "codes"),
    [((), "pass", ["GC603"]), ([SHARED], "pass", []), ([RECURSION], "fail", ["GC501"])],
    ids=["cost alone", "shared", "wrong gradient"],
)
def test_a_guard_is_reported_where_the_gradient_lacks_it(tmp_path, edits, verdict, codes):
    """With the probability at which the two part."""
    source = SOURCE
    for old, new in edits:
        assert old in source
        source = source.replace(old, new)
    (tmp_path / "network.py").write_text(source)
    report = gradcheck.verify(tmp_path / "network.py", max_examples=8, in_process=True)
    assert (report.verdict, [f.code.name for f in report.findings]) == (verdict, codes)
    assert codes != ["GC603"] or "by half at p = 1e-07" in report.findings[0].detail
