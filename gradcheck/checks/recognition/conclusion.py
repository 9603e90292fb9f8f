"""What all recognitions end with: the L2 term, the depths that are taken, and the conventions to report."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from gradcheck.checks.recognition.decay import decay_of_claims, decay_of_file
from gradcheck.checks.recognition.experiments import Experiments
from gradcheck.checks.recognition.scales import AGREE
from gradcheck.checks.recognition.types import Recognised, Recognition
from gradcheck.errors import SubjectError, UsageError
from gradcheck.networks import (
    COSTS,
    L2_FORMS,
    Activation,
    Case,
    Regularisation,
    activation_named,
    with_regularisation,
)
from gradcheck.networks.repertoire import Head, Repertoire
from gradcheck.networks.sampling import with_labels
from gradcheck.oracles.kink_finder import has_unknown_kinks
from gradcheck.subjects.layout import Layout


def concluded(
    e: Experiments, layout: Layout, hidden: tuple[Activation, ...], heads: tuple[Head, ...], trusted: bool
) -> Recognition:
    """The recognition, once layout, hidden activations and heads are known."""
    form, biases = _l2(e, layout, hidden, heads[0]) if trusted else ("none", False)
    strength = 0.0
    if trusted and not e.offer.declares_cost and not e.offer.takes_l2:
        form, strength = decay_of_file(e, hidden[0], heads[0], layout)
    e.notes.extend(_unknown_kinks(heads))
    low, high = _accepted_depths(e, layout, hidden, heads[0])
    if e.outputs[0] > 1 and e.output_widths()[0] == 1:
        case = e.plain(hidden[0], heads[0], low, (1, 2), layout)
        e.outputs = (1 if e.runs(case, layout) else e.outputs[0], e.outputs[1])
    repertoire = Repertoire(
        hidden,
        heads,
        l2=e.offer.takes_l2 and (trusted if e.offer.declares_cost else form != "none"),
        l2_form=form,
        l2_biases=biases,
        l2_fixed=strength,
        one_activation=e.offer.one_activation,
        depths=(low, high),
        output_widths=e.outputs,
        bias=layout.bias != "none",
        dtype=e.dtype,  # type: ignore[arg-type]
        refused=tuple(e.refused.items()),
        fixed=e.offer.widths,
        labels=e.offer.labels or _hard_targets_only(e, layout, hidden[0], heads[0]),
    )
    return Recognition(
        layout,
        repertoire,
        trusted,
        (e.offer.told_cost and e.offer.told_activations) or e.wanted.costs is not None,
        tuple(_conventions(e, layout, repertoire, trusted)),
        tuple(e.refused.items()),
        tuple(e.notes),
    )


def _hard_targets_only(e: Experiments, layout: Layout, hidden: Activation, head: Head) -> bool:
    """Whether the cost picks one class of each sample, as it may: targets in between mean nothing to it."""
    if e.offer.told_cost or not e.offer.declares_cost or e.outputs[1] < 2:
        return False
    units = min(max(2, e.outputs[0]), e.outputs[1])
    hard = with_labels(e.plain(hidden, head, e.first_depth(), (units, 3), layout), e.generator)
    if not _same_for_its_class(e, hard, layout):
        return False
    e.notes.append("its cost takes one class of each sample as the target: checked with one-hot targets")
    return True


def _same_for_its_class(e: Experiments, hard: Case, layout: Layout) -> bool:
    """Whether the cost is the very same when each target is moved towards the others and keeps its class."""
    if e.offer.labels:
        return False
    moved = replace(hard, targets=0.8 * hard.targets + 0.2 / len(hard.targets))
    values = e.values([hard, moved], layout)
    return values is not None and bool(np.isfinite(values[0])) and values[0] == values[1]


def _accepted_depths(e: Experiments, layout: Layout, hidden: Sequence[Activation], head: Head) -> tuple[int, int]:
    """The run of depths that the subject takes (a hard-coded two-layer file takes only 2); what it refuses is noted."""
    accepted: list[int] = []
    for depth in sorted(e.depths()):
        if e.runs(e.plain(hidden[0], head, depth, (e.outputs[0], 2), layout), layout):
            accepted.append(depth)
        elif accepted:
            e.notes.append(f"not checked: {depth} layers and more: {e.failure}")
            break
    if not accepted:
        raise e.failure or SubjectError("contract", "the subject ran at no depth")
    return accepted[0], accepted[-1]


def _l2(e: Experiments, layout: Layout, hidden: Sequence[Activation], head: Head) -> tuple[str, bool]:
    """Form of the L2 term, from the difference that λ makes to the cost."""
    if not e.offer.takes_l2:
        return e.wanted.l2_form or "none", False
    if not e.offer.declares_cost:
        return decay_of_claims(e, hidden[0], head, layout)
    depth = e.first_depth()
    cases = [e.plain(hidden[0], head, depth, s, layout) for s in e.shapes()]
    penalised = [replace(c, architecture=with_regularisation(c.architecture, 0.7)) for c in cases]
    plain, decayed = e.values(cases, layout), e.values(penalised, layout)
    if plain is None or decayed is None:
        return e.wanted.l2_form or "none", False
    for form, biases in product(L2_FORMS, (False, True)):
        expected = [_penalty(c, form, biases) for c in penalised]
        if np.allclose(np.subtract(decayed, plain), expected, rtol=AGREE[e.dtype] * 100, atol=1e-9):
            return form, biases
    return e.wanted.l2_form or "lambda/2", False


def _conventions(e: Experiments, layout: Layout, r: Repertoire, trusted: bool) -> Iterator[Recognised]:
    yield Recognised("weights", layout.weights)
    yield Recognised("samples", layout.samples)
    yield Recognised("bias", layout.bias)
    if e.offer.convention == "flat_theta" and layout.bias in ("column", "vector", "row"):
        grouping = {"layers": "layer by layer", "weights_first": "all weights, then all biases"}[layout.grouping]
        yield Recognised("unrolled", f"{grouping}, {layout.order} order")
    if not trusted:
        return
    yield Recognised(
        "activations", ", ".join(dict.fromkeys(f.name for f in (*r.hidden, *(h.activation for h in r.heads))))
    )
    for f in dict.fromkeys(f for f in (*r.hidden, *(h.activation for h in r.heads)) if f.kinks and not _builtin(f)):
        yield Recognised("kinks", f"{f.name}: at {', '.join(f'{k:g}' for k in f.kinks)}")
    for name in dict.fromkeys(h.cost.name for h in r.heads):
        scales = dict.fromkeys(h.scale for h in r.heads if h.cost.name == name)
        guard = next((h.cost.guard for h in r.heads if h.cost.name == name), 0.0)
        yield Recognised(
            "cost", f"{name} · {' or '.join(scales)}" + (f", logarithms guarded by {guard:g}" if guard else "")
        )
    if r.l2 or r.l2_fixed:
        fixed = f", λ = {r.l2_fixed:.6g} in the file" if r.l2_fixed else ""
        yield Recognised("l2", r.l2_form + (" with biases" if r.l2_biases else "") + fixed)


def _builtin(activation: Activation) -> bool:
    try:
        return activation_named(activation.name) == activation
    except UsageError:
        return False


def _unknown_kinks(heads: Sequence[Head]) -> Iterator[str]:
    """A cost of the caller's own with two slopes somewhere that it does not say."""
    for cost in dict.fromkeys(h.cost for h in heads):
        if cost.name not in COSTS and has_unknown_kinks(cost):
            yield (
                f"the cost {cost.name} has kinks that are not known (declare them as kinks=…): no case is put on them, and "
                "none is kept away from them"
            )


def _penalty(case: Case, form: str, biases: bool) -> float:
    names = [n for n in case.parameters if n[0] == "W" or biases]
    factor = Regularisation(case.architecture.regularisation.strength, form).factor(case.samples)
    return factor * float(sum(np.sum(case.parameters[n] ** 2) for n in names))
