"""The benchmark of public code, on a checkout of our own making."""

import json

from tests.benchmarks import wild

RIGHT = """
import numpy as np
class Tanh:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out
    def backward(self, dout):
        return dout * (1 - self.out ** 2)
"""


def test_a_table_of_verdicts(tmp_path, monkeypatch, capsys):
    """A right verdict and a missing repository; a wrong layer where a right one is expected is a false alarm."""
    (tmp_path / "a+b").mkdir()
    file = tmp_path / "a+b" / "layers.py"
    file.write_text(RIGHT)
    entry = (
        '[[subject]]\nrepository = "{}"\nfile = "layers.py"\nconvention = "A"\nexpected = "pass"\nreason = "right"\n'
    )
    (tmp_path / "wild.toml").write_text(entry.format("a/b") + entry.format("c/d"))
    monkeypatch.setattr(wild, "HERE", tmp_path)
    arguments = ["--repos", str(tmp_path), "--max-examples", "8", "--output", str(tmp_path / "wild.md")]
    assert wild.main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == ["c/d"]
    assert (
        "| a/b | `layers.py` | A | layer_object | none | pass (8 cases) | yes | right |"
        in (tmp_path / "wild.md").read_text()
    )
    file.write_text(RIGHT.replace("1 - ", "1 + "))
    assert wild.main(arguments) == 1
    assert json.loads(capsys.readouterr().out)["false_alarms"] == 1
