"""Networks that are built of layer objects: the layers in their chain, each at the shapes that it meets there, and the whole.

    network = [Dense(2, 3), Tanh(), Dense(3, 1)]       a list of objects with forward and backward, in the file or in an
    class Network: self.layers = [...]                  attribute of an object, of a class, or of what `build()` returns

Each layer's backward gets a cotangent of its own (teacher forcing), so that a mistake below it or above it changes nothing;
the whole is run by the network's own methods, or one layer after the other where it has none.
"""

import copy
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.numerics import Array
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.layer_trial import RATES, Trial, fits, instances, joined, methods_of, required, shake, values_in
from gradcheck.subjects.match import own_classes
from gradcheck.subjects.protocol import Malformed
from gradcheck.subjects.spellings import Place, get, members_in

HOLDERS = ("layers", "modules", "blocks", "network", "sequence", "stack", "net", "_layers")
_BUILDS = re.compile(r"((build|make|create|get|init)_?(a_?)?)?(network|net|model|layers|mlp|cnn)", re.I)
_BATCHES = (5, 1, 3)
_FEW = (2, 1, 3)
_SIZES = (8, *range(4, 33))
"""Heights and widths of images, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Chain:
    """The trials of a chain by name; order: their names, last layer first and the whole at the end.

    skipped: what could not be run, and why. classes: those of the layers and of the object that runs them.
    """

    trials: Mapping[str, Trial]
    order: tuple[str, ...]
    skipped: tuple[str, ...]
    classes: frozenset[type]


class _Sequence:
    """Layers one after the other, for chains that no class of the file runs."""

    def __init__(self, layers: Sequence[Any]) -> None:
        self.layers = list(layers)

    def forward(self, x: Array) -> Array:
        """The output of the last layer."""
        for layer in self.layers:
            x = getattr(layer, _methods(layer)[0])(x)
        return x

    def backward(self, dy: Array) -> Any:
        """The cotangent of x; layers keep their own gradients."""
        for layer in reversed(self.layers):
            dy = getattr(layer, _methods(layer)[1])(dy)
        return dy


class _UpdatedSequence(_Sequence):
    """The same for layers whose backward applies the update."""

    def backward(self, dy: Array, learning_rate: float) -> Any:  # type: ignore[override]
        """The cotangent of x, each layer's update applied with this rate where it takes one."""
        for layer in reversed(self.layers):
            backward = getattr(layer, _methods(layer)[1])
            dy = backward(dy, learning_rate) if _rate(type(layer)) else backward(dy)
        return dy


def chain_of(members: Mapping[str, Any]) -> Chain | None:
    """The first chain of layers among the members that can be run, from the input that suits most of its layers."""
    for held in _chains(members):
        best: Chain | None = None
        for x in _inputs(held.layers):
            found = _tried(held, x)
            if found is not None and (best is None or len(found.trials) > len(best.trials)):
                best = found
            if best is not None and len(best.trials) == len(held.layers) + 1:
                break
        if best is not None:
            return best
    return None


@dataclass(frozen=True, slots=True)
class _Held:
    """Layers, their names, and the object that holds them: `owner.attribute[keys[k]]` is layer k (owner None: a bare list)."""

    name: str
    layers: Sequence[Any]
    keys: Sequence[str]
    owner: Any = None
    attribute: str = "layers"

    def copy(self) -> "_Held":
        """An independent copy, ties between owner and layers kept."""
        owner, layers = copy.deepcopy((self.owner, self.layers))
        return replace(self, owner=owner, layers=layers)

    def label(self, k: int) -> str:
        """How the file's reader would write layer k."""
        dot = f".{self.attribute}" if self.owner is not None else ""
        return f"{self.name}{dot}[{self.keys[k]}]"


