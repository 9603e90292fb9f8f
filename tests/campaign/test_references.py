"""Whole verifications: the references pass, each specimen fails at its layer, and its one-line neighbour passes."""

import json
from pathlib import Path

import pytest

import gradcheck

ROOT = Path(__file__).parents[2]
SPECIMENS = ROOT / "tests" / "specimens"
INDEX = {entry["name"]: entry for entry in json.loads((SPECIMENS / "index.json").read_text(encoding="utf-8"))}
CONVENTION = {"row_major": "functional"}
ELSEWHERE = {"cost", "forward"}  # faults that are not in the backward pass


def verified(path, max_examples=60):
    """In this process, with few cases."""
    return gradcheck.verify(path, max_examples=max_examples, in_process=True)


@pytest.mark.parametrize("path", sorted((ROOT / "reference").glob("*.py")), ids=lambda p: p.stem)
def test_every_reference_passes(path):
    """Recognised without configuration, checked on nearly all cases, and with the power to see a small error."""
    report = verified(path)
    assert (report.verdict, report.findings) == ("pass", ())
    assert report.subject.convention == CONVENTION.get(path.stem, path.stem)
    assert report.tally.cases >= 50
    assert min(p.smallest_relative_error for p in report.power) < 1e-10


def place_of(name, depth):
    """(equation, layer) as the index says: the recursion shows below the output layer, everything else at it."""
    equation = INDEX[name]["equation"]
    return equation, max(1, depth - 1) if equation == "BP2" else depth


@pytest.mark.parametrize("name", [n for n, e in INDEX.items() if e["equation"] not in ELSEWHERE])
def test_every_specimen_fails_as_what_it_is(name):
    """The layer is right, so is the equation where the numbers alone are wrong, and the mistake is named."""
    report = verified(SPECIMENS / f"{name}_wrong.py")
    finding = report.findings[0]
    named = [e.fault for e in finding.explanations]
    assert INDEX[name].get("fault") in (named or [None])
    equation, layer = place_of(name, len(finding.counterexample["architecture"]["layers"]))
    layers = {layer}
    if INDEX[name]["effect"] == "values_or_crash" and equation == "BP4":  # right in an output layer of one unit
        layers.add(max(1, layer - 1))
    assert report.verdict == "fail"
    assert finding.places[0].layer in layers
    if equation.startswith("BP") and INDEX[name]["effect"] == "values":
        assert finding.places[0].equation == equation


@pytest.mark.parametrize("name", [n for n, e in INDEX.items() if e["equation"] in ELSEWHERE])
def test_a_specimen_outside_the_backward_pass_says_so(name):
    """The cost or the forward pass is named, and no equation of backprop."""
    report = verified(SPECIMENS / f"{name}_wrong.py")
    finding = report.findings[0]
    assert (report.verdict, finding.places[0].equation in ELSEWHERE) == ("fail", True)
    assert finding.code.name in ("GC301", "GC302", "GC305")


@pytest.mark.parametrize("name", INDEX)
def test_the_neighbour_of_every_specimen_passes(name):
    """It differs by one line; GC602 says no more than that it takes the logarithm of a probability that rounds to 0."""
    report = verified(SPECIMENS / f"{name}_right.py", max_examples=40)
    assert report.verdict == "pass"
    assert {f.code.name for f in report.findings} <= {"GC602"}


@pytest.mark.parametrize(("ending", "said"), [("right", True), ("wrong", False)])
def test_a_slope_at_a_kink_is_reported_only_of_right_code(ending, said):
    """What a wrong subject answers on a kink is its mistake, not its convention."""
    report = verified(SPECIMENS / f"sigma_not_prime_{ending}.py")
    assert any(c.what == "slope at a kink" for c in report.conventions) is said
