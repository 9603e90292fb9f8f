"""The network with the mistake marked, and the equations."""

from dataclasses import replace

import pytest

from gradcheck.render import diagrams
from gradcheck.report import Place


@pytest.mark.parametrize(
    ("equation", "layer", "units", "weights"),
    [("BP1", 2, {2}, set()), ("BP2", 1, {1}, {2}), ("BP3", 1, {1}, set()), ("BP4", 2, set(), {2})],
)
def test_marks_stand_where_the_equation_does(samples, equation, layer, units, weights):
    """δ at its units, the recursion at the weights above too, dW at the weights."""
    diagram = diagrams.diagram(replace(samples.FINDING, places=(Place(equation, layer),)))
    xs = sorted({u.x for u in diagram.units})
    assert {xs.index(u.x) for u in diagram.units if u.marked} == units
    assert {xs.index(e.x2) for e in diagram.edges if e.marked} == weights


def test_wide_layers_say_how_many_are_not_drawn(samples):
    """Five circles, and the rest in words."""
    case = {**samples.CASE, "architecture": {"inputs": 9, "layers": [{"units": 1, "activation": "tanh"}]}}
    diagram = diagrams.diagram(replace(samples.FINDING, counterexample=case))
    assert diagram.columns[0].more == "4 more"


def test_the_wrong_equation_has_its_layer(samples):
    """The others keep their letters."""
    wrong = [e for e in diagrams.equations(samples.FINDING) if e.wrong]
    assert [(e.name, e.formula) for e in wrong] == [("BP2", "δ¹ = (W²ᵀ δ²) ⊙ σ′(z¹)")]


def test_a_finding_about_something_else_has_no_equations(samples):
    """Neither a layer's nor an exception's."""
    assert diagrams.equations(replace(samples.FINDING, places=(Place("gradient of x"),))) == []
