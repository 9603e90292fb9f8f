"""What the user says about a subject: flags, keyword options or a table in gradcheck.toml, checked and then applied.

Files are read elsewhere; a mapping arrives here. Every error names the nearest valid key or value.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from gradcheck.errors import UsageError
from gradcheck.networks import L2_FORMS, SCALES, Vocabulary
from gradcheck.networks.activations import PARAMETRIC, PLAIN
from gradcheck.networks.costs import COSTS
from gradcheck.networks.layers import LAYERS
from gradcheck.subjects.layout import BIAS, SAMPLES, WEIGHTS, Layout
from gradcheck.subjects.protocol import Offer

DTYPES = ("float64", "float32")


@dataclass(frozen=True, slots=True)
class SubjectConfiguration:
    """The keys of ``[tool.gradcheck.subjects.NAME]``; None: not said, to be found out.

    path, object, convention: which subject, and how it is called. weights, samples, bias: its layout. activations,
    costs: the names it can be asked for, or has. cost_scale, l2: names of the cost's scale and of the L2 term's form.
    layer: for a pair of functions, which trusted layer it is.
    """

    path: str | None = None
    object: str | None = None
    convention: str | None = None
    weights: str | None = None
    samples: str | None = None
    bias: str | None = None
    activations: tuple[str, ...] | None = None
    costs: tuple[str, ...] | None = None
    cost_scale: str | None = None
    l2: str | None = None
    dtype: str | None = None
    layer: str | None = None


KEYS = tuple(f.name for f in fields(SubjectConfiguration))
LISTS = ("activations", "costs")
CHOICES: Mapping[str, Sequence[str]] = {
    "weights": WEIGHTS,
    "samples": SAMPLES,
    "bias": BIAS,
    "cost_scale": tuple(SCALES),
    "l2": tuple(L2_FORMS),
    "dtype": DTYPES,
    "layer": tuple(LAYERS),
}


def configuration_from(
    data: Mapping[str, Any], *, conventions: Iterable[str] = (), vocabulary: Vocabulary | None = None
) -> SubjectConfiguration:
    """A configuration from a mapping; keys whose value is None count as not said.

    conventions: the valid names of `convention`, where they are to be checked. Raises UsageError.
    """
    said = {key: value for key, value in data.items() if value is not None}
    for key in said:
        require_known(key, KEYS, "configuration key")
    checked: dict[str, Any] = {
        key: _strings(key, value) if key in LISTS else _string(key, value) for key, value in said.items()
    }
    choices = {**CHOICES, "convention": tuple(conventions)}
    for key, allowed in choices.items():
        if key in checked and allowed:
            require_known(checked[key], allowed, f"value of {key}")
    _require_names(checked, vocabulary or Vocabulary())
    return SubjectConfiguration(**checked)


def narrow(offer: Offer, configuration: SubjectConfiguration) -> Offer:
    """The offer with only the layouts, activations and costs that the configuration allows.

    Raises UsageError where no layout of the convention remains.
    """
    wanted = {k: v for k in ("weights", "samples", "bias") if (v := getattr(configuration, k)) is not None}
    layouts = tuple(k for k in offer.layouts if all(getattr(k, key) == value for key, value in wanted.items()))
    if offer.kind == "operation" and not layouts:
        layouts = tuple(k for k in offer.layouts if _agrees(k, {n: v for n, v in wanted.items() if n != "bias"}))
    if not layouts:
        raise UsageError(_contradiction(offer, wanted))
    return replace(
        offer,
        layouts=layouts,
        activations=configuration.activations or offer.activations,
        costs=configuration.costs or offer.costs,
    )


def require_known(name: Any, known: Sequence[str], what: str) -> None:
    """Raises UsageError that names the nearest known name, and all of them."""
    if name in known:
        return
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    msg = f"unknown {what} {name!r}; {hint}expected one of {', '.join(known)}"
    raise UsageError(msg)


def _agrees(layout: Layout, wanted: Mapping[str, str]) -> bool:
    return all(getattr(layout, key) == value for key, value in wanted.items())


def _contradiction(offer: Offer, wanted: Mapping[str, str]) -> str:
    said = ", ".join(f"{key} = {value}" for key, value in wanted.items())
    has = {key: ", ".join(dict.fromkeys(getattr(k, key) for k in offer.layouts)) for key in wanted}
    there = "; ".join(f"{key}: {values}" for key, values in has.items())
    return f"the convention {offer.convention} has no layout with {said}; it has {there}"


def _string(key: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    msg = f"{key} must be a string; got {type(value).__name__}: {value!r:.60}"
    raise UsageError(msg)


def _strings(key: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value):
        return tuple(value)
    msg = f"{key} must be a list of names; got {type(value).__name__}: {value!r:.60}"
    raise UsageError(msg)


def _require_names(checked: Mapping[str, Any], vocabulary: Vocabulary) -> None:
    activations = (*vocabulary.activations, *PLAIN, *PARAMETRIC)
    for name in checked.get("activations", ()):
        base = name.partition("(")[0].strip()
        if name not in activations:
            require_known(base, activations, "activation") if ":" not in name else None
            vocabulary.activation(name) if ":" not in name else None
    for name in checked.get("costs", ()):
        if ":" not in name:
            require_known(name, (*vocabulary.costs, *COSTS), "cost")
