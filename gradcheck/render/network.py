"""The counterexample in words: the architecture in one line, and its numbers where they are few.

It reads the JSON form of a case, because a report can come from a file and name a user's own activations; a form it
does not know is left out and never an error.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gradcheck.render.wording import one_line, plural

FEW = 20


def heading(case: Mapping[str, Any]) -> str:
    """What the case is: ``smallest network`` or ``smallest case``."""
    return "smallest network" if "architecture" in case else "smallest case"


def describe(case: Mapping[str, Any]) -> str:
    """``2 → 1 sigmoid → 1 sigmoid, mse · 1/m, 1 sample, float64``; an operation gives its name."""
    try:
        return one_line(_network(case) if "architecture" in case else str(case.get("operation", "")))
    except (KeyError, TypeError, AttributeError, IndexError, ValueError):
        return ""


def arrays(case: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, numbers) of parameters, inputs and targets when there are at most twenty in total, else (name, shape)."""
    named = [(name, a) for name, a in _named(case) if isinstance(a, (list, int, float))]
    few = sum(_size(a) for _, a in named) <= FEW
    return [(one_line(name), _numbers(a) if few else _shape(a)) for name, a in named]


def _network(case: Mapping[str, Any]) -> str:
    a = case["architecture"]
    steps = [str(a["inputs"]), *(f"{layer['units']} {layer['activation']}" for layer in a["layers"])]
    strength = a["regularisation"]["strength"]
    decay = f", λ = {strength:g} ({a['regularisation']['form']})" if strength else ""
    bias = "" if a.get("bias", True) else ", no biases"
    samples = plural(len(case["inputs"][0]), "sample")
    return f"{' → '.join(steps)}, {a['cost']['name']} · {a['scale']}{decay}{bias}, {samples}, {a['dtype']}"


def _named(case: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for group in ("parameters", "arguments"):
        members = case.get(group)
        if isinstance(members, Mapping):
            yield from ((str(name), a) for name, a in members.items())
    yield from ((name, case[name]) for name in ("inputs", "targets", "cotangent") if name in case)


def _size(a: Any) -> int:
    return sum(_size(item) for item in a) if isinstance(a, list) else 1


def _numbers(a: Any) -> str:
    if isinstance(a, list):
        return f"[{', '.join(_numbers(item) for item in a)}]"
    if isinstance(a, float):
        short = f"{a:g}"
        return short if float(short) == a else repr(a)
    return one_line(str(a), 40)


def _shape(a: Any) -> str:
    sizes = []
    while isinstance(a, list):
        sizes.append(len(a))
        a = a[0] if a else None
    return f"shape ({', '.join(str(n) for n in sizes)}{',' if len(sizes) == 1 else ''})"
