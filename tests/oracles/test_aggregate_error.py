"""Rounding of a whole tensor's gradient: sensitivities against differences, no right variant beyond, wrong scales beyond."""

import numpy as np
import pytest

from gradcheck.networks import Architecture, Case, Dense, Regularisation, activation_named, cost_named
from gradcheck.networks.sampling import sample_case
from gradcheck.oracles import aggregate_error
from gradcheck.oracles.aggregate_error import Probe, aggregate_bounds
from gradcheck.oracles.autodiff import value_and_gradient
from gradcheck.oracles.error_analysis import rounding_bounds

HEADS = (("tanh", "mse"), ("sigmoid", "bce"), ("softmax", "cross_entropy"), ("softmax", "mse"),
         ("identity", "cross_entropy_logits"), ("identity", "hinge"))  # fmt: skip


def network(widths, head, seed=0, m=3, hidden=("gelu", "softplus"), dtype="float32"):
    """A network of two hidden layers with L2."""
    layers = [Dense(n, activation_named(f)) for n, f in zip(widths[1:], (*hidden, head[0]), strict=True)]
    architecture = Architecture(widths[0], tuple(layers), cost_named(head[1]), "1/m", Regularisation(0.1), dtype)
    return sample_case(architecture, m, np.random.default_rng(seed))


def by_gradient(case: Case) -> list[Probe]:
    """Each parameter's probe along its own gradient, scaled so that T = 1."""
    gradient = value_and_gradient(case)[1]
    return [Probe(n, g / np.vdot(g, g)) for n, g in gradient.items()]


class Recorded(aggregate_error._Totals):
    """Keeps the adjoints of z, in the order L … 1."""

    seen: list = []  # noqa: RUF012

    def add_linear(self, adjoint, bound):
        if isinstance(bound, float) and bound == 7e-99:
            Recorded.seen.append(adjoint.reshape(adjoint.shape[0], self.probes, -1))
        super().add_linear(adjoint, bound)


@pytest.mark.parametrize("head", HEADS, ids="-".join)
def test_sensitivity_to_z_is_the_derivative_of_the_aggregate(head, monkeypatch):
    """Σ over samples of z̄_l is dT/db_l by central differences of the trusted gradient (without the L2 term)."""
    case, h = network((3, 4, 5, 3), head, dtype="float64"), 1e-5
    generator = np.random.default_rng(1)
    probes = [Probe(n, generator.standard_normal(a.shape)) for n, a in case.parameters.items()]
    monkeypatch.setattr(aggregate_error, "_Totals", Recorded)
    Recorded.seen.clear()
    run = aggregate_error._pass(case)
    aggregate_error._sensitivities(case, run, probes, aggregate_error._reach(case, run, 1e-16, 0.0), (1e-16, 7e-99))
    for l, z_bar in zip((3, 2, 1), Recorded.seen, strict=True):
        for i in range(case.architecture.widths[l]):
            up, down = (
                case.at({f"b{l}": case.bias(l) + s * h * np.eye(case.architecture.widths[l])[:, i : i + 1]})
                for s in (1, -1)
            )
            high, low = value_and_gradient(up)[1], value_and_gradient(down)[1]
            for k, p in enumerate(probes):
                slope = np.vdot(p.weights, high[p.name] - low[p.name]) / (2 * h)
                assert z_bar[i, k].sum() == pytest.approx(slope, rel=1e-6, abs=1e-7)


def in_float32(case: Case, product) -> dict:
    """The gradient of a tanh or identity network with mse or bce on sigmoid, every sum over units by `product`."""
    single = {n: a.astype(np.float32) for n, a in case.parameters.items()}
    a, y, L = [case.inputs.astype(np.float32)], case.targets.astype(np.float32), case.architecture.depth
    for l, f in enumerate(case.architecture.activation_names, start=1):
        z = product(single[f"W{l}"], a[-1]) + single[f"b{l}"]
        a.append(np.tanh(z) if f == "tanh" else z)
    above, gradient = 2 * (a[-1] - y) / np.float32(case.samples), {}
    for l in range(L, 0, -1):
        delta = above * (1 - a[l] ** 2) if case.architecture.activation_names[l - 1] == "tanh" else above
        decay = np.float32(2 * case.architecture.regularisation.factor(case.samples))
        gradient |= {f"W{l}": delta @ a[l - 1].T + decay * single[f"W{l}"], f"b{l}": delta.sum(axis=1, keepdims=True)}
        above = product(single[f"W{l}"].T, delta)
    return gradient


