"""`gradcheck.toml`, or `[tool.gradcheck]` of `pyproject.toml`: found from the current directory upwards, and checked.

Unknown keys and values of the wrong type are errors that name the file and the nearest key. Paths are relative to the
file.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from gradcheck.cli.options import CHOICES, anchored, parse_jobs, parse_size, split_list
from gradcheck.errors import UsageError
from gradcheck.report.selection import selection


@dataclass(frozen=True, slots=True)
class ConfiguredSubject:
    """One table `subjects.NAME`: the file, and the options of `gradcheck.verify` that it sets."""

    name: str
    path: Path
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the file says: run options for all subjects (`output_format` and `reports` among them), and the subjects."""

    file: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    subjects: Mapping[str, ConfiguredSubject] = field(default_factory=dict)


Reader = Callable[[Any], Any]


def find(start: Path) -> Configuration:
    """The first configuration in `start` or its parents, up to the repository root; an empty one if there is none."""
    for folder in (start, *start.parents):
        for name in ("gradcheck.toml", "pyproject.toml"):
            table = _table(folder / name)
            if table is not None:
                return _read(folder / name, table)
        if (folder / ".git").exists():
            break
    return Configuration()


def _table(file: Path) -> dict[str, Any] | None:
    """gradcheck's own table in the file; None where there is no such file or table."""
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = f"{file} cannot be read: {error}"
        raise UsageError(msg) from error
    nested = data.pop("tool", {}).get("gradcheck") if isinstance(data.get("tool", {}), dict) else None
    if nested is not None and not isinstance(nested, dict):
        msg = f"{file}: tool.gradcheck must be a table"
        raise UsageError(msg)
    return nested if file.name == "pyproject.toml" else _merged(file, data, nested or {})


def _merged(file: Path, plain: dict[str, Any], nested: dict[str, Any]) -> dict[str, Any]:
    """Both spellings of gradcheck.toml as one table."""
    subjects = [t.get("subjects", {}) for t in (plain, nested)]
    doubled = (plain.keys() & nested.keys()) - {"subjects"}
    if all(isinstance(s, dict) for s in subjects):
        doubled |= subjects[0].keys() & subjects[1].keys()
        merged = {"subjects": {**subjects[0], **subjects[1]}}
    else:
        merged = {"subjects": next(s for s in subjects if not isinstance(s, dict))}
    if doubled:
        msg = f"{file}: {sorted(doubled)[0]!r} is set twice, plain and below tool.gradcheck"
        raise UsageError(msg)
    return {**plain, **nested, **merged}


def _read(file: Path, table: Mapping[str, Any]) -> Configuration:
    subjects = table.get("subjects", {})
    if not isinstance(subjects, dict) or not all(isinstance(s, dict) for s in subjects.values()):
        msg = f"{file}: every subject needs a table of its own, [subjects.NAME]"
        raise UsageError(msg)
    settings = _checked(file, {k: v for k, v in table.items() if k != "subjects"}, SETTINGS, "", extra=("subjects",))
    if "reports" in settings:
        settings["reports"] = file.parent / settings["reports"]
    return Configuration(file, settings, {name: _subject(file, name, s) for name, s in subjects.items()})


def _subject(file: Path, name: str, table: Mapping[str, Any]) -> ConfiguredSubject:
    options = _checked(file, table, SUBJECT_KEYS, f" in subjects.{name}")
    if "path" not in options:
        msg = f"{file}: subjects.{name} has no path"
        raise UsageError(msg)
    path = file.parent / options.pop("path")
    for key in ("activations", "costs"):
        if key in options:
            options[key] = tuple(anchored(entry, file.parent) for entry in options[key])
    return ConfiguredSubject(name, path, options)


def _checked(
    file: Path, table: Mapping[str, Any], keys: Mapping[str, Reader], where: str, extra: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The values as their readers give them. Raises UsageError for the first key that is unknown or wrong."""
    values = {}
    for key, value in table.items():
        if key not in keys:
            near = get_close_matches(key, [*keys, *extra], n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(keys)}"
            msg = f"{file}: unknown key {key!r}{where}; {hint}"
            raise UsageError(msg)
        try:
            values[key] = keys[key](value)
        except ValueError as error:
            msg = f"{file}: {key}{where}: {error}"
            raise UsageError(msg) from error
    return values


def _text(value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    msg = f"expected a text, got {value!r:.60}"
    raise ValueError(msg)


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or (isinstance(value, list) and all(isinstance(v, str) for v in value)):
        return split_list(value)
    msg = f"expected a list of names, got {value!r:.60}"
    raise ValueError(msg)


def _codes(key: str) -> Reader:
    def read(value: Any) -> tuple[str, ...]:
        names = _names(value)
        try:
            selection(**{key: names})
        except UsageError as error:
            raise ValueError(str(error).removeprefix(f"{key}: ")) from error
        return names

    return read


def _whole(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    msg = f"expected a whole number, got {value!r:.60}"
    raise ValueError(msg)


def _count(value: Any) -> int:
    if _whole(value) >= 1:
        return _whole(value)
    msg = f"expected 1 or more, got {value}"
    raise ValueError(msg)


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    msg = f"expected true or false, got {value!r:.60}"
    raise ValueError(msg)


def _seconds(value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf"):
        return float(value)
    msg = f"expected a positive number of seconds, got {value!r:.60}"
    raise ValueError(msg)


def _one_of(key: str) -> Reader:
    def read(value: Any) -> str:
        if value in CHOICES[key]:
            return str(value)
        msg = f"expected one of {', '.join(CHOICES[key])}, got {value!r:.60}"
        raise ValueError(msg)

    return read


SUBJECT_KEYS: Mapping[str, Reader] = {
    "path": _text,
    "object": _text,
    "convention": _text,
    "weights": _one_of("weights"),
    "samples": _one_of("samples"),
    "bias": _one_of("bias"),
    "activations": _names,
    "costs": _names,
    "cost_scale": _text,
    "l2": _text,
    "dtype": _one_of("dtype"),
    "select": _codes("select"),
    "ignore": _codes("ignore"),
}

SETTINGS: Mapping[str, Reader] = {
    "seed": _whole,
    "max_examples": _count,
    "budget": _seconds,
    "jobs": parse_jobs,
    "sandbox": _switch,
    "time_limit": _seconds,
    "memory_limit": parse_size,
    "output_format": _one_of("output_format"),
    "reports": _text,
    "select": _codes("select"),
    "ignore": _codes("ignore"),
}
