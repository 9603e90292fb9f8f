"""Laws of a network's cost: each sees a planted fault, the right neighbour keeps it; a cost without a law is not held to it."""

from dataclasses import replace

import numpy as np
import pytest

from gradcheck.checks import Fault
from gradcheck.checks.invariance import SAMPLES, generators_of
from gradcheck.checks.network_laws import asking, by_assumption, by_cost, by_output, judgements
from gradcheck.faults.backprop import backprop
from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.planting import Planted, case_of, planted
from gradcheck.networks import Architecture, Dense, Regularisation, activation_named, cost, cost_named
from gradcheck.networks.sampling import sample_case
from gradcheck.subjects import Layout, LocalSubject

TANH, MSE = activation_named("tanh"), cost_named("mse")


def case_at(seed=0, scale="1/m", form="lambda/2", strength=0.5, dtype="float64", activation=TANH):
    """3 → 4 → 4 → 4, three samples."""
    layers = (Dense(4, activation), Dense(4, activation), Dense(4, TANH))
    architecture = Architecture(3, layers, MSE, scale, Regularisation(strength, form), dtype)
    return sample_case(architecture, SAMPLES, np.random.default_rng(seed))


class Edited(Planted):
    """The trusted network whose gradient is edited by (gradient, case), with a cost of its own."""

    def __init__(self, edit=lambda g, case: g, own_cost=cost):
        super().__init__(lambda case, arrays: edit(dict(backprop(case_of(case, arrays))), case_of(case, arrays)))
        self.own_cost = own_cost

    def value(self, call):
        return np.asarray(self.own_cost(case_of(call.case, call.arrays)))


def broken(subject, case=None, gate=by_cost, batches=True):
    """Which laws are broken at a case."""
    layout = Layout()
    found = judgements(case or case_at(), asking(subject, layout), gate(subject, layout), batches=batches)
    return {j.broken.fault for j in found if j.broken is not None}


RIGHT = LocalSubject(Edited())
SEEN = {
    "bp2_samples_shifted": {Fault.NOT_ADDITIVE, Fault.ORDER},
    "bp4_sum_then_outer": {Fault.NOT_ADDITIVE, Fault.LOSS_SCALE},
    "bp4_last_sample": {Fault.NOT_ADDITIVE, Fault.ORDER, Fault.LOSS_SCALE},
    "bp1_factor_times_m": {Fault.LOSS_SCALE},
    "bp1_factor_m_over_m_plus_1": {Fault.LOSS_SCALE},
    "bp3_delta_of_unit_0": {Fault.UNITS},
    "bp4_rows_shifted": {Fault.UNITS},
    "bp4_last_unit_untrained": {Fault.UNITS},
    "bp2_no_transpose": {Fault.UNITS},
}
UNSEEN = ("bp1_factor_half", "bp2_prime_of_above_twice", "bp4_weighted_input", "bp1_factor_minus")


@pytest.mark.parametrize("name", SEEN)
def test_a_planted_fault_breaks_its_laws(name):
    """Those, and no others; the square layers let a missing transpose run."""
    found = broken(planted(CATALOGUE[name]))
    assert found >= SEEN[name]
    assert not found - SEEN[name] - {Fault.LOSS_SCALE}


@pytest.mark.parametrize("name", UNSEEN)
def test_what_is_done_to_all_alike_keeps_every_law(name):
    """The blind spot that the explanations state."""
    assert broken(planted(CATALOGUE[name])) == set()


