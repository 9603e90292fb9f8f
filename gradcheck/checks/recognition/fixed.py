"""Subjects whose file fixes activations, cost or both: a joint search for what they are."""

from dataclasses import replace
from itertools import product

from gradcheck.checks.recognition.blind import by_gradient, unrecognised
from gradcheck.checks.recognition.conclusion import concluded
from gradcheck.checks.recognition.experiments import Experiments, one_hot, through
from gradcheck.checks.recognition.heads import head_of
from gradcheck.checks.recognition.scales import AGREE, match_scale, outputs_of
from gradcheck.checks.recognition.types import Recognition
from gradcheck.errors import SubjectError
from gradcheck.networks import COSTS, Activation, forward
from gradcheck.networks.costs import guarded
from gradcheck.networks.repertoire import Head
from gradcheck.numerics import Array
from gradcheck.subjects.layout import Layout

_ENOUGH_DEPTHS = 2
"""A file that runs at so many depths and fits nothing fits nothing at others."""


def fixed(e: Experiments) -> Recognition:
    """The recognition of a subject whose file says what it computes."""
    search = _by_output if e.offer.declares_output else _by_value if e.offer.declares_cost else by_gradient
    fits: list[Recognition] = []
    partial: list[Recognition] = []
    for layout in e.offer.layouts:
        for outputs in e.width_variants():
            e.outputs = outputs
            e.partial = False
            found = search(e, layout)
            if found is not None and e.partial:
                partial.append(found)
                continue
            if found is not None and e.well_formed(layout, found.repertoire.heads[0]):
                return found
            fits += [found] if found is not None else []
    if fits or partial:
        return (fits or partial)[0]
    if e.wanted.scale is not None:
        return _at_the_scale_that_was_said(e, e.wanted.scale)
    return _unrecognised(e)


def _at_the_scale_that_was_said(e: Experiments, scale: str) -> Recognition:
    """The caller's scale fits nothing: recognise the rest without it, and hold the subject to what was said."""
    e.wanted = replace(e.wanted, scale=None)
    found = fixed(e)
    heads = tuple(replace(h, scale=scale) for h in found.repertoire.heads)
    e.notes.append(f"its cost is not at the scale {scale} that was said")
    told = replace(found.repertoire, heads=heads)
    return replace(found, repertoire=told, declared=found.trusted, notes=tuple(e.notes))


def _by_value(e: Experiments, layout: Layout) -> Recognition | None:
    """Joint search over hidden activation, head and scale: one set of values, compared with the whole family."""
    ran = 0
    for depth in e.depths():
        if ran == _ENOUGH_DEPTHS:
            return None
        told = e.activations if e.offer.told_activations else e.activations[:1]
        matches = [m for f in told if (m := _match_value(e, f, depth, layout)) is not None]
        if matches:
            e.partial = ran > 0
            return _from_matches(e, matches, depth, layout)
        ran += e.failure is None
    return None


def _match_value(e: Experiments, told: Activation, depth: int, layout: Layout) -> tuple[Activation, Head] | None:
    cases = [e.case(told, (told, COSTS["mse"]), depth, s, bias=layout.bias != "none", hard=True) for s in e.shapes()]
    cases = [replace(c, targets=one_hot(c.targets.shape, e.generator)) for c in cases]
    values = e.values(cases, layout)
    if values is None:
        return None
    hidden = (told,) if e.offer.told_activations else e.hidden()
    outputs: dict[tuple[Activation, Activation], list[Array]] = {}
    for f, (g, cost) in product(hidden if depth > 1 else hidden[:1], e.pairs()):
        if (e.offer.one_activation and g != f) or (e.offer.told_activations and g != told):
            continue
        alike = [through(c, f, g, cost) for c in cases]
        if (f, g) not in outputs:
            outputs[f, g] = outputs_of(alike)
        match = match_scale(alike, values, e.wanted.scale, AGREE[e.dtype], outputs[f, g])
        if match is not None:
            return f, Head(g, guarded(cost.name, match[1]) if match[1] else cost, match[0])
    return None


def _from_matches(e: Experiments, matches: list[tuple[Activation, Head]], depth: int, layout: Layout) -> Recognition:
    heads = tuple(dict.fromkeys(head for _, head in matches))
    hidden = tuple(dict.fromkeys(f for f, _ in matches))
    if not e.offer.told_activations and depth == 1 and max(e.depths(), default=1) > 1:
        hidden = (heads[0].activation,)
    return concluded(e, layout, hidden, heads, trusted=True)


def _by_output(e: Experiments, layout: Layout) -> Recognition | None:
    """Activations from the output activations, then the cost from its value or from its own derivative."""
    for depth in e.depths():
        first = (e.activations[0], COSTS["mse"])
        case = e.case(e.hidden()[0], first, depth, e.shapes()[0], bias=layout.bias != "none")
        output = e.output(case, layout)
        if output is None:
            continue
        family = ((f, g) for f in (e.hidden() if depth > 1 else e.hidden()[:1]) for g in e.activations)
        for f, g in family:
            expected = forward(through(case, f, g, COSTS["mse"]))[1][-1]
            if e.alike(output, expected):
                head = head_of(e, f, g, depth, layout)
                hidden = (f,) if depth > 1 else (g if g.elementwise else f,)
                return concluded(e, layout, hidden, (head,), trusted=not e.unknown_cost) if head else None
    return None


def _unrecognised(e: Experiments) -> Recognition:
    """Nothing trusted fits: cases are drawn from what runs, and only the subject's own cost can judge it."""
    if not (e.offer.declares_cost or e.offer.declares_output):
        for layout, outputs in product(e.offer.layouts, e.width_variants()):
            e.outputs = outputs
            if (found := unrecognised(e, layout)) is not None:
                return found
    for layout, outputs, depth in product(e.offer.layouts, e.width_variants(), e.depths()):
        e.outputs = outputs
        f = e.hidden()[0]
        case = e.case(f, e.pairs()[0], depth, e.shapes()[0], bias=layout.bias != "none")
        if e.offer.declares_cost and e.values([case], layout) is not None:
            return _declared(e, layout, f)
    msg = "its forward pass is that of no dense network and cost that gradcheck knows"
    if e.failure is not None:
        raise e.first_failure or e.failure
    raise SubjectError("unrecognised", msg)


def _declared(e: Experiments, layout: Layout, f: Activation) -> Recognition:
    """A convention that has one cost and knows its activations is measured against those, although nothing fits."""
    single = len(e.offer.costs or ()) == 1
    known = single and (e.offer.told_activations or len(e.offer.activations or ()) == 1)
    e.notes.append("its cost is that of no dense network and cost that gradcheck knows")
    heads = tuple(Head(g, c, e.wanted.scale or "1/m") for g, c in e.pairs())
    if not known:
        return concluded(e, layout, (f,), heads[:1], trusted=False)
    chosen = [h for h in heads if h.cost.name in (e.offer.costs or ())]
    if not e.offer.told_activations:
        chosen = [h for h in chosen if h.activation.name in (e.offer.activations or ())]
    hidden = tuple(dict.fromkeys(h.activation for h in chosen))
    return concluded(e, layout, hidden, tuple(chosen), trusted=True)
