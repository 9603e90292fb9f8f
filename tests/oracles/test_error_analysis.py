"""The rounding bound covers the true error: 50 digits for activations, extended precision for whole networks, float32 runs."""

import importlib.util
import math
from dataclasses import replace
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gradcheck.networks import activation_named
from gradcheck.networks.activations import Activation
from gradcheck.networks.namespace import xp_numpy
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.networks.sampling import kink_distance
from gradcheck.oracles import error_analysis
from gradcheck.oracles.autodiff import activation_vjp, value_and_gradient
from gradcheck.oracles.error_analysis import rounding_bounds
from gradcheck.oracles.layer_errors import activation_errors
from gradcheck.strategies import cases

REFERENCE = Path(__file__).parents[2] / "reference" / "row_major.py"
SPEC = importlib.util.spec_from_file_location("row_major_for_bounds", REFERENCE)
ROW_MAJOR = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(ROW_MAJOR)
IN_DOUBLE = {"gelu", "gelu_tanh"}  # these stay in float64 in the reference, whatever they are given


def repertoire(dtype="float64"):
    """Everything that the reference computes in any precision, in its own scale: ½ in mse."""
    r = default_repertoire()
    heads = tuple(replace(h, scale="1/(2m)") if h.cost.name == "mse" else h for h in r.heads)
    heads = tuple(h for h in heads if h.activation.name not in IN_DOUBLE)
    return replace(r, hidden=tuple(f for f in r.hidden if f.name not in IN_DOUBLE), heads=heads, dtype=dtype)


def run(case, dtype):
    """Cost and gradient by the reference in a precision, in the trusted layout."""
    a = case.architecture
    layers = range(1, a.depth + 1)
    weights = [case.weight(l).T.astype(dtype) for l in layers]
    biases = [case.bias(l).ravel().astype(dtype) for l in layers]
    x, y = case.inputs.T.astype(dtype), case.targets.T.astype(dtype)
    more = {"activations": a.activation_names, "cost": a.cost.name, "l2": dtype(a.regularisation.strength)}
    with np.errstate(all="ignore"):
        dW, db = ROW_MAJOR.backprop(weights, biases, x, y, **more)
        value = ROW_MAJOR.loss(weights, biases, x, y, **more)
    gradient = {}
    for l in layers:
        gradient |= {f"W{l}": dW[l - 1].T, f"b{l}": db[l - 1].reshape(-1, 1)}
    return value, gradient


def ratio(gradient, truth, bounds):
    """The largest |error| / bound."""
    out = 0.0
    for name, g in gradient.items():
        error = np.abs(g.astype(np.longdouble) - truth[name])
        bound = bounds.gradient[name]
        assert np.all((error == 0) | (bound > 0)), name
        out = max(out, float(np.max(error / np.where(bound > 0, bound, 1), initial=0.0)))
    return out


extended = pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="no extended precision on this machine")


@extended
@settings(max_examples=100)
@given(cases(repertoire()))
def test_the_bound_covers_jax_grad_and_the_reference_in_double(case):
    """Against the reference in extended precision; both implementations on one side of the comparison."""
    truth = run(case, np.longdouble)[1]
    bounds = rounding_bounds(case)
    assert ratio(value_and_gradient(case)[1], truth, bounds) <= 1
    assert ratio(run(case, np.float64)[1], truth, bounds) <= 1


@settings(max_examples=100)
@given(cases(repertoire("float32")))
def test_the_bound_covers_the_reference_in_single_precision(case):
    """float32 in, float32 throughout: the bound is that of the case's own dtype."""
    truth = run(case, np.float64)[1]
    single = run(case, np.float32)[1]
    assert {g.dtype for g in single.values()} == {np.dtype(np.float32)}
    assert ratio(single, truth, rounding_bounds(case)) <= 1


@settings(max_examples=60)
@given(cases(repertoire(), ("ordinary",)))
def test_the_bound_of_the_value_covers_it(case):
    """Of the cost itself, to a factor of 4 that the primal check grants."""
    value, bound = run(case, np.float64)[0], rounding_bounds(case).value
    assert abs(value - value_and_gradient(case)[0]) <= 4 * bound


@settings(max_examples=60)
@given(cases(repertoire(), ("ordinary",)))
def test_the_bound_is_not_idle(case):
    """In ordinary cases it is far below the gradient: a relative error of a millionth would be seen."""
    gradient, bounds = value_and_gradient(case)[1], rounding_bounds(case).gradient
    largest = max(float(np.abs(g).max()) for g in gradient.values())
    assume(largest > 1e-3)
    assert max(float(b.max()) for n, b in bounds.items() if n in gradient) < 1e-6 * largest


def test_single_precision_widens_the_bound_by_its_roundoff(make_case):
    """2²⁹ times, to first order."""
    case = make_case(3, 4, 2)
    single, double = rounding_bounds(case, "float32").gradient["W1"], rounding_bounds(case, "float64").gradient["W1"]
    np.testing.assert_allclose(single / double, 2.0**29, rtol=0.1)


MP = {
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "tanh": mpmath.tanh,
    "softplus": lambda z: mpmath.log1p(mpmath.exp(z)),
    "gelu": lambda z: z * mpmath.ncdf(z),
    "gelu_tanh": lambda z: (
        z / 2 * (1 + mpmath.tanh(mpmath.mpf(0.7978845608028654) * (z + mpmath.mpf(0.044715) * z**3)))
    ),
    "elu(0.5)": lambda z: z if z > 0 else mpmath.expm1(z) / 2,
}

