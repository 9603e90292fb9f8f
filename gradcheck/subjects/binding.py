"""Call a function by the meaning of its parameters' names, whatever their order and spelling.

A table of synonyms maps the spellings to meanings. It must not know conventions: each brings its own table.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Synonyms = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Binding:
    """How a function is called: the meaning of each parameter.

    positional: meanings of the positional-only parameters. keywords: parameter name -> meaning. missing: required
    parameters of unknown meaning. rest: whether it takes ``**kwargs``.
    """

    function: Callable[..., Any]
    positional: tuple[str, ...]
    keywords: Mapping[str, str]
    missing: tuple[str, ...]
    rest: bool

    @property
    def takes(self) -> frozenset[str]:
        """The meanings that the function has a parameter for."""
        return frozenset([*self.positional, *self.keywords.values()])

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """The function of those values, by meaning."""
        by_name = {name: values[meaning] for name, meaning in self.keywords.items()}
        return self.function(*[values[meaning] for meaning in self.positional], **by_name)

    def text(self, name: str, expressions: Mapping[str, str]) -> str:
        """The same call as Python text, given an expression for each meaning."""
        by_name = [f"{keyword}={expressions[meaning]}" for keyword, meaning in self.keywords.items()]
        return f"{name}({', '.join([*(expressions[meaning] for meaning in self.positional), *by_name])})"


def bind(function: Callable[..., Any], synonyms: Synonyms) -> Binding:
    """Find the meaning of each parameter; parameters with a default and no known meaning keep their default."""
    positional, keywords, missing, rest = [], {}, [], False
    for p in _parameters(function):
        meaning = meaning_of(p.name, synonyms)
        if p.kind is p.VAR_KEYWORD:
            rest = True
        elif p.kind is p.VAR_POSITIONAL:
            continue
        elif meaning is None:
            missing += [p.name] * (p.default is p.empty)
        elif p.kind is p.POSITIONAL_ONLY:
            positional.append(meaning)
        else:
            keywords[p.name] = meaning
    return Binding(function, tuple(positional), keywords, tuple(missing), rest)


def meaning_of(name: str, synonyms: Synonyms) -> str | None:
    """The meaning whose spellings contain the name (capitals and underscores do not matter), or None."""
    for meaning, spellings in synonyms.items():
        if name in spellings:
            return meaning
    plain = _plain(name)
    return next((m for m, spellings in synonyms.items() if plain in {_plain(s) for s in spellings}), None)


def signature_text(name: str, function: Callable[..., Any]) -> str:
    """``name(a, b, c=0)`` for messages."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return f"{name}(…)"
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values() if p.name != "self"]
    return f"{name}{signature.replace(parameters=bare, return_annotation=signature.empty)}"


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    except (TypeError, ValueError):
        return []
