"""Where a formula that is right on paper breaks: the smallest |z|, or the largest probability, found by bisection over scale.

It must not know what is wrong there: `breaks` tells a broken case from a sound one.
"""

from collections.abc import Callable

import numpy as np

from gradcheck.networks import Case, activation_named, forward
from gradcheck.networks.namespace import xp_numpy
from gradcheck.numerics import Array

NARROW = 1.002
"""Ratio of the ends at which the bisection stops."""
_HEADS = {"bce": "sigmoid", "bce_logits": "sigmoid", "cross_entropy": "softmax", "cross_entropy_logits": "softmax"}


def region(case: Case, breaks: Callable[[Case], bool]) -> str:
    """The region in words, from a case that breaks; empty where the first layer scaled down to |z| = 1 breaks as well.

    Layer 1 is scaled; the edge is that between the last sound and the first broken scale.
    """
    top = float(np.max(np.abs(forward(case)[0][1])))
    if not 1.0 < top < np.inf or breaks(_scaled(case, 1.0 / top)):
        return ""
    low, high = 1.0 / top, 1.0
    while high > NARROW * low:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if breaks(_scaled(case, middle)) else (middle, high)
    return described(_scaled(case, high))


def described(edge: Case) -> str:
    """The case on the edge in words: the layer with the largest |z|, and the smallest probability where z is a logit."""
    z = forward(edge)[0]
    sizes = [float(np.max(np.abs(h))) for h in z[1:]]
    layer = int(np.argmax(sizes)) + 1
    name = edge.architecture.activation_names[layer - 1]
    text = f"it breaks from about |z| > {sizes[layer - 1]:.3g} on in layer {layer} ({name})"
    p = smallest_probability(edge, z[-1]) if layer == edge.architecture.depth else None
    return text if p is None else f"{text}, where a probability is {p:.1e} or less from 0 or 1"


def smallest_probability(case: Case, z: Array) -> float | None:
    """The smallest distance of a probability of the output from 0 or 1; None where the output is none."""
    name, cost = case.architecture.activation_names[-1], case.architecture.cost.name
    head = name if name in ("sigmoid", "softmax") else _HEADS.get(cost) if cost.endswith("_logits") else None
    if head is None:
        return None
    p = np.asarray(activation_named(head)(z, xp_numpy))
    other = np.asarray(activation_named(head)(-z, xp_numpy)) if head == "sigmoid" else p
    return float(min(p.min(), other.min()))


def _scaled(case: Case, factor: float) -> Case:
    return case.at({n: case.parameters[n] * factor for n in ("W1", "b1") if n in case.parameters})
