"""The trusted backprop in numpy, its equations as values: editing one of them plants a mistake.

letter    meaning                                                       shape
m, L      samples, layers; n[l] units of layer l, layer 0 is the input
x, y      inputs and targets, samples in columns                        (n_0, m), (n_L, m)
W[l]      weights from layer l − 1 to layer l                           (n_l, n_{l−1})
z[l]      weighted input W[l] a[l−1] + b[l]; a[0] = x                   (n_l, m)
a[l]      activation f_l(z[l])                                          (n_l, m)
above[l]  ∂C/∂a[l]: what comes from above                               (n_l, m)
delta[l]  ∂C/∂z[l]                                                      (n_l, m)
decay     2 λ factor(m): the slope of the L2 term at W = 1

    BP1  δ[L]  = σ′(z[L]) ⊙ ∇C                     ∇C with the scale of the cost, 1/m included
    BP2  δ[l]  = σ′(z[l]) ⊙ W[l+1]ᵀ δ[l+1]
    BP3  db[l] = Σ over samples of δ[l]
    BP4  dW[l] = δ[l] a[l−1]ᵀ + decay W[l]

"σ′(z) ⊙ v" is the pullback (z, v) → Jᵀv of the activation, by jax. This module must not know faults.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from gradcheck.networks import Activation, Case, forward
from gradcheck.numerics import Array
from gradcheck.oracles.autodiff import activation_vjp, cost_vjp

Equation = Callable[["Sweep", int], Array]
"""(state of the sweep, layer) -> the value of one equation at that layer."""
Edit = Callable[["Sweep", int, Array], Array]
"""(state of the sweep, layer, right value) -> wrong value."""
Slot = Literal[
    "cost_gradient",
    "recursion",
    "derivative",
    "bias_gradient",
    "weight_gradient",
    "weight_decay",
    "bias_decay",
    "weight_result",
    "bias_result",
]


@dataclass(slots=True, eq=False)
class Sweep:
    """What a backward pass has at hand: the case, its forward pass, and all that it has computed so far, by layer."""

    case: Case
    z: list[Array]
    a: list[Array]
    above: dict[int, Array] = field(default_factory=dict)
    delta: dict[int, Array] = field(default_factory=dict)
    dW: dict[int, Array] = field(default_factory=dict)
    db: dict[int, Array] = field(default_factory=dict)
    cache: dict[object, Array] = field(default_factory=dict)

    @property
    def L(self) -> int:
        """Layers."""
        return self.case.architecture.depth

    @property
    def m(self) -> int:
        """Samples."""
        return self.case.samples

    @property
    def n(self) -> tuple[int, ...]:
        """Widths, n[0] the inputs."""
        return self.case.architecture.widths

    @property
    def x(self) -> Array:
        """Inputs."""
        return self.case.inputs

    @property
    def y(self) -> Array:
        """Targets."""
        return self.case.targets

    @property
    def scale(self) -> float:
        """Factor of the summed cost."""
        return self.case.architecture.cost_scale(self.m)

    @property
    def decay(self) -> float:
        """2 λ factor(m)."""
        return 2.0 * self.case.architecture.regularisation.factor(self.m)

    def W(self, l: int) -> Array:
        """Weights of layer l."""
        return self.case.weight(l)

    def b(self, l: int) -> Array:
        """Biases of layer l, zeros where there are none."""
        return self.case.bias(l)

    def f(self, l: int) -> Activation:
        """Activation of layer l."""
        return self.case.architecture.layers[l - 1].activation

    def prime(self, l: int, z: Array | None = None) -> Array:
        """f_l′ at z (default: z[l]); of softmax, what its pullback makes of ones: 0."""
        if z is not None:
            return activation_vjp(self.f(l))(z, np.ones_like(z))
        if l not in self.cache:
            self.cache[l] = activation_vjp(self.f(l))(self.z[l], np.ones_like(self.z[l]))
        return self.cache[l]

    def fork(self) -> "Sweep":
        """The same state, to be continued differently."""
        above, delta, dW, db = dict(self.above), dict(self.delta), dict(self.dW), dict(self.db)
        return Sweep(self.case, self.z, self.a, above, delta, dW, db, self.cache)

    def gradient(self) -> dict[str, Array]:
        """W1, b1, … as far as computed, in the order of the architecture."""
        found = {f"{letter}{l}": g for letter, d in (("W", self.dW), ("b", self.db)) for l, g in d.items()}
        return {name: found[name] for name in self.case.architecture.shapes() if name in found}


@dataclass(frozen=True, slots=True)
class Equations:
    """The backward pass as values.

    cost_gradient (layer L), recursion (below) and derivative make δ; weight_gradient, bias_gradient and the two decays make
    the gradients; the two results are what is handed back once all layers are done.
    """

    cost_gradient: Equation
    recursion: Equation
    derivative: Equation
    bias_gradient: Equation
    weight_gradient: Equation
    weight_decay: Equation
    bias_decay: Equation
    weight_result: Equation
    bias_result: Equation


def _cost_gradient(s: Sweep, l: int) -> Array:
    if "cost" not in s.cache:
        s.cache["cost"] = cost_vjp(s.case.architecture.cost)(s.a[l], s.y, np.asarray(s.scale))
    return s.cache["cost"]


def _derivative(s: Sweep, l: int) -> Array:
    return s.prime(l) * s.above[l] if s.f(l).elementwise else activation_vjp(s.f(l))(s.z[l], s.above[l])


def _bias_decay(s: Sweep, l: int) -> Array:
    return s.decay * s.b(l) if s.case.architecture.regularisation.biases else np.zeros_like(s.b(l))


TRUSTED = Equations(
    cost_gradient=_cost_gradient,
    recursion=lambda s, l: s.W(l + 1).T @ s.delta[l + 1],
    derivative=_derivative,
    bias_gradient=lambda s, l: s.delta[l].sum(axis=1, keepdims=True),
    weight_gradient=lambda s, l: s.delta[l] @ s.a[l - 1].T,
    weight_decay=lambda s, l: s.decay * s.W(l),
    bias_decay=_bias_decay,
    weight_result=lambda s, l: s.dW[l],
    bias_result=lambda s, l: s.db[l],
)


def begin(case: Case) -> Sweep:
    """A sweep that has done the forward pass."""
    with np.errstate(all="ignore"):
        z, a = forward(case)
    return Sweep(case, z, a)


def step(s: Sweep, e: Equations, l: int) -> None:
    """One layer of the backward pass."""
    s.above[l] = e.cost_gradient(s, l) if l == s.L else e.recursion(s, l)
    s.delta[l] = e.derivative(s, l)  # BP1, BP2
    s.db[l] = e.bias_gradient(s, l) + e.bias_decay(s, l)  # BP3
    s.dW[l] = e.weight_gradient(s, l) + e.weight_decay(s, l)  # BP4


def finish(s: Sweep, e: Equations) -> dict[str, Array]:
    """What is handed back."""
    layers = range(1, s.L + 1)
    dW, db = {l: e.weight_result(s, l) for l in layers}, {l: e.bias_result(s, l) for l in layers}
    return Sweep(s.case, s.z, s.a, s.above, s.delta, dW, db).gradient()


def sweep(case: Case, equations: Equations = TRUSTED) -> Sweep:
    """The whole backward pass."""
    s = begin(case)
    with np.errstate(all="ignore"):
        for l in range(s.L, 0, -1):
            step(s, equations, l)
    return s


def backprop(case: Case, equations: Equations = TRUSTED) -> dict[str, Array]:
    """The gradient by these equations: W1, b1, … Raises what numpy raises where an edited equation does not conform."""
    with np.errstate(all="ignore"):
        return finish(sweep(case, equations), equations)


def edited(equations: Equations, slot: Slot, edits: Mapping[int, Edit]) -> Equations:
    """The equations with one of them edited at some layers; an edit of an edited equation sees its value."""
    inner: Equation = getattr(equations, slot)

    def equation(s: Sweep, l: int) -> Array:
        value = inner(s, l)
        return edits[l](s, l, value) if l in edits else value

    return replace(equations, **{slot: equation})
