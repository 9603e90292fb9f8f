"""What a convention found in a file: an adapter, or how close it came and what was missing."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradcheck.subjects.protocol import Adapter


@dataclass(frozen=True, slots=True)
class Match:
    """The answer of one convention's `match(members, name)`: `adapter` when it fits; else what was found and missing.

    found: what the file has of the convention. missing: one line for each thing that it lacks.
    weak: whether another convention of the same file says more, such as functions beside the derivatives that they use.
    candidates: several objects that would fit equally well; one of them must be named as PATH:OBJECT.
    """

    convention: str
    adapter: Adapter | None
    missing: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    weak: bool = False


def parameter_names(function: Callable[..., Any]) -> list[str]:
    """Names of a callable's parameters, `self` left out; empty where it has no signature."""
    try:
        return [p for p in inspect.signature(function).parameters if p != "self"]
    except (TypeError, ValueError):
        return []


def function_member(
    members: Mapping[str, Any], name: str, leading: Sequence[str], missing: list[str]
) -> Callable[..., Any] | None:
    """The member of that name when it is a function whose first parameters are `leading`; else a line in `missing`."""
    candidate = members.get(name)
    call = f"{name}({', '.join(leading)}{', …' * (len(leading) > 0)})"
    if not inspect.isroutine(candidate):
        missing.append(f"a function {call}")
        return None
    given = parameter_names(candidate)
    if given[: len(leading)] != list(leading):
        missing.append(f"{call}: it takes ({', '.join(given)})")
        return None
    function: Callable[..., Any] = candidate
    return function


def own_classes(members: Mapping[str, Any]) -> dict[str, type]:
    """The classes among the members: those defined in the file itself where there are any, else the imported ones."""
    classes = {n: c for n, c in members.items() if inspect.isclass(c) and not n.startswith("__")}
    module = members.get("__name__")
    own = {n: c for n, c in classes.items() if c.__module__ == module}
    distinct = {c: n for n, c in reversed(list((own or classes).items()))}
    return {n: c for c, n in reversed(list(distinct.items()))}


def own_functions(members: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """The functions among the members: those defined in the file itself where there are any, else the imported ones."""
    functions: dict[str, Callable[..., Any]] = {
        n: f for n, f in members.items() if inspect.isroutine(f) and not n.startswith("__")
    }
    module = members.get("__name__")
    return {n: f for n, f in functions.items() if getattr(f, "__module__", None) == module} or functions
