"""Pytrees without jax: nested mappings, sequences, namedtuples and dataclasses whose leaves have readable paths.

path   x, x['W'], x[0]['W'], x.weight: the Python expression that reaches the leaf from its argument
None   holds no leaf (as in jax); anything that is not a container is one
It must not know what the leaves are.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Key = tuple[str, Any]
"""What is written behind the path, and the child: ("['W']", array)."""


class Mismatch(Exception):
    """Two trees differ in structure; `path` says where, `kind` whether a part is missing, too many, or something else."""

    def __init__(self, kind: str, path: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.path, self.message = kind, path, message


def children(tree: Any) -> list[Key] | None:
    """The parts of a container, in order; None for a leaf."""
    if tree is None:
        return []
    if isinstance(tree, Mapping):
        return [(f"[{k!r}]", v) for k, v in tree.items()]
    if is_named(tree):
        return [(f".{n}", getattr(tree, n)) for n in tree._fields]
    if isinstance(tree, (list, tuple)):
        return [(f"[{i}]", v) for i, v in enumerate(tree)]
    if is_record(tree):
        return [(f".{f.name}", getattr(tree, f.name)) for f in dataclasses.fields(tree)]
    return None


def is_named(tree: Any) -> bool:
    """Whether it is a namedtuple."""
    return isinstance(tree, tuple) and hasattr(tree, "_fields")


def is_record(tree: Any) -> bool:
    """Whether it is an object of a dataclass (and not the class) that is no array."""
    return dataclasses.is_dataclass(tree) and not isinstance(tree, type) and not hasattr(tree, "shape")


def leaves(tree: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every leaf with its path, containers in their own order."""
    parts = children(tree)
    if parts is None:
        yield path, tree
        return
    for key, part in parts:
        yield from leaves(part, path + key)


def mapped(tree: Any, path: str, change: Callable[[str, Any], Any]) -> Any:
    """The same containers with each leaf replaced by `change(path, leaf)`."""
    if tree is None:
        return None
    parts = children(tree)
    if parts is None:
        return change(path, tree)
    return _container(tree, [mapped(part, path + key, change) for key, part in parts])


def _container(tree: Any, values: list[Any]) -> Any:
    if isinstance(tree, Mapping):
        pairs = dict(zip(tree, values, strict=True))
        return pairs if type(tree) is dict else _of_mapping(tree, pairs)
    if is_named(tree):
        return type(tree)(*values)
    if isinstance(tree, (list, tuple)):
        return type(tree)(values) if type(tree) in (list, tuple) else tuple(values)
    return _of_record(tree, values)


def _of_mapping(tree: Any, pairs: dict[Any, Any]) -> Any:
    try:
        return type(tree)(pairs)
    except TypeError:  # defaultdict and its like want more than pairs
        return pairs


def _of_record(tree: Any, values: list[Any]) -> Any:
    """A copy with other fields: not through __init__, which may convert or refuse what stands for a derivative."""
    copy = object.__new__(type(tree))
    for field, value in zip(dataclasses.fields(tree), values, strict=True):
        object.__setattr__(copy, field.name, value)
    return copy


def matched(tree: Any, other: Any, path: str, wanted: Callable[[Any], bool]) -> Iterator[tuple[str, Any, Any]]:
    """(path, leaf, the other tree's part) for every leaf that is `wanted`; the other tree may leave all others out.

    A list stands for a tuple and the reverse, a mapping for a dataclass of the same fields. Raises Mismatch.
    """
    parts = children(tree)
    if parts is None:
        if wanted(tree):
            yield path, tree, other
        return
    if not any(wanted(leaf) for _, leaf in leaves(tree, path)):
        return
    theirs = _parts_like(tree, other, path)
    for key, part in parts:
        if key in theirs:
            yield from matched(part, theirs[key], path + key, wanted)
        elif any(wanted(leaf) for _, leaf in leaves(part, path)):
            msg = f"there is nothing at {path}{key}"
            raise Mismatch("missing", path + key, msg)


def _parts_like(tree: Any, other: Any, path: str) -> dict[str, Any]:
    found = children(other)
    ours = children(tree) or []
    if found is None or other is None:
        msg = f"at {path} a {_kind(tree)} is expected; there is {_described(other)}"
        raise Mismatch("type", path, msg)
    if isinstance(tree, (list, tuple)) and isinstance(other, (list, tuple)):
        if len(found) != len(ours):
            msg = f"{path} has {len(ours)} parts; there are {len(found)}"
            raise Mismatch("count", path, msg)
        return {key: part for (key, _), (_, part) in zip(ours, found, strict=True)}
    theirs = {_plain(key): part for key, part in found}
    return {key: theirs[_plain(key)] for key, _ in ours if _plain(key) in theirs}


def _plain(key: str) -> str:
    return key.strip("[].'")


def _kind(tree: Any) -> str:
    return f"{type(tree).__name__} of {len(children(tree) or [])}"


def _described(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"{type(value).__name__}" + (f" of shape {tuple(shape)}" if shape is not None else f": {value!r:.60}")
