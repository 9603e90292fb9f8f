"""Convention `model_functions`: functions that know the whole network and give the loss and all gradients.

    loss, grads = f(params, X, y)                   one call; grads is a dict, a list or a tuple
    f(params, X, y), g(params, X, y)                the loss and the gradients apart
    out, cache = forward(X, params); grads = backward(y, cache)

The parameters come as a dict, a nested dict, a list of pairs or of dicts, one by one (W1, b1, W2, b2), or are globals of the
module. Which structure, which layout, and whether y holds labels or one-hot vectors, is found by running it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.networks import Case, Point
from gradcheck.numerics import Array
from gradcheck.subjects.binding import Binding, bind, signature_text
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.gradient_names import is_number, name_of
from gradcheck.subjects.gradient_reading import Reader, returned_names
from gradcheck.subjects.layout import Layout, parameters_to_subject, subject_shapes
from gradcheck.subjects.match import Match, own_functions, parameter_names
from gradcheck.subjects.model_calls import (
    LAYOUTS,
    WORDS,
    Samples,
    Targets,
    fits,
    handed_samples,
    has_number,
    loss_in,
    output_in,
    own_callables,
    require_precision,
)
from gradcheck.subjects.parameter_structures import Structure, structures
from gradcheck.subjects.protocol import Call, Malformed, Offer, scalar
from gradcheck.subjects.samples import add_up
from gradcheck.subjects.source import ACTIVATION_WORDS, COST_WORDS, constants, globals_used, mentioned, reachable
from gradcheck.subjects.trial import small_case

NAME = "model_functions"
TEMPLATE = '''\
def loss_and_gradients(params, X, y):
    """-> (loss, grads). params: {"W1": (from, to), "b1": (to,), ...}, or a list of pairs, of dicts ...; grads in the same
    structure, with keys such as "dW1" or "W1". X (m, n_0), y (m, n_L) or class labels (m,)."""
    error = (X @ params["W1"] + params["b1"] - y) / len(X)
    loss = 0.5 * len(X) * (error * error).sum()
    return loss, {"dW1": X.T @ error, "db1": error.sum(axis=0)}
'''
CALL = "loss, grads = loss_and_gradients(params, X, y)"
DEPTHS = (2, 1, 3)
_ANOTHER_STRUCTURE = ("KeyError", "TypeError", "AttributeError")
"""What the wrong structure raises, whatever the layout."""
_NOT = (
    "numeric",
    "check",
    "train",
    "update",
    "predict",
    "accuracy",
    "fit",
    "plot",
    "sample",
    "eval",
    "test",
    "init",
)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One function: its name, how it is called, and the names of what it returns."""

    name: str
    binding: Binding
    returned: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which functions are called for what. Either `gradient` takes X and Y itself, or `forward` comes before it."""

    gradient: Part
    cost: Part | None = None
    forward: Part | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The functions in use, each once."""
        return tuple(dict.fromkeys(p for p in (self.gradient, self.cost, self.forward) if p is not None))

    @property
    def takes(self) -> frozenset[str]:
        """Everything that they ask for."""
        return frozenset[str]().union(*(p.binding.takes for p in self.parts))


