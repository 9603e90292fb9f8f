"""Try a layer class: how it is constructed, what its input looks like, which arrays are parameters, where gradients are.

Everything is found by running it on small sizes (`layer_sizes`). Values of gradients are never judged here.
"""

import ast
import copy
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, product
from typing import Any, Literal

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.numerics import Array
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.layer_sizes import DENSE, IMAGES, STATES, TARGETS, Family, Regime, regimes, spelled, varied
from gradcheck.subjects.match import parameter_names
from gradcheck.subjects.protocol import Malformed
from gradcheck.subjects.recorders import Recorder
from gradcheck.subjects.source import tree_of, words
from gradcheck.subjects.spellings import VALUE_KEYS, Place, arrays_in, find_gradient, get, is_gradient, members_in, put
from gradcheck.subjects.tensors import as_array, computes_with_tensors, on_arrays

FORWARD = spelled("forward forward_propagation forward_pass forward_prop fprop feed_forward feedforward __call__")
BACKWARD = spelled(
    "backward backward_propagation backward_pass backward_prop bprop backprop back_propagation backpropagation"
)
COST_FORWARD = ["calculate", *FORWARD, "loss", "compute", "cost"]
COST_BACKWARD = [*BACKWARD, "grad", "gradient", "derivative", "prime", "delta"]
FUNCTION = (*FORWARD, "function", "activate", "activation", "f", "fn", "func", "compute")
DERIVATIVE = ("gradient", "derivative", "prime", "grad", "deriv", "df", "f_prime", "diff", *BACKWARD)
RATES = (
    "lr",
    "learning_rate",
    "eta",
    "rate",
    "alpha",
    "step_size",
    "learningrate",
    "l_rate",
    "step",
    "learn_rate",
    "lrate",
)
OUTPUTS_KEPT = ("output", "outputs", "out", "y", "a", "result", "activations", "output_data")
"""Where an output is kept by a forward pass that returns nothing."""
INPUT_GRADIENTS = spelled(
    "dinputs dinput dx dX d_inputs d_input d_x grad_input input_grad dA_prev grad_inputs input_gradient"
)
_BUFFER = re.compile(r"(?i)running|moving|mask|mean|var")
_VARIANCE = re.compile(r"(?i)var")
ETAS = (2.0**-3, 2.0**-6)
Reading = Literal["stored", "returned", "update", "recorded"]


