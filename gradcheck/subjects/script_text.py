"""The pieces of which the stand-alone scripts of whole networks are made: Python text, numpy alone, as `Offer.scripts` has it.

Where a value lies in a result is written out as it was found on a small network. It must not know conventions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from gradcheck.subjects.model_calls import Samples, Targets

EXPRESSIONS: Mapping[str, str] = {
    "X": "x", "parameters": "p", "weights": "W", "biases": "b", "lambd": "L2", "l2": "L2", "depth": "len(W)", "sizes": "SIZES",
    "input": "SIZES[0]", "hidden": "SIZES[min(1, len(SIZES) - 1)]", "labels": "SIZES[-1]", "hiddens": "SIZES[1:-1]",
    "dtype": "float", "one": "1", "quiet": "False", "shuffle": "False", "AL": "out", "result": "r", "cache": "r",
}  # fmt: skip
LABELS = """\
labels = lambda y: (y if ROWS else y.T).argmax(axis=1) if min(y.shape) > 1 or SIZES[-1] > 1 else y.ravel().astype(int)
"""
EACH = """\
def each(x, y):
    x, y = (x, y) if ROWS else (x.T, y.T)
    return [(s.reshape({shape}), {target}) for s, t in zip(x, y)]

"""


def expressions(samples: Samples, targets: Targets, layers: int = 6) -> dict[str, str]:
    """An expression for each meaning, W1, b1, … among them."""
    named = {f"W{k}": f"W[{k - 1}]" for k in range(1, layers + 1)} | {
        f"b{k}": f"b[{k - 1}]" for k in range(1, layers + 1)
    }
    whole = samples == "batch"
    y = "labels(y)" if targets == "labels" and whole else "y"
    return {
        **EXPRESSIONS,
        **named,
        "Y": y,
        "samples": "SAMPLES" if whole else "1",
        "batch": "SAMPLES" if whole else "1",
    }


def definitions(name: str, body: Sequence[str], samples: Samples, arguments: str = "subject, W, b, x, y") -> str:
    """`def name(…)` of these lines; for one sample a call under the name of one, and the sum over all."""
    inner = "\n".join(f"    {line}" for line in _shortened(body))
    if samples == "batch":
        return f"def {name}({arguments}):\n{inner}\n"
    one = f"def one_{name}({arguments}):\n{inner}\n"
    calls = f"[one_{name}(subject, W, b, s, t) for s, t in each(x, y)]"
    total = f"sum(map(float, {calls}))" if name == "cost" else f"[sum(parts) for parts in zip(*{calls})]"
    return f"{one}\ndef {name}({arguments}):\n    return {total}\n"


def _shortened(body: Sequence[str]) -> list[str]:
    """`v = f(…)` and then `return v` as one line."""
    *before, assigned, last = ["", *body]
    name, _, value = assigned.partition(" = ")
    joined = [f"return {value}"] if value and last == f"return {name}" else [assigned, last]
    return [line for line in (*before, *joined) if line]


def helpers(samples: Samples, targets: Targets) -> str:
    """What the calls use: class labels, and the samples one by one."""
    if samples == "batch":
        return LABELS if targets == "labels" else ""
    shape = "-1, 1" if samples == "column" else "-1"
    target = "int(t.argmax())" if targets == "labels" else f"t.reshape({shape})"
    return EACH.format(shape=shape, target=target)


def leaves_with_text(value: Any, text: str) -> Iterator[tuple[str, Any]]:
    """Arrays and numbers in nested mappings, sequences and dataclasses, in the order of `gradient_names.leaves_of`."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves_with_text(item, f"{text}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for key, item in enumerate(value):
            yield from leaves_with_text(item, f"{text}[{key}]")
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from leaves_with_text(getattr(value, field.name), f"{text}.{field.name}")
    elif value is not None:
        yield text, value


def place_of(part: Any, whole: Any, text: str) -> str | None:
    """The text of where in a result this very object is; None where it is nowhere."""
    if part is whole:
        return text
    items = (
        whole.items() if isinstance(whole, Mapping) else enumerate(whole) if isinstance(whole, (list, tuple)) else ()
    )
    return next((f"{text}[{k!r}]" for k, item in items if item is part), None)


def attribute(thing: Any, place: Sequence[str], text: str) -> str:
    """A place in an object as text: net.layers[0].W, net.params['W1']."""
    for name in place:
        if isinstance(thing, (list, tuple)):
            text, thing = f"{text}[{name}]", thing[int(name)]
        elif isinstance(thing, Mapping):
            text, thing = f"{text}[{name!r}]", thing[name]
        else:
            text, thing = f"{text}.{name}", getattr(thing, name)
    return text


def by_depth(depths: tuple[int, int | None], text_of: Callable[[int], str | None]) -> dict[str, str]:
    """A script for each depth that it can be written for: under "" where there is one depth, else under "depth L"."""
    low, high = depths
    texts = {d: text for d in range(low, min(high or 4, 4) + 1) if (text := text_of(d)) is not None}
    return {("" if low == high else f"depth {d}"): text for d, text in texts.items()}


def listed(names: Sequence[str], texts: Mapping[str, str]) -> str:
    """`return [np.asarray(…), …]`, weights first and then biases."""
    ordered = sorted(names, key=lambda n: (n[0] != "W", int(n[1:])))
    return f"return [{', '.join(f'np.asarray({texts[n]}, dtype=float)' for n in ordered)}]"


def is_one(value: Any) -> bool:
    """Whether a value is one number."""
    return np.size(value) == 1
