"""Wrong derivatives of activations, at the output (BP1), in the hidden layers (BP2), or wherever one activation stands.

Every row of `expressions` stands once in each of these places: a wrong expression × a wrong place.
"""

# ruff: noqa: E501 (tables: one row a line)

from collections.abc import Iterator

import numpy as np

from gradcheck.faults.backprop import Edit, Sweep
from gradcheck.faults.expressions import DISTANT, HIDDEN_ONLY, LOCAL, OUTPUT_ONLY, Derivative
from gradcheck.faults.fault import Fault, Sites
from gradcheck.numerics import Array
from gradcheck.oracles.autodiff import activation_vjp

BP1 = "δᴸ = ∇C ⊙ σ′(zᴸ)"
BP2 = "δˡ = (Wˡ⁺¹ᵀ δˡ⁺¹) ⊙ σ′(zˡ)"
FORMULAS: dict[str, str] = {
    "sigmoid": "σ′(z) = a(1 − a)",
    "tanh": "σ′(z) = 1 − a²",
    "relu": "σ′(z) = [z > 0]",
    "softplus": "σ′(z) = 1/(1 + e⁻ᶻ)",
    "gelu": "σ′(z) = Φ(z) + z φ(z)",
    "gelu_tanh": "σ′(z) = ½(1 + tanh u) + ½ z (1 − tanh² u) u′",
    "leaky_relu": "σ′(z) = 1 for z > 0 and the slope elsewhere",
    "elu": "σ′(z) = 1 for z > 0 and a + α elsewhere",
    "identity": "σ′(z) = 1",
}
SAME: dict[str, tuple[str, ...]] = {
    "sigmoid": ("prime_of_minus_z", "a_one_minus_a", "sigmoid_prime", "step_of_a", "sigmoid", "sigmoid_prime_of_a",
                "sigmoid_of_a", "value_of_minus_z", "a_a_minus_one", "step_of_a_at_half"),
    "tanh": ("prime_of_minus_z", "one_minus_a_squared", "tanh_prime", "one_minus_prime", "one_minus_tanh_a_squared",
             "a_minus_cube", "one_minus_tanh", "step_of_a"),
    "relu": ("prime_squared", "prime_cubed", "root_of_prime", "prime_of_a", "prime_of_2z", "prime_of_half_z",
             "prime_of_prime", "value_of_prime", "step_of_a", "step", "elu_unscaled", "elu_value", "value_of_a",
             "prime_times_value", "prime_times_z", "positive_part", "prime_of_minus_z", "one_minus_prime",
             "step_of_a_at_half", "second", "one_over_prime"),
    "softplus": ("sigmoid", "step_of_a", "sigmoid_of_a", "one_minus_prime", "second"),
    "gelu": ("gelu_prime", "one_minus_prime", "step_of_a"),
    "gelu_tanh": ("gelu_tanh_prime", "one_minus_prime", "step_of_a"),
    "leaky_relu": ("prime_of_a", "prime_of_2z", "prime_of_half_z", "value_of_prime", "prime_of_prime",
                   "prime_times_z", "prime_times_value", "step_of_a_at_half", "step_of_a", "second"),
    "elu": ("elu_value", "value_of_prime", "prime_of_prime", "step_of_a_at_half", "step_of_a"),
    "identity": ("missing", "prime_squared", "prime_cubed", "root_of_prime", "prime_of_a", "prime_of_minus_z",
                 "prime_of_2z", "prime_of_half_z", "prime_of_prime", "value_of_prime", "one_over_prime", "value_of_a",
                 "prime_times_value", "prime_times_z", "value", "value_squared", "one_minus_prime", "second",
                 "one_plus_prime", "a_one_minus_a", "one_minus_a", "one_minus_a_squared", "one_minus_tanh_a_squared",
                 "sigmoid_prime_of_a", "sigmoid_of_a", "step_of_a_at_half", "step_of_a"),
}  # fmt: skip
"""Rows that are right for an activation, or the same as another row that is kept."""
_FACTORS = ("minus_prime", "twice_prime", "half_prime")
"""Rows that stand in `scale` already, where they are not of one activation."""


def _edit(row: Derivative) -> Edit:
    def edit(s: Sweep, l: int, value: Array) -> Array:
        return np.asarray(s.above[l] * row.factor(s, l))

    return edit


def _titled(row: Derivative) -> str:
    return "σ′(z) is left out" if row.key == "missing" else f"{row.text} stands where σ′(z) should"


