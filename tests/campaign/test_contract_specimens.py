"""Contracts on files: each wrong specimen has the code that its index says, its neighbour passes without a word."""

import json
from pathlib import Path

import pytest

import gradcheck
from gradcheck.campaign import shrinking

FOLDER = Path(__file__).parents[1] / "specimens" / "contracts"
INDEX = {entry["name"]: entry for entry in json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))}


@pytest.fixture(autouse=True)
def _shrink_briefly(monkeypatch):
    """The code is known long before the smallest network is."""
    monkeypatch.setattr(shrinking, "SECONDS", 0.5)


def verified(name, kind):
    """With few cases, in this process."""
    told = INDEX[name].get("configuration", {})
    return gradcheck.verify(FOLDER / f"{name}_{kind}.py", max_examples=10, in_process=True, **told)


@pytest.mark.parametrize("name", INDEX)
def test_a_broken_contract_has_its_code(name):
    """The first finding's; numerics that break far out alone are no failure."""
    report = verified(name, "wrong")
    assert (report.verdict, report.findings[0].code.name) == (INDEX[name]["verdict"], INDEX[name]["code"])
    assert report.subject.convention == INDEX[name]["convention"]


@pytest.mark.parametrize("name", INDEX)
def test_its_neighbour_keeps_every_contract(name):
    """Without any finding, not even one that blames nothing."""
    report = verified(name, "right")
    assert (report.verdict, report.findings) == ("pass", ())


@pytest.mark.parametrize("name", INDEX)
def test_a_pair_differs_in_the_lines_of_its_mistakes(name):
    """One, or two where there are two mistakes or cost and gradient change together."""
    wrong, right = (
        (FOLDER / f"{name}_{kind}.py").read_text(encoding="utf-8").splitlines() for kind in ("wrong", "right")
    )
    assert len(wrong) == len(right)
    assert sum(a != b for a, b in zip(wrong, right, strict=True)) == INDEX[name]["lines"]


def test_the_index_names_every_file():
    """And no other."""
    assert {p.name for p in FOLDER.glob("*.py")} == {f"{n}_{k}.py" for n in INDEX for k in ("wrong", "right")}