@dataclass(frozen=True, slots=True)
class Trial:
    """What running a layer class showed.

    template: an instance that was never run. inputs: the forward arguments. shapes: admissible shapes of all arguments
    together. parameters, gradients: places in the instance. reading: where gradients come from; rate: the name of
    backward's learning rate.
    optimizer: the name of backward's optimizer object. turn: what the cotangent is reshaped to for backward, where it must be.
    draws: how inputs are drawn that are not Gaussian, or not differentiated; see `campaign.layer_objects.constant`.
    cost: whether it gives one number; its backward then takes the cotangent, nothing, or what forward took.
    numbers: numbers that occur in the object and in its source. tensors: whether it computes with torch tensors.
    derivative: whether its backward is the derivative of an elementwise forward pass, without an upstream gradient.
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
    draws: Mapping[str, str] = field(default_factory=dict)
    cost: bool = False
    numbers: tuple[float, ...] = ()
    tensors: bool = False
    derivative: bool = False

    @property
    def differentiated(self) -> tuple[str, ...]:
        """The inputs that have a gradient."""
        return tuple(n for n in self.inputs if self.draws.get(n, "unit") in ("unit", "positive"))

    def fresh(self, arguments: Mapping[str, Array]) -> Any:
        """A new instance whose parameters hold these numbers."""
        layer = copy.deepcopy(self.template)
        for name, place in self.parameters.items():
            np.copyto(get(layer, place), arguments[name])
        return layer

    def run(self, layer: Any, inputs: Sequence[Array]) -> Array:
        """The output of the forward pass; several outputs one after the other in a vector."""
        return joined(self.results(layer, inputs))

    def results(self, layer: Any, inputs: Sequence[Array]) -> Any:
        """What the forward pass returned, or stored where it returns nothing."""
        result = self._called(getattr(layer, self.forward), *inputs)
        if result is not None:
            return result
        return next((as_array(a) for n in OUTPUTS_KEPT if (a := getattr(layer, n, None)) is not None), None)

    def _called(self, method: Any, *values: Any, **named: Any) -> Any:
        return on_arrays(method)(*values, **named) if self.tensors else method(*values, **named)

    def pull(self, layer: Any, inputs: Sequence[Array], cotangent: Array, rate: float = ETAS[0]) -> dict[str, Any]:
        """Forward, then backward: the gradients of inputs and parameters as they came."""
        outputs = parts(self.results(layer, inputs))
        before = {n: np.array(get(layer, p)) for n, p in self.parameters.items()}
        held = {n: get(layer, p) for n, p in self.parameters.items()}
        recorder = Recorder(layer)
        cotangents = [cotangent] if len(outputs) == 1 else split_like(cotangent, outputs)
        result = self.run_backward(layer, inputs, cotangents, rate, recorder)
        found = input_gradients(result, self.differentiated, layer)
        if self.reading == "update":
            return {**found, **{n: (before[n] - get(layer, p)) / rate for n, p in self.parameters.items()}}
        if self.reading == "recorded":
            return {**found, **{n: recorder.gradient_of(a) for n, a in held.items()}}
        if self.reading == "returned":
            return {**found, **returned(result, len(self.differentiated), self.parameters)}
        return {**found, **{n: get(layer, p) for n, p in self.gradients.items()}}

    def run_backward(
        self, layer: Any, inputs: Sequence[Array], cotangents: Sequence[Array], rate: float, recorder: Recorder
    ) -> Any:
        """What backward returns."""
        if self.cost:
            return self._cost_backward(layer, inputs, cotangents[0])
        if self.derivative:
            given = inputs if required(getattr(type(layer), self.backward)) else ()
            return np.asarray(self._called(getattr(layer, self.backward), *given)) * cotangents[0]
        keywords: dict[str, Any] = {self.rate: rate} if self.rate else {}
        if self.optimizer:
            keywords[self.optimizer] = recorder
        turned = [c if self.turn is None else c.reshape(self.turn) for c in cotangents]
        return self._called(getattr(layer, self.backward), *turned, **keywords)

    def _cost_backward(self, layer: Any, inputs: Sequence[Array], cotangent: Array) -> Any:
        """The gradient of a cost times its cotangent, whether or not its backward takes one: it may stand at the end only."""
        backward = getattr(layer, self.backward)
        taken = required(getattr(type(layer), self.backward))
        if len(taken) == 1 and len(self.inputs) > 1:
            return self._called(backward, cotangent)
        given = dict(zip(sorted(self.inputs, key=lambda n: n == "t"), sorted_by(self.inputs, inputs), strict=True))
        output = as_array(getattr(layer, "output", None))
        if np.shape(output) == np.shape(
            given["x"]
        ):  # of an activation and its cost in one: backward is handed the activations
            given["x"] = output
        words = [given["t" if n.lower() in TARGETS else "x"] for n in taken]
        result = self._called(backward, *words)
        return np.asarray(_stored(layer) if result is None else result) * cotangent


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


def sorted_by(names: Sequence[str], inputs: Sequence[Array]) -> list[Array]:
    """The inputs, the target last."""
    return [a for _, a in sorted(zip(names, inputs, strict=True), key=lambda pair: pair[0] == "t")]


def input_gradients(result: Any, inputs: Sequence[str], layer: Any = None) -> dict[str, Any]:
    """dx, or the first of the tuple that backward returned, one for each input; from the object where it returned nothing."""
    if result is None and len(inputs) == 1:
        result = _stored(layer)
    several = list(result) if isinstance(result, (tuple, list)) else [result]
    if len(several) < len(inputs):
        msg = f"expected {', '.join('d' + n for n in inputs)}; backward returned {len(several)} values"
        raise Malformed("count", "gradients", msg)
    return dict(zip(inputs, several, strict=False))


def _stored(layer: Any) -> Any:
    """The gradient of the input where a backward pass keeps it; None where there is none."""
    return next((as_array(g) for n in INPUT_GRADIENTS if (g := getattr(layer, n, None)) is not None), None)


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


def cost_methods_of(cls: type) -> tuple[str, str] | None:
    """The names of the methods that give a cost and its gradient: the first takes a target."""
    for name in COST_FORWARD:
        method = inspect.getattr_static(cls, name, None)
        if inspect.isfunction(method) and len(required(method)) == 2 and _target(required(method)) is not None:
            names = (n for n in COST_BACKWARD if inspect.isfunction(inspect.getattr_static(cls, n, None)))
            backward = next(names, None)
            return (name, backward) if backward and (backward not in BACKWARD or _ends(cls, backward)) else None
    return None


def _ends(cls: type, backward: str) -> bool:
    """Whether its backward can be called with nothing, as the last of a network, or with what forward took."""
    return len(required(getattr(cls, backward))) != 1 or bool(
        re.search(r"(?i)loss|entropy|mse|cost|error|hinge", cls.__name__)
    )


def _target(names: Sequence[str]) -> int | None:
    """Which of two arguments is the target; None where it is neither or both."""
    found = [k for k, n in enumerate(names) if n.lower() in TARGETS]
    return found[0] if len(found) == 1 else None


def tried(name: str, cls: type) -> tuple[dict[str, Trial], str]:
    """The trials of a layer class, the first on the likeliest sizes; none, and why it could not be run."""
    reason = ""
    cost = cost_methods_of(cls)
    for methods, derivative in (
        (cost, False),
        (methods_of(cls), False),
        (cost, True),
        (derivative_methods_of(cls), True),
    ):
        if methods is not None:
            plan, why = _plan(cls, methods)
            found, why = _tried(name, cls, replace(plan, derivative=derivative)) if plan else ({}, why)
            if found:
                return found, ""
            reason = reason or why
    return {}, reason


def derivative_methods_of(cls: type) -> tuple[str, str] | None:
    """The names of the methods of an elementwise function and of its derivative, which takes x or nothing."""
    methods = {n: m for n, m in inspect.getmembers_static(cls) if inspect.isfunction(m)}
    forward = next((n for n in FUNCTION if n in methods and len(required(methods[n])) == 1), None)
    derivative = next((n for n in DERIVATIVE if n in methods and len(required(methods[n])) <= 1), None)
    return (forward, derivative) if forward and derivative else None


def _tried(name: str, cls: type, plan: "_Plan") -> tuple[dict[str, Trial], str]:
    reason = "no way was found to construct it"
    for regime in regimes(name, plan.inputs):
        found = _first(name, cls, plan, regime)
        if isinstance(found, Trial):
            more = _more(name, cls, plan, regime)
            return {name: found, **more}, ""
        reason = found if found and (reason.startswith("no way") or regime in _likeliest(name, plan)) else reason
    return {}, reason


@dataclass(frozen=True, slots=True)
class _Plan:
    """methods; inputs in forward's order; the names of backward's learning rate and optimizer."""

    methods: tuple[str, str]
    inputs: tuple[str, ...]
    rate: str | None
    optimizer: str | None
    derivative: bool = False


def _likeliest(name: str, plan: _Plan) -> tuple[Regime, ...]:
    return regimes(name, plan.inputs)[:1]


def _plan(cls: type, methods: tuple[str, str]) -> tuple[_Plan | None, str]:
    taken, given = (required(getattr(cls, m)) for m in methods)
    target = _target(taken) if methods == cost_methods_of(cls) else None
    if target is not None:
        return _Plan(methods, ("t", "x") if target == 0 else ("x", "t"), None, None), ""
    inputs = _inputs(taken)
    if inputs is None:
        return None, f"cannot tell what to hand over to {methods[0]}({', '.join(taken)})"
    rate = next((p for p in given if p.lower() in RATES), None)
    optimizer = next((p for p in given if re.search(r"(?i)^opt|optimi[sz]er", p)), None)
    unknown = [p for p in given if p not in (rate, optimizer)][len(inputs) if len(inputs) > 1 else 1 :]
    if unknown:
        return None, f"cannot tell what to hand over to {methods[1]} as {', '.join(unknown)}"
    return _Plan(methods, inputs, rate, optimizer), ""


def _inputs(names: Sequence[str]) -> tuple[str, ...] | None:
    """x, and the states h and c of a recurrent cell, or a second input y."""
    if not names:
        return None
    states = [next((s for s, spellings in STATES.items() if n.lower() in spellings), None) for n in names[1:]]
    if None in states:
        return ("x", "y") if len(names) == 2 and names[1].lower() in _SECOND else None
    return ("x", *(s for s in states if s))


_SECOND = ("y", "x2", "b", "other", "right", "input2", "x_2", "rhs")


def _first(name: str, cls: type, plan: _Plan, regime: Regime, settings: Mapping[str, Any] | None = None) -> Trial | str:
    """The first instance and shapes that run; else what the first attempt said."""
    reason, attempts = "", 0
    for template in instances(cls, regime, settings or {}):
        for family, draws in product(regime.families(plan.inputs), regime.draws):
            how = (plan.optimizer, draws, plan.derivative)
            trial = fits(name, template, plan.methods, plan.inputs, plan.rate, family, *how)
            if isinstance(trial, Trial):
                return trial
            reason, attempts = reason or trial, attempts + 1
            if attempts >= _MOST:
                return reason
    return reason


_MOST = 600
"""Instances and shapes that are tried of one class in one regime."""


def _more(name: str, cls: type, plan: _Plan, regime: Regime) -> dict[str, Trial]:
    """The same class with a stride and padding that are not the lazy ones, and on images where its source looks at axes."""
    if regime in IMAGES:
        settings = {n: v for n, default in _defaults(cls).items() if (v := varied(n, default)) is not None}
        label = f"{name}({', '.join(f'{n}={v}' for n, v in settings.items())})"
        runs = (_first(label, cls, plan, images, settings) for images in IMAGES if settings)
    else:
        label = f"{name} on images"
        both = plan.inputs == ("x",) and regime is DENSE and _looks_at_axes(cls)
        runs = (_first(label, cls, plan, images) for images in IMAGES[:1] if both)
    found = next((t for t in runs if isinstance(t, Trial)), None)
    return {} if found is None else {label: found}


def _defaults(cls: type) -> dict[str, Any]:
    """The parameters of its constructor with their defaults (`Parameter.empty` where there is none)."""
    construct = inspect.getattr_static(cls, "__init__")
    if construct is object.__init__:
        return {}
    given = inspect.signature(construct).parameters
    return {n: given[n].default for n in parameter_names(construct)}


def _looks_at_axes(cls: type) -> bool:
    """Whether its source asks how many axes an array has, or takes four sizes from a shape."""
    tree = tree_of(cls)
    if tree is None:
        return False
    wide = any(
        isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Tuple) and len(n.targets[0].elts) == 4
        for n in ast.walk(tree)
    )
    return wide and "ndim" in words(tree)


def instances(cls: type, regime: Regime = DENSE, settings: Mapping[str, Any] | None = None) -> Iterator[Any]:
    """Instances constructed from sizes, or from arrays in the customary shapes; settings: those that are said."""
    construct, said = inspect.getattr_static(cls, "__init__"), dict(settings or {})
    names = [] if construct is object.__init__ else [n for n in required(construct) if n not in said]
    torches = computes_with_tensors(cls)
    for values in islice(product(*(regime.values(n, k) for k, n in enumerate(names))), _MOST):
        try:
            with subject_code():
                given = {**dict(zip(names, copy.deepcopy(values), strict=True)), **said}
                instance = on_arrays(cls)(**given) if torches else cls(**given)
        except (SubjectError, Malformed):
            continue
        for place, a in values_in(instance):
            if a.dtype.itemsize < 8:  # or differences would measure the rounding of the weights
                put(instance, place, a.astype(np.float64))
        shake(instance)
        yield instance


def numbers_of(instance: Any) -> tuple[float, ...]:
    """Numbers among its attributes and in the source of its class, such as an epsilon."""
    held = [float(v) for _, v in members_in(instance) if isinstance(v, (int, float)) and not isinstance(v, bool)]
    tree = tree_of(type(instance))
    written = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)] if tree else []
    found = [*held, *(float(v) for v in written if isinstance(v, (int, float)) and not isinstance(v, bool))]
    return tuple(dict.fromkeys(v for v in found if np.isfinite(v)))[:_NUMBERS]


_NUMBERS = 24


def required(function: Any) -> list[str]:
    """Names of the parameters without a default, self left out."""
    parameters = inspect.signature(function).parameters
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    named = [n for n in parameter_names(function) if parameters[n].kind not in kinds]
    return [n for n in named if parameters[n].default is inspect.Parameter.empty]


def shake(instance: Any, *, constant_only: bool = False) -> None:
    """Replace the numbers of a constructor (zeros and ones alone if `constant_only`) by numbers of which none is special."""
    generator = np.random.default_rng(5)
    for place, a in values_in(instance):
        constant = not a.size or bool(np.all(a == a.flat[0]))
        if a.flags.writeable and place and (constant or not constant_only):
            numbers = generator.standard_normal(a.shape)
            a[...] = 0.5 + numbers**2 if _VARIANCE.search(place[-1]) else numbers


def values_in(instance: Any) -> list[tuple[Place, Array]]:
    """The arrays of an object that are nobody's gradient."""
    found = list(arrays_in(instance))
    gradients = {find_gradient(instance, place) for place, _ in found if not is_gradient(place)}
    return [(place, a) for place, a in found if place not in gradients and not is_gradient(place)]