@dataclass(slots=True, eq=False)
class ModelFunctions:
    """Adapter around the functions of a plan; `globals_of`: names of module globals by parameter."""

    plan: Plan
    name: str
    structure: Structure
    depths: tuple[int, int | None] = (1, None)
    samples: Samples = "batch"
    targets: Targets = "one_hot"
    layouts: tuple[Layout, ...] = LAYOUTS
    outputs: tuple[int, int | None] = (1, None)
    globals_of: Mapping[str, str] = field(default_factory=dict)
    reader: Reader = field(default_factory=Reader)
    _offer: Offer | None = None

    @property
    def offer(self) -> Offer:
        """What was found out, put together once."""
        if self._offer is None:
            self._offer = self._offered()
        return self._offer

    def _offered(self) -> Offer:
        """Fixed activations and cost."""
        functions = [p.binding.function for p in self.plan.parts]
        return Offer(
            self.name,
            NAME,
            layouts=self.layouts,
            told_activations=False,
            told_cost=False,
            takes_l2="lambd" in self.plan.takes,
            declares_cost=self.plan.cost is not None,
            declares_output=self.plan.forward is not None,
            depths=self.depths,
            outputs=self.outputs,
            batch=self.samples == "batch",
            labels=self.targets == "labels",
            activations=mentioned(functions, ACTIVATION_WORDS),
            costs=mentioned(functions, COST_WORDS),
            notes=tuple(self._notes()),
        )

    def _notes(self) -> Iterator[str]:
        names = ", ".join(p.name for p in self.plan.parts)
        holding = f"parameters as {self.structure.text}" if "parameters" in self.plan.takes else ""
        holding = "parameters in the module's globals" if self.globals_of else holding
        one = "one sample a call" if self.samples != "batch" else ""
        yield ", ".join(w for w in (f"checked: {names}", holding, one) if w)

    def call(self, point: Point, layout: Layout) -> Call:
        """X, Y and the parameters in the structure that the file uses."""
        call = Call(point, layout, {})
        case = call.case
        call.arrays.update(handed_samples(case, layout, self.samples, self.targets))
        weights, biases = parameters_to_subject(case, layout)
        call.rest["named"] = {f"W{k}": w for k, w in enumerate(weights, 1)} | {
            f"b{k}": b for k, b in enumerate(biases or [], 1)
        }
        takes = self.plan.takes
        if "parameters" in takes:
            call.arrays["parameters"] = self.structure.build(weights, biases)
        if "weights" in takes:
            call.arrays["weights"] = weights if self.structure.text != "W, b" else weights[0]
        if "biases" in takes:
            call.arrays["biases"] = biases if self.structure.text != "W, b" or not biases else biases[0]
        call.arrays.update({n: a for n, a in call.rest["named"].items() if n in takes or n in self.globals_of})
        return call

    def value(self, call: Call) -> Array:
        """The loss, added up over the samples where it takes one a call."""
        part = self.plan.cost
        assert part is not None, "only asked for where the cost is declared"
        values = [loss_in(self._run(part, v), part.returned) for v in self._each(call)]
        require_precision(values, call.case.dtype)
        return np.asarray(sum(scalar(v) for v in values))

    def output(self, call: Call) -> Array:
        """The output activations of the forward pass."""
        outputs = [v["AL"] for v in self._each(call)]
        return (
            np.asarray(outputs[0]) if self.samples == "batch" else np.hstack([np.reshape(a, (-1, 1)) for a in outputs])
        )

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """The gradients in what the function returns."""
        if not self.reader.knows(call.case, call.layout):
            self.learn(call.case.architecture.depth, call.layout)
        each = list(self._each(call, between=True))
        return add_up(lambda s: self._gradients(call, each[s]), len(each))

    def learn(self, depth: int, layout: Layout) -> bool:
        """Find out how the result is to be read, on a network of this depth; whether the shapes are right there."""
        case = small_case(depth, 2 if (self.outputs[1] or 2) > 1 else 1)
        call = self.call(case, layout)
        result = self._run(self.plan.gradient, next(self._each(call)))
        reading = self.reader.learn(result, case, layout, list(call.rest["named"].values()))
        if reading is None:
            names = ", ".join(subject_shapes(case.architecture, layout))
            raise Malformed("missing", "gradients", f"no gradients of {names} were found in what it returned")
        return reading.complete

    def _gradients(self, call: Call, values: Mapping[str, Any]) -> Mapping[str, Any]:
        found = self.reader.read(self._run(self.plan.gradient, values), call.case, call.layout)
        require_precision(found.values(), call.case.dtype)
        return found

    def _each(self, call: Call, *, between: bool = False) -> Iterator[dict[str, Any]]:
        """Everything that a function may ask for, for the batch or for each sample; the forward pass has run."""
        case = call.case
        known = {
            **{n: a for n, a in call.arrays.items() if n not in ("X", "Y")},
            "lambd": case.architecture.regularisation.strength,
            "rate": 0.0,
            "depth": case.architecture.depth,
            "samples": case.samples,
            "sizes": list(case.architecture.widths),
        }
        x, y = call.arrays["X"], call.arrays["Y"]
        for a, t in zip([x], [y], strict=True) if self.samples == "batch" else zip(x, y, strict=True):
            values = {**known, "X": a, "Y": t}
            if self.plan.forward is not None:
                values |= self._forward(call, self.plan.forward, values)
            if between:
                call.between()
            yield values

    def _forward(self, call: Call, forward: Part, values: Mapping[str, Any]) -> dict[str, Any]:
        result = self._run(forward, values)
        case = call.case
        m = case.samples if self.samples == "batch" else 1
        output = output_in(result, forward.returned, case.architecture.widths[-1], m, case.architecture.depth)
        found: dict[str, Any] = {"AL": output, "cache": result}
        if isinstance(result, (tuple, list)) and len(result) == 2:
            found["cache"] = result[1] if result[0] is output else result[0] if result[1] is output else result
        if isinstance(result, (tuple, list)) and len(forward.returned) == len(result):
            found |= {f"={n}": item for n, item in zip(forward.returned, result, strict=True) if n}
        return found

    def _run(self, part: Part, values: Mapping[str, Any]) -> Any:
        if not self.globals_of:
            return part.binding(values)
        space = part.binding.function.__globals__
        before = {n: space[n] for n in self.globals_of.values()}
        space.update({own: values[n] for n, own in self.globals_of.items() if n in values})
        try:
            return part.binding(values)
        finally:
            space.update(before)


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by functions of known arguments that, on a small network, return gradients of every parameter."""
    functions = dict(own_callables(members, own_functions(members)))
    near: list[str] = []
    for plan, globals_of in plans(functions, members):
        reasons: dict[str, str] = {}
        adapter = tried(plan, globals_of, members, name, reasons)
        if adapter is not None:
            return Match(NAME, adapter, found=tuple(p.name for p in plan.parts))
        text = signature_text(plan.gradient.name, plan.gradient.binding.function)
        near.append(f"{text}: {next(iter(reasons.values()), 'no way was found to run it')}")
    wanted = "a function of parameters, X and y that returns the loss and the gradients, such as f(params, X, y)"
    return Match(NAME, None, tuple(near[:3]) or (wanted,), tuple(line.partition("(")[0] for line in near[:3]))


def part(name: str, function: Callable[..., Any], extra: Mapping[str, Sequence[str]] = {}) -> Part:
    """A function with the meanings of its parameters; W1, b1, … are themselves."""
    numbered = {}
    named = {p: n for p in parameter_names(function) if (n := name_of((p,))) is not None and n[1] is not None}
    first = min((n[1] or 0 for n in named.values()), default=1)
    for p, (letter, number) in named.items():
        if not p.lower().startswith(("d", "grad", "nabla")):
            numbered[f"{letter}{(number or 0) - first + 1}"] = (p,)
    synonyms = {**{f"={n}": v for n, v in extra.items()}, **numbered, **WORDS}
    inner = getattr(function, "func", function)
    return Part(name, bind(function, synonyms), tuple(returned_names(inner)))


def plans(functions: Mapping[str, Any], members: Mapping[str, Any]) -> Iterator[tuple[Plan, Mapping[str, str]]]:
    """Ways in which the functions may work together, the likeliest first, with the globals that hold the parameters."""
    parts = [part(n, f) for n, f in functions.items() if not any(word in n.lower() for word in _NOT)]
    whole = [p for p in parts if not p.binding.missing and {"X", "Y"} <= p.binding.takes and not _staged(p)]
    whole.sort(key=lambda p: not any(w in p.name.lower() for w in ("grad", "back", "deriv", "prime", "nabla")))
    for gradient in whole:
        held = {} if _holds(gradient) else global_parameters(gradient.binding.function, members)
        if not (_holds(gradient) or held):
            continue
        yield Plan(gradient, gradient), held
        for cost in whole:
            if cost is not gradient and _holds(cost) == _holds(gradient):
                yield Plan(gradient, cost), held
    yield from _staged_plans(functions, parts, members)
    for gradient in whole:
        held = {} if _holds(gradient) else global_parameters(gradient.binding.function, members)
        forward = next((p for p in _forwards(parts, gradient)), None)
        if _holds(gradient) or held:
            yield Plan(gradient, None, forward), held


def _holds(p: Part) -> bool:
    numbered = any(t[0] in "Wb" and t[1:].isdigit() for t in p.binding.takes)
    return numbered or bool(p.binding.takes & {"parameters", "weights"})


def _staged(p: Part) -> bool:
    return bool(p.binding.takes & {"cache", "AL"})


def _forwards(parts: Sequence[Part], gradient: Part) -> Iterator[Part]:
    for p in parts:
        runs = not p.binding.missing and "X" in p.binding.takes and "Y" not in p.binding.takes and not _staged(p)
        if runs and (_holds(p) == _holds(gradient) or not _holds(gradient)):
            yield p


def _staged_plans(
    functions: Mapping[str, Any], parts: Sequence[Part], members: Mapping[str, Any]
) -> Iterator[tuple[Plan, Mapping[str, str]]]:
    """A forward pass, then a backward pass of what it left, and a cost of its output where there is one."""
    for forward in parts:
        if (
            forward.binding.missing
            or "X" not in forward.binding.takes
            or "Y" in forward.binding.takes
            or _staged(forward)
        ):
            continue
        held = {} if _holds(forward) else global_parameters(forward.binding.function, members)
        if not (_holds(forward) or held):
            continue
        extra = {n: (n,) for n in forward.returned if n is not None}
        seen = [part(n, functions[n], extra) for n in functions if n != forward.name and not _unlikely(n)]
        later = [p for p in seen if not p.binding.missing and _uses(p)]
        backward = [p for p in later if any(w in p.name.lower() for w in ("back", "grad", "deriv", "delta", "nabla"))]
        costs = [p for p in later if p not in backward and {"Y"} <= p.binding.takes]
        for gradient in backward:
            yield from ((Plan(gradient, cost, forward), held) for cost in costs)
            yield Plan(gradient, None, forward), held


def _unlikely(name: str) -> bool:
    return any(word in name.lower() for word in _NOT)


def _uses(p: Part) -> bool:
    return _staged(p) or any(t.startswith("=") for t in p.binding.takes)


def global_parameters(function: Callable[..., Any], members: Mapping[str, Any]) -> dict[str, str]:
    """W1, b1, … -> the module's globals that hold them and that the function, or what it calls, names."""
    space = getattr(function, "__globals__", {})
    used = globals_used([function])
    found = {n: named for n, v in space.items() if isinstance(v, np.ndarray) and n in used and (named := name_of((n,)))}
    numbers = [k for _, k in found.values() if k is not None]
    if not found or len(numbers) != len(found):
        return {}
    first = min(numbers)
    return {f"{letter}{(k or 0) - first + 1}": n for n, (letter, k) in found.items()}


