"""Read what a subject returned: every gradient there, real numbers, exactly the shape that its parameter has.

Structure only: NaN, infinity, precision and wrong values are for other checks. It must not run the subject.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gradcheck.networks import OperationCase
from gradcheck.numerics import Array, Arrays
from gradcheck.subjects.layout import (
    Layout,
    gradient_to_trusted,
    operation_shapes,
    operation_to_trusted,
    subject_shapes,
)
from gradcheck.subjects.protocol import Call, Claim, Problem

Shape = tuple[int, ...]
PLAIN_FUNCTION = "vjp of "
"""How the operation of a (primal, pullback) pair is called."""


def expected_shapes(call: Call) -> dict[str, Shape]:
    """The shapes of all gradients that the convention promises for this call, in the subject's layout."""
    if is_plain(call):
        return {n: a.shape for n, a in call.point.arguments.items()}
    if isinstance(call.point, OperationCase):
        return operation_shapes(call.point, call.layout)
    return subject_shapes(call.case.architecture, call.layout)


def is_plain(call: Call) -> bool:
    """Whether the call is of a plain function or of a layer whose arguments have no layout whatever their names are."""
    point = call.point
    return isinstance(point, OperationCase) and (point.operation.startswith(PLAIN_FUNCTION) or "layer" in point.fixed)


def _to_trusted(call: Call) -> Callable[[Arrays, Layout], dict[str, Array]]:
    return operation_to_trusted if isinstance(call.point, OperationCase) else gradient_to_trusted


def optional_shapes(call: Call) -> dict[str, Shape]:
    """The shapes of gradients that a subject may return beyond what it must: that of a network's input, `x`."""
    if isinstance(call.point, OperationCase):
        return {}
    shape = call.case.inputs.shape
    return {"x": shape if call.layout.samples == "columns" else shape[::-1]}


def read_claim(raw: Mapping[str, Any], call: Call, expected: Mapping[str, Shape] | None = None) -> Claim:
    """The claim in the trusted layout and float64, with every problem of its structure."""
    required = expected_shapes(call) if expected is None else expected
    shapes = {**required, **{n: s for n, s in optional_shapes(call).items() if n in raw}}
    problems = [Problem("missing", n, f"no gradient of {n} was returned") for n in required if n not in raw]
    samples = 0 if isinstance(call.point, OperationCase) else call.case.samples
    readings = {n: read_array(n, raw[n], shape, samples) for n, shape in shapes.items() if n in raw}
    problems += [reading for reading in readings.values() if isinstance(reading, Problem)]
    arrays = {n: reading for n, reading in readings.items() if not isinstance(reading, Problem)}
    problems += [_integer(n, a) for n, a in arrays.items() if a.dtype.kind in "iub"]
    values = {n: a.astype(np.float64, copy=False) for n, a in arrays.items()}  # `read_array` has made a copy
    trusted = values if is_plain(call) else _to_trusted(call)(values, call.layout)
    dtypes = {n: str(a.dtype) for n, a in arrays.items()}
    return Claim({n: np.ascontiguousarray(a) for n, a in trusted.items()}, tuple(problems), dtypes)


def read_array(name: str, value: Any, shape: Shape, samples: int = 0) -> Array | Problem:
    """One gradient as an array of real numbers of that shape, or what is wrong with it; samples: how many, where known."""
    try:
        array = np.array(value, subok=False)
    except Exception as error:  # a ragged list, or whatever the conversion of the subject's own class raises
        return Problem("type", name, f"the gradient of {name} is no array of numbers: {error!s:.200}")
    if array.dtype.kind not in "fiub":
        return Problem("type", name, f"the gradient of {name} must be real numbers; got {_kind_of(value, array)}")
    return array if array.shape == shape else Problem("shape", name, shape_message(name, array.shape, shape, samples))


def shape_message(name: str, given: Shape, expected: Shape, samples: int = 0) -> str:
    """What shape was given, what is expected, and what that usually comes from."""
    return f"the gradient of {name} has shape {given}; expected {expected}{_shape_hint(given, expected, samples)}"


def _shape_hint(given: Shape, expected: Shape, samples: int) -> str:
    size = int(np.prod(expected))
    if given == () and size > 1:
        return ": it is one number, summed over the units too"
    if len(given) == 2 and len(expected) == 2 and given == expected[::-1]:
        return ": it is the transpose"
    if int(np.prod(given)) == size:
        return ": the same number of components in another shape"
    if expected[-1:] == (1,) and len(given) == 2 and given[0] == expected[0] and given[1] == (samples or given[1]):
        return ": it has one column for each sample, and is not summed over the samples"
    if len(expected) == 1 and len(given) == 2 and given[1] == expected[0] and given[0] == (samples or given[0]) != 1:
        return ": it has one row for each sample, and is not summed over the samples"
    return ""


def _kind_of(value: Any, array: Array) -> str:
    if array.dtype.kind == "c":
        return "complex numbers"
    if isinstance(value, np.ndarray):
        return f"an array of dtype {array.dtype}"
    return f"{type(value).__name__}" + (f" with entries of dtype {array.dtype}" if array.ndim else f": {value!r:.60}")


def _integer(name: str, array: Array) -> Problem:
    message = (
        f"the gradient of {name} has dtype {array.dtype}; expected floating-point numbers: integers lose the fraction"
    )
    return Problem("dtype", name, message)
