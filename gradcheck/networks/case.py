"""A case: one point to test at. It has a digest, a JSON form, and named differentiable arguments.

Two kinds share what the checks need (`Point`): a `Case` of a dense network, with a scalar cost, and an `OperationCase` of one
layer or function, with an output array and a random cotangent.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from gradcheck.errors import UsageError
from gradcheck.networks.architecture import Architecture, Vocabulary, architecture_from_json, architecture_to_json
from gradcheck.numerics import Array, Arrays


class Point(Protocol):
    """What the checks know of a case."""

    @property
    def arguments(self) -> Arrays:
        """The differentiable arguments by name."""
        ...

    @property
    def cotangent(self) -> Array:
        """What the pullback is applied to: 1 for a scalar cost, an array like the output for a layer."""
        ...

    @property
    def dtype(self) -> str:
        """float64 or float32: the precision in which the subject computes."""
        ...

    def at(self, arguments: Arrays) -> "Point":
        """The same case at other values of its arguments."""
        ...

    def to_json(self) -> dict[str, Any]:
        """The whole case in plain JSON types, enough to replay."""
        ...


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Case:
    """A dense network with numbers: parameters W1 (to, from), b1 (to, 1), …; inputs (n_0, m); targets (n_L, m).

    All arrays are float64; for a float32 architecture they hold values that float32 represents exactly.
    """

    architecture: Architecture
    parameters: Arrays
    inputs: Array
    targets: Array

    @property
    def arguments(self) -> Arrays:
        """The parameters: what every subject differentiates by."""
        return self.parameters

    @property
    def cotangent(self) -> Array:
        """The cost is a scalar: its cotangent is 1."""
        return np.ones(())

    @property
    def samples(self) -> int:
        """m."""
        return int(self.inputs.shape[1])

    @property
    def dtype(self) -> str:
        """The architecture's dtype."""
        return self.architecture.dtype

    def at(self, arguments: Arrays) -> "Case":
        """The same case at other parameters (and another input, if `arguments` holds x)."""
        rest = {name: a for name, a in arguments.items() if name != "x"}
        return replace(self, parameters={**self.parameters, **rest}, inputs=arguments.get("x", self.inputs))

    def weight(self, layer: int) -> Array:
        """W of layer 1 … L, shape (to, from)."""
        return self.parameters[f"W{layer}"]

    def bias(self, layer: int) -> Array:
        """b of layer 1 … L, shape (to, 1); zeros for a network without biases."""
        name = f"b{layer}"
        return self.parameters[name] if name in self.parameters else np.zeros((self.architecture.widths[layer], 1))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; floats keep every bit."""
        return {
            "kind": "network",
            "architecture": architecture_to_json(self.architecture),
            "parameters": {name: a.tolist() for name, a in self.parameters.items()},
            "inputs": self.inputs.tolist(),
            "targets": self.targets.tolist(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class OperationCase:
    """One layer or function with numbers: named float arguments, fixed (not differentiable) data, and a cotangent."""

    operation: str
    arguments: Arrays
    cotangent: Array
    fixed: Mapping[str, Any]
    dtype: str = "float64"

    def at(self, arguments: Arrays) -> "OperationCase":
        """The same case at other arguments."""
        return replace(self, arguments={**self.arguments, **arguments})

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; floats keep every bit."""
        return {
            "kind": "operation",
            "operation": self.operation,
            "arguments": {name: a.tolist() for name, a in self.arguments.items()},
            "cotangent": self.cotangent.tolist(),
            "fixed": {n: v.tolist() if isinstance(v, np.ndarray) else v for n, v in self.fixed.items()},
            "dtype": self.dtype,
        }


def case_from_json(data: Mapping[str, Any], vocabulary: Vocabulary | None = None) -> Case | OperationCase:
    """The inverse of both `to_json` methods. Raises UsageError with what is wrong: kind, keys or shapes."""
    try:
        if data.get("kind") == "operation":
            arguments = {name: np.asarray(a, dtype=np.float64) for name, a in data["arguments"].items()}
            cotangent = np.asarray(data["cotangent"], dtype=np.float64)
            return OperationCase(data["operation"], arguments, cotangent, _fixed(data["fixed"]), data["dtype"])
        architecture = architecture_from_json(data["architecture"], vocabulary)
        parameters = {name: np.asarray(a, dtype=np.float64) for name, a in data["parameters"].items()}
        inputs = np.asarray(data["inputs"], dtype=np.float64)
        targets = np.asarray(data["targets"], dtype=np.float64)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"this is not a case of gradcheck: {type(error).__name__}: {error}"
        raise UsageError(msg) from error
    _require_shapes(architecture, parameters, inputs, targets)
    return Case(architecture, parameters, inputs, targets)


def _fixed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Settings; lists are arrays again."""
    return {n: np.asarray(v) if isinstance(v, list) else v for n, v in data.items()}


def digest(point: Point) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the case's canonical JSON."""
    text = json.dumps(point.to_json(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _require_shapes(architecture: Architecture, parameters: Arrays, inputs: Array, targets: Array) -> None:
    widths = architecture.widths
    samples = inputs.shape[-1] if inputs.ndim else 0
    expected = {**architecture.shapes(), "inputs": (widths[0], samples), "targets": (widths[-1], samples)}
    given = {**parameters, "inputs": inputs, "targets": targets}
    if set(given) != set(expected):
        msg = f"a case of this architecture holds {', '.join(expected)}; this one holds {', '.join(given)}"
        raise UsageError(msg)
    for name, shape in expected.items():
        if given[name].shape != shape:
            msg = f"{name} of the case has shape {given[name].shape}; its architecture needs {shape}"
            raise UsageError(msg)