def term_by_term(W, a):
    """Plain sums."""
    return np.add.accumulate(W.T[:, :, None] * a[:, None, :], axis=0)[-1]


def errors(case: Case, product) -> list[float]:
    """|T of the float32 gradient − T| of each parameter, and in the same order the bounds."""
    probes, gradient = by_gradient(case), in_float32(case, product)
    return [abs(float(np.vdot(p.weights, gradient[p.name]) - 1)) for p in probes]


@pytest.mark.parametrize("product", [np.matmul, term_by_term], ids=["blas", "term by term"])
@pytest.mark.parametrize("seed", range(6))
def test_right_gradients_stay_within_the_bound(product, seed):
    """Of two orders of summation, at widths where the worst case of a component is a hundred times larger."""
    case = network((40, 120, 90, 3), ("tanh", "mse"), seed, hidden=("tanh", "tanh"))
    bounds = aggregate_bounds(case, by_gradient(case))
    assert all(e <= b < 2e-4 for e, b in zip(errors(case, product), bounds, strict=True))


def test_the_bound_is_far_below_that_of_the_components():
    """A whole tensor that is wrong by a factor shows a hundred times earlier than in its best component."""
    case = network((20, 400, 400, 10), ("tanh", "mse"), hidden=("tanh", "tanh"), m=4)
    components, (name, g) = rounding_bounds(case).gradient, next(iter(value_and_gradient(case)[1].items()))
    bound = aggregate_bounds(case, [Probe(name, g / np.vdot(g, g))])[0]
    assert 100 * bound < np.min(components[name] / np.abs(g))


def test_drift_of_repeated_numbers_is_measured(monkeypatch):
    """30,000 equal terms, added one after the other, drift beyond what chance allows; measuring it covers them."""
    case = network((30_000, 1), ("identity", "mse"), hidden=(), m=1)
    case = case.at({"W1": np.full((1, 30_000), float(np.float32(0.1))), "b1": np.ones((1, 1))})
    case = Case(case.architecture, case.parameters, np.full((30_000, 1), float(np.float32(0.3))), case.targets)
    found, probes = errors(case, term_by_term), by_gradient(case)
    assert all(e <= b for e, b in zip(found, aggregate_bounds(case, probes), strict=True))
    monkeypatch.setattr(aggregate_error, "MULTIPLE", 0.0)
    assert not all(e <= b for e, b in zip(found, aggregate_bounds(case, probes), strict=True))


def test_rows_that_round_together_are_counted_together():
    """Equal rows, also with another sign or scaled by a power of two, are one group."""
    W = np.random.default_rng(0).standard_normal((5, 4))
    assert aggregate_error._largest_group(W) == 1
    W[2], W[4] = -W[0], 8 * W[0]
    assert aggregate_error._largest_group(W) == 3


def test_no_bound_behind_a_hidden_softmax():
    """What the analysis does not know has an infinite bound."""
    case = network((3, 4, 4, 2), ("tanh", "mse"), hidden=("softmax", "tanh"))
    assert aggregate_bounds(case, by_gradient(case)) == [float("inf")] * 6


def test_no_bound_where_two_layers_have_a_kink_within_reach():
    """The gradient is not linear in the slopes of both; of one it is, and that bound holds either slope."""
    case = network((2, 3, 3, 2), ("tanh", "mse"), hidden=("leaky_relu(0.2)", "leaky_relu(0.2)"))
    one = on_kink(case, 2)
    bounds = aggregate_bounds(one, by_gradient(one))
    assert np.all(np.isfinite(bounds))
    assert max(bounds) > 1e-2
    both = on_kink(one, 1)
    assert not np.any(np.isfinite(aggregate_bounds(both, by_gradient(both))))


def on_kink(case: Case, l: int) -> Case:
    """The case with the first unit of a layer exactly on its kink."""
    W, b = case.weight(l).copy(), case.bias(l).copy()
    W[0], b[0] = 0.0, 0.0
    return case.at({f"W{l}": W, f"b{l}": b})
