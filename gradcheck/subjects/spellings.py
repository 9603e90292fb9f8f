"""How people spell parameters and their gradients: the one table, and where in an object they are kept.

A place is a path into an object: attribute names and dictionary keys. It must not know conventions.
"""

import inspect
import types
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gradcheck.numerics import Array
from gradcheck.subjects.arrays import is_tensor
from gradcheck.subjects.tensors import as_array, tensors

Place = tuple[str, ...]
GRADIENT_HOLDERS = ("grads", "grad", "gradients", "gradient", "dparams", "d", "derivatives", "deltas", "nabla", "diffs")
VALUE_KEYS, GRADIENT_KEYS = ("val", "value", "data"), ("grad", "gradient", "dval", "d", "diff")
_FULL = {"w": "weights", "b": "bias", "weights": "w", "weight": "w", "bias": "b", "biases": "b"}


def gradient_names(name: str) -> list[str]:
    """The usual names of the gradient of a parameter, the likeliest first: dW, d_W, grad_W, W_grad, dweights …"""
    short = [name, *([_FULL[name.lower()]] if name.lower() in _FULL else [])]
    short += [s.upper() for s in short if len(s) == 1] + [s.capitalize() for s in short if len(s) > 1]
    forms = (
        "d{0} d_{0} {0}_grad grad_{0} {0}_gradient gradient_{0} {0}_diff d{0}_ {0}grad grad{0} nabla_{0} dL_d{0} dJd{0}"
    )
    more = "{0}_gradients {0}_d delta_{0} {0}_delta g{0} g_{0} d{0}s {0}Grad {0}_error"
    return list(dict.fromkeys(form.format(s) for form in f"{forms} {more}".split() for s in dict.fromkeys(short)))


def is_gradient(place: Place) -> bool:
    """Whether a place holds a gradient by its name."""
    *holders, last = place
    if any(h.strip("_") in GRADIENT_HOLDERS for h in holders) or last in GRADIENT_KEYS[:3]:
        return True
    low = last.lower()
    return low.startswith(("grad", "d_", "nabla")) or low.endswith(("_grad", "_diff", "_gradient", "grad"))


def arrays_in(thing: Any, depth: int = 3) -> Iterator[tuple[Place, Array]]:
    """Arrays of floating-point numbers in an object's attributes, dictionaries and inner objects, by place."""
    if depth == 0:
        return
    for name, held in members_in(thing):
        value = as_array(held)
        if isinstance(value, np.ndarray):
            if value.dtype.kind == "f" and value.ndim and value.size:
                yield (name,), value
        elif isinstance(value, (Mapping, list, tuple)) or (_has_members(value) and not inspect.isroutine(value)):
            yield from (((name, *rest), a) for rest, a in arrays_in(value, depth - 1))


def members_in(thing: Any) -> list[tuple[str, Any]]:
    """Keys and values of a dictionary with string keys, or the attributes of an object."""
    if isinstance(thing, Mapping):
        return [(k, v) for k, v in thing.items() if isinstance(k, str)]
    if isinstance(thing, (list, tuple)):
        return [(str(k), v) for k, v in enumerate(thing)]
    slots = [n for c in reversed(type(thing).__mro__) for n in _slots(c) if hasattr(thing, n)]
    return [*((n, getattr(thing, n)) for n in slots), *getattr(thing, "__dict__", {}).items()]


def _slots(cls: type) -> tuple[str, ...]:
    own = cls.__dict__.get("__slots__", ())
    return tuple(n for n in ((own,) if isinstance(own, str) else own) if n not in ("__dict__", "__weakref__"))


def numbers_in(thing: Any) -> Iterator[tuple[Any, str, float]]:
    """Numbers in the attributes of an object, and of the objects that it holds, such as an optimiser: holder, name, value."""
    inner = [v for _, v in members_in(thing) if _has_members(v) and not inspect.isroutine(v)]
    for holder in (thing, *inner):
        for name, value in [] if isinstance(holder, Mapping) else members_in(holder):
            if isinstance(value, (int, float)):
                yield holder, name, value


def _has_members(value: Any) -> bool:
    """Whether a value is an object of a class written in Python, with attributes of its own; no class and no module."""
    if isinstance(value, (type, types.ModuleType, np.ndarray)):
        return False
    return hasattr(value, "__dict__") or any(_slots(c) for c in type(value).__mro__)


def get(thing: Any, place: Place) -> Any:
    """What is at a place; None where there is nothing."""
    for name in place:
        if isinstance(thing, (list, tuple)):
            thing = thing[int(name)] if name.isdigit() and int(name) < len(thing) else None
        else:
            thing = thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)
    return as_array(thing)


def put(thing: Any, place: Place, value: Any) -> None:
    """Replace what is at a place; left alone where it cannot be assigned (an element of a tuple)."""
    holder, last = get(thing, place[:-1]) if place[:-1] else thing, place[-1]
    current = dict(members_in(holder)).get(last)
    value = tensors(value) if is_tensor(current) else value
    if isinstance(holder, list):
        holder[int(last)] = value
    elif isinstance(holder, dict):
        holder[last] = value
    elif not isinstance(holder, tuple):
        setattr(holder, last, value)


def find_gradient(thing: Any, place: Place) -> Place | None:
    """Where the gradient of the parameter at `place` is kept: beside it, or under its name in a holder of gradients."""
    *holders, name = place
    beside: list[Place] = [(*holders, n) for n in gradient_names(name)]
    pairs: list[Place] = [(*holders, k) for k in GRADIENT_KEYS] if name in VALUE_KEYS and holders else []
    held: list[Place] = [(h, n) for h in GRADIENT_HOLDERS for n in (name, *gradient_names(name))]
    held += [(holders[0], h, n) for h in GRADIENT_HOLDERS for n in (name,) if holders]
    held += [(f"{holders[0]}_{h}", name) for h in GRADIENT_HOLDERS for _ in holders[:1]]
    top: list[Place] = [(n,) for n in gradient_names(name)] if holders else []
    outer = [k for k in range(len(place) - 1) if not place[k].isdigit()]
    inside: list[Place] = [(*place[:k], n, *place[k + 1 :]) for k in outer for n in gradient_names(place[k])]
    known = {p for p in (*beside, *pairs, *held, *top, *inside) if _numbers(get(thing, p))}
    return next((p for p in (*pairs, *beside, *held, *top, *inside) if p in known and p != place), None)


def _numbers(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic)) and np.asarray(value).dtype.kind in "fiu"
