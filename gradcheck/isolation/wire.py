"""Points, offers, claims and effects as plain values and arrays: what crosses between parent and child, without pickle."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
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
    Dense,
    OperationCase,
    Point,
    Regularisation,
    Vocabulary,
)
from gradcheck.networks.costs import guarded
from gradcheck.numerics import Array
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


_NAMES_ONLY = NamesOnly()
_FLOAT64 = np.dtype(np.float64)
SMALL = 1 << 15
"""Numbers up to which those of a message are copied into one array: each array of a message costs more than that."""


def pack_points(points: Sequence[Point]) -> dict[str, Any]:
    """One case at several arguments, or one point: small ones in one array, else whole and then by what differs from it."""
    first = points[0]
    if isinstance(first, Case) and _in_order(points, first.architecture.shapes()):
        numbers = [a for p in points for a in p.arguments.values()]
        if sum(a.size for a in numbers) + first.inputs.size + first.targets.size <= SMALL:
            block = np.concatenate([first.inputs, first.targets, *numbers], axis=None)
            return {"case": _architecture_text(first.architecture), "samples": first.samples, "numbers": block}
    variations = [{n: a for n, a in p.arguments.items() if a is not first.arguments.get(n)} for p in points]
    return {"base": _pack(first), "variations": variations}


def unpack_points(data: Mapping[str, Any], vocabulary: Vocabulary | None = None) -> list[Point]:
    """The inverse of `pack_points`; without a vocabulary, what is not built in is `NamesOnly`."""
    if "case" in data:
        return list(_cases(data, vocabulary or _NAMES_ONLY))
    base = _unpack(data["base"], vocabulary or _NAMES_ONLY)
    return [base.at(v) if v else base for v in data["variations"]]


def _in_order(points: Sequence[Point], shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether the parameters of all points are those of the architecture, in its order, and of float64."""
    wanted = list(shapes.items())
    return all(
        [(n, a.shape) for n, a in p.arguments.items()] == wanted
        and all(a.dtype == _FLOAT64 for a in p.arguments.values())
        for p in points
    )


def _cases(data: Mapping[str, Any], vocabulary: Vocabulary) -> Iterator[Case]:
    architecture, numbers, m = _architecture(data["case"], vocabulary), data["numbers"], data["samples"]
    fixed = {"inputs": (architecture.inputs, m), "targets": (architecture.widths[-1], m)}
    given, start = _parts(numbers, fixed, 0)
    shapes = architecture.shapes()
    while start < len(numbers):
        parameters, start = _parts(numbers, shapes, start)
        yield Case(architecture, parameters, given["inputs"], given["targets"])


def _parts(numbers: Array, shapes: Mapping[str, tuple[int, ...]], start: int) -> tuple[dict[str, Array], int]:
    """Arrays of these shapes, one after the other from `start` on, and where they end. Raises ValueError."""
    parts = {}
    for name, shape in shapes.items():
        end = start + math.prod(shape)
        parts[name] = numbers[start:end].reshape(shape)
        start = end
    return parts, start


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
            "architecture": _architecture_text(point.architecture),
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
    architecture = _architecture(data["architecture"], vocabulary)
    return Case(architecture, data["parameters"], data["inputs"], data["targets"])


def _architecture_text(a: Architecture) -> str:
    """All of it in one string, definitions by name: each part of a message costs."""
    layers, r = [(layer.units, layer.activation.name) for layer in a.layers], a.regularisation
    parts = (a.inputs, layers, a.cost.name, a.cost.guard, a.scale, (r.strength, r.form, r.biases), a.dtype, a.bias)
    return json.dumps(parts)


def _architecture(text: str, words: Vocabulary) -> Architecture:
    inputs, layers, name, guard, scale, decay, dtype, bias = json.loads(text)
    cost = guarded(name, guard) if guard else words.cost(name)
    dense = tuple(Dense(units, words.activation(f)) for units, f in layers)
    return Architecture(inputs, dense, cost, scale, Regularisation(*decay), dtype, bias)


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


def pack_claim(claim: Claim, point: Point) -> dict[str, Any]:
    """A claim as plain values and arrays; gradients in the shapes of the point's arguments are one array, if they are small."""
    kinds = set(claim.dtypes.values())
    one = kinds.pop() if len(kinds) == 1 and list(claim.dtypes) == list(claim.gradient) else None
    packed: dict[str, Any] = {"gradient": dict(claim.gradient)}
    if claim.gradient and all(_as_expected(n, g, point) for n, g in claim.gradient.items()):
        block = np.concatenate(list(claim.gradient.values()), axis=None)
        packed = {"names": " ".join(claim.gradient), "numbers": block} if block.size <= SMALL else packed
    if claim.problems:
        packed["problems"] = [asdict(p) for p in claim.problems]
    if claim.error:
        packed["error"] = {n: np.ascontiguousarray(e) for n, e in claim.error.items()}
    return {**packed, "dtypes": one or dict(claim.dtypes)}


def unpack_claim(data: Mapping[str, Any], point: Point) -> Claim:
    """The inverse of `pack_claim`; a gradient of another shape than its argument is never believed."""
    problems = [Problem(**p) for p in data.get("problems", ())]
    gradient: dict[str, Any] = _in_one_array(data, point) if "names" in data else {}
    for name, g in data.get("gradient", {}).items():
        if _as_expected(name, g, point):
            gradient[name] = g
        else:
            problems.append(Problem("shape", str(name), f"the child sent no readable gradient of {name}"))
    told = data["dtypes"]
    dtypes = dict.fromkeys(gradient, told) if isinstance(told, str) else told
    error = {n: np.abs(e) for n, e in data.get("error", {}).items() if n in gradient and e.shape == gradient[n].shape}
    return Claim(gradient, tuple(problems), dtypes, error)


def _in_one_array(data: Mapping[str, Any], point: Point) -> dict[str, Array]:
    """The gradients by name, each in the shape of its argument. Raises ValueError for other names and counts."""
    numbers, arguments = data["numbers"], point.arguments
    names = data["names"].split(" ")
    shapes = {n: arguments[n].shape if n in arguments else _expected_shape(n, point) for n in names}
    known = {n: shape for n, shape in shapes.items() if shape is not None}
    parts, end = _parts(numbers, known, 0)
    if len(known) != len(shapes) or end != len(numbers) or numbers.dtype != _FLOAT64:
        msg = f"{len(numbers)} numbers of {numbers.dtype} for the gradients of {data['names']!r:.100}"
        raise ValueError(msg)
    return parts


def _as_expected(name: str, gradient: Any, point: Point) -> bool:
    """Whether a gradient is an array of float64 in the shape of its argument."""
    expected = _expected_shape(name, point)
    return isinstance(gradient, np.ndarray) and gradient.shape == expected and gradient.dtype == _FLOAT64


def _expected_shape(name: str, point: Point) -> tuple[int, ...] | None:
    if name == "x" and isinstance(point, Case):
        return point.inputs.shape
    return point.arguments[name].shape if name in point.arguments else None


def pack_effects(effects: Sequence[Effect]) -> list[dict[str, str]]:
    """Effects as plain values."""
    return [asdict(e) for e in effects]


def unpack_effects(data: Sequence[Mapping[str, Any]]) -> list[Effect]:
    """The inverse of `pack_effects`."""
    return [Effect(e["kind"], str(e["what"])) for e in data]