BUILTIN = {name: activation_named(name) for name in MP}


@pytest.mark.parametrize("name", MP)
@given(z=st.floats(-30, 30).filter(lambda z: abs(z) > 1e-3))
@settings(max_examples=40)
def test_activations_and_slopes_against_fifty_digits(name, z):
    """E_a covers the error of numpy's value, E_f′ that of jax's slope."""
    f, point = BUILTIN[name], np.array([[z]])
    a = np.asarray(f(point, xp_numpy))
    with mpmath.workdps(50):
        value = float(mpmath.mpf(float(a[0, 0])) - MP[name](mpmath.mpf(z)))
        slope = mpmath.mpf(float(activation_vjp(f)(point, np.ones((1, 1)))[0, 0]))
        slope = float(slope - mpmath.diff(MP[name], mpmath.mpf(z), h=mpmath.mpf(10) ** -20))
    bounds = activation_errors(f, point, a, np.zeros((1, 1)), 2.0**-53)
    assert abs(value) <= bounds.E_a[0, 0] + 1e-300
    assert abs(slope) <= bounds.E_f1[0, 0] + 1e-300


def test_an_undeclared_cancellation_is_measured():
    """A user's (1 − cos z)/z² is noisy near 0, and the bound knows."""
    f = Activation("versed", lambda z, xp: (1 - xp.cos(z)) / z**2)
    bounds = {}
    for z in (1.0, 1e-5):
        point = np.array([[z]])
        bounds[z] = activation_errors(f, point, np.asarray(f(point, xp_numpy)), np.zeros((1, 1)), 2.0**-53).E_f1[0, 0]
    assert bounds[1e-5] > 1e3 * bounds[1.0]


@pytest.mark.parametrize("options", [
    {"hidden": "relu"}, {"hidden": "leaky_relu(0.2)"}, {"hidden": "elu(0.5)"}])  # fmt: skip
def test_at_a_kink_either_slope_is_within_the_bound(make_case, options):
    """The bound holds the jump: any element of the Clarke interval passes."""
    case = make_case(3, 4, 2, regime="at_kink", **options)
    assert kink_distance(case) == 0
    away = rounding_bounds(make_case(3, 4, 2, **options)).gradient["W1"].max()
    assert rounding_bounds(case).gradient["W1"].max() > 1e6 * away


def test_at_a_kink_of_the_cost_either_slope_is_within_the_bound(make_case):
    """mae with a residual of exactly zero."""
    case = make_case(3, 2, cost="mae")
    with np.errstate(all="ignore"):
        exact = replace(case, targets=case.weight(1) @ case.inputs + case.bias(1))
    assert rounding_bounds(exact).gradient["b1"].min() >= 1 / case.samples


@pytest.mark.parametrize("bias", [True, False])
def test_every_gradient_has_a_bound(make_case, bias):
    """In the shape of its parameter, and of the input."""
    case = make_case(3, 4, 2, bias=bias)
    bounds = rounding_bounds(case).gradient
    assert {n: b.shape for n, b in bounds.items()} == {**case.architecture.shapes(), "x": (3, 3)}
    assert all((b > 0).all() for b in bounds.values())


def test_penalised_biases_round_too(make_case):
    """λ b adds a rounding to the bias gradient."""
    case = make_case(3, 2, l2=1000.0)
    decay = replace(case.architecture.regularisation, biases=True)
    both = replace(case, architecture=replace(case.architecture, regularisation=decay))
    assert (rounding_bounds(both).gradient["b1"] > rounding_bounds(case).gradient["b1"]).all()


@pytest.mark.parametrize("options", [{"output": "softmax", "cost": "mse"}, {"cost": "cross_entropy_logits"}])
def test_softmax_in_closed_form_is_softmax_unit_by_unit(make_case, options, monkeypatch):
    """The same bounds as by one vjp or Hessian product a unit."""
    case = make_case(3, 5, 4, **options)
    closed = rounding_bounds(case).gradient
    monkeypatch.setattr(error_analysis, "SOFTMAX", None)
    monkeypatch.setattr(error_analysis, "COSTS", {"cross_entropy_logits": None})
    for name, bound in rounding_bounds(case).gradient.items():
        np.testing.assert_allclose(closed[name], bound, rtol=1e-12)


def test_the_decay_may_be_carried_through_the_sum_over_the_samples(make_case):
    """λ W first, then sample by sample: each addition rounds at the size of λ W."""
    case = make_case(3, 2, output="identity", samples=400, l2=1000.0)
    W, x, m = case.weight(1), case.inputs, case.samples
    delta = 2.0 / m * (W @ x + case.bias(1) - case.targets)
    claim = 1000.0 * W
    for k in range(m):
        claim = claim + np.outer(delta[:, k], x[:, k])
    terms = (delta[:, None, :] * x[None, :, :]).tolist()
    right = np.array(
        [[math.fsum([*t, 1000.0 * w]) for t, w in zip(*row, strict=True)] for row in zip(terms, W, strict=True)]
    )
    off = np.abs(claim - right)
    assert np.all(off <= rounding_bounds(case).gradient["W1"])
    assert np.any(off > 4 * 2.0**-53 * np.abs(right))
