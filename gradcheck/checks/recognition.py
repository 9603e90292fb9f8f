"""Find out by experiment what a subject computes: layout, activations, cost, scale, L2 term, and which sizes it takes.

Forward passes only: the subject's cost (or its output, or its own cost derivative) is compared with the trusted family on
random cases, and a convention is what all of them agree on. Nothing here is a verdict; a difference that no convention
explains is left for the primal check to judge.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from gradcheck.errors import SubjectError, UsageError
from gradcheck.networks import (
    COSTS,
    L2_FORMS,
    SCALES,
    Activation,
    Architecture,
    Case,
    Cost,
    Dense,
    Regularisation,
    builtin_activations,
    forward,
    legal,
    with_regularisation,
)
from gradcheck.networks.costs import GUARDED, guarded, scale_named
from gradcheck.networks.namespace import xp_numpy
from gradcheck.networks.repertoire import Head, Repertoire, hidden_activations
from gradcheck.networks.sampling import sample_case
from gradcheck.numerics import Array
from gradcheck.oracles.autodiff import cost_vjp, value_and_gradient
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Offer, Subject

GUARDS = (1e-15, 1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5)
PREFERRED = ("identity", "sigmoid", "tanh", "relu", "softmax")
_AGREE = {"float64": 1e-8, "float32": 2e-4}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the caller said: names resolved to definitions, or None where it is to be found out."""

    activations: tuple[Activation, ...] | None = None
    costs: tuple[Cost, ...] | None = None
    scale: str | None = None
    l2_form: str | None = None
    dtype: str | None = None
    mentioned: Callable[[str], bool] | None = None


@dataclass(frozen=True, slots=True)
class Recognised:
    """A convention: what, its value, and whether it was recognised or configured."""

    what: str
    value: str
    how: str = "recognised"