def fits(
    name: str,
    template: Any,
    methods: tuple[str, str],
    inputs: tuple[str, ...],
    rate: str | None,
    family: Family,
    optimizer: str | None = None,
    draws: Mapping[str, str] | None = None,
    derivative: bool = False,
) -> Trial | str:
    """The trial with x of these shapes, or what went wrong; a vector's cotangent may have to be a row or a column."""
    told = {n: how for n, how in (draws or {}).items() if n in inputs}
    values = [_sample(told.get(n, ""), family[0][n]) for n in inputs]
    reason = ""
    for turn in (None, (1, -1), (-1, 1)) if len(family[0][inputs[0]]) == 1 and not told else (None,):
        plain = Trial(name, template, *methods, inputs, {}, {}, "stored", (), rate, optimizer, turn, told)
        cost = "t" in inputs and not derivative
        plain = replace(plain, tensors=computes_with_tensors(type(template)), cost=cost, derivative=derivative)
        try:
            with subject_code():
                parameters = _parameters(plain, values)
                return _complete(plain, parameters, values, family)
        except (SubjectError, Malformed) as error:
            reason = reason or str(error)
    return reason


def _sample(how: str, shape: tuple[int, ...]) -> Array:
    """An input of this kind with no special numbers."""
    word, _, high = how.partition(" ")
    ramp = np.arange(int(np.prod(shape)))
    if word in ("integers", "classes"):
        return (ramp % int(high)).reshape(shape)
    if word == "one_hot":
        return np.asarray(np.eye(shape[-1])[ramp[: int(np.prod(shape[:-1]))] % shape[-1]].reshape(shape))
    wave = np.sin(ramp + 1.0).reshape(shape)
    return np.asarray(0.5 + 0.4 * wave if word == "unit" else wave)


