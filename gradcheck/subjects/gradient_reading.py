"""Read the gradients of a whole network out of whatever a call returned: dicts, lists, pairs, tuples with a loss in front.

How a result is to be read is found once for each depth and layout, on a network whose widths are all different, so that a
wrong shape later is the subject's and not another order. It must not judge values.
"""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from gradcheck.networks import Case
from gradcheck.subjects.gradient_names import Leaf, by_name, is_array, is_number, leaves_of, name_of, order_of, orders
from gradcheck.subjects.layout import Layout, subject_shapes
from gradcheck.subjects.protocol import Malformed
from gradcheck.subjects.script_text import leaves_with_text
from gradcheck.subjects.source import tree_of

Shapes = Mapping[str, tuple[int, ...]]
Select = tuple[int, ...] | None
"""The elements of a tuple that hold the gradients; None for the whole result."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Where the gradients are: elements of the result, then by their names (order None) or in one of the customary orders."""

    select: Select
    order: str | None
    complete: bool


@dataclass(slots=True)
class Reader:
    """Reads the results of one function; `returned`: names in its return statement, for a tuple of values."""

    returned: Sequence[str | None] = ()
    _known: dict[tuple[int, Layout], Reading] = field(default_factory=dict)

    def learn(self, result: Any, case: Case, layout: Layout, parameters: Sequence[Any] = ()) -> Reading | None:
        """The reading of a result at a case of distinct widths; None where it holds no gradients of all parameters.

        parameters: arrays that were handed over; a result that is one of these is no gradient.
        """
        shapes = subject_shapes(case.architecture, layout)
        for right_shapes in (True, False):
            for select in _selections(result, self.returned):
                leaves = self._leaves(result, select)
                if any(any(leaf is p for p in parameters) for _, leaf in leaves):
                    continue
                order = _order(leaves, shapes, right_shapes)
                if order is not False:
                    reading = Reading(select, order, right_shapes)
                    self._known[case.architecture.depth, layout] = reading
                    return reading
        return None

    def knows(self, case: Case, layout: Layout) -> bool:
        """Whether the reading for this depth and layout has been found."""
        return (case.architecture.depth, layout) in self._known

    def read(self, result: Any, case: Case, layout: Layout) -> Mapping[str, Any]:
        """Gradients by the names W1, b1, … Raises Malformed where their number is another one."""
        reading = self._known[case.architecture.depth, layout]
        shapes = subject_shapes(case.architecture, layout)
        if isinstance(reading.select, tuple) and not isinstance(result, (tuple, list)):
            raise Malformed("type", "gradients", f"expected a tuple with the gradients; got {type(result).__name__}")
        leaves = self._leaves(result, reading.select)
        if reading.order is None:
            paths = by_name([p for p, _ in leaves], case.architecture.depth) or {}
            values = dict(leaves)
            return {n: as_subtracted(values[p], shapes[n]) for n, p in paths.items() if n in shapes}
        names = orders(case.architecture.depth, len(shapes) > case.architecture.depth)[reading.order]
        if len(leaves) != len(names):
            msg = f"expected {len(names)} gradients ({', '.join(names)}); got {len(leaves)}"
            raise Malformed("count", "gradients", msg)
        return {n: as_subtracted(value, shapes[n]) for n, (_, value) in zip(names, leaves, strict=True)}

    def texts(self, result: Any, case: Case, layout: Layout, text: str) -> dict[str, str]:
        """For a script: the text of where each gradient is in a result called `text`, by the names W1, b1, …"""
        reading = self._known[case.architecture.depth, layout]
        found = list(leaves_with_text(result, text))
        wanted = self.read(result, case, layout)
        if reading.select is not None:
            found = [pair for k in reading.select for pair in leaves_with_text(result[k], f"{text}[{k}]")]
        values = {n: next((t for t, leaf in found if _same(leaf, g)), "") for n, g in wanted.items()}
        return values if all(values.values()) else {}

    def _leaves(self, result: Any, select: Select) -> list[Leaf]:
        if select is None:
            return [leaf for leaf in leaves_of(result) if is_array(leaf[1]) or not is_number(leaf[1])]
        named = len(self.returned) == len(result)
        pieces = []
        for k in select:
            name = self.returned[k] if named else None
            pieces += list(leaves_of(result[k], (name or k,)))
        return pieces


