"""Smaller networks made from a given one: fewer samples, layers and units, no regularisation; its other numbers stay.

Hypothesis shrinks what it draws, and has to come across a case that breaks in the same way first; what breaks rarely is made
smaller here, from the very case that broke.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from gradcheck.campaign.contracts import Contracts
from gradcheck.networks import Case, with_regularisation
from gradcheck.networks.repertoire import Repertoire
from gradcheck.numerics import Array

LOOKS = 200
"""Smaller cases that are looked at; a network of six layers has some thirty at a time."""


def reduced(case: Case, repertoire: Repertoire, breaks: Callable[[Case], bool]) -> Case:
    """The smallest case on the way down that still breaks; each step takes the first that does."""
    lawful, left = Contracts(case), LOOKS
    while True:
        for candidate in smaller(case, repertoire):
            if left <= 0:
                return case
            if lawful(candidate):
                left -= 1
                if breaks(candidate):
                    case = candidate
                    break
        else:
            return case


def smaller(case: Case, r: Repertoire) -> Iterator[Case]:
    """Cases that are smaller in one respect and that the repertoire has, the greatest steps first."""
    architecture, m = case.architecture, case.samples
    for samples in dict.fromkeys((r.samples[0], m // 2, m - 1)):
        if r.samples[0] <= samples < m and samples:
            yield replace(case, inputs=case.inputs[:, :samples].copy(), targets=case.targets[:, :samples].copy())
    if architecture.regularisation.strength != r.l2_fixed:
        yield replace(case, architecture=with_regularisation(architecture, r.l2_fixed))
    if r.fixed is not None:
        return
    for l in range(1, architecture.depth) if architecture.depth > r.depths[0] else ():
        yield without_layer(case, l)
    for l, units in enumerate(architecture.widths):
        least = _least(case, l, r)
        yield from (narrowed(case, l, n) for n in dict.fromkeys((least, units // 2, units - 1)) if least <= n < units)


def without_layer(case: Case, l: int) -> Case:
    """Without hidden layer l; the layer above it gets as many of its weights as there are units below, again and again."""
    old = case.architecture
    W, above = case.weight(l + 1), {f"{n}{k}": f"{n}{k - 1}" for n in "Wb" for k in range(l + 1, old.depth + 1)}
    parameters = {above.get(n, n): a for n, a in case.parameters.items() if n not in (f"W{l}", f"b{l}")}
    parameters[f"W{l}"] = np.resize(W, (W.shape[0], old.widths[l - 1]))
    layers = (*old.layers[: l - 1], *old.layers[l:])
    return _ordered(replace(case, architecture=replace(old, layers=layers), parameters=parameters))


def narrowed(case: Case, l: int, units: int) -> Case:
    """With the first units of layer l alone; layer 0 is the input."""
    old, parameters = case.architecture, dict(case.parameters)
    for n in (f"W{l}", f"b{l}"):
        if n in parameters:
            parameters[n] = parameters[n][:units].copy()
    if l < old.depth:
        parameters[f"W{l + 1}"] = parameters[f"W{l + 1}"][:, :units].copy()
    if l == 0:
        return replace(case, architecture=replace(old, inputs=units), parameters=parameters, inputs=case.inputs[:units])
    layers = tuple(replace(layer, units=units) if k == l else layer for k, layer in enumerate(old.layers, start=1))
    targets = _targets(case, units) if l == old.depth else case.targets
    return replace(case, architecture=replace(old, layers=layers), parameters=parameters, targets=targets)


def _targets(case: Case, units: int) -> Array:
    """Targets of the first units; where they must sum to one, the first takes what is missing."""
    targets = case.targets[:units].copy()
    if case.architecture.cost.targets in ("simplex", "one_hot") or bool(np.all(case.targets.sum(axis=0) == 1)):
        targets[0] += 1.0 - targets.sum(axis=0)
    return targets


def _least(case: Case, l: int, r: Repertoire) -> int:
    """The least width of layer l; two outputs behind a softmax, where there may be two."""
    architecture = case.architecture
    if l < architecture.depth:
        return r.widths[0]
    simplex = architecture.layers[-1].activation.range == "simplex" and r.output_widths[1] > 1
    return max(r.output_widths[0], 2) if simplex else r.output_widths[0]


def _ordered(case: Case) -> Case:
    """The parameters in the order of their layers."""
    return replace(case, parameters={n: case.parameters[n] for n in case.architecture.shapes()})