def _parameters(trial: Trial, values: Sequence[Array]) -> dict[str, Place]:
    """Arrays that the output depends on."""
    base = trial.run(copy.deepcopy(trial.template), copy.deepcopy(values))
    if base.dtype.kind != "f" or (base.ndim == 0) != trial.cost:
        what = "no single number" if trial.cost else "no array of numbers"
        raise Malformed("type", "output", f"its forward pass returns {what}")
    if trial.cost and not np.isfinite(base):
        raise Malformed("type", "output", "its cost is not finite")
    if trial.derivative and not _elementwise(trial, values, base):
        raise Malformed("type", "output", f"{trial.backward} takes no upstream gradient, and it is not elementwise")
    if "t" in trial.inputs and "x" not in trial.draws and _clipped(trial, values, base):
        raise Malformed("type", "output", "its cost does not depend on all of x: it may want probabilities")
    found: dict[str, Place] = {}
    for place, a in values_in(trial.template):
        layer = copy.deepcopy(trial.template)
        with np.errstate(all="ignore"):
            get(layer, place)[...] = a + 0.25
        moved = trial.run(layer, copy.deepcopy(values))
        if not np.array_equal(moved, base):
            known = next((n for n, p in found.items() if _one_array(get(trial.template, p), a)), None)
            if known is None:
                own = place[:-1] if place[-1] in VALUE_KEYS and place[1:] else place
                plain = own[-1] not in (*found, *trial.inputs) and not any(step.isdigit() for step in own)
                found[own[-1] if plain else "_".join(own)] = place
    return found