@dataclass(frozen=True, slots=True)
class Recognition:
    """What cases to draw and how to read the subject.

    trusted: the trusted definition reproduces the subject's cost or output, so that jax.grad can take part.
    declared: the subject is told its activations and cost, or the caller named them; otherwise they were only recognised, and
    a case at which its own differences confirm a claim that the trusted gradient does not disproves the recognition.
    refused: names that the subject does not take, with what it said.
    """

    layout: Layout
    repertoire: Repertoire
    trusted: bool
    declared: bool = True
    conventions: tuple[Recognised, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = field(default=())


def recognise(subject: Subject, wanted: Wanted, seed: int = 0) -> Recognition:
    """The recognition of a network subject. Raises SubjectError when nothing it offers can be run at all."""
    return _Recogniser(subject, wanted, seed).run()


class _Recogniser:
    """One recognition: the experiments share the subject, the candidates and the generator."""

    def __init__(self, subject: Subject, wanted: Wanted, seed: int) -> None:
        self.subject, self.wanted, self.offer = subject, wanted, subject.offer
        self.generator = np.random.default_rng([seed, 20])
        self.dtype = wanted.dtype or "float64"
        self.activations = wanted.activations or _ordered(builtin_activations(), self.offer.activations)
        self.costs = wanted.costs or _ordered_costs(self.offer)
        self.failure: SubjectError | None = None
        self.refused: dict[str, str] = {}
        self.mismatched: dict[str, str] = {}
        self.outputs = self._output_widths()
        self.notes: list[str] = []
        self.first_failure: SubjectError | None = None
        self.unknown_cost = False

    def run(self) -> Recognition:
        if not self._pairs():
            msg = (
                f"no cost of {', '.join(c.name for c in self.costs)} is legal behind an output activation of "
                f"{', '.join(f.name for f in self.activations)}; configure activations and costs that fit together"
            )
            raise UsageError(msg)
        return self._told() if self.offer.told_activations and self.offer.told_cost else self._fixed()

    # -- candidates -------------------------------------------------------------------------------------------------

    def _pairs(self) -> list[tuple[Activation, Cost]]:
        return [(f, c) for c, f in product(self.costs, self.activations) if legal(c, f.range, f.name)]

    def _hidden(self) -> tuple[Activation, ...]:
        return hidden_activations(self.activations)

    def _output_widths(self) -> tuple[int, int]:
        low, high = self.offer.outputs
        return low, 5 if high is None else high

    def _depths(self) -> Iterator[int]:
        low, high = self.offer.depths
        yield from (d for d in (2, 1, 3, 4, 5, 6) if d >= low and (high is None or d <= high))

    def _case(
        self, hidden: Activation, head: tuple[Activation, Cost], depth: int, shape: tuple[int, int], **options: object
    ) -> Case:
        """A random case with distinct widths, all different from m, in the order 3, 4, 5 …, n_L."""
        units, samples = shape
        widths = list(self.offer.widths) if self.offer.widths else [*[3, 4, 6, 8, 9, 10][:depth], units]
        inner = [head[0] if self.offer.one_activation else hidden] * (depth - 1)
        layers = tuple(Dense(n, f) for n, f in zip(widths[1:], [*inner, head[0]], strict=True))
        architecture = Architecture(widths[0], layers, head[1], dtype=self.dtype, bias=bool(options.get("bias", True)))  # type: ignore[arg-type]
        return sample_case(architecture, samples, self.generator, hard_targets=bool(options.get("hard", False)))

    def _plain(self, hidden: Activation, head: Head, depth: int, shape: tuple[int, int], layout: Layout) -> Case:
        """A random case behind a known head."""
        return self._case(hidden, (head.activation, head.cost), depth, shape, bias=layout.bias != "none")

    def _shapes(self) -> list[tuple[int, int]]:
        """(n_L, m) that tell 1/m, 1/n and their products apart."""
        low, high = self.outputs
        units = [u for u in (2, 5, 2) if low <= u <= high] or [low, low, low]
        samples = (5, 7, 2)
        return [(units[k % len(units)], samples[k]) for k in range(3)]

    # -- subjects that are told activations and cost ------------------------------------------------------------------

    def _told(self) -> Recognition:
        layout, reference = self._told_layout_and_width()
        heads = []
        for pair in self._pairs():
            scale = self._told_head(pair, layout)
            if scale is not None:
                heads.append(Head(pair[0], guarded(pair[1].name, scale[1]) if scale[1] else pair[1], scale[0]))
        heads = self._with_majority_scale(heads)
        hidden = tuple(f for f in self._hidden() if self._told_hidden(f, layout, heads))
        if not heads or not (hidden or self.offer.one_activation):
            raise self.failure or SubjectError("contract", "the subject ran with none of the activations and costs")
        if reference is None:
            self.notes.append("its cost is the declared one in no layout of weights, samples and biases")
        return self._recognition(layout, hidden or self._hidden(), tuple(heads), trusted=True)

    def _probes(self) -> list[tuple[Activation, Cost]]:
        """Few pairs that between them hold every activation and every cost: a subject may take a single one of each."""
        pairs = sorted(self._pairs(), key=lambda p: PREFERRED.index(p[0].name) if p[0].name in PREFERRED else 99)
        by_activation = {f.name: (f, c) for f, c in reversed(pairs)}
        by_cost = {c.name: (f, c) for f, c in reversed(pairs)}
        return list(dict.fromkeys([*reversed(by_activation.values()), *reversed(by_cost.values())]))

    def _told_layout_and_width(self) -> tuple[Layout, Head | None]:
        """The layout with any number of outputs, or with a single one where the subject takes no more."""
        try:
            return self._told_layout()
        except SubjectError as error:
            if error.kind in _FATAL or self.outputs[0] > 1 or self.outputs[1] < 2:
                raise
            self.outputs = (1, 1)
            try:
                return self._told_layout()
            except SubjectError as again:
                raise (again if again.kind in _FATAL else error) from None

    def _told_layout(self) -> tuple[Layout, Head | None]:
        """The first layout in which a forward pass is the trusted one; else the first in which it runs."""
        pairs = self._probes()
        runs: list[Layout] = []
        fits: list[tuple[Layout, Head]] = []
        for layout in self.offer.layouts:
            for pair in pairs:
                match = self._told_match(pair, layout, pair[0] if pair[0].elementwise else self._hidden()[0])
                if match is not None and match[0]:
                    fits.append((layout, Head(*pair, match[0])))
                    if self._well_formed(layout, fits[-1][1]):
                        return fits[-1]
                    break
                if match is not None:
                    runs.append(layout)
        if fits:
            return fits[0]
        if not runs:
            raise self.first_failure or SubjectError("contract", "no layout of weights and samples could be run")
        return runs[0], None

    def _well_formed(self, layout: Layout, head: Head) -> bool:
        """Whether the gradient has the layout's shapes: a forward pass may broadcast, and so run in several layouts."""
        hidden = head.activation if head.activation.elementwise else self._hidden()[0]
        case = self._plain(hidden, head, self._first_depth(), (self.outputs[0], 5), layout)
        try:
            return not self.subject.vjp(case, layout)[1](case.cotangent).problems
        except SubjectError as error:
            if error.kind in _FATAL:
                raise
            return False

    def _told_match(
        self, pair: tuple[Activation, Cost], layout: Layout, hidden: Activation
    ) -> tuple[str, float] | None:
        """(scale, guard) of a head; ("", 0) when it runs and no convention fits; None when it cannot be run."""
        cases = [self._case(hidden, pair, self._first_depth(), s, bias=layout.bias != "none") for s in self._shapes()]
        values = self._values(cases, layout)
        if values is None:
            return None
        return match_scale(cases, values, self.wanted.scale, _AGREE[self.dtype]) or ("", 0.0)

    def _first_depth(self) -> int:
        return next(iter(self._depths()))

    def _told_head(self, pair: tuple[Activation, Cost], layout: Layout) -> tuple[str, float] | None:
        """Scale and guard of a head that the subject takes, ("", 0) where it differs; None when it is refused."""
        hidden = self._hidden()[0] if pair[0].elementwise is False else pair[0]
        match = self._told_match(pair, layout, hidden)
        name = f"{pair[0].name} with {pair[1].name}"
        if match is None:
            self._refuse(name, str(self.failure))
            return None
        if match[0] or (self._is_mentioned(pair[0].name) and self._is_mentioned(pair[1].name)):
            return match
        self._refuse(name, "its value is not that of the cost, and the source does not name it")
        return None

    def _told_hidden(self, f: Activation, layout: Layout, heads: Sequence[Head]) -> bool:
        """Whether a hidden activation is taken, judged behind the first head whose scale is known."""
        if self.offer.one_activation:
            return any(h.activation == f for h in heads)
        head = next((h for h in heads if h.activation.name == "identity"), heads[0] if heads else None)
        if head is None or max(self._depths(), default=1) < 2:
            return True
        case = self._plain(f, head, max(2, self._first_depth()), (self.outputs[0], 5), layout)
        values = self._values([case], layout)
        if values is None:
            self._refuse(f.name, str(self.failure))
            return False
        if match_scale([case], values, None, _AGREE[self.dtype]) or self._is_mentioned(f.name):
            return True
        self._refuse(f.name, "its value is not that of the activation, and the source does not name it")
        return False

    def _refuse(self, name: str, reason: str) -> None:
        """A name that the caller configured must be taken; one that we only tried may be refused."""
        configured = self.wanted.activations is not None or self.wanted.costs is not None
        unsupported = self.failure is not None and self.failure.kind == "unsupported"
        if configured and not unsupported and self.failure is not None:
            raise self.failure
        self.refused[name] = reason

    def _is_mentioned(self, name: str) -> bool:
        """Whether the source names it (or nobody can tell): only then does a difference count against the subject."""
        if self.wanted.activations is not None and any(name == f.name for f in self.wanted.activations):
            return True
        if self.wanted.costs is not None and any(name == c.name for c in self.wanted.costs):
            return True
        return self.wanted.mentioned is None or self.wanted.mentioned(name.partition("(")[0])

    def _with_majority_scale(self, heads: list[Head]) -> list[Head]:
        """Heads whose value fitted no scale get the one that the others of their cost have, or 1/m."""
        known: dict[str, list[str]] = {}
        for head in heads:
            if head.scale:
                known.setdefault(head.cost.name, []).append(head.scale)
        out = []
        for head in heads:
            usual = known.get(head.cost.name) or [self.wanted.scale or "1/m"]
            out.append(head if head.scale else replace(head, scale=max(set(usual), key=usual.count)))
            if not head.scale:
                self.mismatched[f"{head.activation.name} with {head.cost.name}"] = "no known scale fits its value"
        return out

    # -- subjects whose file fixes activations, cost or both ----------------------------------------------------------

    def _fixed(self) -> Recognition:
        search = self._fixed_by_output if self.offer.declares_output else self._fixed_by_value
        fits: list[Recognition] = []
        for layout in self.offer.layouts:
            for outputs in self._width_variants():
                self.outputs = outputs
                found = search(layout)
                if found is not None and self._well_formed(layout, found.repertoire.heads[0]):
                    return found
                fits += [found] if found is not None else []
        if fits:
            return fits[0]
        if self.wanted.scale is not None:
            return self._at_the_scale_that_was_said(self.wanted.scale)
        return self._unrecognised()

    def _at_the_scale_that_was_said(self, scale: str) -> Recognition:
        """The caller's scale fits nothing: recognise the rest without it, and hold the subject to what was said."""
        self.wanted = replace(self.wanted, scale=None)
        found = self._fixed()
        heads = tuple(replace(h, scale=scale) for h in found.repertoire.heads)
        self.notes.append(f"its cost is not at the scale {scale} that was said")
        told = replace(found.repertoire, heads=heads)
        return replace(found, repertoire=told, declared=found.trusted, notes=tuple(self.notes))

    def _width_variants(self) -> list[tuple[int, int]]:
        low, high = self._output_widths()
        several = [(max(low, 2), high)] if high >= 2 else []
        return [*several, (1, 1)] if low == 1 else several

    def _fixed_by_value(self, layout: Layout) -> Recognition | None:
        """Joint search over hidden activation, head and scale: one set of values, compared with the whole family."""
        if not self.offer.declares_cost:
            return None
        for depth in self._depths():
            told = self.activations if self.offer.told_activations else self.activations[:1]
            matches = [m for f in told if (m := self._match_value(f, depth, layout)) is not None]
            if matches:
                return self._from_matches(matches, depth, layout)
        return None

    def _match_value(self, told: Activation, depth: int, layout: Layout) -> tuple[Activation, Head] | None:
        cases = [
            self._case(told, (told, COSTS["mse"]), depth, s, bias=layout.bias != "none", hard=True)
            for s in self._shapes()
        ]
        cases = [replace(c, targets=_one_hot(c.targets.shape, self.generator)) for c in cases]
        values = self._values(cases, layout)
        if values is None:
            return None
        hidden = (told,) if self.offer.told_activations else self._hidden()
        for f, (g, cost) in product(hidden if depth > 1 else hidden[:1], self._pairs()):
            if (self.offer.one_activation and g != f) or (self.offer.told_activations and g != told):
                continue
            alike = [_with(c, f, g, cost) for c in cases]
            match = match_scale(alike, values, self.wanted.scale, _AGREE[self.dtype])
            if match is not None:
                return f, Head(g, guarded(cost.name, match[1]) if match[1] else cost, match[0])
        return None

    def _from_matches(self, matches: list[tuple[Activation, Head]], depth: int, layout: Layout) -> Recognition:
        heads = tuple(dict.fromkeys(head for _, head in matches))
        hidden = tuple(dict.fromkeys(f for f, _ in matches))
        if not self.offer.told_activations and depth == 1 and max(self._depths(), default=1) > 1:
            hidden = (heads[0].activation,)
        return self._recognition(layout, hidden, heads, trusted=True)

    def _fixed_by_output(self, layout: Layout) -> Recognition | None:
        """Activations from the output activations, then the cost from its value or from its own derivative."""
        for depth in self._depths():
            first = (self.activations[0], COSTS["mse"])
            case = self._case(self._hidden()[0], first, depth, self._shapes()[0], bias=layout.bias != "none")
            output = self._output(case, layout)
            if output is None:
                continue
            family = ((f, g) for f in (self._hidden() if depth > 1 else self._hidden()[:1]) for g in self.activations)
            for f, g in family:
                expected = forward(_with(case, f, g, COSTS["mse"]))[1][-1]
                if self._alike(output, expected):
                    head = self._head_of(f, g, depth, layout)
                    hidden = (f,) if depth > 1 else (g if g.elementwise else f,)
                    return self._recognition(layout, hidden, (head,), trusted=not self.unknown_cost) if head else None
        return None

    def _head_of(self, f: Activation, g: Activation, depth: int, layout: Layout) -> Head | None:
        self.unknown_cost = False
        if self.offer.declares_cost:
            cases = [self._case(f, (g, COSTS["mse"]), depth, s) for s in self._shapes()]
            cases = [replace(c, targets=_one_hot(c.targets.shape, self.generator)) for c in cases]
            values = self._values(cases, layout)
            for cost in self.costs if values is not None else ():
                alike = [_with(c, f, g, cost) for c in cases]
                match = legal(cost, g.range, g.name) and match_scale(alike, values, None, _AGREE[self.dtype])
                if match:
                    return Head(g, guarded(cost.name, match[1]) if match[1] else cost, match[0])
            return None
        if self.offer.batch and not self.offer.cost_derivative and self.offer.convention == "training":
            return self._head_from_batches(f, g, depth, layout)
        known = self._head_from_derivative(f, g, depth, layout) if self.offer.cost_derivative else None
        return known or self._head_from_gradient(f, g, layout)

    def _alike(self, given: Array | None, expected: Array) -> bool:
        """Equal to the precision in which the subject computes."""
        agree = _AGREE[self.dtype]
        return (
            given is not None
            and given.shape == expected.shape
            and bool(np.allclose(given, expected, rtol=agree / 10, atol=agree * 1e-4))
        )

    def _head_from_derivative(self, f: Activation, g: Activation, depth: int, layout: Layout) -> Head | None:
        """The cost whose gradient is the file's own ∂C/∂a, up to a constant that becomes the scale."""
        case = self._case(f, (g, COSTS["mse"]), depth, (4, 3))
        a = forward(_with(case, f, g, COSTS["mse"]))[1][-1]
        y = _one_hot(a.shape, self.generator) if g.range != "real" else case.targets
        try:
            G = self.subject.cost_derivative(case, a, y, layout)
        except SubjectError as error:
            self.failure = error
            return None
        for cost in self.costs:
            expected = cost_vjp(cost)(a, y, np.ones(()))
            for scale in ("1", "1/2", "2"):
                if legal(cost, g.range, g.name) and self._alike(G, scale_named(scale)(1, 1) * expected):
                    return Head(g, cost, scale)
        return None

    def _head_from_batches(self, f: Activation, g: Activation, depth: int, layout: Layout) -> Head:
        """The cost, and its scale, of which the last layer's claimed gradient is a positive multiple at every m."""
        bias = layout.bias != "none"
        cases = [self._case(f, (g, COSTS["mse"]), depth, s, bias=bias) for s in self._shapes()]
        if g.range != "real":
            cases = [replace(c, targets=_one_hot(c.targets.shape, self.generator)) for c in cases]
        name = f"b{depth}" if bias else f"W{depth}"
        claims = [self.subject.vjp(c, layout)[1](c.cotangent).gradient.get(name) for c in cases]
        for cost in self.costs if all(c is not None for c in claims) else ():
            if not legal(cost, g.range, g.name):
                continue
            expected = [value_and_gradient(_with(c, f, g, cost))[1][name] * c.samples for c in cases]
            ratios = [_multiple(c, e, _AGREE[self.dtype]) for c, e in zip(claims, expected, strict=True)]
            for base in ("1", "1/m", "1/(m n)", "1/n"):
                sizes = [scale_named(base)(c.samples, c.architecture.widths[-1]) for c in cases]
                r = [q / s for q, s in zip(ratios, sizes, strict=True)]
                if r[0] > 0 and all(_close(q, r[0], _AGREE[self.dtype]) for q in r):
                    factor = float(f"{r[0]:.9g}")
                    scale = base if factor == 1 else "1/2" if (factor, base) == (0.5, "1") else f"{factor!r} * {base}"
                    return Head(g, cost, scale)
        msg = "it declares no cost, and the update of its last layer is that of no cost that gradcheck knows"
        raise SubjectError("unrecognised", msg)

    def _head_from_gradient(self, f: Activation, g: Activation, layout: Layout) -> Head:
        """The cost whose output error is the claimed bias gradient of the last layer; else a name only, with a note."""
        depth = self._first_depth()
        case = self._case(f, (g, COSTS["mse"]), depth, (max(self.outputs[0], min(4, self.outputs[1])), 1))
        y = _one_hot(case.targets.shape, self.generator) if g.range != "real" else case.targets
        case = replace(_with(case, f, g, COSTS["mse"]), targets=y)
        try:
            claim = self.subject.vjp(case, layout)[1](case.cotangent).gradient.get(f"b{depth}")
        except SubjectError as error:
            if error.kind in _FATAL:
                raise
            claim = None
        for cost in self.costs if claim is not None else ():
            if not legal(cost, g.range, g.name):
                continue
            expected = value_and_gradient(_with(case, f, g, cost))[1][f"b{depth}"]
            for scale in ("1", "1/2", "2"):
                if self._alike(claim, scale_named(scale)(1, 1) * expected):
                    return Head(g, cost, scale)
        self.unknown_cost = True
        self.notes.append(
            "it declares no cost and its gradient is that of none that is known: judged by whether it is a gradient at all"
        )
        return Head(g, COSTS["mse"], "1/2")

    def _unrecognised(self) -> Recognition:
        """Nothing trusted fits: cases are drawn from what runs, and only the subject's own cost can judge it."""
        for layout, outputs, depth in product(self.offer.layouts, self._width_variants(), self._depths()):
            self.outputs = outputs
            f = self._hidden()[0]
            case = self._case(f, self._pairs()[0], depth, self._shapes()[0], bias=layout.bias != "none")
            if self.offer.declares_cost and self._values([case], layout) is not None:
                return self._declared(layout, f)
        msg = "its forward pass is that of no dense network and cost that gradcheck knows"
        if self.failure is not None:
            raise self.first_failure or self.failure
        raise SubjectError("unrecognised", msg)

    def _declared(self, layout: Layout, f: Activation) -> Recognition:
        """A convention that has one cost and knows its activations is measured against those, although nothing fits."""
        single = len(self.offer.costs or ()) == 1
        known = single and (self.offer.told_activations or len(self.offer.activations or ()) == 1)
        self.notes.append("its cost is that of no dense network and cost that gradcheck knows")
        heads = tuple(Head(g, c, self.wanted.scale or "1/m") for g, c in self._pairs())
        if not known:
            return self._recognition(layout, (f,), heads[:1], trusted=False)
        chosen = [h for h in heads if h.cost.name in (self.offer.costs or ())]
        if not self.offer.told_activations:
            chosen = [h for h in chosen if h.activation.name in (self.offer.activations or ())]
        hidden = tuple(dict.fromkeys(h.activation for h in chosen))
        return self._recognition(layout, hidden, tuple(chosen), trusted=True)

    # -- what all have in common --------------------------------------------------------------------------------------

    def _recognition(
        self, layout: Layout, hidden: tuple[Activation, ...], heads: tuple[Head, ...], trusted: bool
    ) -> Recognition:
        form, biases = self._l2(layout, hidden, heads[0]) if trusted else ("none", False)
        low, high = self._accepted_depths(layout, hidden, heads[0])
        if self.outputs[0] > 1 and self._output_widths()[0] == 1:
            case = self._plain(hidden[0], heads[0], low, (1, 2), layout)
            self.outputs = (1 if self._runs(case, layout) else self.outputs[0], self.outputs[1])
        repertoire = Repertoire(
            hidden,
            heads,
            l2=self.offer.takes_l2 and (trusted or form != "none"),
            l2_form=form,
            l2_biases=biases,
            one_activation=self.offer.one_activation,
            depths=(low, high),
            output_widths=self.outputs,
            bias=layout.bias != "none",
            dtype=self.dtype,  # type: ignore[arg-type]
            refused=tuple(self.refused.items()),
            fixed=self.offer.widths,
        )
        return Recognition(
            layout,
            repertoire,
            trusted,
            (self.offer.told_cost and self.offer.told_activations) or self.wanted.costs is not None,
            tuple(self._conventions(layout, repertoire, trusted)),
            tuple(self.refused.items()),
            tuple(self.notes),
        )

    def _accepted_depths(self, layout: Layout, hidden: Sequence[Activation], head: Head) -> tuple[int, int]:
        """The run of depths that the subject takes (a hard-coded two-layer file takes only 2); what it refuses is noted."""
        accepted: list[int] = []
        for depth in sorted(self._depths()):
            if self._runs(self._plain(hidden[0], head, depth, (self.outputs[0], 2), layout), layout):
                accepted.append(depth)
            elif accepted:
                self.notes.append(f"not checked: {depth} layers and more: {self.failure}")
                break
        if not accepted:
            raise self.failure or SubjectError("contract", "the subject ran at no depth")
        return accepted[0], accepted[-1]

    def _runs(self, case: Case, layout: Layout) -> bool:
        if self.offer.declares_cost:
            return self._values([case], layout) is not None
        return self._output(case, layout) is not None

    def _l2(self, layout: Layout, hidden: Sequence[Activation], head: Head) -> tuple[str, bool]:
        """Form of the L2 term, from the difference that λ makes to the cost."""
        if not (self.offer.takes_l2 and self.offer.declares_cost):
            return self.wanted.l2_form or "none", False
        depth = self._first_depth()
        cases = [self._plain(hidden[0], head, depth, s, layout) for s in self._shapes()]
        penalised = [replace(c, architecture=with_regularisation(c.architecture, 0.7)) for c in cases]
        plain, decayed = self._values(cases, layout), self._values(penalised, layout)
        if plain is None or decayed is None:
            return self.wanted.l2_form or "none", False
        for form, biases in product(L2_FORMS, (False, True)):
            expected = [_penalty(c, form, biases) for c in penalised]
            if np.allclose(np.subtract(decayed, plain), expected, rtol=_AGREE[self.dtype] * 100, atol=1e-9):
                return form, biases
        return self.wanted.l2_form or "lambda/2", False

    def _conventions(self, layout: Layout, r: Repertoire, trusted: bool) -> Iterator[Recognised]:
        yield Recognised("weights", layout.weights)
        yield Recognised("samples", layout.samples)
        yield Recognised("bias", layout.bias)
        if not trusted:
            return
        yield Recognised(
            "activations", ", ".join(dict.fromkeys(f.name for f in (*r.hidden, *(h.activation for h in r.heads))))
        )
        for name in dict.fromkeys(h.cost.name for h in r.heads):
            scales = dict.fromkeys(h.scale for h in r.heads if h.cost.name == name)
            guard = next((h.cost.guard for h in r.heads if h.cost.name == name), 0.0)
            yield Recognised(
                "cost", f"{name} · {' or '.join(scales)}" + (f", logarithms guarded by {guard:g}" if guard else "")
            )
        if r.l2:
            yield Recognised("l2", r.l2_form + (" with biases" if r.l2_biases else ""))

    def _values(self, cases: Sequence[Case], layout: Layout) -> list[float] | None:
        """The subject's costs, or None when it could not be run (the reason is kept)."""
        try:
            self.failure = None
            values = [float(v) for v in self.subject.forward(cases, layout)]
        except SubjectError as error:
            if error.kind in _FATAL:
                raise
            self._failed(error)
            return None
        return values

    def _failed(self, error: SubjectError) -> None:
        """Keep the reason; the first one belongs to the likeliest layout, later ones to guesses."""
        self.failure = error
        self.first_failure = self.first_failure or error

    def _output(self, case: Case, layout: Layout) -> Array | None:
        try:
            self.failure = None
            return self.subject.output(case, layout)
        except SubjectError as error:
            if error.kind in _FATAL:
                raise
            self._failed(error)
            return None


_FATAL = frozenset({"timeout", "crash", "exit", "memory", "protocol", "load"})


def match_scale(
    cases: Sequence[Case], values: Sequence[float] | None, wanted: str | None, agree: float
) -> tuple[str, float] | None:
    """(name of the scale, guard of the logarithms) that makes the trusted cost equal all values; None if none does."""
    if values is None or not np.all(np.isfinite(values)):
        return None
    name = cases[0].architecture.cost.name
    tight = 4e-13 if agree < 1e-6 else agree
    guards = GUARDS if name in GUARDED and agree < 1e-6 else ()
    for epsilon, tolerance in [(0.0, tight), *((e, tight) for e in guards), (0.0, agree)]:
        sums = [_sum(c, guarded(name, epsilon) if epsilon else c.architecture.cost) for c in cases]
        if not all(abs(total) > 1e-12 for total in sums):
            return None
        for scale in [wanted] if wanted else SCALES:
            expected = [
                scale_named(scale)(c.samples, c.architecture.widths[-1]) * s for c, s in zip(cases, sums, strict=True)
            ]
            if all(_close(v, e, tolerance) for v, e in zip(values, expected, strict=True)):
                return str(scale), epsilon
    return _unusual_scale(cases, values, agree) if wanted is None and len(cases) > 2 else None


def _multiple(claim: Array | None, expected: Array, agree: float) -> float:
    """r with claim = r expected; NaN where there is none."""
    if claim is None or not np.any(expected):
        return float("nan")
    r = float(np.vdot(expected, claim) / np.vdot(expected, expected))
    return (
        r if np.allclose(claim, r * expected, rtol=agree, atol=agree * float(np.max(np.abs(claim)))) else float("nan")
    )


def _unusual_scale(cases: Sequence[Case], values: Sequence[float], agree: float) -> tuple[str, float] | None:
    """``r * base``: one factor on all cases, such as 3 or 0.1, beside a customary dependence on m and n."""
    sums = [_sum(c, c.architecture.cost) for c in cases]
    for base in ("1/m", "1", "1/(m n)", "1/n"):
        units = [scale_named(base)(c.samples, c.architecture.widths[-1]) * s for c, s in zip(cases, sums, strict=True)]
        if not all(u and np.isfinite(u) for u in units):
            continue
        r = values[0] / units[0]
        if r and all(_close(v, r * u, agree) for v, u in zip(values, units, strict=True)):
            return f"{float(f'{r:.12g}')!r} * {base}", 0.0
    return None


def _close(value: float, expected: float, relative: float) -> bool:
    return abs(value - expected) <= relative * max(abs(expected), 1e-12)


def _sum(case: Case, cost: Cost) -> float:
    with np.errstate(all="ignore"):
        return float(cost(forward(case)[1][-1], case.targets, xp_numpy))


def _penalty(case: Case, form: str, biases: bool) -> float:
    names = [n for n in case.parameters if n[0] == "W" or biases]
    factor = Regularisation(case.architecture.regularisation.strength, form).factor(case.samples)
    return factor * float(sum(np.sum(case.parameters[n] ** 2) for n in names))


def _with(case: Case, hidden: Activation, output: Activation, cost: Cost) -> Case:
    """The same numbers through other activations and another cost."""
    layers = case.architecture.layers
    changed = (*(replace(d, activation=hidden) for d in layers[:-1]), replace(layers[-1], activation=output))
    return replace(case, architecture=replace(case.architecture, layers=changed, cost=cost))


def _one_hot(shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    """Targets that every cost takes: one-hot columns; zeros and ones at random for a single unit."""
    if shape[0] == 1:
        y = generator.integers(0, 2, shape).astype(float)
        y[0, 0], y[0, -1] = 1.0, 0.0
        return y
    return np.eye(shape[0])[generator.integers(0, shape[0], shape[1])].T.copy()


def _ordered(activations: tuple[Activation, ...], names: tuple[str, ...] | None) -> tuple[Activation, ...]:
    """Those that the source mentions first."""
    mentioned = [f for f in activations if names and f.name.partition("(")[0] in names]
    return tuple(dict.fromkeys([*mentioned, *activations]))


def _ordered_costs(offer: Offer) -> tuple[Cost, ...]:
    mentioned = [c for c in COSTS.values() if offer.costs and c.name in offer.costs]
    return tuple(dict.fromkeys([*mentioned, *COSTS.values()]))
