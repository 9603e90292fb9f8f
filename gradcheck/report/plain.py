"""From Python values to what JSON can hold. It must not know reports, nor numpy: arrays are asked for lists."""

from collections.abc import Mapping
from typing import Any


def plain(x: float) -> float | str:
    """A float that JSON can hold: itself when finite, else "nan", "inf" or "-inf"."""
    return float(x) if x - x == 0 else str(float(x))


def plain_json(value: Any) -> Any:
    """Any value in plain JSON types: arrays and sets become lists, non-finite floats and unknown objects strings."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return plain(value)
    return _plain_container(value)


def number(value: float | str) -> float:
    """The inverse of `plain`. Raises ValueError or TypeError for anything else."""
    if isinstance(value, bool) or (isinstance(value, str) and value not in ("nan", "inf", "-inf")):
        msg = f"expected a number, got {value!r:.40}"
        raise ValueError(msg)
    return float(value)


def numbers(value: Any) -> Any:
    """`number` for every entry of nested lists."""
    return [numbers(v) for v in value] if isinstance(value, list) else number(value)


def _plain_container(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): plain_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain_json(v) for v in value), key=repr)
    to_list = getattr(value, "tolist", None)
    return plain_json(to_list()) if callable(to_list) and not isinstance(value, type) else str(value)
