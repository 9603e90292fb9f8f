"""Subjects that are told activations and cost: which of them they take, in which layout and at which scale."""

from collections.abc import Sequence
from dataclasses import replace

from gradcheck.checks.recognition.conclusion import concluded
from gradcheck.checks.recognition.experiments import Experiments
from gradcheck.checks.recognition.scales import AGREE, match_scale
from gradcheck.checks.recognition.types import Recognition
from gradcheck.errors import FATAL, SubjectError
from gradcheck.networks import Activation, Cost
from gradcheck.networks.costs import guarded
from gradcheck.networks.repertoire import Head
from gradcheck.subjects.layout import Layout

PREFERRED = ("identity", "sigmoid", "tanh", "relu", "softmax")


def told(e: Experiments) -> Recognition:
    """The recognition of a subject that takes activations and cost as arguments."""
    layout, reference = _layout_and_width(e)
    heads = []
    for pair in e.pairs():
        scale = _head(e, pair, layout)
        if scale is not None:
            heads.append(Head(pair[0], guarded(pair[1].name, scale[1]) if scale[1] else pair[1], scale[0]))
    heads = _with_majority_scale(e, heads)
    hidden = tuple(f for f in e.hidden() if _takes_hidden(e, f, layout, heads))
    if not heads or not (hidden or e.offer.one_activation):
        return _of_its_own(e, layout)
    if reference is None:
        e.notes.append("its cost is the declared one in no layout of weights, samples and biases")
    return concluded(e, layout, hidden or e.hidden(), tuple(heads), trusted=True)


def _of_its_own(e: Experiments, layout: Layout) -> Recognition:
    """A subject that runs, and computes nothing of what it is told: its own cost is the only one to judge it by."""
    for f, cost in _probes(e):
        hidden = f if f.elementwise else e.hidden()[0]
        if _match(e, (f, cost), layout, hidden) is not None:
            e.refused.clear()
            e.notes.append("its cost is that of no activation and cost that it is told")
            return concluded(e, layout, (hidden,), (Head(f, cost, e.wanted.scale or "1/m"),), trusted=False)
    raise e.failure or SubjectError("contract", "the subject ran with none of the activations and costs")


def _probes(e: Experiments) -> list[tuple[Activation, Cost]]:
    """Few pairs that between them hold every activation and every cost: a subject may take a single one of each."""
    pairs = sorted(e.pairs(), key=lambda p: PREFERRED.index(p[0].name) if p[0].name in PREFERRED else 99)
    by_activation = {f.name: (f, c) for f, c in reversed(pairs)}
    by_cost = {c.name: (f, c) for f, c in reversed(pairs)}
    return list(dict.fromkeys([*reversed(by_activation.values()), *reversed(by_cost.values())]))


def _layout_and_width(e: Experiments) -> tuple[Layout, Head | None]:
    """The layout with any number of outputs, or with a single one where the subject takes no more."""
    try:
        return _layout(e)
    except SubjectError as error:
        if error.kind in FATAL or e.outputs[0] > 1 or e.outputs[1] < 2:
            raise
        e.outputs = (1, 1)
        try:
            return _layout(e)
        except SubjectError as again:
            raise (again if again.kind in FATAL else error) from None


def _layout(e: Experiments) -> tuple[Layout, Head | None]:
    """The first layout in which a forward pass is the trusted one; else the first in which it runs."""
    pairs = _probes(e)
    runs: list[Layout] = []
    fits: list[tuple[Layout, Head]] = []
    for layout in e.offer.layouts:
        for pair in pairs:
            match = _match(e, pair, layout, pair[0] if pair[0].elementwise else e.hidden()[0])
            if match is not None and match[0]:
                fits.append((layout, Head(*pair, match[0])))
                if e.well_formed(layout, fits[-1][1]):
                    return fits[-1]
                break
            if match is not None:
                runs.append(layout)
    if fits:
        return fits[0]
    if not runs:
        raise e.first_failure or SubjectError("contract", "no layout of weights and samples could be run")
    return runs[0], None


def _match(
    e: Experiments, pair: tuple[Activation, Cost], layout: Layout, hidden: Activation
) -> tuple[str, float] | None:
    """(scale, guard) of a head; ("", 0) when it runs and no convention fits; None when it cannot be run."""
    cases = [e.case(hidden, pair, e.first_depth(), s, bias=layout.bias != "none") for s in e.shapes()]
    values = e.values(cases, layout)
    if values is None:
        return None
    return match_scale(cases, values, e.wanted.scale, AGREE[e.dtype]) or ("", 0.0)


def _head(e: Experiments, pair: tuple[Activation, Cost], layout: Layout) -> tuple[str, float] | None:
    """Scale and guard of a head that the subject takes, ("", 0) where it differs; None when it is refused."""
    hidden = e.hidden()[0] if pair[0].elementwise is False else pair[0]
    match = _match(e, pair, layout, hidden)
    name = f"{pair[0].name} with {pair[1].name}"
    if match is None:
        e.refuse(name, str(e.failure))
        return None
    if match[0] or (e.is_mentioned(pair[0].name) and e.is_mentioned(pair[1].name)):
        return match
    e.refuse(name, "its value is not that of the cost, and the source does not name it")
    return None


def _takes_hidden(e: Experiments, f: Activation, layout: Layout, heads: Sequence[Head]) -> bool:
    """Whether a hidden activation is taken, judged behind the first head whose scale is known."""
    if e.offer.one_activation:
        return any(h.activation == f for h in heads)
    head = next((h for h in heads if h.activation.name == "identity"), heads[0] if heads else None)
    if head is None or max(e.depths(), default=1) < 2:
        return True
    case = e.plain(f, head, max(2, e.first_depth()), (e.outputs[0], 5), layout)
    values = e.values([case], layout)
    if values is None:
        e.refuse(f.name, str(e.failure))
        return False
    if match_scale([case], values, None, AGREE[e.dtype]) or e.is_mentioned(f.name):
        return True
    e.refuse(f.name, "its value is not that of the activation, and the source does not name it")
    return False


def _with_majority_scale(e: Experiments, heads: list[Head]) -> list[Head]:
    """Heads whose value fitted no scale get the one that the others of their cost have, or 1/m."""
    known: dict[str, list[str]] = {}
    for head in heads:
        if head.scale:
            known.setdefault(head.cost.name, []).append(head.scale)
    out = []
    for head in heads:
        usual = known.get(head.cost.name) or [e.wanted.scale or "1/m"]
        out.append(head if head.scale else replace(head, scale=max(set(usual), key=usual.count)))
    return out
