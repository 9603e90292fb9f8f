"""Cases of a layer that stand on kinks by construction, after those that keep away from them.

With quarters for numbers the windows of a maximum have ties and an activation stands on its kinks; of a hinge, one class is put
on its margin. Each is exact in any order of summation.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from gradcheck.checks import Examination
from gradcheck.checks.at_kink import examine_at_kink
from gradcheck.checks.operations import Trusted
from gradcheck.networks import OperationCase, activation_named
from gradcheck.numerics import Array
from gradcheck.oracles.layers import layer_of
from gradcheck.oracles.operations import activation_of
from gradcheck.subjects import Layout, Subject
from gradcheck.subjects.claims import PLAIN_FUNCTION

Draw = Callable[[np.random.Generator, int], OperationCase]
KINKED_LAYERS = frozenset({"max_pool", "hinge"})
WORDS = {
    "max_pool": ": where inputs of a window are equally large, one gets the cotangent, or they share it; not each the whole",
    "hinge": ": a margin of exactly 0 counts for class and target alike, with a share between 0 and 1",
}
"""What a mistake at a tie or a kink mostly is, by layer."""
_CASES = 2
_SMALLEST = 4
"""The first case number that has several components of each kind."""


def kinks_of(case: OperationCase) -> tuple[float, ...] | None:
    """Where the layer of a case has kinks: values of x, () for ties and margins; None where it has none, or none are known."""
    if layer_of(case) == "activation":
        return activation_named(activation_of(case)).kinks or None
    if layer_of(case) is not None:
        return () if layer_of(case) in KINKED_LAYERS else None
    if case.operation == "affine" or case.operation.startswith(PLAIN_FUNCTION):
        return None
    return activation_named(activation_of(case)).kinks or None


def cases_at_kinks(draw: Draw, seed: int) -> Iterator[OperationCase]:
    """A few cases on kinks; none for a layer without any."""
    generator = np.random.default_rng([seed, 23])
    for k in range(_CASES):
        case = draw(generator, _SMALLEST + k)
        if kinks_of(case) is None:
            return
        yield case.at({"x": _onto(case, kinks_of(case) or ())})


def _onto(case: OperationCase, kinks: Sequence[float]) -> Array:
    x = np.round(4 * case.arguments["x"]) / 4 + 0.0
    if layer_of(case) == "hinge":
        return _one_margin(x, int(np.asarray(case.fixed["targets"]).ravel()[0]))
    flat = x.ravel()
    for k, kink in enumerate(kinks):
        flat[k :: len(kinks) + 1] = kink
    return flat.reshape(x.shape)


def _one_margin(x: Array, target: int) -> Array:
    """The first sample with one class a margin of exactly 0 below the target's, the others far inside."""
    x, top = x.copy(), x[0, target]
    x[0] = top + 2 + np.arange(x.shape[1])
    x[0, target], x[0, (target + 1) % x.shape[1]] = top, top - 1
    return x


def examined_at_kinks(
    subject: Subject, layout: Layout, draw: Draw, reference: Callable[[OperationCase], Trusted | None], seed: int
) -> Iterator[tuple[Examination, OperationCase]]:
    """Each case with its examination; those where nothing stands on a kink are left out."""
    for case in cases_at_kinks(draw, seed):
        found = examine_at_kink(subject, case, layout, reference(case))
        if not found.silent:
            yield found, case


def slopes_said(subject: Subject, layout: Layout, case: OperationCase) -> Iterator[str]:
    """The convention of an activation at each of its kinks, from a claim that stands on it."""
    for kink in kinks_of(case) or ():
        there = case.at({"x": np.full_like(case.arguments["x"], kink)})
        claim = subject.vjp(there, layout)[1](there.cotangent).gradient.get("x")
        if claim is not None and np.all(there.cotangent):
            yield f"slope at {kink:g}: {float(np.median(claim / there.cotangent)) + 0.0:.4g}"
