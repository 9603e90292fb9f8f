"""Objects whose methods train: how they are made, of sizes or of the samples themselves, and where they keep those.

A class with a forward and a backward method that take nothing is trained by calling one after the other.
"""

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.numerics import Array
from gradcheck.subjects.binding import Binding, bind
from gradcheck.subjects.layer_trial import ETAS
from gradcheck.subjects.loop_text import last_name, stores
from gradcheck.subjects.loop_words import DATA, MEANING, OF_CONSTRUCTOR
from gradcheck.subjects.match import own_classes
from gradcheck.subjects.source import tree_of
from gradcheck.subjects.training_loops import Loop
from gradcheck.subjects.whole_class import BACKWARD, FORWARD

_OF_SAMPLES = {
    "X": (*DATA["X"], "input"),
    "y": DATA["y"],
    **{m: w for m, w in OF_CONSTRUCTOR.items() if m not in ("X", "y")},
}


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What a loop is run for: X and y in the subject's layout, how many samples that is, the widths asked for, and a rate.

    parameters: values of arguments that are weights and biases themselves.
    """

    x: Array
    y: Array
    samples: int
    widths: tuple[int, ...]
    rate: float
    parameters: Mapping[str, Array] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, Any]:
        """By meaning."""
        w = self.widths
        return {
            "input": w[0], "labels": w[-1], "sizes": list(w), "hiddens": list(w[1:-1]), "hidden": w[min(1, len(w) - 1)],
            "X": self.x.copy(), "y": self.y.copy(), "X too": self.x.copy(), "y too": self.y.copy(), "rate": self.rate,
            "one": 1, "l2": 0.0, "batch": self.samples, "shuffle": False, "quiet": False, "dtype": np.float64,
        }  # fmt: skip


def made(cls: type, values: Mapping[str, Any]) -> Any:
    """An object of the class. Raises SubjectError where it asks for something of unknown meaning."""
    constructor = constructor_of(cls)
    if constructor.missing:
        msg = f"cannot tell what to hand over to the constructor of {cls.__name__} as {', '.join(constructor.missing)}"
        raise SubjectError("contract", msg)
    return constructor(values)


@lru_cache(maxsize=64)
def constructor_of(cls: type) -> Binding:
    """How it is made: of the samples where no method takes any, else of sizes; `inputs` may be either."""
    of_samples = bind(cls, _OF_SAMPLES)
    methods = [f for n, f in inspect.getmembers(cls, inspect.isfunction) if n != "__init__"]
    taken = any({"X", "y"} <= bind(f, MEANING).takes for f in methods)
    return of_samples if {"X", "y"} <= of_samples.takes and not taken else bind(cls, OF_CONSTRUCTOR)


def trial_object(cls: type) -> Any:
    """One for a look at its attributes; None where it cannot be made."""
    x, y = np.arange(30.0).reshape(5, 6), np.arange(10.0).reshape(5, 2)
    try:
        return made(cls, Given(x, y, 5, (6, 4, 2), ETAS[0]).values)
    except Exception:  # whatever the subject's constructor raises
        return None


def kept_samples(cls: type, this: str) -> tuple[str, str] | None:
    """Where an object keeps the samples that its constructor was given, as dotted names."""
    held = {n: v for n, v in getattr(trial_object(cls), "__dict__", {}).items() if isinstance(v, np.ndarray)}
    samples = np.arange(30.0).reshape(5, 6), np.arange(10.0).reshape(5, 2)
    names = [next((n for n, v in held.items() if np.array_equal(v, a)), None) for a in samples]
    return (f"{this}.{names[0]}", f"{this}.{names[1]}") if names[0] and names[1] else None


def stepping(members: Mapping[str, Any]) -> Iterator[Loop]:
    """A loop for each class that keeps its samples: its forward method, what that leaves, its backward method."""
    for name, cls in own_classes(members).items():
        forward, backward = (_method(cls, names) for names in (FORWARD, BACKWARD))
        kept = kept_samples(cls, "self") if forward and backward else None
        if kept is not None:
            lines = [f"output = self.{forward}()", f"(output, {kept[1]})"]
            lines += [f"({place}, {kept[1]})" for place in _left_by(getattr(cls, str(forward)))]
            text = "\n    ".join([f"for _ in [0]:  # {forward}(); {backward}()", *lines, f"self.{backward}()"])
            loop = ast.parse(text).body[0]
            assert isinstance(loop, ast.For), "it was written so"
            arguments = ast.arguments([], [ast.arg("self")], None, [], [], None, [])
            yield Loop(name, "", arguments, (), loop, frozenset({"self"}))


def _method(cls: type, names: tuple[str, ...]) -> str | None:
    """The first of these methods that takes nothing, capitals and underscores aside."""
    wanted = [n.replace("_", "").lower() for n in names]
    own = {
        n.replace("_", "").lower(): n
        for n, f in inspect.getmembers(cls, inspect.isfunction)
        if not bind(f, MEANING).missing
    }
    found = [own[w] for w in wanted if w in own]
    return next((n for n in found if not bind(getattr(cls, n), MEANING).takes), None)


def _left_by(method: Any) -> list[str]:
    """The attributes that a method assigns, the last one first."""
    tree = tree_of(method)
    body = tree.body[0].body if isinstance(tree, ast.Module) and isinstance(tree.body[0], ast.FunctionDef) else []
    names = [n for statement in body for n in sorted(stores(statement)) if n.startswith("self.")]
    return [n for n in reversed(list(dict.fromkeys(names))) if last_name(n)]
