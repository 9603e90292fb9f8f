"""Libraries that the families are composed of: wrong derivatives as functions of z and a, wrong factors in m, n and L.

s   state of the sweep at layer l (see `backprop`)

A derivative row gives the factor that stands where σ′(z) should; a factor row gives a number. A hint never comes from here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradcheck.faults.backprop import Sweep
from gradcheck.networks import activation_named
from gradcheck.networks.namespace import xp_numpy
from gradcheck.numerics import Array
from gradcheck.oracles.autodiff import activation_second, activation_vjp


@dataclass(frozen=True, slots=True)
class Derivative:
    """key: part of names. text: the expression as it is written. local: made of z and a of this layer alone."""

    key: str
    text: str
    factor: Callable[[Sweep, int], Array]
    local: bool = True


@dataclass(frozen=True, slots=True)
class Factor:
    """key: part of names. text: the expression. value: (state, layer) -> number."""

    key: str
    text: str
    value: Callable[[Sweep, int], float]


def sigmoid(z: Array) -> Array:
    """Logistic function."""
    return np.asarray(activation_named("sigmoid")(z, xp_numpy))


def apply(s: Sweep, l: int, z: Array) -> Array:
    """f_l(z)."""
    return np.asarray(s.f(l)(z, xp_numpy))


def slope_of(name: str) -> Callable[[Sweep, int], Array]:
    """The derivative of a named activation, at z[l]."""
    activation = activation_named(name)

    def factor(s: Sweep, l: int) -> Array:
        return activation_vjp(activation)(s.z[l], np.ones_like(s.z[l]))

    return factor


def at_layer(offset: int) -> Callable[[Sweep, int], Array]:
    """The right derivative, at the z of another layer."""
    return lambda s, l: _prime_at(s, l, l + offset)


def _prime_at(s: Sweep, l: int, k: int) -> Array:
    """f_l′ at z[k]; the identity looks at no z, so that shapes need not agree."""
    return s.prime(l) if s.f(l).name == "identity" else s.prime(l, _within(s.z, k, s.z[l]))


def _within(values: list[Array], l: int, like: Array) -> Array:
    return values[l] if 1 <= l < len(values) else like


def _second(s: Sweep, l: int) -> Array:
    return activation_second(s.f(l))(s.z[l]) if s.f(l).elementwise else np.zeros_like(s.z[l])


LOCAL: tuple[Derivative, ...] = (
    Derivative("missing", "1", lambda s, l: np.ones_like(s.z[l])),
    Derivative("value", "σ(z)", lambda s, l: s.a[l]),
    Derivative("value_squared", "σ(z)²", lambda s, l: s.a[l] ** 2),
    Derivative("prime_squared", "σ′(z)²", lambda s, l: s.prime(l) ** 2),
    Derivative("prime_cubed", "σ′(z)³", lambda s, l: s.prime(l) ** 3),
    Derivative("root_of_prime", "√|σ′(z)|", lambda s, l: np.sqrt(np.abs(s.prime(l)))),
    Derivative("prime_of_a", "σ′(a)", lambda s, l: s.prime(l, s.a[l])),
    Derivative("value_of_a", "σ(σ(z))", lambda s, l: apply(s, l, s.a[l])),
    Derivative("prime_of_minus_z", "σ′(−z)", lambda s, l: s.prime(l, -s.z[l])),
    Derivative("prime_of_2z", "σ′(2z)", lambda s, l: s.prime(l, 2 * s.z[l])),
    Derivative("prime_of_half_z", "σ′(z/2)", lambda s, l: s.prime(l, s.z[l] / 2)),
    Derivative("prime_of_prime", "σ′(σ′(z))", lambda s, l: s.prime(l, s.prime(l))),
    Derivative("value_of_prime", "σ(σ′(z))", lambda s, l: apply(s, l, s.prime(l))),
    Derivative("value_of_minus_z", "σ(−z)", lambda s, l: apply(s, l, -s.z[l])),
    Derivative("second", "σ″(z)", _second),
    Derivative("minus_prime", "−σ′(z)", lambda s, l: -s.prime(l)),
    Derivative("twice_prime", "2 σ′(z)", lambda s, l: 2 * s.prime(l)),
    Derivative("half_prime", "½ σ′(z)", lambda s, l: 0.5 * s.prime(l)),
    Derivative("one_over_prime", "1/σ′(z)", lambda s, l: 1 / s.prime(l)),
    Derivative("prime_plus_tenth", "σ′(z) + 0.1", lambda s, l: s.prime(l) + 0.1),
    Derivative("prime_plus_hundredth", "σ′(z) + 0.01", lambda s, l: s.prime(l) + 0.01),
    Derivative("one_plus_prime", "1 + σ′(z)", lambda s, l: 1 + s.prime(l)),
    Derivative("one_minus_prime", "1 − σ′(z)", lambda s, l: 1 - s.prime(l)),
    Derivative("prime_times_value", "σ′(z) σ(z)", lambda s, l: s.prime(l) * s.a[l]),
    Derivative("prime_times_z", "σ′(z) z", lambda s, l: s.prime(l) * s.z[l]),
    Derivative("a_one_minus_a", "a(1 − a)", lambda s, l: s.a[l] * (1 - s.a[l])),
    Derivative("a_one_plus_a", "a(1 + a)", lambda s, l: s.a[l] * (1 + s.a[l])),
    Derivative("a_a_minus_one", "a(a − 1)", lambda s, l: s.a[l] * (s.a[l] - 1)),
    Derivative("one_minus_a", "1 − a", lambda s, l: 1 - s.a[l]),
    Derivative("one_plus_a", "1 + a", lambda s, l: 1 + s.a[l]),
    Derivative("one_minus_a_squared", "1 − a²", lambda s, l: 1 - s.a[l] ** 2),
    Derivative("one_plus_a_squared", "1 + a²", lambda s, l: 1 + s.a[l] ** 2),
    Derivative("square_of_one_minus_a", "(1 − a)²", lambda s, l: (1 - s.a[l]) ** 2),
    Derivative("a_minus_cube", "a(1 − a²)", lambda s, l: s.a[l] * (1 - s.a[l] ** 2)),
    Derivative("one_minus_z", "1 − z", lambda s, l: 1 - s.z[l]),
    Derivative("z_one_minus_z", "z(1 − z)", lambda s, l: s.z[l] * (1 - s.z[l])),
    Derivative("one_minus_z_squared", "1 − z²", lambda s, l: 1 - s.z[l] ** 2),
    Derivative("one_minus_tanh_a_squared", "1 − tanh²(a)", lambda s, l: 1 - np.tanh(s.a[l]) ** 2),
    Derivative("sigmoid_prime_of_a", "s(a)(1 − s(a))", lambda s, l: sigmoid(s.a[l]) * sigmoid(-s.a[l])),
    Derivative("sigmoid_of_a", "s(a)", lambda s, l: sigmoid(s.a[l])),
    Derivative("z", "z", lambda s, l: s.z[l]),
    Derivative("z_squared", "z²", lambda s, l: s.z[l] ** 2),
    Derivative("absolute_z", "|z|", lambda s, l: np.abs(s.z[l])),
    Derivative("sign_of_z", "sign(z)", lambda s, l: np.sign(s.z[l])),
    Derivative("positive_part", "max(z, 0)", lambda s, l: np.maximum(s.z[l], 0)),
    Derivative("step_below", "[z < 0]", lambda s, l: (s.z[l] < 0) * 1.0),
    Derivative("step_at_1", "[z > 1]", lambda s, l: (s.z[l] > 1) * 1.0),
    Derivative("step_at_half", "[z > ½]", lambda s, l: (s.z[l] > 0.5) * 1.0),
    Derivative("step_of_a_at_half", "[a > ½]", lambda s, l: (s.a[l] > 0.5) * 1.0),
    Derivative("step_of_a", "[a > 0]", lambda s, l: (s.a[l] > 0) * 1.0),
    Derivative("half_step", "[|z| < 1]", lambda s, l: (np.abs(s.z[l]) < 1) * 1.0),
    Derivative("exponential", "exp(z)", lambda s, l: np.exp(s.z[l])),
    Derivative("exponential_of_minus_z", "exp(−z)", lambda s, l: np.exp(-s.z[l])),
    Derivative("sigmoid", "s(z), the logistic function", lambda s, l: sigmoid(s.z[l])),
    Derivative("sigmoid_prime", "s(z)(1 − s(z)), that of sigmoid", slope_of("sigmoid")),
    Derivative("tanh_prime", "1 − tanh²(z), that of tanh", slope_of("tanh")),
    Derivative("one_minus_tanh", "1 − tanh(z)", lambda s, l: 1 - np.tanh(s.z[l])),
    Derivative("step", "[z > 0], that of relu", slope_of("relu")),
    Derivative("gelu_prime", "Φ(z) + z φ(z), that of gelu", slope_of("gelu")),
    Derivative("gelu_tanh_prime", "that of the tanh approximation of gelu", slope_of("gelu_tanh")),
    Derivative("normal_cdf", "Φ(z)", lambda s, l: 0.5 * (1 + xp_numpy.erf(s.z[l] * 0.7071067811865476))),
    Derivative("normal_density", "φ(z)", lambda s, l: np.exp(-(s.z[l] ** 2) / 2) * 0.3989422804014327),
    Derivative("quick_gelu", "s(1.702 z)", lambda s, l: sigmoid(1.702 * s.z[l])),
    Derivative("leaky_001", "1 or 0.01, that of leaky_relu(0.01)", slope_of("leaky_relu(0.01)")),
    Derivative("leaky_01", "1 or 0.1, that of leaky_relu(0.1)", slope_of("leaky_relu(0.1)")),
    Derivative("leaky_02", "1 or 0.2, that of leaky_relu(0.2)", slope_of("leaky_relu(0.2)")),
    Derivative("leaky_swapped", "1 below 0 and 0.01 above", lambda s, l: np.where(s.z[l] < 0, 1.0, 0.01)),
    Derivative("elu_prime", "1 or exp(z), that of elu(1)", slope_of("elu(1.0)")),
    Derivative("elu_value", "1 or 1 + a", lambda s, l: np.where(s.z[l] > 0, 1.0, 1 + s.a[l])),
    Derivative("elu_unscaled", "1 or a", lambda s, l: np.where(s.z[l] > 0, 1.0, s.a[l])),
)
DISTANT: tuple[Derivative, ...] = (
    Derivative("prime_without_bias", "σ′(z − b)", lambda s, l: s.prime(l, s.z[l] - s.b(l)), local=False),
    Derivative("prime_of_bias", "σ′(b)", lambda s, l: s.prime(l, s.b(l) + 0 * s.z[l]), local=False),
    Derivative("prime_of_above", "σ′ of what comes from above", lambda s, l: s.prime(l, s.above[l]), local=False),
    Derivative(
        "mean_over_samples",
        "σ′(z) averaged over the samples",
        lambda s, l: s.prime(l).mean(axis=1, keepdims=True),
        local=False,
    ),
    Derivative(
        "prime_of_mean_z",
        "σ′ of z averaged over the samples",
        lambda s, l: s.prime(l, s.z[l].mean(axis=1, keepdims=True) + 0 * s.z[l]),
        local=False,
    ),
    Derivative(
        "mean_over_units",
        "σ′(z) averaged over the units",
        lambda s, l: s.prime(l).mean(axis=0, keepdims=True),
        local=False,
    ),
    Derivative("first_sample", "σ′(z) of the first sample, for all", lambda s, l: s.prime(l)[:, :1], local=False),
    Derivative("last_sample", "σ′(z) of the last sample, for all", lambda s, l: s.prime(l)[:, -1:], local=False),
    Derivative("first_unit", "σ′(z) of the first unit, for all", lambda s, l: s.prime(l)[:1], local=False),
    Derivative("last_unit", "σ′(z) of the last unit, for all", lambda s, l: s.prime(l)[-1:], local=False),
    Derivative("units_reversed", "σ′(z) in the reverse order of the units", lambda s, l: s.prime(l)[::-1], local=False),
    Derivative(
        "samples_shifted", "σ′(z) of the sample before", lambda s, l: np.roll(s.prime(l), 1, axis=1), local=False
    ),
    Derivative("clipped", "σ′(z) cut off at 0.2", lambda s, l: np.minimum(s.prime(l), 0.2), local=False),
)
OUTPUT_ONLY: tuple[Derivative, ...] = (
    Derivative("prime_of_target", "σ′(y)", lambda s, l: s.prime(l, s.y), local=False),
    Derivative("target_form", "y(1 − y)", lambda s, l: s.y * (1 - s.y), local=False),
    Derivative("prime_of_below", "σ′(z) of the layer below", at_layer(-1), local=False),
)
HIDDEN_ONLY: tuple[Derivative, ...] = (
    Derivative("z_of_layer_above", "σ′(z) of the layer above", at_layer(1), local=False),
    Derivative("z_of_layer_below", "σ′(z) of the layer below", at_layer(-1), local=False),
    Derivative("z_of_last_layer", "σ′(z) of the last layer", lambda s, l: _prime_at(s, l, s.L), local=False),
)  # fmt: skip

FACTORS: tuple[Factor, ...] = (
    Factor("minus", "−1", lambda s, l: -1.0),
    Factor("twice", "2", lambda s, l: 2.0),
    Factor("half", "½", lambda s, l: 0.5),
    Factor("zero", "0", lambda s, l: 0.0),
    Factor("times_m", "m", lambda s, l: s.m),
    Factor("over_m", "1/m", lambda s, l: 1 / s.m),
    Factor("over_2m", "1/(2m)", lambda s, l: 1 / (2 * s.m)),
    Factor("two_over_m", "2/m", lambda s, l: 2 / s.m),
    Factor("over_m_squared", "1/m²", lambda s, l: 1 / s.m**2),
    Factor("m_squared", "m²", lambda s, l: s.m**2),
    Factor("m_over_m_minus_1", "m/(m − 1)", lambda s, l: s.m / max(s.m - 1, 1)),
    Factor("m_over_m_plus_1", "m/(m + 1)", lambda s, l: s.m / (s.m + 1)),
    Factor("m_minus_1_over_m", "(m − 1)/m", lambda s, l: (s.m - 1) / s.m if s.m > 1 else 1.0),
    Factor("over_root_m", "1/√m", lambda s, l: s.m**-0.5),
    Factor("root_m", "√m", lambda s, l: s.m**0.5),
    Factor("times_n_out", "n_L", lambda s, l: s.n[-1]),
    Factor("over_n_out", "1/n_L", lambda s, l: 1 / s.n[-1]),
    Factor("m_over_n_out", "m/n_L", lambda s, l: s.m / s.n[-1]),
    Factor("times_n_in", "n_0", lambda s, l: s.n[0]),
    Factor("over_n_in", "1/n_0", lambda s, l: 1 / s.n[0]),
    Factor("m_over_n_in", "m/n_0", lambda s, l: s.m / s.n[0]),
    Factor("times_n", "n_l", lambda s, l: s.n[l]),
    Factor("over_n", "1/n_l", lambda s, l: 1 / s.n[l]),
    Factor("times_n_below", "n_{l−1}", lambda s, l: s.n[l - 1]),
    Factor("over_n_below", "1/n_{l−1}", lambda s, l: 1 / s.n[l - 1]),
    Factor("over_root_n_below", "1/√n_{l−1}", lambda s, l: s.n[l - 1] ** -0.5),
    Factor("over_root_n", "1/√n_l", lambda s, l: s.n[l] ** -0.5),
    Factor("times_L", "L", lambda s, l: s.L),
    Factor("over_L", "1/L", lambda s, l: 1 / s.L),
    Factor("times_l", "l", lambda s, l: l),
    Factor("lambda", "λ", lambda s, l: s.case.architecture.regularisation.strength),
    Factor("one_minus_lambda", "1 − λ", lambda s, l: 1 - s.case.architecture.regularisation.strength),
    Factor("one_plus_lambda", "1 + λ", lambda s, l: 1 + s.case.architecture.regularisation.strength),
)
PLAIN_FACTORS = tuple(f for f in FACTORS if "lambda" not in f.key and f.key != "zero")
