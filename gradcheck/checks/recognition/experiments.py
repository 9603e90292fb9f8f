"""The bench of a recognition: random cases, the subject's answers to them, and what it refused.

Knows how to ask; the modules beside it know what to ask and what an answer means.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from gradcheck.checks.recognition.scales import AGREE
from gradcheck.checks.recognition.types import Wanted
from gradcheck.errors import FATAL, SubjectError
from gradcheck.networks import COSTS, Activation, Architecture, Case, Cost, Dense, builtin_activations, legal
from gradcheck.networks.repertoire import Head, hidden_activations
from gradcheck.networks.sampling import sample_case, with_labels
from gradcheck.numerics import Array, Arrays
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Offer, Subject


class Experiments:
    """One recognition: the experiments share the subject, the candidates and the generator."""

    def __init__(self, subject: Subject, wanted: Wanted, seed: int) -> None:
        self.subject, self.wanted, self.offer = subject, wanted, subject.offer
        self.generator = np.random.default_rng([seed, 20])
        self.dtype = wanted.dtype or "float64"
        self.activations = wanted.activations or _ordered(builtin_activations(), self.offer.activations)
        self.costs = wanted.costs or _ordered_costs(self.offer)
        self.failure: SubjectError | None = None
        self.refused: dict[str, str] = {}
        self.outputs = self.output_widths()
        self.notes: list[str] = []
        self.first_failure: SubjectError | None = None
        self.unknown_cost = False
        self.partial = False
        """Whether a layout fits at one depth and, although it runs, not at another: one layer unrolls in more ways than one."""

    def pairs(self) -> list[tuple[Activation, Cost]]:
        return [(f, c) for c, f in product(self.costs, self.activations) if legal(c, f.range, f.name)]

    def hidden(self) -> tuple[Activation, ...]:
        return hidden_activations(self.activations)

    def output_widths(self) -> tuple[int, int]:
        low, high = self.offer.outputs
        return low, 5 if high is None else high

    def width_variants(self) -> list[tuple[int, int]]:
        low, high = self.output_widths()
        several = [(max(low, 2), high)] if high >= 2 else []
        return [*several, (1, 1)] if low == 1 else several

    def depths(self) -> Iterator[int]:
        low, high = self.offer.depths
        yield from (d for d in (2, 1, 3, 4, 5, 6) if d >= low and (high is None or d <= high))

    def first_depth(self) -> int:
        return next(iter(self.depths()))

    def shapes(self) -> list[tuple[int, int]]:
        """(n_L, m) that tell 1/m, 1/n and their products apart."""
        low, high = self.outputs
        units = [u for u in (2, 5, 2) if low <= u <= high] or [low, low, low]
        samples = (5, 7, 2)
        return [(units[k % len(units)], samples[k]) for k in range(3)]

    def case(
        self, hidden: Activation, head: tuple[Activation, Cost], depth: int, shape: tuple[int, int], **options: object
    ) -> Case:
        """A random case with distinct widths, all different from m, in the order 3, 4, 5 …, n_L."""
        units, samples = shape
        widths = list(self.offer.widths) if self.offer.widths else [*[3, 4, 6, 8, 9, 10][:depth], units]
        inner = [head[0] if self.offer.one_activation else hidden] * (depth - 1)
        layers = tuple(Dense(n, f) for n, f in zip(widths[1:], [*inner, head[0]], strict=True))
        architecture = Architecture(widths[0], layers, head[1], dtype=self.dtype, bias=bool(options.get("bias", True)))  # type: ignore[arg-type]
        case = sample_case(architecture, samples, self.generator, hard_targets=bool(options.get("hard", False)))
        return self._labelled(case) if self.offer.labels else case

    def _labelled(self, case: Case) -> Case:
        """With every class among the targets where there are as many samples: a file may count them."""
        n, m = case.targets.shape
        if n == 1:
            return with_labels(case, self.generator)
        return replace(case, targets=np.eye(n)[self.generator.permutation(m) % n].T.copy())

    def plain(self, hidden: Activation, head: Head, depth: int, shape: tuple[int, int], layout: Layout) -> Case:
        """A random case behind a known head."""
        return self.case(hidden, (head.activation, head.cost), depth, shape, bias=layout.bias != "none")

    def values(self, cases: Sequence[Case], layout: Layout) -> list[float] | None:
        """The subject's costs, or None when it could not be run (the reason is kept)."""
        try:
            self.failure = None
            values = [float(v) for v in self.subject.forward(cases, layout)]
        except SubjectError as error:
            if error.kind in FATAL:
                raise
            self._failed(error)
            return None
        return values

    def output(self, case: Case, layout: Layout) -> Array | None:
        try:
            self.failure = None
            return self.subject.output(case, layout)
        except SubjectError as error:
            if error.kind in FATAL:
                raise
            self._failed(error)
            return None

    def _failed(self, error: SubjectError) -> None:
        """Keep the reason; the first one belongs to the likeliest layout, later ones to guesses."""
        self.failure = error
        self.first_failure = self.first_failure or error

    def runs(self, case: Case, layout: Layout) -> bool:
        if self.offer.declares_cost:
            return self.values([case], layout) is not None
        if not self.offer.declares_output:
            return self.claims(case, layout) is not None
        return self.output(case, layout) is not None

    def claims(self, case: Case, layout: Layout) -> Arrays | None:
        """The claimed gradient; None where there is none, or one of the wrong form."""
        try:
            self.failure = None
            claim = self.subject.vjp(case, layout)[1](case.cotangent)
        except SubjectError as error:
            if error.kind in FATAL or error.kind == "unrecognised":
                raise
            self._failed(error)
            return None
        return None if claim.problems else claim.gradient

    def well_formed(self, layout: Layout, head: Head) -> bool:
        """Whether the gradient has the layout's shapes: a forward pass may broadcast, and so run in several layouts."""
        hidden = head.activation if head.activation.elementwise else self.hidden()[0]
        case = self.plain(hidden, head, self.first_depth(), (self.outputs[0], 5), layout)
        try:
            return not self.subject.vjp(case, layout)[1](case.cotangent).problems
        except SubjectError as error:
            if error.kind in FATAL:
                raise
            return False

    def alike(self, given: Array | None, expected: Array) -> bool:
        """Equal to the precision in which the subject computes."""
        agree = AGREE[self.dtype]
        return (
            given is not None
            and given.shape == expected.shape
            and bool(np.allclose(given, expected, rtol=agree / 10, atol=agree * 1e-4))
        )

    def refuse(self, name: str, reason: str) -> None:
        """A name that the caller configured must be taken; one that we only tried may be refused."""
        configured = self.wanted.activations is not None or self.wanted.costs is not None
        unsupported = self.failure is not None and self.failure.kind == "unsupported"
        if configured and not unsupported and self.failure is not None:
            raise self.failure
        self.refused[name] = reason

    def is_mentioned(self, name: str) -> bool:
        """Whether the source names it (or nobody can tell): only then does a difference count against the subject."""
        if self.wanted.activations is not None and any(name == f.name for f in self.wanted.activations):
            return True
        if self.wanted.costs is not None and any(name == c.name for c in self.wanted.costs):
            return True
        return self.wanted.mentioned is None or self.wanted.mentioned(name.partition("(")[0])


def through(case: Case, hidden: Activation, output: Activation, cost: Cost) -> Case:
    """The same numbers through other activations and another cost."""
    layers = case.architecture.layers
    changed = (*(replace(d, activation=hidden) for d in layers[:-1]), replace(layers[-1], activation=output))
    return replace(case, architecture=replace(case.architecture, layers=changed, cost=cost))


def one_hot(shape: tuple[int, ...], generator: np.random.Generator) -> Array:
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
