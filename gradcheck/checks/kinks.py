"""The convention in use where a slope is not unique: relu′(0), sign(0) of |a − y|, a hinge of margin exactly 0.

Each is read off one claim at a case that stands exactly on the kink, in any order of summation: the unit has zero weights. Any
element of the Clarke interval is right, so this is a convention and never a fault; what lies outside is left to the campaign.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gradcheck.checks.recognition import Recognised, Recognition
from gradcheck.errors import FATAL, SubjectError
from gradcheck.networks import Activation, Architecture, Case, Dense, Regularisation, forward
from gradcheck.networks.repertoire import Head, Repertoire
from gradcheck.networks.sampling import sample_case
from gradcheck.numerics import Array, Arrays
from gradcheck.oracles.autodiff import activation_vjp, cost_vjp
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Subject

SLACK = 1e-4
"""Relative: a slope is named, not judged."""


def kink_conventions(subject: Subject, recognition: Recognition, seed: int = 0) -> Iterator[Recognised]:
    """One convention for each kinked activation and cost of the repertoire whose slope could be read."""
    r = recognition.repertoire
    if not recognition.trusted:
        return
    for f in r.hidden if r.bias and r.depths[1] > 1 else ():
        for kink in f.kinks:
            slope = _activation_slope(subject, recognition.layout, r, (f, kink), seed)
            if slope is not None:
                yield Recognised("slope at a kink", f"{f.name}′({kink:g}) = {slope:.4g}")
    for head in {h.cost.name: h for h in r.heads if h.activation.name == "identity" and h.cost.kinks}.values():
        slope = _cost_slope(subject, recognition.layout, r, head, seed) if r.bias and r.depths[0] <= 1 else None
        if slope is not None:
            what = "sign(0)" if head.cost.name == "mae" else "slope at margin 0"
            yield Recognised("slope at a kink", f"{head.cost.name}: {what} = {slope:.4g}")


def _activation_slope(
    subject: Subject, layout: Layout, r: Repertoire, at: tuple[Activation, float], seed: int
) -> float | None:
    """f′ at one of its kinks, from the bias gradient of a unit that stands on it: db = f′ · Σ (W₂ᵀ δ₂)."""
    f, kink = at
    head = next((h for h in r.heads if h.activation.elementwise), None)
    if head is None or (r.one_activation and head.activation != f):
        return None
    case = _case(r, [2, 3, max(2, r.output_widths[0])], [f, head.activation], head, seed)
    W, b = case.weight(1).copy(), case.bias(1).copy()
    W[0], b[0] = 0.0, kink
    case = case.at({"W1": W, "b1": b})
    claim = _claim(subject, case, layout)
    z, a = forward(case)
    above = cost_vjp(head.cost)(a[2], case.targets, np.asarray(case.architecture.cost_scale(case.samples)))
    delta = activation_vjp(head.activation)(z[2], above)
    full = float((case.weight(2).T @ delta)[0].sum())
    slopes = [float(activation_vjp(f)(np.full((1, 1), kink + d), np.ones((1, 1)))[0, 0]) for d in (-1e-9, 1e-9)]
    return _within(None if claim is None or "b1" not in claim else float(claim["b1"][0, 0]) / full, slopes)


def _cost_slope(subject: Subject, layout: Layout, r: Repertoire, head: Head, seed: int) -> float | None:
    """Slope of the cost in one output that stands on its kink, from the last bias gradient of a constant network."""
    units = max(2, r.output_widths[0])
    if r.output_widths[1] < units or head.cost.name not in ("mae", "hinge"):
        return None
    case = _case(r, [2, units], [head.activation], head, seed)
    b = np.arange(units, dtype=float).reshape(-1, 1)
    if head.cost.name == "mae":
        y = np.broadcast_to(b, case.targets.shape) - np.r_[0.0, np.ones(units - 1)].reshape(-1, 1)
    else:  # the margin of class 0 against the target, class 1, is b_0 − b_1 + 1 = 0
        y = np.broadcast_to(np.eye(units)[1].reshape(-1, 1), case.targets.shape)
    case = replace(case.at({"W1": np.zeros_like(case.weight(1)), "b1": b}), targets=np.array(y))
    claim = _claim(subject, case, layout)
    if claim is None or "b1" not in claim:
        return None
    whole = case.architecture.cost_scale(case.samples) * case.samples
    return _within(float(claim["b1"][0, 0]) / whole, [-1.0, 1.0] if head.cost.name == "mae" else [0.0, 1.0])


def _case(r: Repertoire, widths: list[int], activations: list[Activation], head: Head, seed: int) -> Case:
    layers = tuple(Dense(n, f) for n, f in zip(widths[1:], activations, strict=True))
    architecture = Architecture(widths[0], layers, head.cost, head.scale, Regularisation(), r.dtype, r.bias)
    return sample_case(architecture, max(r.samples[0], min(2, r.samples[1])), np.random.default_rng([seed, 31]))


def _claim(subject: Subject, case: Case, layout: Layout) -> Arrays | None:
    try:
        claim = subject.vjp(case, layout)[1](case.cotangent)
    except SubjectError as error:
        if error.kind in FATAL:
            raise
        return None
    good: dict[str, Array] = {n: g for n, g in claim.gradient.items() if np.all(np.isfinite(g))}
    return None if claim.problems else good


def _within(slope: float | None, ends: list[float]) -> float | None:
    """The slope, tidied to the end or the middle of the interval that it rounds to; None outside."""
    if slope is None or not np.isfinite(slope):
        return None
    low, high = min(ends), max(ends)
    slack = SLACK * max(abs(low), abs(high))
    known = [k for k in (low, high, (low + high) / 2, 0.0) if abs(slope - k) <= slack]
    return known[0] + 0.0 if known else slope if low <= slope <= high else None