def tried(
    plan: Plan, held: Mapping[str, str], members: Mapping[str, Any], name: str, reasons: dict[str, str]
) -> ModelFunctions | None:
    """An adapter of the plan in the first structure in which gradients are found; reasons: what went wrong elsewhere."""
    numbered = [int(t[1:]) for t in {*plan.takes, *held} if t[0] in "Wb" and t[1:].isdigit()]
    depths = (max(numbered),) if numbered else DEPTHS
    second: ModelFunctions | None = None
    candidates = list(_structures(plan, members))
    for (samples, targets, outputs), depth, structure in product(_variants(), depths, candidates):
        shallow = structure.text == "W, b"
        if shallow and depth != 1 and 1 in depths:
            continue
        adapter = ModelFunctions(plan, name, structure, samples=samples, targets=targets, globals_of=held)
        adapter.outputs = (1, 1) if outputs == 1 else (1, None)
        adapter.depths = (depth, depth) if numbered or shallow else (1, None)
        adapter.reader.returned = plan.gradient.returned
        good, runs = _layouts(adapter, depth, outputs, reasons)
        if good:
            return replace(adapter, layouts=tuple(good), reader=Reader(plan.gradient.returned))
        if runs and second is None:
            second = replace(adapter, layouts=tuple(runs), reader=Reader(plan.gradient.returned))
    return second


