"""A subject that shows neither its cost nor its outputs: the network and cost whose gradient the claimed one is.

The whole claim, of every layer, must be that of one member of the trusted family at every case; a wrong one is that of none,
and is then judged by whether it is a gradient at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from gradcheck.checks.recognition.conclusion import concluded
from gradcheck.checks.recognition.experiments import Experiments, one_hot, through
from gradcheck.checks.recognition.scales import AGREE, close
from gradcheck.checks.recognition.types import Recognition
from gradcheck.networks import COSTS, Activation, Case, Cost, legal
from gradcheck.networks.costs import scale_named
from gradcheck.networks.repertoire import Head
from gradcheck.numerics import Array, Arrays
from gradcheck.oracles.autodiff import value_and_gradient
from gradcheck.subjects.layout import Layout

_BASES = ("1", "1/m", "1/(m n)", "1/n")


def by_gradient(e: Experiments, layout: Layout) -> Recognition | None:
    """The recognition by the claimed gradients, or None where they are those of no network and cost that is known."""
    for depth in e.depths():
        cases = [
            _hard(e, e.case(e.hidden()[0], e.pairs()[0], depth, s, bias=layout.bias != "none")) for s in e.shapes()
        ]
        claims = [e.claims(c, layout) for c in cases]
        known = [c for c in claims if c is not None]
        if len(known) < len(cases):
            continue
        for f, (g, cost) in product(e.hidden() if depth > 1 else e.hidden()[:1], e.pairs()):
            scale = _scale(cases, known, f, g, cost, AGREE[e.dtype])
            if scale is not None:
                hidden = (f,) if depth > 1 else (g if g.elementwise else f,)
                e.notes.append("it shows no outputs: recognised by its gradients alone")
                return concluded(e, layout, hidden, (Head(g, cost, scale),), trusted=True)
        return None
    return None


def unrecognised(e: Experiments, layout: Layout) -> Recognition | None:
    """Cases of any network, for a gradient of what nobody knows, in a layout in which it has the right shapes."""
    head = Head(e.pairs()[0][0], COSTS["mse"], "1/2")
    if not e.well_formed(layout, head):
        return None
    e.notes.append("it shows no outputs, and its gradient is of no known network: judged by whether it is a gradient")
    return concluded(e, layout, (e.hidden()[0],), (head,), trusted=False)


def _hard(e: Experiments, case: Case) -> Case:
    return case if e.offer.labels else replace(case, targets=one_hot(case.targets.shape, e.generator))


def _scale(
    cases: Sequence[Case], claims: Sequence[Arrays], f: Activation, g: Activation, cost: Cost, agree: float
) -> str | None:
    """The scale at which all claims are the gradients of this network, up to a multiple of the weights; None for no scale."""
    if not legal(cost, g.range, g.name):
        return None
    ratios = []
    for case, claim in zip(cases, claims, strict=True):
        expected = value_and_gradient(through(case, f, g, cost))[1]
        ratio = _ratio(case, claim, {n: a * case.samples for n, a in expected.items()}, agree)
        if ratio is None:
            return None
        ratios.append(ratio)
    for base in _BASES:
        units = [scale_named(base)(c.samples, c.architecture.widths[-1]) for c in cases]
        r = [q / u for q, u in zip(ratios, units, strict=True)]
        if r[0] > 0 and all(close(q, r[0], agree) for q in r):
            factor = float(f"{r[0]:.9g}")
            return base if factor == 1 else "1/2" if (factor, base) == (0.5, "1") else f"{factor!r} * {base}"
    return None


def _ratio(case: Case, claim: Arrays, expected: Mapping[str, Array], agree: float) -> float | None:
    """r with claim = r expected + k W in every layer, one r and one k; None where there is no such pair."""
    names = sorted(expected)
    wanted = np.concatenate([np.ravel(claim[n]) for n in names])
    gradient = np.concatenate([np.ravel(expected[n]) for n in names])
    weights = np.concatenate([np.ravel(case.parameters[n] * (n[0] == "W")) for n in names])
    (r, k), *_ = np.linalg.lstsq(np.stack([gradient, weights], axis=1), wanted, rcond=None)
    fits = np.allclose(r * gradient + k * weights, wanted, rtol=agree, atol=agree * float(np.max(np.abs(wanted))))
    return float(r) if fits and np.any(gradient) else None
