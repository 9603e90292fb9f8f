"""The child's handler: loads the subject, recognises its convention, and answers what `RemoteSubject` asks."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcheck.isolation import wire
from gradcheck.networks import Point
from gradcheck.subjects import Layout, LocalSubject, SubjectConfiguration, detect, load
from gradcheck.subjects.loading import NOTES


class SubjectHandler:
    """One loaded subject."""

    def __init__(self, subject: LocalSubject) -> None:
        self._subject = subject

    def handle(self, op: str, payload: Any) -> Any:
        """Answer one request; exceptions travel back as SubjectErrors."""
        if op == "offer":
            return wire.pack_offer(self._subject.offer)
        layout = wire.unpack_layout(payload["layout"])
        points = wire.unpack_points(payload["points"])
        if op == "forward":
            return self._values(points, layout)
        if op == "output":
            return self._subject.output(points[0], layout)  # type: ignore[arg-type]
        if op == "cost_derivative":
            return self._subject.cost_derivative(points[0], payload["a"], payload["y"], layout)  # type: ignore[arg-type]
        if op == "effects":
            other = wire.unpack_points(payload["other"])[0]
            return wire.pack_effects(self._subject.effects(points[0], other, layout))
        if op == "trace":
            return self._subject.trace(points[0], layout)
        if op == "vjp":
            value, pullback = self._subject.vjp(points[0], layout)
            claims = [wire.pack_claim(pullback(ct), points[0]) for ct in payload["cotangents"]]
            return {"value": value, "claims": claims, **self._then(points[1:], layout)}
        msg = f"unknown request {op!r}"
        raise ValueError(msg)

    def _values(self, points: Sequence[Point], layout: Layout) -> Any:
        """One array of scalars, or the arrays."""
        values = list(self._subject.forward(points, layout))
        return np.array(values) if all(np.shape(v) == () for v in values) else values

    def _then(self, points: Sequence[Point], layout: Layout) -> dict[str, Any]:
        """What `forward` will be asked for next; nothing where it fails: then it will be asked, and fail in its own name."""
        try:
            return {"then": self._values(points, layout)} if points else {}
        except Exception:
            return {}


def create(setup: dict[str, Any]) -> SubjectHandler:
    """Load `setup["path"]` (`setup["object"]` in it) and find its convention (or take `setup["convention"]`)."""
    members = load(setup["path"], setup["object"])
    configuration = SubjectConfiguration(convention=setup["convention"])
    return SubjectHandler(LocalSubject(detect(members, setup["name"], configuration), members.get(NOTES, ())))
