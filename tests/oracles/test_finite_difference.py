"""Finite differences: known derivatives within their bounds, kinks and jumps, measured noise, the ladder."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck.oracles.finite_difference import (
    NOISE_POINTS,
    Derivative,
    combine,
    directional,
    ladder,
    ladder_points,
    measured_noise,
    noise_points,
)

ONE = {"t": np.ones(())}


def derivative(f, t, step=0.25, **options):
    """f′(t) by differences."""
    return directional(
        lambda ps: [float(f(float(p["t"]))) for p in ps], {"t": np.asarray(t)}, [ONE], [step], **options
    )[0]


KNOWN = [
    ("exp", math.exp, 0.3, math.exp(0.3), 1e-6),
    ("sin", math.sin, 1.0, math.cos(1.0), 1e-6),
    ("cube", lambda t: t**3, 2.0, 12.0, 1e-6),
    ("seventh power", lambda t: t**7, 1.5, 7 * 1.5**6, 1e-4),
    ("runge", lambda t: 1 / (1 + 25 * t * t), 0.1, -50 * 0.1 / (1 + 25 * 0.01) ** 2, 1e-5),
    ("constant", lambda t: 5.0, 0.0, 0.0, 1e-10),
    ("zero", lambda t: 0.0, 0.0, 0.0, 1e-300),
    ("line", lambda t: 3 * t - 1, 0.7, 3.0, 1e-10),
    ("a large offset", lambda t: 1e6 + math.sin(t), 0.5, math.cos(0.5), 1e-4),
    ("tiny", lambda t: 1e-12 * math.sin(t), 0.5, 1e-12 * math.cos(0.5), 1e-18),
    ("flat maximum", lambda t: -(t**4), 0.0, 0.0, 1e-9),
    ("fast oscillation", lambda t: math.sin(20 * t), 0.2, 20 * math.cos(4.0), 1e-3),
    ("logarithm near its pole", math.log, 0.3, 1 / 0.3, 1e-5),
]


@pytest.mark.parametrize(("name", "f", "t", "slope", "allowed"), KNOWN, ids=[k[0] for k in KNOWN])
def test_known_derivatives(name, f, t, slope, allowed):
    """Within the bound, and the bound is small."""
    found = derivative(f, t)
    assert abs(found.value - slope) <= found.error
    assert found.error <= allowed


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=6), st.floats(-1.5, 1.5))
@settings(max_examples=200)
def test_the_interval_holds_the_derivative_of_a_polynomial(coefficients, t):
    """Of any degree up to 5."""
    p = np.polynomial.Polynomial(coefficients)
    found = derivative(p, t)
    assert abs(found.value - p.deriv()(t)) <= found.error + 1e-300


@given(st.floats(0.1, 6), st.floats(-3, 3), st.floats(1e-3, 1.0))
@settings(max_examples=200)
def test_the_interval_holds_the_derivative_of_a_wave(frequency, t, step):
    """Whatever the first step."""
    found = derivative(lambda s: math.sin(frequency * s), t, step)
    assert abs(found.value - frequency * math.cos(frequency * t)) <= found.error


@given(st.floats(1e-9, 0.3), st.sampled_from([-1, 1]), st.floats(-2, 2), st.floats(0.01, 2))
@settings(max_examples=200)
def test_a_kink_nearby_never_gives_a_wrong_interval(distance, side, left, jump):
    """The slope of the point's own side lies within the bound, or there is no bound."""
    right = left + jump

    def f(t):
        s = t + side * distance
        return (right if s > 0 else left) * s + 0.1 * t * t

    found = derivative(f, 0.0)
    assert abs(found.value - (right if side > 0 else left)) <= found.error


@given(st.floats(1e-6, 0.3), st.sampled_from([-1, 1]), st.floats(0.1, 2))
@settings(max_examples=200)
def test_a_jump_nearby_never_gives_a_wrong_interval(distance, side, height):
    """A step function beside the point."""
    found = derivative(lambda t: math.sin(t) + height * (t > side * distance), 0.0)
    assert abs(found.value - 1.0) <= found.error