def _place(rows: tuple[Derivative, ...], equation: str, sites: Sites) -> Iterator[Fault]:
    where = "in the output error" if equation == "BP1" else "in the recursion"
    formula = BP1 if equation == "BP1" else BP2
    hint = f"multiply by the derivative of the activation at z of the same layer: {formula}"
    for row in (r for r in rows if r.key not in _FACTORS):
        hidden = f"where {row.text} and σ′(z) are the same, as for some activations they are"
        name = f"{equation.lower()}_{'no_sigma_prime' if row.key == 'missing' else 'prime_is_' + row.key}"
        yield Fault(name, f"{_titled(row)} {where}", equation, "derivative", _edit(row), sites, hidden, hint)


def _activations() -> Iterator[Fault]:
    """The local rows, in the layers with one activation only."""
    for activation, formula in FORMULAS.items():
        for row in (r for r in LOCAL if r.key not in SAME[activation]):
            yield Fault(
                f"act_{activation}_{row.key}",
                f"the derivative of {activation} is taken as {row.text}",
                "activation",
                "derivative",
                _edit(row),
                "every",
                f"where {activation} is not used, or where the two expressions meet",
                f"use the derivative of {activation}: {formula}",
                activation,
            )


def _added(s: Sweep, l: int, value: Array) -> Array:
    return np.asarray(s.above[l] + s.prime(l))


def _other_activation(offset: int) -> Edit:
    """The pullback of the activation of another layer."""

    def edit(s: Sweep, l: int, value: Array) -> Array:
        return activation_vjp(s.f(min(max(l + offset, 1), s.L)))(s.z[l], s.above[l])

    return edit


def _dot(s: Sweep, l: int, value: Array) -> Array:
    return np.asarray(value.sum(axis=0, keepdims=True) + 0 * value)


def _gate(s: Sweep, l: int, value: Array) -> Array:
    return np.asarray(s.above[l] * (s.above[l] > 0))


def _gate_both(s: Sweep, l: int, value: Array) -> Array:
    return np.asarray(s.above[l] * (s.z[l] > 0) * (s.above[l] > 0))


def _error_form(s: Sweep, l: int, value: Array) -> Array:
    return np.asarray(s.above[l] * (1 - s.above[l]))


def _error_form_tanh(s: Sweep, l: int, value: Array) -> Array:
    return np.asarray(1 - s.above[l] ** 2)


def _overwritten_output(s: Sweep, l: int, value: Array) -> Array:
    r = s.a[l] - s.y
    return np.asarray(s.above[l] * r * (1 - r))


def _overwritten_output_tanh(s: Sweep, l: int, value: Array) -> Array:
    return np.asarray(s.above[l] * (1 - (s.a[l] - s.y) ** 2))


def _elu_alpha(s: Sweep, l: int, value: Array) -> Array:
    return np.asarray(s.above[l] * np.where(s.z[l] > 0, 1.0, s.a[l] + 1))


def _value_times_above(s: Sweep, l: int, value: Array) -> Array:
    return s.a[l] * s.above[l]


def _softmax_mean(s: Sweep, l: int, value: Array) -> Array:
    return np.asarray(s.a[l] * (s.above[l] - s.above[l].mean(axis=0, keepdims=True)))


def _softmax_sum(s: Sweep, l: int, value: Array) -> Array:
    return np.asarray(s.a[l] * (s.above[l] - s.above[l].sum(axis=0, keepdims=True)))


def _softmax_plus(s: Sweep, l: int, value: Array) -> Array:
    return np.asarray(s.a[l] * (s.above[l] + (s.a[l] * s.above[l]).sum(axis=0, keepdims=True)))


def _softmax_off_diagonal(s: Sweep, l: int, value: Array) -> Array:
    return np.asarray(-s.a[l] * ((s.a[l] * s.above[l]).sum(axis=0, keepdims=True) - s.a[l] * s.above[l]))


def _softmax_axis(s: Sweep, l: int, value: Array) -> Array:
    return np.asarray(s.a[l] * (s.above[l] - (s.a[l] * s.above[l]).sum(axis=1, keepdims=True)))


def _softmax_all(s: Sweep, l: int, value: Array) -> Array:
    return np.asarray(s.a[l] * (s.above[l] - (s.a[l] * s.above[l]).sum()))


