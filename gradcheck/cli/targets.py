"""From the arguments of `verify` to jobs: a configured name, a file with or without an object, a folder, or all."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from gradcheck.cli.configuration import Configuration, ConfiguredSubject
from gradcheck.cli.options import split_target
from gradcheck.errors import UsageError


@dataclass(frozen=True, slots=True)
class Job:
    """One call of `gradcheck.verify`: the file as the report will name it, and the options its configuration sets."""

    target: str
    options: Mapping[str, Any]


def jobs(arguments: Sequence[str], configuration: Configuration) -> list[Job]:
    """The jobs of a command line; every configured subject when there is no argument. Raises UsageError."""
    if arguments:
        return [job for argument in arguments for job in _jobs(argument, configuration)]
    if not configuration.subjects:
        where = f"{configuration.file} configures no subjects" if configuration.file else "there is no configuration"
        msg = f"nothing to verify: no PATH was given, and {where}; try `gradcheck verify FILE.py`"
        raise UsageError(msg)
    return [_configured(subject) for subject in configuration.subjects.values()]


def _jobs(argument: str, configuration: Configuration) -> Iterator[Job]:
    if argument in configuration.subjects:
        yield _configured(configuration.subjects[argument])
        return
    path, name = split_target(argument)
    if Path(path).is_dir():
        for file in _files(path, name):
            yield from _file(file, None, configuration)
    else:
        _require_file(path, configuration)
        yield from _file(path, name, configuration)


def _file(path: str, name: str | None, configuration: Configuration) -> Iterator[Job]:
    """The configured subjects in this file, narrowed to the object when one is named; else the file as it is."""
    here = [s for s in configuration.subjects.values() if s.path.resolve() == Path(path).resolve()]
    matching = [s for s in here if name is None or s.options.get("object") in (None, name)]
    chosen = {"object": name} if name else {}
    for subject in matching:
        yield Job(path, {**subject.options, **chosen})
    if not matching:
        yield Job(path, chosen)


def _configured(subject: ConfiguredSubject) -> Job:
    if not subject.path.is_file():
        msg = f"no such file: {subject.path} (configured as subject {subject.name!r})"
        raise UsageError(msg)
    below = subject.path.resolve().is_relative_to(Path.cwd())
    target = os.path.relpath(subject.path) if below else str(subject.path.resolve())
    return Job(target, subject.options)


def _files(folder: str, name: str | None) -> list[str]:
    if name is not None:
        msg = f"{folder} is a folder: an object ({name!r}) can only be named in a file"
        raise UsageError(msg)
    files = sorted(str(f) for f in Path(folder).glob("*.py") if f.is_file() and not f.name.startswith("_"))
    if not files:
        msg = f"there is no Python file to verify in {folder}"
        raise UsageError(msg)
    return files


def _require_file(path: str, configuration: Configuration) -> None:
    if Path(path).is_file():
        return
    if Path(path).exists():
        msg = f"{path} is not a regular file"
        raise UsageError(msg)
    near = get_close_matches(path, configuration.subjects, n=1)
    known = ", ".join(configuration.subjects)
    hint = f"; did you mean the configured subject {near[0]!r}?" if near else ""
    if not hint and known and not path.endswith(".py"):
        hint = f"; configured subjects: {known}"
    msg = f"no such file: {path}{hint}"
    raise UsageError(msg)
