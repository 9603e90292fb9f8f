"""A recurrent network's loss over module globals: right at any length, wrong where steps meet, clipped on purpose."""

import pytest

from gradcheck import verify
from gradcheck.subjects.sequence_loss import TEMPLATE

CLIPPED = TEMPLATE.replace(
    "    return loss", "    for g in (dWxh, dWhh, dWhy):\n        np.clip(g, -5, 5, out=g)\n    return loss"
)
WRONG = {
    "recursion": TEMPLATE.replace("Whh.T @ dz", "Whh @ dz"),
    "truncated": TEMPLATE.replace("Whh.T @ dz", "0 * dz"),
}


def report_of(tmp_path, source):
    """The report of a file with this source."""
    path = tmp_path / "char_rnn.py"
    path.write_text(source)
    return verify(str(path), in_process=True, max_examples=16)


@pytest.mark.parametrize("source", [TEMPLATE, CLIPPED], ids=["plain", "clipped"])
def test_a_right_loss_passes(tmp_path, source):
    """Over one step and over four; a clip is named, and does not act."""
    report = report_of(tmp_path, source)
    assert (report.verdict, report.subject.convention) == ("pass", "sequence_loss")
    assert any("clipped on purpose" in n for n in report.notes) == (source is CLIPPED)


@pytest.mark.parametrize("source", WRONG.values(), ids=WRONG)
def test_a_mistake_between_steps_shows_over_several(tmp_path, source):
    """With one step alone there is no recursion that could be wrong."""
    report = report_of(tmp_path, source)
    assert report.verdict == "fail"
    assert [f.detail.partition(":")[0] for f in report.findings] == ["lossFun over four steps"]


def test_a_clip_that_acts_on_small_weights_is_refused(tmp_path):
    """Nothing can be told of such gradients."""
    report = report_of(tmp_path, CLIPPED.replace("-5, 5", "-1e-6, 1e-6"))
    assert report.verdict == "inconclusive"
    assert "clipped at ±1e-06" in report.findings[0].detail
