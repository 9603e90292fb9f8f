"""A forward-mode claim as a pullback: the function along lines through a point is a function of numbers.

φ(t₁, …, tₙ) = f(x₁ + t₁ v₁, …, xₙ + tₙ vₙ)      x: the arguments, v: a tangent, one t an argument and one for all together
∂φ/∂tᵢ = J vᵢ, the claim; its pullback of a cotangent w is ⟨w, J vᵢ⟩

So all that is known about pullbacks (bounds, kinks, references) holds for tangents. A case is numbered: `("case", k)` is the
last argument, and point and tangent are those of place k.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.numerics import Array, Arrays
from gradcheck.numerics.trees import Mismatch, leaves, matched
from gradcheck.subjects.arrays import differentiable, to_numpy
from gradcheck.subjects.claims import shape_message
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.function import Form, conjugated
from gradcheck.subjects.protocol import Malformed

TOGETHER = "all arguments together"
CASE = "case"


@dataclass(frozen=True, slots=True)
class Place:
    """A point and a tangent there, real arrays by leaf; results: the form of the primal's output."""

    form: Form
    values: Arrays
    tangent: Arrays
    results: Form

    @property
    def roots(self) -> list[str]:
        """The arguments that hold numbers to differentiate by."""
        return [r for r, tree in self.form.parts if any(differentiable(v) for _, v in leaves(tree, r))]

    def leaves_of(self, root: str) -> list[str]:
        """The leaves that move with an argument."""
        own = {p for r, tree in self.form.parts if r == root for p, _ in leaves(tree, r)}
        return [n for n in self.values if n in own or root == TOGETHER]

    @property
    def names(self) -> list[str]:
        """The lines: one an argument, and one for all together where there are several."""
        return [*self.roots, *([TOGETHER] if len(self.roots) > 1 else [])]


@dataclass(slots=True)
class Lines:
    """φ and its pullback for `FunctionAdapter`. pushforward(tangents, *arguments) -> the tangent of the output."""

    function: Callable[..., Any]
    pushforward: Callable[..., Any]
    places: list[Place] = field(default_factory=list)

    def results(self, form: Form, values: Arrays, static: Mapping[str, Any]) -> Form:
        """The form of the output. Raises SubjectError where the primal fails, or returns no numbers."""
        with subject_code():
            output = self.function(*form.trees(form.stored(values)), **static)
        found = Form([("output", output)])
        if not found.leaves:
            msg = f"the primal must return real or complex arrays; it returned {type(output).__name__}: {output!r:.80}"
            raise SubjectError("contract", msg)
        return found

    def add(self, form: Form, results: Form, values: Arrays, tangent: Arrays) -> list[tuple[str, Any]]:
        """A new place; the arguments of φ there."""
        self.places.append(Place(form, values, tangent, results))
        precise = np.dtype({"float64": np.float64}.get(form.dtype, np.float32))
        return [*((n, np.zeros((), precise)) for n in self.places[-1].names), (CASE, len(self.places) - 1)]

    def primal(self, *given: Any, **static: Any) -> Any:
        """φ(t₁, …, k)."""
        place, values = self._moved(given)
        wide = place.form.dtype != "float64" and given[0].dtype == np.float64
        return self.function(*place.form.trees(place.form.stored(values, wide)), **static)

    def pullback(self, cotangent: Any, *given: Any, **static: Any) -> list[Any]:
        """⟨cotangent, J v⟩ for every line, and None for the number of the case. Raises Malformed."""
        place, values = self._moved(given)
        w = dict(leaves(cotangent, "output"))
        covector = {n: leaf.to_real(w[n]) for n, leaf in place.results.leaves.items()}
        covector = conjugated(place.results, covector)
        along = [self.claimed(place, values, n, static) for n in place.names]
        return [*(np.asarray(_inner(covector, v), dtype=given[0].dtype) for v in along), None]

    def claimed(self, place: Place, values: Arrays, line: str, static: Mapping[str, Any]) -> dict[str, Array]:
        """J v along one line as the subject claims it, by leaf of the output. Raises Malformed."""
        moving = set(place.leaves_of(line))
        v = {n: a if n in moving else np.zeros(a.shape) for n, a in place.tangent.items()}
        return read_tangent(place.results, self.pushed(place, values, v, static))

    def pushed(self, place: Place, values: Arrays, v: Arrays, static: Mapping[str, Any]) -> Any:
        """What the pushforward returns for these tangents."""
        tangents = place.form.trees(place.form.stored(v), absent=True)
        arguments = place.form.trees(place.form.stored(values))
        return self.pushforward(tangents[0] if len(tangents) == 1 else tuple(tangents), *arguments, **static)

    def _moved(self, given: Sequence[Any]) -> tuple[Place, dict[str, Any]]:
        place = self.places[int(given[-1])]
        values: dict[str, Any] = dict(place.values)
        for t, line in zip(given[:-1], place.names, strict=True):
            for n in place.leaves_of(line):
                values[n] = values[n] + t * place.tangent[n]
        return place, values


def read_tangent(results: Form, raw: Any) -> dict[str, Array]:
    """The tangent of the output in its real form; of a pair (output, tangent), as jax.jvp returns it, the second.

    Raises Malformed.
    """
    tree = results.parts[0][1]
    pair = isinstance(raw, tuple) and len(raw) == 2 and not (isinstance(tree, (tuple, list)) and len(tree) == 2)
    try:
        found = {p: v for p, _, v in matched(tree, raw[1] if pair else raw, "output", differentiable)}
    except Mismatch as mismatch:
        what = f"the tangent does not fit the primal's output: {mismatch.message}"
        raise Malformed(mismatch.kind, mismatch.path, what) from None  # type: ignore[arg-type]
    return {n: _numbers(leaf, found[n]) for n, leaf in results.leaves.items()}


def _numbers(leaf: Any, value: Any) -> Array:
    n = leaf.path
    a = np.asarray(to_numpy(value)) if value is not None else np.asarray(None)
    if a.dtype.kind not in "fciub" and a.dtype.name != "bfloat16":
        raise Malformed("type", n, f"the tangent of {n} must be an array of numbers; got {type(value).__name__}")
    if a.shape != leaf.shape:
        raise Malformed("shape", n, shape_message(n, a.shape, leaf.shape).replace("gradient", "tangent"))
    if a.dtype.kind == "c" and not leaf.complex:
        raise Malformed("type", n, f"the tangent of {n} is complex; the output is real")
    return np.asarray(leaf.to_real(a))


def _inner(w: Mapping[str, Array], v: Mapping[str, Array]) -> float:
    return float(sum(float(np.vdot(w[n], v[n])) for n in v))
