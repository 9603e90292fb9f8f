"""The counterexample in words: the architecture in one line, and its numbers where they are few.

It reads the JSON form of a case, because a report can come from a file and name a user's own activations; a form it
does not know is left out and never an error.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Any

from gradcheck.render.wording import one_line, plural

FEW = 20
_BOOKKEEPING = frozenset({"assigned", "layer", "form", "dtypes", "complex"})


def heading(case: Mapping[str, Any]) -> str:
    """What the case is: ``smallest network`` or ``smallest case``."""
    return "smallest network" if "architecture" in case else "smallest case"


def describe(case: Mapping[str, Any]) -> str:
    """``2 → 1 sigmoid → 1 sigmoid, mse · 1/m, 1 sample, float64``; an operation gives its name and settings."""
    try:
        return one_line(_network(case) if "architecture" in case else _operation(case))
    except (KeyError, TypeError, AttributeError, IndexError, ValueError):
        return ""


def arrays(case: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, numbers) of parameters, fixed arrays, inputs and targets when there are at most twenty, else (name, shape)."""
    named = [(name, a) for name, a in _named(case) if isinstance(a, (list, int, float))]
    few = sum(_size(a) for _, a in named) <= FEW
    single = "float32" in (case.get("dtype"), _part(case, "architecture", "dtype"))
    return [(one_line(name), _numbers(a, single) if few else _shape(a)) for name, a in named]


def _network(case: Mapping[str, Any]) -> str:
    a = case["architecture"]
    steps = [str(a["inputs"]), *(f"{layer['units']} {layer['activation']}" for layer in a["layers"])]
    strength = a["regularisation"]["strength"]
    decay = f", λ = {strength:g} ({a['regularisation']['form']})" if strength else ""
    bias = "" if a.get("bias", True) else ", no biases"
    samples = plural(len(case["inputs"][0]), "sample")
    return f"{' → '.join(steps)}, {a['cost']['name']} · {a['scale']}{decay}{bias}, {samples}, {a['dtype']}"


def _operation(case: Mapping[str, Any]) -> str:
    """``conv2d, stride = 1, pad = 0``."""
    settings = {n: v for n, v in _fixed(case).items() if isinstance(v, (int, float, str))}
    return ", ".join([str(case.get("operation", "")), *(f"{n} = {v}" for n, v in settings.items())])


def _fixed(case: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is not differentiated: settings, masks, indices."""
    fixed = case.get("fixed")
    return {n: v for n, v in fixed.items() if n not in _BOOKKEEPING} if isinstance(fixed, Mapping) else {}


def _named(case: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for group in ("parameters", "arguments"):
        members = case.get(group)
        if isinstance(members, Mapping):
            yield from ((str(name), a) for name, a in members.items())
    yield from ((str(name), a) for name, a in _fixed(case).items() if isinstance(a, list))
    yield from ((name, case[name]) for name in ("inputs", "targets", "cotangent") if name in case)


def _size(a: Any) -> int:
    return sum(_size(item) for item in a) if isinstance(a, list) else 1


def _part(case: Mapping[str, Any], group: str, name: str) -> Any:
    members = case.get(group)
    return members.get(name) if isinstance(members, Mapping) else None


def _numbers(a: Any, single: bool) -> str:
    if isinstance(a, list):
        return f"[{', '.join(_numbers(item, single) for item in a)}]"
    if isinstance(a, float):
        short = f"{a:g}"
        return short if float(short) == a or (single and _in_single(float(short)) == a) else repr(a)
    return one_line(str(a), 40)


def _in_single(a: float) -> float:
    """The nearest number of single precision: 0.1 is written for 0.10000000149011612 there."""
    try:
        return float(struct.unpack("f", struct.pack("f", a))[0])
    except OverflowError:
        return a


def _shape(a: Any) -> str:
    sizes = []
    while isinstance(a, list):
        sizes.append(len(a))
        a = a[0] if a else None
    return f"shape ({', '.join(str(n) for n in sizes)}{',' if len(sizes) == 1 else ''})"