def _selections(result: Any, returned: Sequence[str | None]) -> Iterator[Select]:
    """The whole, each container in a tuple, and everything in it that is no number (a loss), or one with a gradient's name."""
    if not isinstance(result, (tuple, list)):
        yield None
        return
    named = [n is not None and name_of((n,)) is not None for n in returned]
    named = named if len(named) == len(result) else [False] * len(result)
    numbers = [k for k, item in enumerate(result) if is_number(item) and not named[k]]
    rest = tuple(k for k in range(len(result)) if k not in numbers)
    yield rest
    yield from ((k,) for k in rest if not isinstance(result[k], np.ndarray))
    for end in range(len(rest) - 1, 1, -1):
        yield rest[:end]
        yield rest[-end:]


def _order(leaves: Sequence[Leaf], shapes: Shapes, right_shapes: bool) -> str | Literal[False] | None:
    """None for names, a customary order, or False where the leaves are not the gradients."""
    depth = sum(n.startswith("W") for n in shapes)
    paths = by_name([p for p, _ in leaves], depth)
    values = dict(leaves)
    if paths is not None and set(paths) >= set(shapes):
        if not right_shapes or all(
            np.shape(as_subtracted(_plain(values[paths[n]]), s)) == s for n, s in shapes.items()
        ):
            return None
        return False
    if len(leaves) != len(shapes):
        return False
    if not right_shapes:
        return "layers"
    found = _customary_order([_plain(value) for _, value in leaves], shapes)
    return found if found is not None else False


def _customary_order(values: Sequence[Any], shapes: Shapes) -> str | None:
    """The order in which arrays come, where there are as many as parameters; their very shapes go first."""
    exact = order_of([np.shape(v) for v in values], shapes)
    depth = sum(n.startswith("W") for n in shapes)
    return exact or next(
        (
            how
            for how, names in orders(depth, len(shapes) > depth).items()
            if all(np.shape(as_subtracted(v, shapes[n])) == shapes[n] for n, v in zip(names, values, strict=True))
        ),
        None,
    )


def as_subtracted(value: Any, shape: tuple[int, ...]) -> Any:
    """A gradient in the shape of its parameter where subtracting it means the same: db (n,) of a bias (1, n), or one number
    for the bias of a single unit. Anything else as it is."""
    if is_number(value):
        return np.reshape(value, shape) if int(np.prod(shape)) == 1 else value
    fits = is_array(value) and value.size == int(np.prod(shape)) and shape[len(shape) - value.ndim :] == value.shape
    return value.reshape(shape) if fits and value.ndim < len(shape) else value


def _same(leaf: Any, gradient: Any) -> bool:
    """Whether a gradient is this leaf, or a view of it in another shape."""
    return leaf is gradient or (
        isinstance(leaf, np.ndarray) and isinstance(gradient, np.ndarray) and np.shares_memory(leaf, gradient)
    )


def _plain(value: Any) -> Any:
    try:
        return np.asarray(value)
    except ValueError:
        return None


def returned_names(function: Callable[..., Any]) -> list[str | None]:
    """The names in a function's last return statement of several values; None for an element that is no name."""
    tree = tree_of(function)
    returns = [n.value for n in ast.walk(tree) if isinstance(n, ast.Return)] if tree else []
    tuples = [v for v in returns if isinstance(v, (ast.Tuple, ast.List))]
    return [e.id if isinstance(e, ast.Name) else None for e in tuples[-1].elts] if tuples else []
