"""Cells with names of their own, and layers that hand their gradients to an optimizer object."""

import pytest

from gradcheck import verify
from gradcheck.subjects.cells import CONSTRUCTIONS, _constructed

CELL = """
import numpy as np
class Param:
    def __init__(self, cells, x_dim):
        self.x_dim = x_dim
        self.wg, self.wf = np.ones((cells, x_dim + cells)), np.ones((cells, x_dim + cells))
        self.bg, self.bf = np.zeros(cells), np.zeros(cells)
        for n in ("wg", "wf", "bg", "bf"):
            setattr(self, n + "_diff", np.zeros_like(getattr(self, n)))
class State:
    def __init__(self, cells):
        self.s, self.h = np.zeros(cells), np.zeros(cells)
class Node:
    def __init__(self, cell_param, cell_state):
        self.param, self.state = cell_param, cell_state
    def bottom_data_is(self, x, s_prev=None, h_prev=None):
        self.xc, self.s_prev, p = np.hstack((x, h_prev)), s_prev, self.param
        self.g = np.tanh(p.wg @ self.xc + p.bg)
        self.f = 1 / (1 + np.exp(-(p.wf @ self.xc + p.bf)))
        self.state.s = s_prev * self.f + self.g
        self.state.h = self.state.s * self.f
    def top_diff_is(self, top_diff_h, top_diff_s):
        ds = self.f * top_diff_h + top_diff_s
        df = (self.s_prev * ds + self.state.s * top_diff_h) * self.f * (1 - self.f)
        dg = ds * (1 - self.g ** 2)
        p = self.param
        p.wg_diff += np.outer(dg, self.xc)
        p.wf_diff += np.outer(df, self.xc)
        p.bg_diff += dg
        p.bf_diff += df
        self.state.bottom_diff_s = ds * self.f
        self.state.bottom_diff_h = (p.wg.T @ dg + p.wf.T @ df)[p.x_dim:]
"""
OPTIMIZED = """
import numpy as np
class Dense:
    def __init__(self, input_size, output_size):
        self.weights, self.bias = np.ones((input_size, output_size)), np.zeros((1, output_size))
        self.v = np.zeros((input_size, output_size))
    def forward(self, input_data):
        self.input = input_data
        return input_data @ self.weights + self.bias
    def backward(self, output_error, optimizer, learning_rate):
        dx = output_error @ self.weights.T
        self.weights = optimizer.update(self.weights, self.input.T @ output_error)
        self.bias = optimizer.update(self.bias, output_error.sum(axis=0, keepdims=True))
        return dx
"""
RIGHT = {"cell": CELL, "optimizer": OPTIMIZED}
WRONG = {
    "cell": (CELL.replace("+ self.state.s * top_diff_h", ""), "w"),
    "optimizer": (OPTIMIZED.replace("self.input.T @ output_error", "self.input.T @ output_error * 2"), "weights"),
}


def report_of(tmp_path, source):
    """The report of a file with this source."""
    path = tmp_path / "cell.py"
    path.write_text(source)
    return verify(str(path), in_process=True, max_examples=10)


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_a_right_one_passes(tmp_path, source):
    """Roles are read off the names; an optimizer is recorded, never run."""
    report = report_of(tmp_path, source)
    assert (report.verdict, report.subject.convention) == ("pass", "layer_object")
    assert report.tally.cases >= 8


@pytest.mark.parametrize(("source", "place"), WRONG.values(), ids=WRONG)
def test_a_wrong_one_fails_at_its_parameter(tmp_path, source, place):
    """The one-change neighbour of a right one."""
    report = report_of(tmp_path, source)
    assert report.verdict == "fail"
    assert any(place in p.equation for f in report.findings for p in f.places)


def test_a_constructor_of_many_arguments_is_tried_a_few_times():
    """Two sizes for each of twenty arguments are a million ways."""
    calls = []

    class Many:
        def __init__(self, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t):
            calls.append(a)
            raise ValueError

    assert list(_constructed(Many, {})) == []
    assert 0 < len(calls) <= CONSTRUCTIONS
