"""Sums over the wrong index: which index of W, δ, σ′ and a is summed over, and which is free.

    BP2  δ_j  = Σ_i W_ij δ_i σ′_j        i runs over the layer above, j is a unit of this one
    BP4  dW_ij = δ_i a_j                 summed over the samples

Every other choice of indices is a fault, but for those that other families have. Unless layers are equally wide most crash.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np

from gradcheck.faults.backprop import Edit, Sweep
from gradcheck.faults.fault import Fault
from gradcheck.numerics import Array

_RECURSION = (
    "only σ′ carries the unit itself, the sum runs over W and the error above: δˡ_j = Σ_i Wˡ⁺¹_ij δˡ⁺¹_i σ′(zˡ_j)"
)
_WEIGHTS = "δ carries the unit the weight leads to, a the one it comes from: dWˡ_ij = δˡ_i aˡ⁻¹_j"
_ELSEWHERE = {("ij", "i", "j"), ("ji", "i", "j")}
"""The right one, and the transpose that is missing."""
_CRASH = "it crashes or has the wrong shape unless the layers are equally wide"


def _summed(weight: str, error: str, slope: str) -> Edit:
    """Σ_i W δ σ′ with these indices."""

    def edit(s: Sweep, l: int, value: Array) -> Array:
        W = s.W(l + 1).T if weight == "ij" else s.W(l + 1)  # the summed index i is the second one
        delta, prime = s.delta[l + 1], s.prime(l)
        inside = [v for v, index in ((delta, error), (prime, slope)) if index == "i"]
        outside = [v for v, index in ((delta, error), (prime, slope)) if index == "j"]
        terms = inside[0] * inside[1] if len(inside) == 2 else inside[0] if inside else np.ones((W.shape[1], s.m))
        summed = W @ terms
        for factor in outside:
            summed = summed * factor
        return summed

    return edit


def _of_the_input(s: Sweep, l: int, value: Array) -> Array:
    """dW_ij = δ_j a_j."""
    return np.asarray(np.ones((s.n[l], 1)) * (s.delta[l] * s.a[l - 1]).sum(axis=1)[None, :])


def _of_the_unit(s: Sweep, l: int, value: Array) -> Array:
    """dW_ij = δ_i a_i."""
    return np.asarray((s.delta[l] * s.a[l - 1]).sum(axis=1)[:, None] * np.ones((1, s.n[l - 1])))


def _faults() -> Iterator[Fault]:
    for weight, error, slope in product(("ij", "ji"), ("i", "j"), ("i", "j")):
        if (weight, error, slope) not in _ELSEWHERE:
            title = f"Σ_i W_{weight} δ_{error} σ′_{slope} stands for Σ_i W_ij δ_i σ′_j in the recursion"
            key = f"bp2_sum_of_W_{weight}_delta_{error}_prime_{slope}"
            edit = _summed(weight, error, slope)
            yield Fault(key, title, "BP2", "derivative", edit, "hidden", _CRASH, _RECURSION)
    for key, text, edit in (
        ("delta_of_input", "δ_j a_j", _of_the_input),
        ("activation_of_unit", "δ_i a_i", _of_the_unit),
    ):
        title = f"in the weight gradient, {text} stands for δ_i a_j"
        yield Fault(f"bp4_{key}", title, "BP4", "weight_gradient", edit, "every", _CRASH, _WEIGHTS)


FAULTS: tuple[Fault, ...] = tuple(_faults())
