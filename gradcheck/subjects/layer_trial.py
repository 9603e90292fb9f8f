"""Try a layer class: how it is constructed, what its input looks like, which arrays are parameters, where gradients are.

Everything is found by running it on small sizes (4 inputs, 3 outputs). Values of gradients are never judged here.
"""

import copy
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.numerics import Array
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.match import parameter_names
from gradcheck.subjects.protocol import Malformed
from gradcheck.subjects.recorders import Recorder
from gradcheck.subjects.spellings import VALUE_KEYS, Place, arrays_in, find_gradient, get, is_gradient, put

FORWARD = [
    "forward",
    "forward_propagation",
    "forward_pass",
    "forward_prop",
    "fprop",
    "feed_forward",
    "feedforward",
    "__call__",
]
BACKWARD = [
    "backward",
    "backward_propagation",
    "backward_pass",
    "backward_prop",
    "bprop",
    "backprop",
    "back_propagation",
    "backpropagation",
]
RATES = ("lr", "learning_rate", "eta", "rate", "alpha", "step_size", "learningrate", "l_rate", "step")
STATES = {
    "h": ("h", "h_prev", "hprev", "hidden", "h0", "prev_h", "prev_state", "state"),
    "c": ("c", "c_prev", "cprev", "cell", "c0", "prev_c"),
}
INPUTS, OUTPUTS = 4, 3
ETAS = (2.0**-3, 2.0**-6)
_IN = [
    "in",
    "input",
    "inputs",
    "nin",
    "indim",
    "insize",
    "inputsize",
    "inputdim",
    "infeatures",
    "ninput",
    "ninputs",
    "fanin",
    "inputnodes",
    "inchannels",
    "numinputs",
    "insz",
    "d",
    "dim",
    "size",
    "features",
    "numfeatures",
]
_OUT = [
    "out",
    "output",
    "outputs",
    "nout",
    "outdim",
    "outsize",
    "outputsize",
    "outputdim",
    "outfeatures",
    "noutput",
    "noutputs",
    "fanout",
    "units",
    "hidden",
    "hiddensize",
    "hiddendim",
    "neurons",
    "nneurons",
    "outchannels",
    "numneurons",
    "h",
    "nhidden",
    "numoutputs",
]
Reading = Literal["stored", "returned", "update", "recorded"]


@dataclass(frozen=True, slots=True)
class Trial:
    """What running a layer class showed.

    template: an instance that was never run. inputs: the forward arguments. shapes: admissible shapes of all arguments
    together. parameters, gradients: places in the instance. reading: where gradients come from; rate: the name of
    backward's learning rate.
    optimizer: the name of backward's optimizer object. turn: what the cotangent is reshaped to for backward, where it must be.
    """

    name: str
    template: Any
    forward: str
    backward: str
    inputs: tuple[str, ...]
    parameters: Mapping[str, Place]
    gradients: Mapping[str, Place]
    reading: Reading
    shapes: tuple[Mapping[str, tuple[int, ...]], ...]
    rate: str | None = None
    optimizer: str | None = None
    turn: tuple[int, ...] | None = None

    def fresh(self, arguments: Mapping[str, Array]) -> Any:
        """A new instance whose parameters hold these numbers."""
        layer = copy.deepcopy(self.template)
        for name, place in self.parameters.items():
            np.copyto(get(layer, place), arguments[name])
        return layer

    def run(self, layer: Any, inputs: Sequence[Array]) -> Array:
        """The output of the forward pass; several outputs one after the other in a vector."""
        return joined(getattr(layer, self.forward)(*inputs))

    def pull(self, layer: Any, inputs: Sequence[Array], cotangent: Array, rate: float = ETAS[0]) -> dict[str, Any]:
        """Forward, then backward: the gradients of inputs and parameters as they came."""
        outputs = parts(getattr(layer, self.forward)(*inputs))
        before = {n: np.array(get(layer, p)) for n, p in self.parameters.items()}
        held = {n: get(layer, p) for n, p in self.parameters.items()}
        recorder = Recorder(layer)
        cotangents = [cotangent] if len(outputs) == 1 else split_like(cotangent, outputs)
        result = self.run_backward(layer, cotangents, rate, recorder)
        found = input_gradients(result, self.inputs)
        if self.reading == "update":
            return {**found, **{n: (before[n] - get(layer, p)) / rate for n, p in self.parameters.items()}}
        if self.reading == "recorded":
            return {**found, **{n: recorder.gradient_of(a) for n, a in held.items()}}
        if self.reading == "returned":
            return {**found, **returned(result, len(self.inputs), self.parameters)}
        return {**found, **{n: get(layer, p) for n, p in self.gradients.items()}}

    def run_backward(self, layer: Any, cotangents: Sequence[Array], rate: float, recorder: Recorder) -> Any:
        """What backward returns."""
        keywords: dict[str, Any] = {self.rate: rate} if self.rate else {}
        if self.optimizer:
            keywords[self.optimizer] = recorder
        turned = [c if self.turn is None else c.reshape(self.turn) for c in cotangents]
        return getattr(layer, self.backward)(*turned, **keywords)


