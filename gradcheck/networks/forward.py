"""The trusted forward pass: one definition, run in numpy here and under jax.grad in the oracle.

x, y      inputs (n_0, m), targets (n_L, m)
W[l], b[l] weights (n_l, n_{l−1}) and biases (n_l, 1) of layer l
z[l]      weighted input W[l] a[l−1] + b[l], shape (n_l, m)
a[l]      activation f_l(z[l]), a[0] = x
"""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.networks.activations import activation_named
from gradcheck.networks.architecture import Architecture
from gradcheck.networks.case import Case
from gradcheck.networks.costs import cost_named
from gradcheck.networks.namespace import xp_numpy
from gradcheck.numerics import Array, Arrays

Passed = tuple[list[Array], list[Array]]


def forward(case: Case) -> Passed:
    """Weighted inputs z[1] … z[L] (index 0 is unused and empty) and activations a[0] … a[L]; not to be changed."""
    z, a = [np.zeros((0, 0))], [case.inputs]
    with np.errstate(all="ignore"):
        for l, layer in enumerate(case.architecture.layers, start=1):
            z.append(case.weight(l) @ a[l - 1] + case.bias(l))
            a.append(np.asarray(layer.activation(z[l], xp_numpy)))
    return z, a


@dataclass(slots=True)
class _Last:
    """What is remembered of the last case; it is held by a reference that keeps none alive."""

    case: Callable[[], Case | None] = lambda: None
    passed: Passed = ([], [])
    data: float | None = None


_LAST = _Last()


def forward_once(case: Case) -> Passed:
    """`forward`, remembered for the case that was asked for last: the rungs of one examination ask one after another."""
    if _LAST.case() is not case:
        remember(case, forward(case))
    return _LAST.passed


def remember(case: Case, passed: Passed) -> None:
    """What `forward` would return, from whoever has computed it: the next `forward_once` of this case is it."""
    _LAST.passed, _LAST.data, _LAST.case = passed, None, weakref.ref(case)


def data_term(case: Case) -> float:
    """The trusted cost summed over the samples, without scale and L2 term; remembered like `forward_once`."""
    a_L = forward_once(case)[1][-1]
    if _LAST.data is None:
        with np.errstate(all="ignore"):
            _LAST.data = float(case.architecture.cost(a_L, case.targets, xp_numpy))
    return _LAST.data


def cost(case: Case) -> float:
    """The trusted cost C of a case: scaled data term plus the L2 term."""
    decay = penalty(case.architecture, case.parameters, case.samples)
    return case.architecture.cost_scale(case.samples) * data_term(case) + decay


def cost_of(case: Case, a_L: Array) -> float:
    """The same of a case that is not remembered, from its output activations."""
    with np.errstate(all="ignore"):
        data = float(case.architecture.cost(a_L, case.targets, xp_numpy))
    decay = penalty(case.architecture, case.parameters, case.samples)
    return case.architecture.cost_scale(case.samples) * data + decay


def on_logits(case: Case) -> Case:
    """The same network with sigmoid and bce, or softmax and cross_entropy, as one cost of the logits z_L.

    On paper nothing changes; in numbers the gradient stays finite where a probability rounds to 0 or 1.
    """
    last, cost_ = case.architecture.layers[-1], case.architecture.cost
    fused = {("sigmoid", "bce"): "bce_logits", ("softmax", "cross_entropy"): "cross_entropy_logits"}
    name = fused.get((last.activation.name, cost_.name))
    if name is None or cost_.guard or cost_.source:
        return case
    layers = (*case.architecture.layers[:-1], replace(last, activation=activation_named("identity")))
    return replace(case, architecture=replace(case.architecture, layers=layers, cost=cost_named(name)))


def penalty(architecture: Architecture, parameters: Arrays, samples: int) -> float:
    """λ · factor(m) · ΣW² (and Σb² where biases are penalised)."""
    factor = architecture.regularisation.factor(samples)
    if not factor:
        return 0.0
    names = [n for n in parameters if n.startswith("W") or (architecture.regularisation.biases and n.startswith("b"))]
    return factor * float(sum(np.vdot(parameters[n], parameters[n]) for n in names))


def chain(
    weights: Sequence[Any],
    biases: Sequence[Any],
    x: Any,
    activations: Sequence[Callable[[Any], Any]],
) -> Any:
    """a[L] for any array type: the composition that jax differentiates. `biases` is empty for a network without."""
    a = x
    for l, (W, f) in enumerate(zip(weights, activations, strict=True)):
        z = W @ a + biases[l] if len(biases) else W @ a
        a = f(z)
    return a