@pytest.mark.parametrize(("left", "right"), [(-1.0, 1.0), (0.0, 1.0), (0.1, 1.0), (2.0, -3.0)])
def test_exactly_at_a_kink_the_interval_holds_both_slopes(left, right):
    """Any element of the Clarke interval is right, and the reason is given."""
    found = derivative(lambda t: (right if t > 0 else left) * t + t * t, 0.0)
    assert found.value - found.error <= min(left, right)
    assert max(left, right) <= found.value + found.error
    assert found.reason == "a kink at the point"


@pytest.mark.parametrize(("exponent", "allowed"), [(-3, 10), (-6, 1e-2), (-9, 1e-5), (-12, 1e-7)])
def test_noise_is_measured_and_widens_the_bound(exponent, allowed):
    """A primal with random noise of a known size: the interval is right, and not much wider than needed."""
    generator = np.random.default_rng(4)
    for _ in range(20):
        found = derivative(lambda t: math.sin(t) + 10.0**exponent * generator.standard_normal(), 0.5)
        assert abs(found.value - math.cos(0.5)) <= found.error
        assert found.error <= allowed


def test_single_precision_is_told_by_its_roundoff():
    """A primal computed in float32."""
    found = derivative(lambda t: np.tanh(np.float32(t)), 0.4, roundoff=2.0**-24)
    assert abs(found.value - (1 - math.tanh(0.4) ** 2)) <= found.error
    assert found.error < 1e-3


def test_a_known_noise_is_a_floor():
    """Although the values look smoother than they are."""
    assert derivative(math.sin, 0.5, noise_floor=1e-3).error > 100 * derivative(math.sin, 0.5).error


@pytest.mark.parametrize("f", [lambda t: math.nan, lambda t: math.inf, lambda t: math.nan if abs(t) < 1e-3 else t])
def test_without_finite_values_there_is_no_bound(f):
    """And the reason is given."""
    found = derivative(f, 0.0)
    assert (found.error, found.reason) == (math.inf, "the primal is not finite near the point")


def test_coarse_steps_may_leave_the_domain():
    """√ beside 0: the finite tail of the ladder is enough."""
    found = derivative(lambda t: math.sqrt(t) if t >= 0 else math.nan, 0.01, 0.25, levels=8)
    assert abs(found.value - 5.0) <= found.error
    assert found.error < 1e-3


def test_too_few_finite_steps_give_no_bound():
    """Three steps have no coarser neighbours to be judged by."""
    found = combine([1.0, -1.0] * 3, ladder(0.1, 3), 1e-16)
    assert (found.error, found.reason) == (math.inf, "too few steps")


def test_a_kink_beside_the_point_is_said():
    """The reason comes with the widened interval."""
    steps = ladder(0.25, 8)
    points = [t for h in steps for t in (h, -h)]
    values = [abs(t + 1e-4) for t in points]
    found = combine(values, steps, 1e-17)
    assert abs(found.value - 1.0) <= found.error
    assert isinstance(found, Derivative)


@given(st.integers(0, 2**32 - 1), st.floats(-12, 0))
@settings(max_examples=100)
def test_noise_is_measured_within_a_factor(seed, exponent):
    """Standard deviation of white noise on a smooth curve, from nine points: within a factor of 4 nearly always."""
    sigma = 10.0**exponent
    t = np.linspace(-1e-4, 1e-4, 9)
    noise = np.random.default_rng(seed).standard_normal((50, 9)) * sigma
    found = [measured_noise(1 + 1e-6 * t + row) for row in noise]
    inside = [0.25 * sigma <= s <= 4 * sigma for s in found]
    assert np.mean(inside) > 0.9


def test_noise_of_a_value_that_is_not_finite_is_infinite():
    """No step helps there."""
    assert measured_noise([1.0, math.nan, *[1.0] * 7]) == math.inf


