"""A subject in this process: an adapter whose failures are SubjectErrors and whose answers are in the trusted layout.

Every evaluation gets fresh copies of its arguments and the same seeds. It must not judge values.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.networks import Case, OperationCase, Point
from gradcheck.numerics import Array
from gradcheck.subjects.claims import read_claim
from gradcheck.subjects.effects import observe
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.layout import Layout, gradient_to_trusted, samples_from_subject
from gradcheck.subjects.protocol import Adapter, Claim, Effect, Malformed, Offer, Pullback
from gradcheck.subjects.tracing import Recorder, recording
from gradcheck.subjects.trial import tried_out


class LocalSubject:
    """`Subject` around an adapter."""

    def __init__(self, adapter: Adapter, notes: Sequence[str] = ()) -> None:
        self._adapter = adapter
        offer = tried_out(adapter)
        self._offer = replace(offer, notes=(*notes, *offer.notes))

    @property
    def offer(self) -> Offer:
        """What the adapter offers."""
        return self._offer

    def forward(self, points: Sequence[Point], layout: Layout) -> list[Array]:
        """Primal values, one a point, each from fresh arguments."""
        return [self._value(point, layout) for point in points]

    def output(self, case: Case, layout: Layout) -> Array:
        """The output activations (n_L, m)."""
        with subject_code():
            raw = self._adapter.output(self._adapter.call(case, layout))
        return _units_by_samples(raw, layout, case.targets.shape, "output activations")

    def cost_derivative(self, case: Case, a: Array, y: Array, layout: Layout) -> Array:
        """The file's own ∂C/∂a (n_L, m)."""
        with subject_code():
            raw = self._adapter.cost_derivative(self._adapter.call(case, layout), a.copy(), y.copy())
        return _units_by_samples(raw, Layout(), a.shape, "cost derivative")

    def vjp(self, point: Point, layout: Layout) -> tuple[Array | None, Pullback]:
        """The value, and a pullback that runs forward and backward anew for each cotangent."""
        asked = self._offer.kind == "operation" or self._offer.declares_cost
        value = self._value(point, layout) if asked else None
        return value, lambda cotangent: self._claim(point, layout, cotangent)

    def effects(self, point: Point, other: Point, layout: Layout) -> list[Effect]:
        """What `observe` sees; nothing where the results have no readable form (the structure check says so)."""
        try:
            return observe(self._adapter, point, other, layout)
        except Malformed:
            return []

    def trace(self, point: Point, layout: Layout) -> dict[str, Any]:
        """What `Recorder` sees while the gradient at the point's own cotangent is computed; `crash` where it raises."""
        recorder = Recorder()
        told: dict[str, Any] = {"steps": recorder.steps, "values": recorder.values}
        with subject_code():
            call = self._adapter.call(point, layout)
            try:
                with recording(recorder):
                    self._adapter.gradient(call, np.array(point.cotangent, dtype=point.dtype))
            except Exception:
                if recorder.crash is None:
                    raise
                return {**told, "crash": recorder.crash}
        return told

    def _value(self, point: Point, layout: Layout) -> Array:
        try:
            with subject_code():
                value = self._adapter.value(self._adapter.call(point, layout))
        except Malformed as malformed:
            raise SubjectError("contract", malformed.problem.message) from None
        if isinstance(point, OperationCase):
            return _units_by_samples(value, layout, point.cotangent.shape, f"output of {point.operation}")
        return value

    def _claim(self, point: Point, layout: Layout, cotangent: Array) -> Claim:
        seed = np.array(cotangent, dtype=point.dtype)
        try:
            with subject_code():
                call = self._adapter.call(point, layout)
                raw = self._adapter.gradient(call, seed)
        except Malformed as malformed:
            return Claim({}, (malformed.problem,))
        claim = read_claim(raw, call)
        if "error" in call.rest:
            claim = replace(claim, error=gradient_to_trusted(call.rest["error"], layout))
        return claim if isinstance(point, OperationCase) else _scaled(claim, float(cotangent))


def _scaled(claim: Claim, factor: float) -> Claim:
    if factor == 1.0:
        return claim
    return Claim({n: factor * g for n, g in claim.gradient.items()}, claim.problems, claim.dtypes, claim.error)


def _units_by_samples(raw: Any, layout: Layout, shape: tuple[int, ...], what: str) -> Array:
    array = np.asarray(raw)
    if array.dtype.kind not in "fiub":
        msg = f"the {what} must be an array of real numbers; the subject returned {type(raw).__name__}: {raw!r:.80}"
        raise SubjectError("contract", msg)
    if array.shape == shape and layout.samples == "columns":
        return np.array(array, dtype=np.float64)
    turned = samples_from_subject(array, layout)
    if turned.shape == shape:
        return np.ascontiguousarray(turned)
    expected = shape if layout.samples == "columns" else shape[::-1]
    msg = f"the {what} must have shape {expected}; the subject returned {array.shape}"
    raise SubjectError("contract", msg)