def parts(result: Any) -> list[Array]:
    """The arrays of a forward pass: one, or the several of a tuple."""
    return [np.asarray(r) for r in result] if isinstance(result, (tuple, list)) else [np.asarray(result)]


def joined(result: Any) -> Array:
    """One array as it is, several as one vector."""
    arrays = parts(result)
    return arrays[0] if len(arrays) == 1 else np.concatenate([a.ravel() for a in arrays])


def split_like(vector: Array, arrays: Sequence[Array]) -> list[Array]:
    """A vector cut into pieces of the shapes of `arrays`."""
    ends = np.cumsum([a.size for a in arrays])[:-1]
    return [p.reshape(a.shape) for p, a in zip(np.split(vector.ravel(), ends), arrays, strict=True)]


def input_gradients(result: Any, inputs: Sequence[str]) -> dict[str, Any]:
    """dx, or the first of the tuple that backward returned, one for each input."""
    several = list(result) if isinstance(result, (tuple, list)) else [result]
    if len(several) < len(inputs):
        msg = f"expected {', '.join('d' + n for n in inputs)}; backward returned {len(several)} values"
        raise Malformed("count", "gradients", msg)
    return dict(zip(inputs, several, strict=False))


def returned(result: Any, skip: int, parameters: Mapping[str, Place]) -> dict[str, Any]:
    """The gradients beside dx: a dictionary by name, or a list or the rest of the tuple in the parameters' order."""
    rest = list(result)[skip:] if isinstance(result, (tuple, list)) else []
    if len(rest) == 1 and isinstance(rest[0], Mapping):
        holder = {"grads": rest[0]}
        places = {n: find_gradient(holder, (p[-1],)) for n, p in parameters.items()}
        return {n: get(holder, p) for n, p in places.items() if p is not None}
    if len(rest) == 1 and isinstance(rest[0], (tuple, list)):
        rest = list(rest[0])
    return dict(zip(parameters, rest, strict=False))


def methods_of(cls: type) -> tuple[str, str] | None:
    """The names of its forward and backward methods."""
    forward = next((n for n in FORWARD if inspect.isfunction(inspect.getattr_static(cls, n, None))), None)
    backward = next((n for n in BACKWARD if inspect.isfunction(inspect.getattr_static(cls, n, None))), None)
    return (forward, backward) if forward and backward else None


def tried(name: str, cls: type) -> Trial | str:
    """The trial of a layer class, or why it could not be run."""
    methods = methods_of(cls)
    assert methods is not None, "only classes with both methods are tried"
    forward, backward = (getattr(cls, m) for m in methods)
    inputs = _inputs(required(forward))
    if inputs is None:
        return f"cannot tell what to hand over to {methods[0]}({', '.join(required(forward))})"
    rate = next((p for p in required(backward) if p.lower() in RATES), None)
    optimizer = next((p for p in required(backward) if re.search(r"(?i)^opt|optimi[sz]er", p)), None)
    unknown = [p for p in required(backward) if p not in (rate, optimizer)][len(inputs) if len(inputs) > 1 else 1 :]
    if unknown:
        return f"cannot tell what to hand over to {methods[1]} as {', '.join(unknown)}"
    reason = "no way was found to construct it"
    for template in instances(cls):
        for family in _families(len(inputs)):
            trial = fits(name, template, methods, inputs, rate, family, optimizer)
            if isinstance(trial, Trial):
                return trial
            reason = trial
    return reason