@pytest.mark.parametrize("scale", ["1/m", "1", "1/(2m)", "1/(m n)"])
@pytest.mark.parametrize("form", ["lambda/2", "lambda/m"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_right_gradient_keeps_them_at_every_scale(scale, form, dtype):
    """Whatever the L2 term does with m: additivity compares batches of one size."""
    assert broken(RIGHT, case_at(scale=scale, form=form, dtype=dtype)) == set()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["relu", "softmax", "softplus"])
def test_kinks_and_softmax_raise_no_alarm(seed, name):
    """Hidden softmax units are permuted as any others."""
    assert broken(RIGHT, case_at(seed, activation=activation_named(name))) == set()


def test_nothing_is_asked_at_a_kink():
    """There a unit's side may depend on the order of a sum."""
    case = case_at(activation=activation_named("relu"))
    at = case.at({"W1": np.zeros((4, 3)), "b1": np.zeros((4, 1))})
    assert not list(judgements(at, asking(RIGHT, Layout()), by_cost(RIGHT, Layout()), batches=True))


def spread(case):
    """A cost that is no sum over the samples: the spread of the parameters' outputs, as a batchnorm makes one."""
    return np.sqrt(cost(case)) + float(np.var(case.inputs.sum(axis=0))) * float(np.sum(case.parameters["W1"] ** 2))


def jitter(case):
    """A dropout mask that depends on the place in the batch."""
    return cost(case) * (1 + float(case.inputs[0, 0] > case.inputs[0, -1]))


@pytest.mark.parametrize("own", [spread, jitter])
def test_a_cost_that_mixes_the_batch_is_not_held_to_it(own):
    """Its gradient may mix it too; units keep their law."""

    def last(g, case):
        return {**g, "W1": g["W1"] + case.inputs[:1, -1:]}

    assert Fault.NOT_ADDITIVE not in broken(LocalSubject(Edited(last, own)))
    assert Fault.LOSS_SCALE not in broken(LocalSubject(Edited(last, own)))
    assert Fault.NOT_ADDITIVE in broken(LocalSubject(Edited(last)))


def test_a_cast_to_float32_breaks_no_law():
    """It is a fault of precision; one of a thousandth is one of a law."""

    def cast(g, case):
        return {n: a.astype(np.float32).astype(float) for n, a in g.items()}

    def once(g, case):
        return {**g, "W2": g["W2"] * (1 + 1e-3 * (case.inputs[0, 0] > case.inputs[0, -1]))}

    assert broken(LocalSubject(Edited(cast))) == set()
    assert Fault.ORDER in broken(LocalSubject(Edited(once)), case_at(1)) | broken(LocalSubject(Edited(once)))


def test_unchanged_outputs_vouch_for_the_units_alone():
    """A cost that nobody knows may mix the batch, but not the hidden units."""
    last, first = (planted(CATALOGUE[n]) for n in ("bp4_last_sample", "bp3_delta_of_unit_0"))
    assert (broken(last, gate=by_output), broken(first, gate=by_output)) == (set(), {Fault.UNITS})
    assert broken(last, gate=by_assumption) == {Fault.NOT_ADDITIVE, Fault.ORDER}


def test_a_subject_of_single_samples_is_asked_for_its_units_alone():
    """Its batches are put together by the adapter."""
    assert broken(planted(CATALOGUE["bp4_last_sample"]), batches=False) == set()


def test_one_sample_leaves_the_laws_of_units():
    """A repertoire of batches of one."""
    case = case_at()
    one = replace(case, inputs=case.inputs[:, :1], targets=case.targets[:, :1])
    assert broken(planted(CATALOGUE["bp3_delta_of_unit_0"]), one) == {Fault.UNITS}


@pytest.mark.parametrize(("count", "orders"), [(1, []), (2, [[1, 0]]), (4, [[1, 0, 2, 3], [3, 0, 1, 2]])])
def test_two_permutations_generate_all(count, orders):
    """An exchange and a rotation."""
    assert [list(o) for o in generators_of(count)] == orders


def test_a_violation_is_shown_with_its_worst_entry():
    """Three times the batch's gradient against the sum of the parts."""
    subject, layout = planted(CATALOGUE["bp4_sum_then_outer"]), Layout()
    found = next(iter(judgements(case_at(), asking(subject, layout), by_cost(subject, layout), batches=True)))
    shown = found.broken.discrepancies[0]
    assert abs(shown.claimed - shown.expected) > 1e3 * shown.bound
    assert found.broken.message.startswith("the gradient of W1, W2, W3 for a batch")