def _elementwise(trial: Trial, values: Sequence[Array], base: Array) -> bool:
    """Whether each number of the output depends on the number of x at its place alone, as some of them show."""
    at = trial.inputs.index("x")
    if base.shape != values[at].shape:
        return False
    for k in range(min(3, base.size)):
        moved = copy.deepcopy(list(values))
        moved[at].flat[k] += 0.125
        changed = np.flatnonzero(trial.run(copy.deepcopy(trial.template), moved) != base)
        if changed.tolist() != [k]:
            return False
    return True


def _clipped(trial: Trial, values: Sequence[Array], base: Array) -> bool:
    """Whether moving every number of one sample by a little leaves a cost as it is to the last bit: it is clipped there."""
    at = trial.inputs.index("x")
    if base.ndim:
        moved = copy.deepcopy(list(values))
        moved[at] = moved[at] + 1e-3
        return bool(np.any(trial.run(copy.deepcopy(trial.template), moved) == base))
    for sample in range(len(values[at])):
        moved = copy.deepcopy(list(values))
        moved[at][sample] += 1e-3 * np.cos(1.0 + np.arange(moved[at][sample].size)).reshape(moved[at][sample].shape)
        if np.array_equal(trial.run(copy.deepcopy(trial.template), moved), base):
            return True
    return False