def required(function: Any) -> list[str]:
    """Names of the parameters without a default, self left out."""
    parameters = inspect.signature(function).parameters
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    named = [n for n in parameter_names(function) if parameters[n].kind not in kinds]
    return [n for n in named if parameters[n].default is inspect.Parameter.empty]


def _inputs(names: Sequence[str]) -> tuple[str, ...] | None:
    """x, and the states h and c of a recurrent cell."""
    if not names:
        return None
    states = [next((s for s, spellings in STATES.items() if n.lower() in spellings), None) for n in names[1:]]
    return None if None in states else ("x", *(s for s in states if s))


def instances(cls: type) -> Iterator[Any]:
    """Instances constructed from sizes, or from arrays in the customary shapes."""
    names = [] if (construct := inspect.getattr_static(cls, "__init__")) is object.__init__ else required(construct)
    for values in product(*(_values(n, k) for k, n in enumerate(names))):
        try:
            with subject_code():
                instance = cls(**dict(zip(names, copy.deepcopy(values), strict=True)))
        except (SubjectError, Malformed):
            continue
        for place, a in values_in(instance):
            if a.dtype.itemsize < 8:  # or differences would measure the rounding of the weights
                put(instance, place, a.astype(np.float64))
        shake(instance)
        yield instance


def shake(instance: Any, *, constant_only: bool = False) -> None:
    """Replace the numbers of a constructor (zeros and ones alone if `constant_only`) by numbers of which none is special."""
    generator = np.random.default_rng(5)
    for place, a in values_in(instance):
        constant = not a.size or bool(np.all(a == a.flat[0]))
        if a.flags.writeable and place and (constant or not constant_only):
            a[...] = generator.standard_normal(a.shape)


def values_in(instance: Any) -> list[tuple[Place, Array]]:
    """The arrays of an object that are nobody's gradient."""
    found = list(arrays_in(instance))
    gradients = {find_gradient(instance, place) for place, _ in found if not is_gradient(place)}
    return [(place, a) for place, a in found if place not in gradients and not is_gradient(place)]


def _values(name: str, position: int) -> list[Any]:
    plain = name.lower().replace("_", "").replace("layer", "").replace("units", "units")
    ramp = np.linspace(-1.0, 1.1, INPUTS * OUTPUTS)
    if plain in ("w", "weights", "weight", "kernel"):
        return [ramp.reshape(INPUTS, OUTPUTS), ramp.reshape(OUTPUTS, INPUTS)]
    if plain in ("b", "bias", "biases"):
        return [ramp[:OUTPUTS], ramp[:OUTPUTS].reshape(1, -1), ramp[:OUTPUTS].reshape(-1, 1)]
    if plain in ("gamma", "beta", "scale", "shift"):
        return [ramp[:INPUTS], ramp[:INPUTS].reshape(1, -1)]
    if plain in _IN:
        return [INPUTS]
    if plain in _OUT:
        return [OUTPUTS]
    return [(INPUTS, OUTPUTS)[min(position, 1)], 2, 0.5]


Family = tuple[dict[str, tuple[int, ...]], ...]


def _families(count: int) -> Iterator[Family]:
    """Shapes of x, h and c for several numbers of samples, or for one sample a call."""
    names = ("x", "h", "c")[:count]
    sizes = dict(zip(names, (INPUTS, OUTPUTS, OUTPUTS), strict=False))
    batches = (5, 1, 3)
    yield tuple({n: (m, k) for n, k in sizes.items()} for m in batches)
    yield tuple({n: (k, m) for n, k in sizes.items()} for m in batches)
    yield ({n: (1, k) for n, k in sizes.items()},)
    yield ({n: (k, 1) for n, k in sizes.items()},)
    yield ({n: (k,) for n, k in sizes.items()},)


