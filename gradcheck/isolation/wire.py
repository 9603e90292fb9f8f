"""Points, offers, claims and effects as plain values and arrays: what crosses between parent and child, without pickle."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np

from gradcheck.errors import UsageError
from gradcheck.networks import (
    Activation,
    Architecture,
    Case,
    Cost,
    OperationCase,
    Point,
    Vocabulary,
    architecture_from_json,
    architecture_to_json,
)
from gradcheck.subjects import Claim, Effect, Layout, Offer, Problem


@dataclass(frozen=True, slots=True)
class NamesOnly(Vocabulary):
    """In the child a user's own activation is a name: the subject brings its own code, and nothing trusted runs there."""

    def activation(self, name: str) -> Activation:
        """The built-in activation, or one that is nothing but its name."""
        try:
            return Vocabulary.activation(self, name)
        except UsageError:
            return Activation(name, _nothing)

    def cost(self, name: str) -> Cost:
        """The built-in cost, or one that is nothing but its name."""
        try:
            return Vocabulary.cost(self, name)
        except UsageError:
            return Cost(name, _nothing)


def _nothing(*arguments: Any) -> Any:
    msg = "a user's own definition is only a name here"
    raise NotImplementedError(msg)


def pack_points(points: Sequence[Point]) -> dict[str, Any]:
    """The first point whole, the others by the arguments in which they differ from it."""
    first = points[0]
    variations = [{n: a for n, a in p.arguments.items() if a is not first.arguments.get(n)} for p in points]
    return {"base": _pack(first), "variations": variations}


def unpack_points(data: Mapping[str, Any], vocabulary: Vocabulary | None = None) -> list[Point]:
    """The inverse of `pack_points`; without a vocabulary, what is not built in is `NamesOnly`."""
    base = _unpack(data["base"], vocabulary or NamesOnly())
    return [base.at(v) if v else base for v in data["variations"]]


def same_family(points: Sequence[Point]) -> bool:
    """Whether all points are one case at different arguments, so that they may be packed together."""
    first = points[0]
    if isinstance(first, Case):
        return all(
            isinstance(p, Case)
            and p.architecture is first.architecture
            and p.inputs is first.inputs
            and p.targets is first.targets
            for p in points
        )
    return len(points) == 1


def _pack(point: Point) -> dict[str, Any]:
    if isinstance(point, Case):
        return {
            "architecture": _architecture_text(_Same(point.architecture)),
            "parameters": dict(point.parameters),
            "inputs": point.inputs,
            "targets": point.targets,
        }
    assert isinstance(point, OperationCase)
    return {
        "operation": point.operation,
        "arguments": dict(point.arguments),
        "cotangent": point.cotangent,
        "fixed": dict(point.fixed),
        "dtype": point.dtype,
    }


def _unpack(data: Mapping[str, Any], vocabulary: Vocabulary) -> Point:
    if "operation" in data:
        return OperationCase(data["operation"], data["arguments"], data["cotangent"], data["fixed"], data["dtype"])
    text = data["architecture"]
    architecture = _named(text) if isinstance(vocabulary, NamesOnly) else _architecture(text, vocabulary)
    return Case(architecture, data["parameters"], data["inputs"], data["targets"])


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """A key that is equal to another one for the very same object."""

    architecture: Architecture

    def __hash__(self) -> int:
        return id(self.architecture)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.architecture is self.architecture


@lru_cache(maxsize=4)
def _architecture_text(same: _Same) -> str:
    """JSON in one string: a case is asked about twice and more, and each part of a message costs."""
    return json.dumps(architecture_to_json(same.architecture), separators=(",", ":"))


def _architecture(text: str, vocabulary: Vocabulary) -> Architecture:
    return architecture_from_json(json.loads(text), vocabulary)


@lru_cache(maxsize=4)
def _named(text: str) -> Architecture:
    return _architecture(text, NamesOnly())


@lru_cache(maxsize=64)
def pack_layout(layout: Layout) -> str:
    """A layout as one string."""
    return json.dumps(asdict(layout))


@lru_cache(maxsize=64)
def unpack_layout(text: str) -> Layout:
    """The inverse of `pack_layout`."""
    return Layout(**json.loads(text))


def pack_offer(offer: Offer) -> dict[str, Any]:
    """An offer as plain values."""
    return {**asdict(offer), "layouts": [asdict(k) for k in offer.layouts]}


def unpack_offer(data: Mapping[str, Any]) -> Offer:
    """The inverse of `pack_offer`; lists become tuples again."""
    values = {f.name: _tuples(data[f.name]) for f in fields(Offer)}
    shapes = {n: tuple({k: tuple(s) for k, s in v.items()} for v in vs) for n, vs in data["operation_shapes"].items()}
    values["operation_shapes"] = shapes
    return replace(Offer(**{**values, "layouts": ()}), layouts=tuple(Layout(**k) for k in data["layouts"]))


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def pack_claim(claim: Claim) -> dict[str, Any]:
    """A claim as plain values and arrays."""
    return {
        "gradient": dict(claim.gradient),
        "problems": [asdict(p) for p in claim.problems],
        "dtypes": dict(claim.dtypes),
        "error": {n: np.ascontiguousarray(e) for n, e in claim.error.items()},
    }


def unpack_claim(data: Mapping[str, Any], point: Point) -> Claim:
    """The inverse of `pack_claim`; a gradient of another shape than its argument is never believed."""
    problems = [Problem(**p) for p in data["problems"]]
    gradient: dict[str, Any] = {}
    for name, g in data["gradient"].items():
        expected = point.arguments[name].shape if name in point.arguments else None
        if name == "x" and isinstance(point, Case):
            expected = point.inputs.shape
        if expected is None or not isinstance(g, np.ndarray) or g.shape != expected or g.dtype != np.float64:
            problems.append(Problem("shape", str(name), f"the child sent no readable gradient of {name}"))
        else:
            gradient[name] = g
    error = {n: np.abs(e) for n, e in data.get("error", {}).items() if n in gradient and e.shape == gradient[n].shape}
    return Claim(gradient, tuple(problems), data["dtypes"], error)


def pack_effects(effects: Sequence[Effect]) -> list[dict[str, str]]:
    """Effects as plain values."""
    return [asdict(e) for e in effects]


def unpack_effects(data: Sequence[Mapping[str, Any]]) -> list[Effect]:
    """The inverse of `pack_effects`."""
    return [Effect(e["kind"], str(e["what"])) for e in data]