def _variants() -> Iterator[tuple[Samples, Targets, int]]:
    yield "batch", "one_hot", 2
    yield "batch", "labels", 2
    yield "batch", "one_hot", 1
    yield "column", "one_hot", 2
    yield "vector", "one_hot", 2
    yield "vector", "labels", 2
    yield "column", "one_hot", 1


def _structures(plan: Plan, members: Mapping[str, Any]) -> Iterator[Structure]:
    takes = plan.takes
    if "parameters" in takes:
        functions = [getattr(p.binding.function, "func", p.binding.function) for p in plan.parts]
        yield from structures(constants(reachable(functions)), members)
    elif "weights" in takes:
        yield Structure("weights, biases", lambda W, b: None)
        yield Structure("W, b", lambda W, b: None)
    else:
        yield Structure("W1, b1, W2, b2, ...", lambda W, b: None)


def _layouts(
    adapter: ModelFunctions, depth: int, outputs: int, reasons: dict[str, str]
) -> tuple[list[Layout], list[Layout]]:
    """The layouts in which gradients of all parameters are found in the right shapes, and those in which it merely runs."""
    good: list[Layout] = []
    runs: list[Layout] = []
    case = small_case(depth, outputs)
    if adapter.targets == "labels":
        case = replace(case, targets=np.eye(outputs)[:, np.arange(5) % outputs])
    for layout in LAYOUTS:
        try:
            with subject_code():
                _require_parameters(adapter, case, layout)
                if adapter.plan.cost is not None:
                    _require_loss(adapter, case, layout)
                if adapter.plan.forward is not None:
                    _require_output(adapter, case, layout)
                (good if adapter.learn(depth, layout) else runs).append(layout)
        except (SubjectError, Malformed) as error:
            message = error.problem.message if isinstance(error, Malformed) else error.message
            reasons.setdefault(message.partition(" in ")[0], message)
            if message.startswith(_ANOTHER_STRUCTURE) or "unpack" in message:
                break
    return good, runs