def fits(
    name: str,
    template: Any,
    methods: tuple[str, str],
    inputs: tuple[str, ...],
    rate: str | None,
    family: Family,
    optimizer: str | None = None,
) -> Trial | str:
    """The trial with x of these shapes, or what went wrong; a vector's cotangent may have to be a row or a column."""
    values = [np.sin(np.arange(np.prod(family[0][n])) + 1.0).reshape(family[0][n]) for n in inputs]
    reason = ""
    for turn in (None, (1, -1), (-1, 1)) if len(family[0][inputs[0]]) == 1 else (None,):
        plain = Trial(name, template, *methods, inputs, {}, {}, "stored", (), rate, optimizer, turn)
        try:
            with subject_code():
                parameters = _parameters(plain, values)
                return _complete(plain, parameters, values, family)
        except (SubjectError, Malformed) as error:
            reason = reason or str(error)
    return reason


def _parameters(trial: Trial, values: Sequence[Array]) -> dict[str, Place]:
    """Arrays that the output depends on."""
    base = trial.run(copy.deepcopy(trial.template), copy.deepcopy(values))
    if base.dtype.kind != "f" or base.ndim == 0:
        raise Malformed("type", "output", "its forward pass returns no array of numbers")
    found: dict[str, Place] = {}
    for place, a in values_in(trial.template):
        layer = copy.deepcopy(trial.template)
        with np.errstate(all="ignore"):
            get(layer, place)[...] = a + 0.25
        moved = trial.run(layer, copy.deepcopy(values))
        if not np.array_equal(moved, base):
            known = next((n for n, p in found.items() if get(trial.template, p) is a), None)
            if known is None:
                own = place[:-1] if place[-1] in VALUE_KEYS and place[1:] else place
                plain = own[-1] not in (*found, *trial.inputs) and not any(step.isdigit() for step in own)
                found[own[-1] if plain else "_".join(own)] = place
    return found


def _complete(trial: Trial, parameters: dict[str, Place], values: Sequence[Array], family: Family) -> Trial:
    """Reading and places of the gradients, seen on one run, and the shapes that run."""
    layer = copy.deepcopy(trial.template)
    outputs = parts(getattr(layer, trial.forward)(*copy.deepcopy(values)))
    cotangents = [np.cos(np.arange(a.size) + 0.5).reshape(a.shape) for a in outputs]
    before = {n: np.array(get(layer, p)) for n, p in parameters.items()}
    recorder = Recorder(layer)
    held = {n: get(layer, p) for n, p in parameters.items()}
    result = trial.run_backward(layer, cotangents, ETAS[0], recorder)
    input_gradients(result, trial.inputs)
    changed = [n for n, p in parameters.items() if not np.array_equal(before[n], get(layer, p))]
    places = {n: find_gradient(layer, p) for n, p in parameters.items()}
    several = isinstance(result, (tuple, list)) and len(result) > len(trial.inputs)
    reading: Reading = "update" if changed else "returned" if several and parameters else "stored"
    recorded = {n: recorder.gradient_of(a) for n, a in held.items()}
    if parameters and all(g is not None for g in recorded.values()):
        reading = "recorded"
        if any(g is not None and g.shape != before[n].shape for n, g in recorded.items()):
            raise Malformed(
                "shape", "update", "its gradients have not the shape of their parameters with several samples"
            )
    if reading == "update" and any(np.shape(get(layer, p)) != before[n].shape for n, p in parameters.items()):
        raise Malformed("shape", "update", "its update changes the shape of a parameter with several samples")
    if reading == "stored" and None in places.values():
        lost = ", ".join(n for n, p in places.items() if p is None)
        raise Malformed("missing", lost, f"no gradient of {lost} was found on it after backward")
    gradients = {n: p for n, p in places.items() if p is not None} if reading == "stored" else {}
    shapes = {n: a.shape for n, a in before.items()}
    full = replace(trial, parameters=parameters, gradients=gradients, reading=reading)
    return replace(full, shapes=tuple({**variant, **shapes, "": _output_shape(full, variant)} for variant in family))


def _output_shape(trial: Trial, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """What its forward pass makes of ones in these shapes."""
    return trial.run(copy.deepcopy(trial.template), [np.ones(shapes[n]) for n in trial.inputs]).shape
