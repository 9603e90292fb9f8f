"""Which convention a file follows: found without configuration where that is unambiguous, otherwise said by the user.

When it fails, the message shows what is in the file, which conventions came close and what they miss, and what to do.
"""

import re
from collections.abc import Mapping
from typing import Any, Protocol

from gradcheck.errors import SubjectError
from gradcheck.subjects import (
    column_vector,
    flat_theta,
    forward_backward,
    from_to_bias_row,
    functional,
    layer_error,
    layer_object,
    model_functions,
    model_object,
    nielsen,
    parameter_dict,
    row_major,
    sequence_loss,
    tape_operator,
    theta_bias_unit,
    training,
    training_script,
)
from gradcheck.subjects.configuration import SubjectConfiguration, require_known
from gradcheck.subjects.loading import NOTES, describe_members
from gradcheck.subjects.match import Match
from gradcheck.subjects.protocol import Adapter


class Convention(Protocol):
    """What a convention's module has."""

    @property
    def NAME(self) -> str:
        """The configured name."""
        ...

    @property
    def TEMPLATE(self) -> str:
        """A minimal signature template."""
        ...

    @property
    def CALL(self) -> str:
        """The call in one line."""
        ...

    def match(self, members: Mapping[str, Any], name: str) -> Match:
        """An adapter for the members, or what is missing."""
        ...


CONVENTIONS: Mapping[str, Convention] = {
    "functional": functional,
    "row_major": row_major,
    "column_vector": column_vector,
    "theta_bias_unit": theta_bias_unit,
    "layer_error": layer_error,
    "from_to_bias_row": from_to_bias_row,
    "nielsen": nielsen,
    "parameter_dict": parameter_dict,
    "flat_theta": flat_theta,
    "forward_backward": forward_backward,
    "layer_object": layer_object,
    "tape_operator": tape_operator,
    "model_functions": model_functions,
    "model_object": model_object,
    "training": training,
    "training_script": training_script,
    "sequence_loss": sequence_loss,
}
BY_NAME_ONLY = frozenset({"row_major"})
TIERS = (
    frozenset({"model_functions", "model_object"}),
    frozenset({"training"}),
    frozenset({"training_script"}),
    frozenset({"sequence_loss"}),
)
"""Each is looked for only where no whole network of an earlier kind is: the general after the special, and what only trains
last, because a class that exposes its gradient also trains."""
NOTHING_SAID = SubjectConfiguration()
_MOST = 12
_FILL_IN = re.compile(r"NotImplementedError: fill in: (.+?)(?: in \S+:\d+|$)")


def detect(members: Mapping[str, Any], name: str, configuration: SubjectConfiguration = NOTHING_SAID) -> Adapter:
    """The adapter of the configured convention, else of the only one that fits.

    A whole network goes before single layers. Raises SubjectError of kind "load" with what was found and what to do.
    """
    if configuration.convention is not None:
        return _configured(members, name, configuration.convention)
    matches: list[Match] = []
    fits: dict[str, Adapter] = {}
    for tier in _tiers():
        if fits and tier == ["sequence_loss"]:  # single layers beside a recurrent loss: the layers say more
            break
        matches += [CONVENTIONS[n].match(members, name) for n in tier]
        strong = any(m.adapter is not None and not m.weak for m in matches)
        fits = {m.convention: m.adapter for m in matches if m.adapter is not None and not (m.weak and strong)}
        networks = {n: adapter for n, adapter in fits.items() if adapter.offer.kind == "network"}
        if networks:
            break
    several = next((m for m in matches if m.candidates), None)
    if several and not networks:
        raise SubjectError("load", _candidates(name, several))
    if len(networks or fits) == 1:
        return next(iter((networks or fits).values()))
    raise SubjectError("load", _ambiguous(name, list(fits)) if fits else _nothing(name, members, matches))


def _tiers() -> list[list[str]]:
    later = frozenset[str]().union(*TIERS)
    first = [n for n in CONVENTIONS if n not in BY_NAME_ONLY | later]
    return [first, *([n for n in CONVENTIONS if n in tier] for tier in TIERS)]


def _configured(members: Mapping[str, Any], name: str, convention: str) -> Adapter:
    require_known(convention, tuple(CONVENTIONS), "convention")
    match = CONVENTIONS[convention].match(members, name)
    if match.adapter is not None:
        return match.adapter
    if match.candidates:
        raise SubjectError("load", _candidates(name, match))
    lines = [
        f"{name} does not follow the convention {convention}",
        *_missing(match),
        *_found(members),
        _see(convention),
    ]
    raise SubjectError("load", "\n".join(lines))


def _candidates(name: str, match: Match) -> str:
    targets = ", ".join(f"{name}:{candidate}" for candidate in match.candidates)
    return f"{name} holds several objects that follow the convention {match.convention}; name one of them: {targets}"


def _ambiguous(name: str, conventions: list[str]) -> str:
    return (
        f"{name} follows several conventions: {', '.join(conventions)}; choose one with --convention, "
        f"such as --convention {conventions[0]}, or name one object as {name}:OBJECT"
    )


def _nothing(name: str, members: Mapping[str, Any], matches: list[Match]) -> str:
    unfilled = [m[1] for line in (line for m in matches for line in m.missing) if (m := _FILL_IN.search(line))]
    if unfilled:
        return f'{name} is not complete yet: replace fill_in("{unfilled[0]}") by what it asks for'
    near = sorted((m for m in matches if m.found), key=lambda m: (len(m.missing), -len(m.found)))[:3]
    closest = [line for m in near for line in (f"close to {m.convention}: found {', '.join(m.found)}", *_missing(m))]
    tried = "tried: " + ", ".join(n for n in CONVENTIONS if n not in BY_NAME_ONLY)
    advice = _advice(name, near[0].convention if near else "functional")
    lost = [note for note in members.get(NOTES, ()) if note.startswith("skipped")][:3]
    head = f"no convention of gradcheck was recognised in {name}"
    return "\n".join([head, *_found(members), *lost, tried, *closest, *advice])


def _missing(match: Match) -> list[str]:
    return [f"  missing: {line}" for line in match.missing]


def _found(members: Mapping[str, Any]) -> list[str]:
    lines = describe_members(members)
    more = [f"  … and {len(lines) - _MOST} more"] if len(lines) > _MOST else []
    return ["the file has:", *[f"  {line}" for line in lines[:_MOST]], *more] if lines else ["the file defines nothing"]


def _advice(name: str, convention: str) -> list[str]:
    stem = re.sub(r"\W+", "_", name.rpartition(".")[0] or name)
    return [
        f"what to do: `gradcheck init {name}` writes a small adapter around the nearest class or function, with what is left "
        f"to fill in marked; or name one object as {name}:OBJECT; or say the convention in gradcheck.toml, such as",
        f"  [subjects.{stem}]",
        f'  path = "{name}"',
        f'  convention = "{convention}"',
        "`gradcheck conventions` shows every convention with a template",
    ]


def _see(convention: str) -> str:
    return (
        "what to do: `gradcheck conventions` shows every convention with a template; choose one with "
        f"--convention {convention}, name an object as PATH:OBJECT, say the layout with --weights, --samples and --bias"
    )
