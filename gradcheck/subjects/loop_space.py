"""The names that a training loop sees when it is run for a case: its samples, sizes, rate and batch, the object of a method.

Told from the spelling of names, of the function's arguments, of the constructor's and of numbers in the file. It must not
know how a step is read.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.subjects.binding import Binding, bind, meaning_of
from gradcheck.subjects.gradient_names import name_of
from gradcheck.subjects.loop_objects import Given, kept_samples, made, trial_object
from gradcheck.subjects.loop_text import bases, last_name, stores
from gradcheck.subjects.loop_words import DATA, MEANING, OF_NUMBERS
from gradcheck.subjects.model_calls import SAMPLES
from gradcheck.subjects.training_loops import Loop, Space


@dataclass(frozen=True, slots=True)
class Data:
    """The dotted names of X and y in the loop's space, the learning rate's where it has one, and whether y are classes."""

    x: str
    y: str
    rate: str | None
    labels: bool = False


def data_of(loop: Loop, members: Mapping[str, Any]) -> Data | None:
    """X and y: of the function's arguments, else what the constructor keeps, else the script's arrays or missing names."""
    binding = arguments_of(loop, members)
    by_meaning = {m: n for n, m in reversed(list(binding.keywords.items()))} if binding else {}
    if binding is not None and set(binding.missing) - set(given_parameters(loop)):
        return None
    rate = by_meaning.get("rate") or _rate(loop, members)
    x, y = by_meaning.get("X"), by_meaning.get("y")
    if x and y:
        return Data(x, y, rate)
    if loop.owner:
        kept = kept_samples(members[loop.owner], loop.this)
        return None if kept is None else Data(*kept, rate)
    arrays = {n for n, v in members.items() if isinstance(v, np.ndarray) and v.ndim in (1, 2)}
    lost = {n for n in bases(loop.reads) if n not in members and n not in _assigned(loop)}
    for names in (arrays, arrays | lost):
        found = [next((n for n in DATA[m] if n in names - loop.updated), None) for m in ("X", "y")]
        if found[0] and found[1] and found[0] != found[1]:
            return Data(found[0], found[1], rate)
    return None


def given_parameters(loop: Loop) -> dict[str, str]:
    """The function's arguments that are weights and biases themselves, by the names W1, b1, …"""
    named = {p: n for p in loop.names if p in loop.updated and (n := name_of((p,))) is not None}
    if len(named) == 1 and next(iter(named.values()))[1] is None:
        return {p: f"{letter}1" for p, (letter, _) in named.items()}
    numbers = [k for _, k in named.values()]
    if not named or None in numbers:
        return {}
    first = min(k or 0 for k in numbers)
    return {p: f"{letter}{(k or 0) - first + 1}" for p, (letter, k) in named.items()}


def arguments_of(loop: Loop, members: Mapping[str, Any]) -> Binding | None:
    """How the loop's function is called; None for a script."""
    holder = members.get(loop.owner) if loop.owner else None
    function = getattr(holder, loop.function, None) if loop.owner else members.get(loop.function)
    return bind(function, MEANING) if loop.function and callable(function) else None


def space_of(loop: Loop, members: Mapping[str, Any], data: Data, given: Given) -> Space:
    """The names that the loop sees, after a function's statements before it, or those of a script that depend on X and y."""
    space: Space = {n: _copied(v) for n, v in members.items()}
    values, rate = given.values, given.rate
    own = settings(loop, members)
    for name, meaning in own.items():
        put_at(space, name, int(values[meaning]) if meaning != "rate" else rate)
    if not loop.function and not loop.owner:
        samples = {data.x: values["X"], data.y: values["y"]}
        space.update(samples)
        loop.rerun(space, (data.x, data.y), set(loop.updated) | set(samples) | set(own))
        return space
    if loop.owner:
        space[loop.this] = made(members[loop.owner], values)
        own = settings(loop, space, "input", "labels", "hidden", "sizes")
    binding = arguments_of(loop, members)
    if binding is not None:
        space.update(
            {
                n: p.default
                for n, p in inspect.signature(binding.function).parameters.items()
                if p.default is not p.empty
            }
        )
        space.update({n: values[m] for n, m in binding.keywords.items()})
    for name, meaning in own.items():
        put_at(space, name, values[meaning] if meaning == "rate" else int(values[meaning]))
    if data.x not in space and "." not in data.x:
        space.update({data.x: values["X"], data.y: values["y"]})
        _renewed(loop, space, given.samples)
    space.update(given.parameters)
    loop.prepare(space)
    if data.rate is not None:
        put_at(space, data.rate, rate)
    return space


def _renewed(loop: Loop, space: Space, samples: int) -> None:
    """Numbers of the script that its missing data would have given: how many samples there are."""
    for name in bases(loop.reads):
        if name not in space and meaning_of(name, {"samples": SAMPLES}):
            space[name] = samples


def settings(loop: Loop, space: Mapping[str, Any], *ignored: str) -> dict[str, str]:
    """The dotted names of numbers that the loop reads and that mean a rate, a size or a batch."""
    found: dict[str, str] = {}
    for name in sorted(loop.reads):
        meaning = meaning_of(last_name(name), OF_NUMBERS)
        value = get_at(space, name)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if meaning and meaning not in ignored and number and (meaning == "rate" or isinstance(value, int)):
            found[name] = meaning
    return found


def _rate(loop: Loop, members: Mapping[str, Any]) -> str | None:
    space: Mapping[str, Any] = members
    if loop.owner:
        space = {**members, loop.this: trial_object(members[loop.owner])}
    known = [n for n, m in settings(loop, space).items() if m == "rate"]
    if known:
        return known[0]
    written = [
        n for n in sorted(loop.reads) if last_name(n) == "epsilon" and isinstance(get_at(space, n), (int, float))
    ]
    arguments = arguments_of(loop, members)
    defaults = inspect.signature(arguments.function).parameters if arguments else {}
    return next(iter(written), "epsilon" if "epsilon" in defaults and "epsilon" in loop.reads else None)


def _assigned(loop: Loop) -> set[str]:
    return set().union(*(bases(stores(s)) for s in (*loop.before, *loop.loop.body)), bases(stores(loop.loop)))


def get_at(space: Mapping[str, Any], name: str) -> Any:
    """What a dotted name of attributes stands for; None where there is nothing."""
    first, *rest = name.split(".")
    value = space.get(first)
    for attribute in rest:
        value = getattr(value, attribute, None)
    return value


def put_at(space: Space, name: str, value: Any) -> None:
    """Give a dotted name of attributes another value."""
    first, *rest = name.split(".")
    if not rest:
        space[first] = value
        return
    holder = get_at(space, ".".join([first, *rest[:-1]]))
    setattr(holder, rest[-1], value)


def _copied(value: Any) -> Any:
    """A copy of arrays, and of lists and dicts of them; anything else is the same object."""
    if isinstance(value, np.ndarray):
        return value.astype(np.float64) if value.dtype.kind == "f" else value.copy()
    if isinstance(value, dict):
        return {k: _copied(v) for k, v in value.items()}
    return [_copied(v) for v in value] if isinstance(value, list) else value