def _chains(members: Mapping[str, Any]) -> Iterator[_Held]:
    """Every chain, those that exist already first."""
    for name, thing in members.items():
        if not name.startswith("__") and not inspect.isclass(thing) and not inspect.isroutine(thing):
            yield from _held(name, thing)
    for name, cls in own_classes(members).items():
        yield from islice((held for instance in instances(cls) for held in _held(name, instance)), 1)
    for name, function in members.items():
        if inspect.isfunction(function) and _BUILDS.fullmatch(name) and not required(function):
            try:
                with subject_code():
                    thing = function()
            except (SubjectError, Malformed):
                continue
            yield from _held(f"{name}()", thing)


def _held(name: str, thing: Any) -> Iterator[_Held]:
    """The thing itself where it is a chain, else the first of its attributes that is one."""
    if (layers := _layers(thing)) is not None:
        yield _Held(name, list(layers.values()), list(layers))
        return
    attributes = getattr(thing, "__dict__", {})
    for attribute in (*HOLDERS, *attributes):
        if (layers := _layers(attributes.get(attribute))) is not None:
            yield _Held(name, list(layers.values()), list(layers), thing, attribute)
            return


def _layers(value: Any) -> dict[str, Any] | None:
    """The layers of a list, tuple or dictionary of two or more objects with forward and backward, by index or key."""
    if isinstance(value, (list, tuple)):
        value = {str(k): v for k, v in enumerate(value)}
    if not isinstance(value, Mapping) or len(value) < 2:
        return None
    whole = all(not inspect.isclass(v) and methods_of(type(v)) for v in value.values())
    return {str(k): v for k, v in value.items()} if whole else None


def _methods(layer: Any) -> tuple[str, str]:
    methods = methods_of(type(layer))
    assert methods is not None, "a chain holds only objects with both methods"
    return methods


def _rate(cls: type) -> str | None:
    methods = methods_of(cls)
    names = required(getattr(cls, methods[1])) if methods else []
    return next((p for p in names if p.lower() in RATES), None)


def _inputs(layers: Sequence[Any]) -> Iterator[dict[int, Array]]:
    """Inputs by number of samples that the first layer might take; sizes are those of the arrays in the layers."""
    sizes = list(dict.fromkeys(s for layer in layers for _, a in values_in(layer) for s in a.shape))
    yield from _images(layers)
    for n in sizes:
        yield {m: _ramp(m, n) for m in _BATCHES}
    for n in sizes:
        yield {m: _ramp(n, m) for m in _BATCHES}
    for n in sizes:
        for single in ((n, 1), (1, n), (n,)):
            yield {1: _ramp(*single)}


def _images(layers: Sequence[Any]) -> Iterator[dict[int, Array]]:
    """Of the sizes that the first layer says, or the smallest square ones that every layer takes, in each order of axes."""
    for told in _told(layers[0]):
        yield {m: _ramp(m, *told) for m in _FEW}
        yield {1: _ramp(*told)}
    kernels = [a.shape for _, a in values_in(layers[0]) if a.ndim == 4]
    for c in dict.fromkeys(k for shape in kernels for k in (shape[1], shape[2], shape[0])):
        for shape_of in _LAYOUTS:
            runs = (size for size in _SIZES if _shapes(layers, {1: _ramp(*shape_of(1, c, size))}) is not None)
            if (size := next(runs, None)) is not None:
                yield {m: _ramp(*shape_of(m, c, size)) for m in (_FEW if len(shape_of(1, c, size)) == 4 else (1,))}


_LAYOUTS: Sequence[Callable[[int, int, int], tuple[int, ...]]] = (
    lambda m, c, s: (m, c, s, s),
    lambda m, c, s: (m, s, s, c),
    lambda m, c, s: (c, s, s),
)


def _told(layer: Any) -> Iterator[tuple[int, ...]]:
    """Attributes that are called like the shape of an input and hold three whole numbers."""
    for name, value in members_in(layer):
        whole = isinstance(value, (tuple, list)) and len(value) == 3 and all(isinstance(v, int) for v in value)
        if whole and re.search(r"(?i)in.*(shape|dim|size)|^x_dim", name):
            yield tuple(value)


