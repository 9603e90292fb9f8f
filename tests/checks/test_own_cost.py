"""Judged by differences of its own cost alone: few forward passes, the wrong entries, and the power that is stated."""

from dataclasses import replace

import numpy as np
import pytest

from gradcheck.checks import Fault, examine
from gradcheck.checks.own_cost import BATCH, LEVELS
from gradcheck.checks.projection import CONFIDENCE, DIRECTIONS
from gradcheck.networks import cost as trusted_cost
from gradcheck.networks import forward
from gradcheck.oracles.autodiff import value_and_gradient
from gradcheck.subjects import Claim, Layout


class Counted:
    """The trusted network as a subject that counts its forward passes; `edit` changes the gradient."""

    def __init__(self, edit=lambda g: None):
        self.passes, self.largest, self.edit = 0, 0, edit

    def forward(self, points, layout):
        """Costs."""
        self.passes += len(points)
        self.largest = max(self.largest, len(points))
        return [np.asarray(trusted_cost(p)) for p in points]

    def vjp(self, case, layout):
        """Cost and gradient."""
        gradient = {n: g.copy() for n, g in value_and_gradient(case)[1].items()}
        self.edit(gradient)
        return np.asarray(trusted_cost(case)), lambda _: Claim(gradient)


def run(case, edit=lambda g: None):
    """(examination, subject) without a trusted definition."""
    subject = Counted(edit)
    return examine(subject, case, Layout(), trusted=False), subject


def test_a_million_parameters_need_no_million_forward_passes(make_case):
    """A few hundred, in batches that stay small."""
    found, subject = run(make_case(999, 1000, 1, samples=1))
    assert (found.fault, found.silent, found.confidence) == (None, "", CONFIDENCE)
    assert found.power["W1"] < 1e-4
    assert subject.passes <= 4 * DIRECTIONS * (2 * LEVELS + 9)
    assert subject.largest <= max(2 * LEVELS + 9, BATCH // 1_000 + 9)


@pytest.mark.parametrize("entries", [[(3, 7)], [(0, 0), (29, 39)]])
def test_wrong_entries_are_named(make_case, entries):
    """By bisection, with their own difference quotients."""

    def edit(gradient):
        for index in entries:
            gradient["W1"][index] += 0.5

    case = make_case(40, 30, 2)
    found, subject = run(case, edit)
    named = {d.index: d for d in found.discrepancies if d.index}
    assert (found.fault, found.wrong, set(named)) == (Fault.BACKWARD, ("W1",), set(entries))
    truth = value_and_gradient(case)[1]["W1"]
    assert all(abs(d.expected - truth[i]) <= d.bound for i, d in named.items())
    assert subject.passes < 2 * 1200  # what centred differences of every entry would take


@pytest.mark.parametrize(("factor", "least", "most"), [(1.0, 0.999, 1.0), (0.02, 0.0, 0.2)])
def test_errors_of_the_stated_size_are_found_as_often_as_stated(make_case, factor, least, most):
    """Planted in a random pattern; a fiftieth of that size is hardly ever seen."""
    generator, seen = np.random.default_rng(0), []
    for seed in range(16):
        case = make_case(4, 5, 3, seed=seed)
        stated = run(case)[0].power["W1"]
        pattern = generator.standard_normal((5, 4)) * (generator.random((5, 4)) < 0.3)
        pattern[0, 0] += 1e-3
        pattern /= np.linalg.norm(pattern)

        def edit(gradient, pattern=pattern, stated=stated):
            gradient["W1"] += factor * stated * np.linalg.norm(gradient["W1"]) * pattern

        seen.append(run(case, edit)[0].fault is not None)
    assert least <= np.mean(seen) <= most


@pytest.mark.parametrize("samples", [1, 4])
def test_at_a_kink_its_own_cost_accuses_nobody(make_case, samples):
    """The symmetric trap: with several samples on the kink no interval along a direction holds every convention."""
    for seed in range(10):
        case = make_case(3, 4, 2, hidden="relu", output="identity", regime="at_kink", samples=samples, seed=seed)
        unit = int(np.flatnonzero(np.all(forward(case)[0][1] == 0, axis=1))[0])
        above = case.weight(2).T @ (2 / samples * (forward(case)[1][2] - case.targets))

        def slope_one(gradient, case=case, unit=unit, above=above):
            gradient["b1"][unit] = above[unit].sum()
            gradient["W1"][unit] = case.inputs @ above[unit]

        assert run(case)[0].fault is run(case, slope_one)[0].fault is None
        if not forward(case)[1][1].any():  # all units are dead, and W2 has a gradient of zero
            continue
        assert run(case, lambda g: g["W2"].__imul__(1.01))[0].fault is Fault.BACKWARD


def test_a_kink_met_by_accident_is_no_fault(make_case):
    """One unit within 1e-9 … 1e-4 of its kink: recognised from the values, whatever the trusted network would say."""
    for seed in range(20):
        case = make_case(3, 4, 2, hidden="relu", output="identity", regime="near_kink", seed=seed)
        assert run(case)[0].fault is None


def test_a_claim_whose_formula_cancels_is_granted_its_own_rounding(make_case):
    """Targets within 1e-9 of the output: ten digits of the right claim are lost, and a wrong factor still shows."""
    for seed in range(12):
        case = make_case(2, 4, 3, seed=seed)
        output = forward(case)[1][-1]
        near = output * (1 + 1e-9 * np.random.default_rng(seed).standard_normal(output.shape))
        case = replace(case, targets=near)
        assert run(case)[0].fault is None
        assert run(case, lambda g: g["W1"].__imul__(1.01))[0].fault is Fault.BACKWARD
