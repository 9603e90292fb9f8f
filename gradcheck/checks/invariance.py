"""Laws of a network's cost as values: each says which of its gradients, weighted, must add up to nothing.

s_i             a sample; g(s_1, …, s_m) the gradient of a batch, θ the parameters, π a permutation
additivity      m g(s_1, …, s_m) = Σ_i g(s_i, …, s_i)          all batches of size m, so that neither the scale of the cost
                                                               nor the form of its L2 term matters
order           g(s_π1, …, s_πm) = g(s_1, …, s_m)
scale           Σ_k w_k g(s, …, s) = 0, s repeated k times, for the w with which Σ_k w_k C(s, …, s) = 0
units           g(π θ) = π g(θ), π a permutation of the units of one layer, the input among them

They follow by differentiation from the same relation of the cost, where the cost keeps it for every θ: a batchnorm, a dropout
mask, an unusual L2 term or a cost that is no sum over samples does not keep it, and the law says nothing of its gradient.
A gradient that is wrong in the same way for every sample and every unit keeps all of them.
It must not know subjects.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.checks.examination import Fault
from gradcheck.networks import Case
from gradcheck.numerics import Array, Arrays

SAMPLES = 3
"""m of the cases at which laws of the batch are tried: the smallest at which a permutation is no mere exchange."""
SCALES: tuple[tuple[float, ...], ...] = (
    (2, -1, -1),  # a mean over the samples, any L2 term that does not depend on m: C_1 = C_2 = C_3
    (5, -1, -1),  # a sum, no L2 term: C_k = k C_1
    (1, -2, 1),  # a sum with an L2 term that does not depend on m
    (1, -4, 3),  # a mean with an L2 term over m
)
"""Weights (w_1, w_2, w_3) of customary costs; the first relation that the cost keeps is the one its gradient must keep."""


@dataclass(frozen=True, slots=True)
class Term:
    """A case whose gradient takes part, and how that gradient is brought to the names and units of the others."""

    case: Case
    back: Callable[[Arrays], Arrays] = lambda gradient: gradient


@dataclass(frozen=True, slots=True)
class Law:
    """relations: the weights that the cost may keep, the first that fits counts. terms: the cases at given parameters.

    words: what the gradient of {names} does that breaks it. layer: whose units are permuted, for that law.
    """

    fault: Fault
    name: str
    words: str
    relations: Sequence[Sequence[float]]
    terms: Callable[[Case], tuple[Term, ...]]
    layer: int | None = None


def batch_laws() -> Iterator[Law]:
    """The laws of subjects that take a whole batch a call, for cases with `SAMPLES` samples."""
    yield Law(
        Fault.NOT_ADDITIVE,
        "additivity over the samples",
        "the gradient of {names} for a batch is not put together from those of its samples, as the cost is",
        ((float(SAMPLES), *[-1.0] * SAMPLES),),
        lambda case: (Term(case), *(Term(batch(case, [k] * SAMPLES)) for k in range(SAMPLES))),
    )
    for order in generators_of(SAMPLES):
        yield _order_law(order)
    yield Law(
        Fault.LOSS_SCALE,
        "scale of the cost",
        "the gradient of {names} does not scale as the cost does when a sample is repeated",
        SCALES,
        lambda case: tuple(Term(batch(case, [0] * k)) for k in (1, 2, 3)),
    )


def _order_law(order: Array) -> Law:
    return Law(
        Fault.ORDER,
        "permutation of the samples",
        "the gradient of {names} changes when the samples change places, the cost does not",
        ((1.0, -1.0),),
        lambda case: (Term(case), Term(batch(case, order))),
    )


def unit_laws(case: Case) -> Iterator[Law]:
    """Those of each layer with several units below the output, 0 the input."""
    for l, units in enumerate(case.architecture.widths[:-1]):
        for order in generators_of(units):
            yield _unit_law(l, order)


def generators_of(count: int) -> list[Array]:
    """A rotation and an exchange: every permutation is a product of them, so that what follows these follows all."""
    if count < 2:
        return []
    exchange = np.arange(count)
    exchange[:2] = 1, 0
    return [exchange, np.roll(np.arange(count), 1)][: min(2, count - 1)]


def _unit_law(l: int, order: Array) -> Law:
    inverse = np.argsort(order)
    what = f"the units of layer {l}" if l else "the inputs"
    return Law(
        Fault.UNITS,
        "permutation of the units",
        f"when {what} change places, the cost stays as it is and the entries of {{names}} do not change places with them",
        ((1.0, -1.0),),
        lambda case: (Term(case), Term(_permuted_case(case, l, order), lambda g: permuted(g, l, inverse))),
        layer=l,
    )


def batch(case: Case, samples: Sequence[int] | Array) -> Case:
    """The case with these samples, which may repeat."""
    chosen = list(samples)
    return replace(case, inputs=case.inputs[:, chosen], targets=case.targets[:, chosen])


def permuted(arrays: Arrays, l: int, order: Array) -> Arrays:
    """Parameters, or a gradient, with the units of layer l in another order: rows of W_l and b_l, columns of W_{l+1}."""
    moved = dict(arrays)
    for name in (f"W{l}", f"b{l}"):
        if name in moved:
            moved[name] = moved[name][order]
    above = f"W{l + 1}"
    if above in moved:
        moved[above] = moved[above][:, order]
    return moved


def _permuted_case(case: Case, l: int, order: Array) -> Case:
    moved = case.at(permuted(case.parameters, l, order))
    return replace(moved, inputs=moved.inputs[order]) if l == 0 else moved
