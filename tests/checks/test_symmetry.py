"""The symmetry law decides where no cost is known: a gradient of nothing fails, that of something is no pass."""

from pathlib import Path

import pytest

import gradcheck

SOURCE = (Path(__file__).parents[1] / "subjects" / "files" / "nielsen.py").read_text()
UNKNOWN = ("return output_activations - y", "return (output_activations - y) ** 5")
SLOPE = "delta = error * a[k + 1] * (1 - a[k + 1])"
FAULTS = {
    "slope forgotten below the output": (SLOPE, f"{SLOPE} if k + 1 == len(self.weights) else error", 1),
    "bias gradient doubled": ("nabla_b.insert(0, delta)", "nabla_b.insert(0, 2 * delta)", 0),
}


@pytest.fixture
def verified(tmp_path):
    """The report of the file with these edits, 20 cases."""

    def verify(*edits):
        source = SOURCE
        for old, new in edits:
            assert old in source, source
            source = source.replace(old, new)
        path = tmp_path / "network.py"
        path.write_text(source)
        return gradcheck.verify(path, max_examples=20, in_process=True)

    return verify


def test_a_right_gradient_of_an_unknown_cost_is_inconclusive(verified):
    """It is the gradient of something; a pass would claim that factor and sign are right too."""
    report = verified(UNKNOWN)
    assert (report.verdict, [f.code.name for f in report.findings]) == ("inconclusive", ["GC953"])
    assert "up to a factor and a sign" in report.findings[0].detail


@pytest.mark.parametrize("sign", ["-1", "7"])
def test_a_factor_on_everything_is_not_seen(verified, sign):
    """The limit that the report states."""
    assert verified((UNKNOWN[0], f"return {sign} * (output_activations - y) ** 5")).verdict == "inconclusive"


@pytest.mark.parametrize("name", FAULTS)
def test_a_gradient_of_nothing_fails(verified, name):
    """With the layer from which it shows, and both derivatives."""
    old, new, below = FAULTS[name]
    report = verified(UNKNOWN, (old, new))
    (finding,) = report.findings
    depth = len(finding.counterexample["architecture"]["layers"])
    shown = finding.discrepancies[0]
    assert (report.verdict, finding.code.name, depth - finding.places[0].layer) == ("fail", "GC406", below)
    assert abs(shown.claimed - shown.expected) > 1e3 * shown.bound
