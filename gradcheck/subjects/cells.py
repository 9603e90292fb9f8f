"""Recurrent cells whose methods and states have names of their own: which method is forward, which backward, what is a state.

    node = LstmNode(param, state); node.bottom_data_is(x, s_prev, h_prev); node.top_diff_is(top_diff_h, top_diff_s)

The backward method is the one whose arguments are named like gradients; each of them names the state that it belongs to. The
states before are the inputs, x is kept fixed where no gradient of it is given. It must not judge values.
"""

import copy
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.numerics import Array
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.layer_sizes import INPUTS, OUTPUTS
from gradcheck.subjects.layer_trial import BACKWARD, FORWARD, Trial, fits, required, shake
from gradcheck.subjects.match import own_classes, parameter_names
from gradcheck.subjects.protocol import Malformed
from gradcheck.subjects.spellings import Place, arrays_in, get

_GRADIENT = re.compile(r"^(d|delta|grad|top_diff|g|err|diff)_?[a-z]{1,6}(_\w*)?$|_(diff|grad|delta|error)(_|$)|diff_")
_WORDS = {
    "top",
    "bottom",
    "diff",
    "grad",
    "delta",
    "next",
    "prev",
    "t",
    "in",
    "out",
    "upstream",
    "cur",
    "last",
    "old",
    "d",
    "0",
}
CONSTRUCTIONS = 64
"""Ways to construct a class that are tried; those of a cell are few, and a class with twenty arguments is none."""
NAMES = ("h", "c")


@dataclass(frozen=True, slots=True)
class Roles:
    """forward and backward of a class; x: the argument of forward that is no state; tokens: what a state is called, each
    with forward's argument for the state before."""

    forward: str
    backward: str
    x: str
    tokens: Mapping[str, str]


class Cell:
    """A cell under the customary names: forward(*states before) -> states after, backward(*cotangents) -> those before."""

    def __init__(self, cell: Any, roles: Roles, x: Array) -> None:
        self.cell, self.roles = cell, roles
        self.x_bytes, self.x_shape = x.tobytes(), x.shape

    def forward(self, *states: Array) -> Any:
        """The states after the step."""
        r = self.roles
        x = np.frombuffer(self.x_bytes).reshape(self.x_shape).copy()
        before = dict(zip(r.tokens.values(), states, strict=True))
        result = getattr(self.cell, r.forward)(**{r.x: x}, **before)
        after = result if isinstance(result, (tuple, list)) else [result]
        if len(after) == len(r.tokens) and all(isinstance(a, np.ndarray) for a in after):
            return tuple(after) if len(after) > 1 else after[0]
        found = [self._state(token, states[0].shape) for token in r.tokens]
        return tuple(found) if len(found) > 1 else found[0]

    def backward(self, *cotangents: Array) -> Any:
        """The gradients of the states before."""
        r = self.roles
        result = getattr(self.cell, r.backward)(*cotangents)
        several = list(result) if isinstance(result, (tuple, list)) else [] if result is None else [result]
        if len(several) >= len(r.tokens):
            return tuple(several[-len(r.tokens) :])
        return tuple(self._gradient(token, cotangents[0].shape) for token in r.tokens)

    def _state(self, token: str, shape: tuple[int, ...]) -> Array:
        places = [p for p, a in arrays_in(self.cell) if p[-1].lower() == token and a.shape == shape]
        return self._only(places, f"a state {token} after {self.roles.forward}")

    def _gradient(self, token: str, shape: tuple[int, ...]) -> Array:
        places = [
            p
            for p, a in arrays_in(self.cell)
            if a.shape == shape and token_of(p[-1]) == token and _GRADIENT.search(p[-1].lower())
        ]
        return self._only(places, f"a gradient of the state {token} before")

    def _only(self, places: Sequence[Place], what: str) -> Array:
        if not places:
            raise Malformed("missing", "states", f"{what} was not found")
        return np.array(get(self.cell, places[0]))


def token_of(name: str) -> str:
    """What a state is called in a name: h in top_diff_h, h_prev, dh_next, delta_h."""
    parts = [p for p in re.split(r"_", name.lower()) if p]
    kept = [p for p in parts if p not in _WORDS] or parts[-1:]
    token = kept[-1]
    return token[1:] if len(token) > 1 and token[0] == "d" and len(kept) == 1 and token not in ("data",) else token


def roles_of(cls: type) -> Roles | None:
    """The roles of a class whose methods have no customary names; None where its arguments do not say them."""
    methods = {n: parameter_names(f) for n, f in inspect.getmembers(cls, inspect.isfunction) if not n.startswith("__")}
    if any(n in FORWARD for n in methods) and any(n in BACKWARD for n in methods):
        return None
    backwards = [n for n, p in methods.items() if p and all(_GRADIENT.search(q.lower()) for q in p)]
    for backward, forward in product(backwards, methods):
        tokens = [token_of(p) for p in methods[backward]]
        arguments = {token_of(p): p for p in methods[forward][1:]}
        if forward != backward and len(set(tokens)) == len(tokens) <= len(NAMES) and set(tokens) == set(arguments):
            return Roles(forward, backward, methods[forward][0], {t: arguments[t] for t in tokens})
    return None


def cells(members: Mapping[str, Any]) -> Iterator[tuple[str, Trial | str]]:
    """The classes that are such cells, each with its trial or why it could not be run."""
    classes = own_classes(members)
    for name, cls in classes.items():
        roles = roles_of(cls)
        if roles is not None:
            yield name, _tried(name, cls, roles, classes)


def _tried(name: str, cls: type, roles: Roles, classes: Mapping[str, type]) -> Trial | str:
    reason = "no way was found to construct it"
    x = np.sin(np.arange(INPUTS) + 1.0)
    for cell in _constructed(cls, classes):
        shake(cell)
        for turn in ((-1,), (-1, 1), (1, -1)):
            states = {n: np.zeros(OUTPUTS).reshape(turn).shape for n, _ in zip(NAMES, roles.tokens, strict=False)}
            template = Cell(cell, roles, x.reshape(turn))
            trial = fits(name, template, ("forward", "backward"), tuple(states), None, (states,))
            if isinstance(trial, Trial):
                return trial
            reason = trial
    return reason


def _constructed(cls: type, classes: Mapping[str, type], depth: int = 2) -> Iterator[Any]:
    """Instances from sizes and from instances of other classes of the file that an argument is named after."""
    construct = inspect.getattr_static(cls, "__init__")
    names = [] if construct is object.__init__ else required(construct)
    choices = [_choices(n, classes, depth) for n in names]
    for values in islice(product(*choices), CONSTRUCTIONS):
        try:
            with subject_code():
                yield cls(**dict(zip(names, copy.deepcopy(values), strict=True)))
        except (SubjectError, Malformed):
            continue


def _choices(name: str, classes: Mapping[str, type], depth: int) -> list[Any]:
    plain = name.replace("_", "").lower()
    alike = {n: n.lower() for n in classes}
    named = [
        classes[n]
        for n, low in alike.items()
        if low == plain or (min(len(low), len(plain)) > 3 and (plain in low or low in plain))
    ]
    if named and depth:
        return [made for c in named for made in _constructed(c, classes, depth - 1)]
    first = INPUTS if re.search(r"^x|in|input|feature|vocab|^d$|^d_", plain) else OUTPUTS
    return [first, OUTPUTS if first == INPUTS else INPUTS]
