"""How a network's parameters are handed over as one thing: dicts, nested dicts, lists of pairs, of dicts, of dataclasses.

Keys are those that the file itself uses. Which structure it is, is found by running it. It must not know conventions.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any

from gradcheck.numerics import Array
from gradcheck.subjects.gradient_names import name_of

Build = Callable[[Sequence[Array], Sequence[Array] | None], Any]
_LAYER_KEY = re.compile(r"(layer|l|fc|dense|linear|affine|hidden)_?(\d*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Structure:
    """`text` describes it with an example; `build` makes it of weights and biases (None where there are none).

    script: the same as Python text of the lists W and b; "" where there is none.
    """

    text: str
    build: Build
    script: str = ""


def structures(strings: set[str], members: Mapping[str, Any]) -> Iterator[Structure]:
    """Candidates, those whose keys occur in the source first. strings: constants in it; members: of the file."""
    w_keys, b_keys = _stems(strings, "W"), _stems(strings, "b")
    if not strings:  # no source to read them from
        w_keys, b_keys = ["W"], ["b"]
    for w in w_keys:
        for b in b_keys or ("b",):
            for first in _firsts(strings, w):
                yield _numbered(w, b, first)
    for w in w_keys or ("weights", "W"):
        for b in b_keys or ("biases", "b"):
            yield Structure(f'{{"{w}": [...], "{b}": [...]}}', _of_lists(w, b), f"{{{w!r}: W, {b!r}: b}}")
    flat = "[a for row in zip(W, b or [None] * len(W)) for a in row if a is not None]"
    yield Structure(
        "[(W1, b1), ...]", lambda W, b: [p if b else p[0] for p in _rows(W, b)], "list(zip(W, b)) if b else W"
    )
    pairs = "[list(row) for row in zip(W, b)] if b else W"
    yield Structure("[[W1, b1], ...]", lambda W, b: [list(p) if b else p[0] for p in _rows(W, b)], pairs)
    yield Structure("[W1, b1, W2, b2, ...]", lambda W, b: [a for p in _rows(W, b) for a in p], flat)
    yield Structure("(W1, b1, W2, b2, ...)", lambda W, b: tuple(a for p in _rows(W, b) for a in p), f"tuple({flat})")
    yield Structure("[W1, W2, ..., b1, b2, ...]", lambda W, b: [*W, *(b or [])], "[*W, *b]")
    yield Structure("(weights, biases)", lambda W, b: (list(W), list(b or [])), "(W, b)")
    for w in w_keys:
        for b in b_keys or ("b",):
            script = f"[dict(zip(({w!r}, {b!r}), row)) for row in (zip(W, b) if b else zip(W))]"
            yield Structure(f'[{{"{w}": W1, "{b}": b1}}, ...]', _of_dicts(w, b), script)
            yield from _nested(strings, w, b)
    yield from _objects(members)


def _rows(W: Sequence[Array], b: Sequence[Array] | None) -> list[tuple[Array, ...]]:
    return [(w, v) for w, v in zip(W, b, strict=True)] if b else [(w,) for w in W]


def _stems(strings: set[str], letter: str) -> list[str]:
    """The keys of parameters that occur, without their numbers; keys of gradients come with their parameter's."""
    found: dict[str, None] = {}
    for s in sorted(strings, key=lambda s: (len(s), s)):
        named = name_of((s,)) if s.isidentifier() else None
        if named is not None and named[0] == letter and not re.match(r"(?i)d|grad|nabla", s):
            found[re.sub(r"\d+$", "", s)] = None
    return list(found)


def _firsts(strings: set[str], stem: str) -> tuple[int, ...]:
    numbers = {int(m[1]) for s in strings if (m := re.fullmatch(rf"{re.escape(stem)}(\d+)", s))}
    return (min(numbers),) if numbers else (1, 0)


def _numbered(w: str, b: str, first: int) -> Structure:
    def build(W: Sequence[Array], biases: Sequence[Array] | None) -> dict[str, Array]:
        pairs = enumerate(_rows(W, biases), start=first)
        return {f"{key}{k}": a for k, row in pairs for key, a in zip((w, b), row, strict=False)}

    numbered = [f"{{f'{key}{{k}}': a for k, a in enumerate({name}, {first})}}" for key, name in ((w, "W"), (b, "b"))]
    return Structure(f'{{"{w}{first}": W1, "{b}{first}": b1, ...}}', build, " | ".join(numbered))


def _of_lists(w: str, b: str) -> Build:
    return lambda W, biases: {w: list(W), **({b: list(biases)} if biases else {})}


def _of_dicts(w: str, b: str) -> Build:
    return lambda W, biases: [dict(zip((w, b), row, strict=False)) for row in _rows(W, biases)]


def _nested(strings: set[str], w: str, b: str) -> Iterator[Structure]:
    """``{"layer1": {"W": …, "b": …}}``, and with numbers as keys."""
    keys = {(m[0].rstrip("0123456789"), int(m[2] or -1)) for s in strings if (m := _LAYER_KEY.fullmatch(s))}
    stems: dict[Any, list[int]] = {}
    for stem, number in sorted(keys):
        stems.setdefault(stem, []).append(number)
    for stem, numbers in [*stems.items(), (None, [])]:
        known = [n for n in numbers if n >= 0]
        for first in (min(known),) if known else (1, 0):
            text = f'{{"{stem or ""}{first}": {{"{w}": W1, "{b}": b1}}, ...}}'
            key = "k" if stem is None else f"f'{stem}{{k}}'"
            rows = f"enumerate(zip(W, b) if b else zip(W), {first})"
            script = f"{{{key}: dict(zip(({w!r}, {b!r}), row)) for k, row in {rows}}}"
            yield Structure(text, _by_layer(stem, first, w, b), script)


def _by_layer(stem: str | None, first: int, w: str, b: str) -> Build:
    def build(W: Sequence[Array], biases: Sequence[Array] | None) -> dict[Any, dict[str, Array]]:
        layers = enumerate(_rows(W, biases), start=first)
        return {k if stem is None else f"{stem}{k}": dict(zip((w, b), row, strict=False)) for k, row in layers}

    return build


def _objects(members: Mapping[str, Any]) -> Iterator[Structure]:
    """Lists of a dataclass or named tuple of the file whose fields are the weights and the bias of one layer."""
    for name, cls in members.items():
        if not inspect.isclass(cls) or not (is_dataclass(cls) or hasattr(cls, "_fields")):
            continue
        fields = list(inspect.signature(cls).parameters)
        letters = {named[0]: f for f in fields if (named := name_of((f,))) is not None}
        if set(letters) == {"W", "b"}:
            made = f"subject.{name}({letters['W']}=w, {letters['b']}=v)"
            text = f"[{name}({letters['W']}, {letters['b']}), ...]"
            yield Structure(text, _of_objects(cls, letters), f"[{made} for w, v in zip(W, b)]")


def _of_objects(cls: Any, letters: Mapping[str, str]) -> Build:
    return lambda W, b: [cls(**dict(zip((letters["W"], letters["b"]), row, strict=False))) for row in _rows(W, b)]
