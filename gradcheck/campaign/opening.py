"""From what the caller said to a running subject: the file or thing, its limits, its process, its own definitions."""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gradcheck.errors import UsageError
from gradcheck.isolation import Worker
from gradcheck.isolation.remote import RemoteSubject
from gradcheck.networks import Activation, Cost, Vocabulary
from gradcheck.oracles.kink_finder import with_kinks
from gradcheck.subjects import (
    LocalSubject,
    Subject,
    SubjectConfiguration,
    check_path,
    detect,
    load,
    members_of,
    narrow,
)
from gradcheck.subjects.loading import NOTES

HANDLER = "gradcheck.isolation.handler:create"


@dataclass(frozen=True, slots=True)
class Limits:
    """time_limit: seconds a request; memory_limit: bytes beyond Python with numpy, None for none. sandbox: behind bwrap."""

    time_limit: float = 10.0
    memory_limit: int | None = 2 * 2**30
    in_process: bool | None = None
    sandbox: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What is verified: a file (with an object in it) or a thing in memory."""

    path: str | None
    object: str | None
    thing: Any = None

    @property
    def name(self) -> str:
        """For messages."""
        if self.path is None:
            return str(getattr(self.thing, "__name__", type(self.thing).__name__))
        return Path(self.path).name


class Named:
    """A subject with a narrowed offer: the same calls, fewer layouts."""

    def __init__(self, subject: Any, configuration: SubjectConfiguration) -> None:
        self._subject = subject
        self.offer = narrow(subject.offer, configuration)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._subject, name)


@contextlib.contextmanager
def opened(target: Target, said: SubjectConfiguration, limits: Limits) -> Iterator[Subject]:
    """The subject, in a child process unless it lives in this one (or `in_process` asks for it)."""
    in_process = target.path is None or bool(limits.in_process)
    if in_process:
        with same_import_path():
            members = members_of(target.thing) if target.path is None else load(target.path, target.object)
            yield Named(LocalSubject(detect(members, target.name, said), members.get(NOTES, ())), said)
        return
    assert target.path is not None
    setup = {
        "path": str(Path(target.path).resolve()),
        "object": target.object,
        "convention": said.convention,
        "name": target.name,
    }
    sandboxed = [os.path.dirname(setup["path"] or "")] if limits.sandbox else None
    with Worker(HANDLER, setup, time_limit=limits.time_limit, start_limit=2 * limits.time_limit, memory_limit=limits.memory_limit, sandboxed=sandboxed) as worker:  # noqa: E501  # fmt: skip
        yield Named(RemoteSubject(worker), said)


@contextlib.contextmanager
def same_import_path() -> Iterator[None]:
    """Loading a file puts its folder on sys.path; in the caller's own process it goes again."""
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before


def vocabulary_of(activations: Any, costs: Any) -> tuple[Vocabulary, list[str] | None, list[str] | None]:
    """Names, `file.py:name` references and definition objects, as a vocabulary and the configured names."""
    own_activations, names = _resolved(activations, Activation)
    own_activations = {n: with_kinks(f) for n, f in own_activations.items()}
    own_costs, cost_names = _resolved(costs, Cost)
    return Vocabulary(own_activations, own_costs), names, cost_names


def _resolved(entries: Any, kind: type) -> tuple[dict[str, Any], list[str] | None]:
    if entries is None:
        return {}, None
    listed = [e.strip() for e in entries.split(",")] if isinstance(entries, str) else list(entries)
    own: dict[str, Any] = {}
    names = []
    for entry in listed:
        definition = _definition(entry, kind)
        if definition is not None:
            own[definition.name] = definition
        names.append(definition.name if definition is not None else str(entry))
    return own, names


def _definition(entry: Any, kind: type) -> Any:
    """An Activation or Cost from an object, a function, or ``file.py:name``; None for a plain name."""
    if isinstance(entry, kind):
        return entry
    if isinstance(entry, str):
        path, colon, name = entry.rpartition(":")
        if not colon or not path.endswith(".py"):
            return None
        with same_import_path():
            found = load(str(check_path(path)), None).get(name)
        if found is None:
            msg = f"{path} defines no {name!r}; expected a JAX-traceable function or a gradcheck.{kind.__name__}"
            raise UsageError(msg)
        definition: Any = found if isinstance(found, kind) else kind(name, found)
        return replace(definition, source=entry)
    if callable(entry):
        return kind(entry.__name__, entry)
    msg = f"expected a name, a function or a gradcheck.{kind.__name__}; got {type(entry).__name__}: {entry!r:.60}"
    raise UsageError(msg)
