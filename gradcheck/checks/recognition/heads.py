"""The cost behind known activations: from its values, its own derivative, or the gradient that the subject claims."""

from dataclasses import replace

import numpy as np

from gradcheck.checks.recognition.experiments import Experiments, one_hot, through
from gradcheck.checks.recognition.scales import AGREE, close, match_scale, multiple
from gradcheck.errors import FATAL, SubjectError
from gradcheck.networks import COSTS, Activation, Case, forward, legal
from gradcheck.networks.costs import guarded, scale_named
from gradcheck.networks.repertoire import Head
from gradcheck.numerics import Array
from gradcheck.oracles.autodiff import cost_vjp, value_and_gradient
from gradcheck.subjects.layout import Layout


def head_of(e: Experiments, f: Activation, g: Activation, depth: int, layout: Layout) -> Head | None:
    """The cost and scale behind output activation g; None where its values are those of no known cost."""
    e.unknown_cost = False
    if e.offer.declares_cost:
        cases = [e.case(f, (g, COSTS["mse"]), depth, s, bias=layout.bias != "none") for s in e.shapes()]
        cases = [replace(c, targets=one_hot(c.targets.shape, e.generator)) for c in cases]
        values = e.values(cases, layout)
        for cost in e.costs if values is not None else ():
            alike = [through(c, f, g, cost) for c in cases]
            match = legal(cost, g.range, g.name) and match_scale(alike, values, None, AGREE[e.dtype])
            if match:
                return Head(g, guarded(cost.name, match[1]) if match[1] else cost, match[0])
        return None
    known = _from_derivative(e, f, g, depth, layout) if e.offer.cost_derivative else None
    if known is None:
        known = None if e.offer.batch else _from_gradient(e, f, g, layout)
        known = known or _from_batches(e, f, g, depth, layout)
    if known is None and e.offer.batch:
        known = _from_one_sample(e, f, g, layout)
    if known is not None:
        return known
    e.unknown_cost = True
    e.notes.append(
        "it declares no cost and its gradient is that of none that is known: judged by whether it is a gradient at all"
    )
    return Head(g, COSTS["mse"], "1/2")


def _from_derivative(e: Experiments, f: Activation, g: Activation, depth: int, layout: Layout) -> Head | None:
    """The cost whose gradient is the file's own ∂C/∂a, up to a constant that becomes the scale."""
    case = e.case(f, (g, COSTS["mse"]), depth, (4, 3), bias=layout.bias != "none")
    a = forward(through(case, f, g, COSTS["mse"]))[1][-1]
    y = one_hot(a.shape, e.generator) if g.range != "real" else case.targets
    try:
        G = e.subject.cost_derivative(case, a, y, layout)
    except SubjectError as error:
        e.failure = error
        return None
    for cost in e.costs:
        expected = cost_vjp(cost)(a, y, np.ones(()))
        for scale in ("1", "1/2", "2"):
            if legal(cost, g.range, g.name) and e.alike(G, scale_named(scale)(1, 1) * expected):
                return Head(g, cost, scale)
    return None


def _from_batches(e: Experiments, f: Activation, g: Activation, depth: int, layout: Layout) -> Head | None:
    """The cost, and its scale, of which the last layer's claimed gradient is a positive multiple at every m."""
    bias = layout.bias != "none"
    cases = [e.case(f, (g, COSTS["mse"]), depth, s, bias=bias) for s in e.shapes()]
    if g.range != "real" and not e.offer.labels:
        cases = [replace(c, targets=one_hot(c.targets.shape, e.generator)) for c in cases]
    name = f"b{depth}" if bias else f"W{depth}"
    claims = [_claimed(e, c, layout, name) for c in cases]
    for cost in e.costs if all(c is not None for c in claims) else ():
        if not legal(cost, g.range, g.name):
            continue
        expected = [value_and_gradient(through(c, f, g, cost))[1][name] * c.samples for c in cases]
        ratios = [multiple(c, want, AGREE[e.dtype]) for c, want in zip(claims, expected, strict=True)]
        for base in ("1", "1/m", "1/(m n)", "1/n"):
            sizes = [scale_named(base)(c.samples, c.architecture.widths[-1]) for c in cases]
            r = [q / s for q, s in zip(ratios, sizes, strict=True)]
            if r[0] > 0 and all(close(q, r[0], AGREE[e.dtype]) for q in r):
                factor = float(f"{r[0]:.9g}")
                scale = base if factor == 1 else "1/2" if (factor, base) == (0.5, "1") else f"{factor!r} * {base}"
                return Head(g, cost, scale)
    return None


def _from_one_sample(e: Experiments, f: Activation, g: Activation, layout: Layout) -> Head | None:
    """A returned gradient that is right for one sample and for no batch at any scale: the batch is wrong, the cost is known.

    An update may be one sample after another, and is left open.
    """
    known = _from_gradient(e, f, g, layout)
    if known is None:
        return None
    case = e.plain(f, known, e.first_depth(), (max(e.outputs[0], min(4, e.outputs[1])), 1), layout)
    updated = e.subject.vjp(case, layout)[1](case.cotangent).error
    return None if updated else replace(known, scale={"1": "1/m", "1/2": "1/(2m)", "2": "2/m"}[known.scale])


def _claimed(e: Experiments, case: Case, layout: Layout, name: str) -> Array | None:
    """The claimed gradient of one parameter; None where there is none."""
    try:
        return e.subject.vjp(case, layout)[1](case.cotangent).gradient.get(name)
    except SubjectError as error:
        if error.kind in FATAL or error.kind == "unrecognised":
            raise
        return None


def _from_gradient(e: Experiments, f: Activation, g: Activation, layout: Layout) -> Head | None:
    """The cost whose output error is the claimed bias gradient of the last layer, at one sample."""
    depth = e.first_depth()
    case = e.case(f, (g, COSTS["mse"]), depth, (max(e.outputs[0], min(4, e.outputs[1])), 1))
    y = one_hot(case.targets.shape, e.generator) if g.range != "real" else case.targets
    case = replace(through(case, f, g, COSTS["mse"]), targets=y)
    claim = _claimed(e, case, layout, f"b{depth}")
    for cost in e.costs if claim is not None else ():
        if not legal(cost, g.range, g.name):
            continue
        expected = value_and_gradient(through(case, f, g, cost))[1][f"b{depth}"]
        for scale in ("1", "1/2", "2"):
            if e.alike(claim, scale_named(scale)(1, 1) * expected):
                return Head(g, cost, scale)
    return None
