"""Try a few small networks on a subject whose file fixes the network: which depths and how many outputs does it accept?

Files of this kind often assert a single output unit, or need a hidden layer. Only the forward pass and the cost are
run; any exception counts as "not accepted". Values are not looked at.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.networks import Architecture, Case, Dense, activation_named, cost_named
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Adapter, Malformed, Offer

HIDDEN = (4, 3)
DEPTHS = (1, 2, 3)


def tried_out(adapter: Adapter) -> Offer:
    """The adapter's offer, with depths and outputs narrowed to what small networks show; unchanged where none runs."""
    offer = adapter.offer
    if offer.kind == "operation" or offer.told_activations or offer.input_gradient:
        return offer
    possible = [d for d in DEPTHS if offer.depths[0] <= d <= (offer.depths[1] or d)] or [offer.depths[0]]
    most = offer.outputs[1] or 2
    deep = {n: [d for d in possible if _accepts(adapter, offer, d, n)] for n in dict.fromkeys((most, offer.outputs[0]))}
    outputs, depths = next(((n, accepted) for n, accepted in deep.items() if accepted), (None, []))
    if outputs is None:
        return offer
    limit = (1, 1) if outputs == 1 else offer.outputs
    return replace(offer, outputs=limit, depths=_range(depths, possible, offer.depths))


def _range(accepted: list[int], tried: list[int], offered: tuple[int, int | None]) -> tuple[int, int | None]:
    """The smallest accepted depth, and the largest one, unless that is the largest that was tried."""
    return accepted[0], offered[1] if accepted[-1] == tried[-1] else accepted[-1]


def _accepts(adapter: Adapter, offer: Offer, depth: int, outputs: int) -> bool:
    case = small_case(depth, outputs)
    return any(_runs(adapter, offer, case, layout) for layout in offer.layouts)


def _runs(adapter: Adapter, offer: Offer, case: Case, layout: Layout) -> bool:
    try:
        with subject_code():
            call = adapter.call(case, layout)
            _ = adapter.value(call) if offer.declares_cost else adapter.output(call)
    except (SubjectError, Malformed):
        return False
    return True


def small_case(depth: int, outputs: int, sizes: Sequence[int] | None = None, samples: int = 5) -> Case:
    """A sigmoid network with one-hot targets (half-way ones for one output); sizes: of the file's own."""
    widths = tuple(sizes or (6, *(HIDDEN[(k - 1) % 2] for k in range(1, depth)), outputs))
    outputs = widths[-1]
    layers = tuple(Dense(n, activation_named("sigmoid")) for n in widths[1:])
    architecture = Architecture(widths[0], layers, cost_named("mse"))
    parameters = {n: 0.1 * np.cos(np.arange(np.prod(s))).reshape(s) for n, s in architecture.shapes().items()}
    inputs = np.sin(np.arange(widths[0] * float(samples))).reshape(widths[0], samples)
    targets = np.full((1, samples), 0.5) if outputs == 1 else np.eye(outputs)[:, np.arange(samples) % outputs]
    return Case(architecture, parameters, inputs, targets)


def labelled_case(depth: int, outputs: int, samples: int = 5) -> Case:
    """A small case with one class a sample as its target, every class among them."""
    case = small_case(depth, outputs, samples=samples)
    return replace(case, targets=np.eye(outputs)[:, np.arange(samples) % outputs])


def magnified(case: Case, factor: float, labels: bool) -> Case:
    """A case of larger gradients: by larger targets or, where these are classes, larger inputs of smaller weights."""
    if not labels:
        return replace(case, targets=factor * case.targets)
    smaller = {"W1": case.parameters["W1"] / factor}
    return replace(case.at({**case.parameters, **smaller}), inputs=factor * case.inputs)