def test_a_smooth_function_shows_hardly_any_noise():
    """Only its own rounding."""
    assert measured_noise([math.sin(1e-5 * k) for k in range(9)]) < 1e-14


@pytest.mark.parametrize("step", [1e-4, 1e-3])
def test_curvature_is_not_taken_for_noise(step):
    """Second differences of a smooth curve are far above its rounding: only the orders from 3 on are looked at."""
    t = step * np.arange(-4.0, 5.0)
    values = 1 + 50 * t**2
    assert np.abs(np.diff(values, 2)).min() > 1e-7
    assert measured_noise(values) < 1e-14


@pytest.mark.parametrize("sigma", [1e-3, 1e-9, 1e-13])
def test_noise_is_found_below_curvature(sigma):
    """White noise on a parabola, by the plateau of the orders from 3 on: within a factor of four."""
    t = 1e-2 * np.arange(-4.0, 5.0)
    rows = 1 + 50 * t**2 + sigma * np.random.default_rng(0).standard_normal((200, 9))
    inside = [0.25 * sigma <= measured_noise(row) <= 4 * sigma for row in rows]
    assert np.mean(inside) > 0.9


def test_the_ladder_and_its_points():
    """Steps fall by 4; θ + hv and θ − hv for each; the noise points are equally spaced around θ."""
    steps = ladder(0.5, 3)
    np.testing.assert_array_equal(steps, [0.5, 0.125, 0.03125])
    theta, v = {"a": np.zeros(2), "b": np.ones(1)}, {"a": np.array([1.0, -1.0])}
    points = ladder_points(theta, v, steps)
    np.testing.assert_array_equal([p["a"][0] for p in points], [0.5, -0.5, 0.125, -0.125, 0.03125, -0.03125])
    assert all(p["b"] is theta["b"] for p in points)
    close = [p["a"][0] for p in noise_points(theta, v, 1e-6)]
    np.testing.assert_allclose(close, 1e-6 * np.arange(-4, 5))
    assert len(close) == NOISE_POINTS


def test_several_directions_in_one_batch():
    """The evaluator is called once with all points."""
    calls = []

    def evaluate(points):
        calls.append(len(points))
        return [float(np.sum(p["a"] ** 2)) for p in points]

    directions = [{"a": np.array([1.0, 0.0])}, {"a": np.array([0.0, 1.0])}]
    found = directional(evaluate, {"a": np.array([1.0, 2.0])}, directions, [0.1, 0.1])
    assert calls == [2 * 2 * 6 + NOISE_POINTS]
    assert [d.value for d in found] == pytest.approx([2.0, 4.0], rel=1e-9)


def saturated(points):
    """(1000 σ(t) − 1000 w)⁴ with w near 1: for t = 40 no step moves a bit of it, though its derivative is not 0."""
    return [float((1000 / (1 + np.exp(-p["t"][0])) - 1000 * p["w"][0]) ** 4) for p in points]


def test_a_saturated_unit_does_not_pass_for_a_derivative_of_zero():
    """All values are the same; what the last place of the unit is worth behind the cancellation bounds the error."""
    point = {"t": np.array([40.0]), "w": np.array([1 - 1e-12])}
    (found,) = directional(saturated, point, [{"t": np.ones(1)}], [0.02])
    true = 4 * (1000 * 1e-12) ** 3 * 1000 * math.exp(-40)
    assert found.value == 0.0
    assert found.error > true


def test_an_argument_that_is_not_used_has_the_derivative_zero():
    """To within the noise of the value: a claim that it is another is wrong."""
    point = {"t": np.array([0.3]), "unused": np.array([0.7])}
    (found,) = directional(lambda ps: [float(np.sin(p["t"][0])) for p in ps], point, [{"unused": np.ones(1)}], [0.02])
    assert (found.value, found.error < 1e-11) == (0.0, True)
