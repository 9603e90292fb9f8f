"""Which functions of a file work together as a whole network: one call, a loss and its gradient, or forward and then backward.

Told from the names of the functions, of their arguments and of what they return; nothing is run here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.subjects.binding import Binding, bind
from gradcheck.subjects.gradient_names import name_of
from gradcheck.subjects.gradient_reading import returned_names
from gradcheck.subjects.match import parameter_names
from gradcheck.subjects.model_calls import SAMPLES, WORDS
from gradcheck.subjects.source import globals_used

_NOT = (
    "numeric",
    "check",
    "train",
    "update",
    "predict",
    "accuracy",
    "fit",
    "plot",
    "sample",
    "eval",
    "test",
    "init",
)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One function: its name, how it is called, and the names of what it returns."""

    name: str
    binding: Binding
    returned: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which functions are called for what. Either `gradient` takes X and Y itself, or `forward` comes before it.

    A forward pass that takes Y too is the cost at the same time: it gives (cost, cache), and no output.
    """

    gradient: Part
    cost: Part | None = None
    forward: Part | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The functions in use, each once."""
        return tuple(dict.fromkeys(p for p in (self.gradient, self.cost, self.forward) if p is not None))

    @property
    def gives_output(self) -> bool:
        """Whether the forward pass returns the output activations."""
        return self.forward is not None and self.forward is not self.cost

    @property
    def takes(self) -> frozenset[str]:
        """Everything that they ask for."""
        return frozenset[str]().union(*(p.binding.takes for p in self.parts))


def part(name: str, function: Callable[..., Any], extra: Mapping[str, Sequence[str]] = {}) -> Part:
    """A function with the meanings of its parameters; W1, b1, … are themselves."""
    numbered = {}
    named = {p: n for p in parameter_names(function) if (n := name_of((p,))) is not None and n[1] is not None}
    first = min((n[1] or 0 for n in named.values()), default=1)
    for p, (letter, number) in named.items():
        if not p.lower().startswith(("d", "grad", "nabla")):
            numbered[f"{letter}{(number or 0) - first + 1}"] = (p,)
    synonyms = {**{f"={n}": v for n, v in extra.items()}, **numbered, **WORDS}
    inner = getattr(function, "func", function)
    return Part(name, bind(function, synonyms), tuple(returned_names(inner)))


def plans(functions: Mapping[str, Any], members: Mapping[str, Any]) -> Iterator[tuple[Plan, Mapping[str, str]]]:
    """Ways in which the functions may work together, the likeliest first, with the globals that hold the parameters."""
    parts = [part(n, f) for n, f in functions.items() if not any(word in n.lower() for word in _NOT)]
    whole = [p for p in parts if not p.binding.missing and {"X", "Y"} <= p.binding.takes and not _staged(p)]
    whole.sort(key=lambda p: not any(w in p.name.lower() for w in ("grad", "back", "deriv", "prime", "nabla")))
    for gradient in whole:
        held = {} if _holds(gradient) else global_parameters(gradient.binding.function, members)
        if not (_holds(gradient) or held):
            continue
        yield Plan(gradient, gradient), held
        for cost in whole:
            if cost is not gradient and _holds(cost) == _holds(gradient):
                yield Plan(gradient, cost), held
    yield from _staged_plans(functions, parts, members)
    for gradient in whole:
        held = {} if _holds(gradient) else global_parameters(gradient.binding.function, members)
        forward = next((p for p in _forwards(parts, gradient)), None)
        if _holds(gradient) or held:
            yield Plan(gradient, None, forward), held


def _holds(p: Part) -> bool:
    numbered = any(t[0] in "Wb" and t[1:].isdigit() for t in p.binding.takes)
    return numbered or bool(p.binding.takes & {"parameters", "weights"})


def _staged(p: Part) -> bool:
    return bool(p.binding.takes & {"cache", "AL", "result"})


def _forwards(parts: Sequence[Part], gradient: Part) -> Iterator[Part]:
    for p in parts:
        runs = not p.binding.missing and "X" in p.binding.takes and "Y" not in p.binding.takes and not _staged(p)
        if runs and (_holds(p) == _holds(gradient) or not _holds(gradient)):
            yield p


def _staged_plans(
    functions: Mapping[str, Any], parts: Sequence[Part], members: Mapping[str, Any]
) -> Iterator[tuple[Plan, Mapping[str, str]]]:
    """A forward pass, then a backward pass of what it left, and a cost of its output where there is one."""
    for forward in parts:
        whole = "Y" in forward.binding.takes
        if forward.binding.missing or "X" not in forward.binding.takes or _staged(forward):
            continue
        if whole and not ("forward" in forward.name.lower() and len(forward.returned) > 1):
            continue
        held = {} if _holds(forward) else global_parameters(forward.binding.function, members)
        if not (_holds(forward) or held):
            continue
        extra = {n: (n,) for n in forward.returned if n is not None}
        seen = [part(n, functions[n], extra) for n in functions if n != forward.name and not unlikely(n)]
        later = [p for p in seen if not p.binding.missing and _uses(p)]
        backward = [p for p in later if any(w in p.name.lower() for w in ("back", "grad", "deriv", "delta", "nabla"))]
        costs = [p for p in later if p not in backward and {"Y"} <= p.binding.takes]
        for gradient in backward:
            if whole:
                yield Plan(gradient, forward, forward), held
                continue
            yield from ((Plan(gradient, cost, forward), held) for cost in costs)
            yield Plan(gradient, None, forward), held


def unlikely(name: str) -> bool:
    """Whether a function's name says that it is no part of the gradient."""
    return any(word in name.lower() for word in _NOT)


def _uses(p: Part) -> bool:
    return _staged(p) or any(t.startswith("=") for t in p.binding.takes)


def global_parameters(function: Callable[..., Any], members: Mapping[str, Any]) -> dict[str, str]:
    """W1, b1, … -> the module's globals that hold them and that the function, or what it calls, names."""
    space = getattr(function, "__globals__", {})
    used = globals_used([function])
    found = {n: named for n, v in space.items() if isinstance(v, np.ndarray) and n in used and (named := name_of((n,)))}
    numbers = [k for _, k in found.values() if k is not None]
    if not found or len(numbers) != len(found):
        return {}
    first = min(numbers)
    return {f"{letter}{(k or 0) - first + 1}": n for n, (letter, k) in found.items()}


def lost_numbers(plan: Plan) -> tuple[str, ...]:
    """Names for the number of samples that the functions look up in the module and that, with its data, are not there."""
    functions = [getattr(p.binding.function, "func", p.binding.function) for p in plan.parts]
    space = getattr(functions[0], "__globals__", {})
    return tuple(n for n in sorted(globals_used(functions)) if n in SAMPLES and n not in space)