def _one_array(one: Array, other: Array) -> bool:
    return one is other or (one.shape == other.shape and one.ctypes.data == other.ctypes.data and one.size > 0)


def _complete(trial: Trial, parameters: dict[str, Place], values: Sequence[Array], family: Family) -> Trial:
    """Reading and places of the gradients, seen on one run, and the shapes that run."""
    layer = copy.deepcopy(trial.template)
    values = copy.deepcopy(values)
    outputs = parts(trial.results(layer, values))
    cotangents = [np.cos(np.arange(a.size) + 0.5).reshape(a.shape) for a in outputs]
    before = {n: np.array(get(layer, p)) for n, p in parameters.items()}
    recorder = Recorder(layer)
    held = {n: get(layer, p) for n, p in parameters.items()}
    result = trial.run_backward(layer, values, cotangents, ETAS[0], recorder)
    if parameters and trial.differentiated == ("x",) and input_gradients(result, ("x",), layer)["x"] is None:
        return _complete(replace(trial, draws={"x": "real"}), parameters, values, family)  # of a first layer
    _require_gradients(trial, input_gradients(result, trial.differentiated, layer))
    changed = [n for n, p in parameters.items() if not np.array_equal(before[n], get(layer, p))]
    places = {n: find_gradient(layer, p) for n, p in parameters.items()}
    several = isinstance(result, (tuple, list)) and len(result) > len(trial.differentiated)
    reading: Reading = "update" if changed else "returned" if several and parameters else "stored"
    if reading == "stored":  # running moments and masks are constants of the layer
        parameters = {n: p for n, p in parameters.items() if places[n] is not None or not _BUFFER.search(p[-1])}
        places = {n: places[n] for n in parameters}
        before = {n: before[n] for n in parameters}
    recorded = {n: recorder.gradient_of(held[n]) for n in parameters}
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
    numbers = numbers_of(trial.template)
    full = replace(trial, parameters=parameters, gradients=gradients, reading=reading, numbers=numbers)
    return replace(full, shapes=tuple({**variant, **shapes, "": _output_shape(full, variant)} for variant in family))


def _output_shape(trial: Trial, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """What its forward pass makes of numbers in these shapes."""
    return trial.run(
        copy.deepcopy(trial.template), [_sample(trial.draws.get(n, ""), shapes[n]) for n in trial.inputs]
    ).shape


def _require_gradients(trial: Trial, found: Mapping[str, Any]) -> None:
    """A cost must give a gradient like its input, or another kind of target is tried."""
    if trial.cost and np.shape(found["x"]) == ():
        raise Malformed("missing", "x", f"{trial.backward} gives no gradient of x")