def _require_parameters(adapter: ModelFunctions, case: Case, layout: Layout) -> None:
    """A function that names its parameters one by one takes just those of the layout."""
    named = {t for t in {*adapter.plan.takes, *adapter.globals_of} if t[0] in "Wb" and t[1:].isdigit()}
    has_biases = layout.bias != "none" and not layout.folded
    wanted = set(subject_shapes(case.architecture, layout))
    if named and named != wanted:
        raise Malformed("missing", "parameters", f"it takes {', '.join(sorted(named))}")
    lists = adapter.plan.takes & {"weights", "biases"}
    if "weights" in lists and ("biases" in lists) != has_biases:
        raise Malformed(
            "missing", "biases", "it takes weights and biases" if "biases" in lists else "it takes weights only"
        )


def _require_loss(adapter: ModelFunctions, case: Case, layout: Layout) -> None:
    part = adapter.plan.cost
    assert part is not None
    result = adapter._run(part, next(adapter._each(adapter.call(case, layout))))
    whole = part is adapter.plan.gradient
    single = is_number(result) or (isinstance(result, np.ndarray) and result.size == 1)
    if not (has_number(result) if whole or isinstance(result, (tuple, list)) else single):
        raise Malformed("type", "loss", f"{part.name} returned no loss")
    if whole and is_number(result):
        raise Malformed("missing", "gradients", f"{part.name} returned a loss alone")


def _require_output(adapter: ModelFunctions, case: Case, layout: Layout) -> None:
    output = next(adapter._each(adapter.call(case, layout)))["AL"]
    samples = case.samples if adapter.samples == "batch" else 1
    if not fits(np.asarray(output), case.architecture.widths[-1], samples):
        raise Malformed("shape", "output", "its forward pass returned no array of outputs")
