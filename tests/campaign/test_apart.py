"""The operations of a file, one by one or several at a time: the same report, and none that depends on another."""

import json
import os

import pytest

import gradcheck

FEW = 3
LAYERS = """
import numpy as np

def relu_forward(x):
    return np.maximum(x, 0), x

def relu_backward(dout, cache):
    return dout * (cache > 0)

def tanh_forward(x):
    a = np.tanh(x)
    return a, a

def tanh_backward(dout, cache):
    return dout * (1 - cache ** 2)

def sigmoid_forward(x):
    s = 1 / (1 + np.exp(-x))
    return s, s

def sigmoid_backward(dout, cache):
    return dout * cache * (1 - cache)
"""
WRONG = ("cache * (1 - cache)", "cache * (1 + cache)")
DIES = ("dout * (1 - cache ** 2)", "__import__('os').abort()")


@pytest.fixture
def layers(tmp_path):
    """layers((old, new), …) -> path of a file of three layers with these texts replaced."""

    def write(*edits):
        text = LAYERS
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "layers.py"
        path.write_text(text)
        return path

    return write


def told(report):
    data = report.to_json()
    data["environment"] = {k: v for k, v in data["environment"].items() if k not in ("seconds", "audited")}
    return json.dumps(data, sort_keys=True)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The path of a file with one wrong layer of three, and its report by one process."""
    path = tmp_path_factory.mktemp("alone") / "layers.py"
    path.write_text(LAYERS.replace(*WRONG))
    return path, gradcheck.verify(path, max_examples=FEW)


def test_the_report_does_not_depend_on_the_number_of_processes(alone):
    """Byte by byte; the finding of an operation that another process verified is whole."""
    path, one = alone
    assert told(gradcheck.verify(path, max_examples=FEW, jobs=2)) == told(one)
    assert one.verdict == "fail"
    assert {p.parameter for p in one.power} == {"relu.x", "tanh.x"}


def test_an_operation_that_kills_its_process_costs_the_others_nothing(layers):
    """They are verified all the same, and the one that died is an error."""
    report = gradcheck.verify(layers(DIES), max_examples=FEW)
    assert [(f.code.name, f.verdict) for f in report.findings] == [("GC905", "error")]
    assert report.findings[0].detail.startswith("tanh: ")
    assert {p.parameter for p in report.power} == {"relu.x", "sigmoid.x"}


def test_what_one_operation_leaves_behind_does_not_reach_the_next(layers):
    """Each but the first meets a file that has just been loaded."""
    tanh, sigmoid = "    return dout * (1 - cache ** 2)", "    return dout * cache * (1 - cache)"
    tainting = (tanh, f"    globals()['tainted'] = 1\n{tanh}")
    suffering = (sigmoid, f"    assert 'tainted' not in globals()\n{sigmoid}")
    report = gradcheck.verify(layers(tainting, suffering), max_examples=FEW, in_process=True)
    assert {p.parameter for p in report.power} == {"relu.x", "tanh.x", "sigmoid.x"}


def test_a_killed_verifier_changes_nothing(layers, alone):
    """Its operation is verified by another one."""
    path = layers(WRONG)
    path.write_text(f"import os\nif os.getppid() != {os.getpid()}: os.kill(os.getppid(), 9)\n{path.read_text()}")
    found, expected = (json.loads(told(r)) for r in (gradcheck.verify(path, max_examples=FEW, jobs=2), alone[1]))
    for key in ("verdict", "tally", "power"):
        assert found[key] == expected[key]