def _ramp(*shape: int) -> Array:
    return np.asarray(np.sin(np.arange(np.prod(shape)) + 1.0).reshape(shape))


def _tried(held: _Held, x: Mapping[int, Array]) -> Chain | None:
    """The chain run from these inputs; None where the forward pass does not run with them."""
    held = held.copy()
    for layer in held.layers:
        shake(layer, constant_only=True)
    families = _shapes(held.layers, x)
    if families is None:
        return None
    found: dict[int, Trial] = {}
    skipped = []
    for k, layer in reversed(list(enumerate(held.layers))):
        name = f"{held.label(k)} {type(layer).__name__}"
        trial = fits(name, layer, _methods(layer), ("x",), _rate(type(layer)), families[k])
        if isinstance(trial, Trial):
            found[k] = trial
        else:
            skipped.append(f"{name}: {trial}")
    if not found:
        return None
    whole = _whole(held, found, families[0])
    if isinstance(whole, str):
        skipped.append(f"{held.name} as a whole: {whole}")
    trials = [*found.values(), *([whole] if isinstance(whole, Trial) else [])]
    order = (*(t.name for t in found.values()), f"{held.name} as a whole")
    classes = {type(thing) for thing in (*held.layers, held.owner)}
    return Chain({t.name: t for t in trials}, order, tuple(skipped), frozenset(classes))


Family = tuple[dict[str, tuple[int, ...]], ...]


def _shapes(layers: Sequence[Any], x: Mapping[int, Array]) -> list[Family] | None:
    """For each layer, the shapes of its input at each number of samples; None where the chain does not run."""
    families: list[Family] = []
    values = dict(x)
    for layer in layers:
        families.append(tuple({"x": v.shape} for v in values.values()))
        try:
            with subject_code():
                run = getattr(copy.deepcopy(layer), _methods(layer)[0])
                values = {m: joined(run(v.copy())) for m, v in values.items()}
        except (SubjectError, Malformed):
            return None
        if any(v.dtype.kind != "f" or not v.ndim for v in values.values()):
            return None
    return families


def _whole(held: _Held, found: Mapping[int, Trial], family: Family) -> Trial | str:
    """The trial of the chain, or why there is none. Its gradients are looked for where each layer by itself keeps them:
    a chain that forgets a layer is wrong, and is not one without a gradient."""
    if len(found) < len(held.layers):
        return "not all of its layers could be run"
    readings = {t.reading for t in found.values() if t.parameters}
    if len(readings) > 1 or "returned" in readings:
        return "its layers do not keep their gradients in one way"
    own = held.owner is not None and methods_of(type(held.owner)) is not None
    updated = readings == {"update"}
    thing = held.owner if own else (_UpdatedSequence if updated else _Sequence)(held.layers)
    rate = _rate(type(thing))
    if updated != (rate is not None):
        return "whether it applies an update cannot be told from its signature"
    base: Place = (held.attribute if own else "layers",)
    keys = held.keys if own else [str(k) for k in range(len(held.layers))]
    parameters: dict[str, Place] = {}
    gradients: dict[str, Place] = {}
    for k, trial in found.items():
        label = f"{base[0]}[{keys[k]}]"
        parameters.update({f"{label}.{n}": (*base, keys[k], *p) for n, p in trial.parameters.items()})
        gradients.update({f"{label}.{n}": (*base, keys[k], *p) for n, p in trial.gradients.items()})
    name, methods = f"{held.name} as a whole", _methods(thing)
    plain = Trial(name, thing, *methods, ("x",), parameters, gradients, "update" if updated else "stored", (), rate)
    shapes = {n: np.shape(get(thing, p)) for n, p in parameters.items()}
    variants = []
    for variant in family:
        try:
            with subject_code():
                out = plain.run(copy.deepcopy(thing), [_ramp(*variant["x"])])
        except (SubjectError, Malformed) as error:
            return str(error)
        variants.append({**variant, **shapes, "": out.shape})
    return replace(plain, shapes=tuple(variants))