_EDITS: tuple[tuple[str, str, Edit, str], ...] = (
    ("added", "σ′(z) is added instead of multiplied", _added, "where what comes from above is 1 and σ′ is 1"),
    ("dot_product", "the elementwise product became a scalar product, one number for all units", _dot, "one unit"),
    ("activation_below", "the derivative of the activation of the layer below is used", _other_activation(-1), "equal activations; the first layer"),
    ("activation_above", "the derivative of the activation of the layer above is used", _other_activation(1), "equal activations; the output layer"),
    ("activation_of_output", "the derivative of the output activation is used", _other_activation(10**6), "equal activations; the output layer"),
    ("gate_on_error", "what comes from above is cut off where it is negative itself, instead of σ′(z)", _gate, "where no error is negative and σ′ is 1"),
    ("gate_on_both", "the error passes only where z and the error are positive", _gate_both, "relu with no negative error"),
    ("of_the_error", "e(1 − e) of the error e itself is taken, instead of e σ′(z)", _error_form, "never, but for chance"),
    ("tanh_of_the_error", "1 − e² of the error e itself is taken, instead of e σ′(z)", _error_form_tanh, "never, but for chance"),
)  # fmt: skip
_HIDDEN_EDITS = ("activation_above", "activation_of_output")
_SOFTMAX: tuple[tuple[str, str, Edit], ...] = (
    ("no_jacobian", "the Jacobian of softmax is left out", lambda s, l, v: s.above[l] * 1.0),
    ("diagonal_only", "only the diagonal a(1 − a) of the Jacobian of softmax is used", lambda s, l, v: s.above[l] * s.a[l] * (1 - s.a[l])),
    ("no_sum", "a ⊙ v is taken for softmax, without the sum over the units", _value_times_above),
    ("mean", "softmax subtracts the plain mean instead of the weighted sum", _softmax_mean),
    ("unweighted_sum", "softmax subtracts the plain sum instead of the weighted one", _softmax_sum),
    ("plus", "softmax adds the weighted sum instead of subtracting it", _softmax_plus),
    ("off_diagonal_only", "only the off-diagonal part of the Jacobian of softmax is used", _softmax_off_diagonal),
    ("sum_over_samples", "softmax sums over the samples instead of the units", _softmax_axis),
    ("sum_over_everything", "softmax sums over units and samples", _softmax_all),
    ("negative", "the Jacobian of softmax has the wrong sign", lambda s, l, v: -v),
    ("twice", "the Jacobian of softmax is applied twice", lambda s, l, v: s.a[l] * (v - (s.a[l] * v).sum(axis=0, keepdims=True))),
    ("value_squared", "a² stands where the Jacobian of softmax should", lambda s, l, v: s.above[l] * s.a[l] ** 2),
)  # fmt: skip


def _edits() -> Iterator[Fault]:
    for equation, sites, formula in (("BP1", "output", BP1), ("BP2", "hidden", BP2)):
        for key, title, edit, hidden in _EDITS:
            if equation == "BP1" and key in _HIDDEN_EDITS:
                continue
            where = "in the output error" if equation == "BP1" else "in the recursion"
            name = f"{equation.lower()}_prime_{key}"
            yield Fault(name, f"{title} {where}", equation, "derivative", edit, _sites(sites), hidden,
                        f"multiply by σ′(z): {formula}")  # fmt: skip


def _sites(name: str) -> Sites:
    return "output" if name == "output" else "hidden"


def _softmax() -> Iterator[Fault]:
    hint = "apply the whole Jacobian: δ = a ⊙ (v − Σ over the units of a ⊙ v), v = ∇C"
    for key, title, edit in _SOFTMAX:
        hidden = "with cross entropy the shortcut δ = a − y never meets it; one output unit"
        yield Fault(f"act_softmax_{key}", title, "activation", "derivative", edit, "every", hidden, hint, "softmax")


def _overwritten() -> Iterator[Fault]:
    """In-place: `a -= y` has made the output a residual before the derivative is computed from it."""
    hint = f"keep a and a − y apart, the derivative still needs a: {BP1}"
    for name, edit in (("sigmoid", _overwritten_output), ("tanh", _overwritten_output_tanh)):
        title = f"the derivative of {name} in the output layer is computed from a − y, as when y is subtracted in place"
        yield Fault(
            f"bp1_{name}_of_overwritten_output", title, "BP1", "derivative", edit, "output", "targets of 0", hint, name
        )


def _elu() -> Fault:
    return Fault(
        "act_elu_alpha_is_1",
        "the derivative of elu is taken as a + 1 below 0 whatever α is",
        "activation",
        "derivative",
        _elu_alpha,
        "every",
        "α = 1, the default, or z > 0",
        "below 0 use a + α, which is α eᶻ",
        "elu",
    )


FAULTS: tuple[Fault, ...] = (
    *_place((*LOCAL, *DISTANT, *OUTPUT_ONLY), "BP1", "output"),
    *_place((*LOCAL, *DISTANT, *HIDDEN_ONLY), "BP2", "hidden"),
    *_edits(),
    *_activations(),
    *_softmax(),
    *_overwritten(),
    _elu(),
)
