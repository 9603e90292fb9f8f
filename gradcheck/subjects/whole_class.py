"""A class that is a whole network as an adapter: made, given parameters, run, and its gradients read.

Which class that is, and in which way it is called, is for `model_object` to find out.
"""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradcheck.networks import Case, Point
from gradcheck.numerics import Array
from gradcheck.subjects.binding import Binding
from gradcheck.subjects.class_scripts import RATE, network, update
from gradcheck.subjects.failures import seeded
from gradcheck.subjects.gradient_reading import Reader, as_subtracted
from gradcheck.subjects.layer_trial import ETAS, RATES
from gradcheck.subjects.layout import Layout, gradient_to_trusted, parameters_to_subject, subject_shapes
from gradcheck.subjects.model_calls import (
    LAYOUTS,
    Samples,
    Targets,
    handed_samples,
    loss_in,
    output_in,
    require_precision,
)
from gradcheck.subjects.placement import placed, widen
from gradcheck.subjects.protocol import Call, Malformed, Offer, scalar
from gradcheck.subjects.samples import add_up
from gradcheck.subjects.script_text import attribute, by_depth, definitions, expressions, helpers, listed, place_of
from gradcheck.subjects.source import ACTIVATION_WORDS, COST_WORDS, mentioned
from gradcheck.subjects.spellings import Place, find_gradient, get, numbers_in
from gradcheck.subjects.trial import magnified, small_case
from gradcheck.subjects.updates import Step, require_plain, rounding_of_step

NAME = "model_object"
FORWARD = (
    "forward", "forward_propagation", "forward_pass", "forward_prop", "feedforward", "feed_forward", "forwardprop",
    "propagate", "predict_proba", "predict", "think", "query", "__call__", "f", "run", "activate", "compute_output",
)  # fmt: skip
COST = (
    "loss", "compute_loss", "cost", "compute_cost", "cost_function", "loss_function", "calculate_loss", "calculate_cost",
    "get_loss", "get_cost", "J", "error", "objective",
)  # fmt: skip
WHOLE = (
    "gradient", "gradients", "grad", "grads", "compute_gradients", "compute_gradient", "get_gradients", "compute_grads",
    "loss_and_grad", "loss_and_grads", "loss_and_gradients", "loss_and_gradient", "cost_and_gradient", "cost_and_grad",
    "value_and_grad", "cost_function_prime", "loss_prime", "cost_prime", "forward_backward", "loss", "train_step", "step",
)  # fmt: skip
BACKWARD = (
    "backward", "backward_propagation", "backward_pass", "backward_prop", "backprop", "back_propagation", "backpropagation",
    "back_prop", "backpropagate", "back_propagate", "backwardprop", "bprop", *WHOLE,
)  # fmt: skip
UPDATE = (
    "update",
    "update_parameters",
    "update_params",
    "update_weights",
    "apply_gradients",
    "optimize",
    "gradient_descent",
)


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """A method by name, how it is called, and the names of what it returns."""

    name: str
    binding: Binding
    returned: tuple[str | None, ...]

    def text(self, words: Mapping[str, str]) -> str:
        """The call as Python text."""
        return self.binding.text(f"net.{self.name}", words)

    def __call__(self, net: Any, values: Mapping[str, Any]) -> Any:
        bound = replace(self.binding, function=getattr(net, self.name))
        return bound(values)


@dataclass(slots=True, eq=False)
class ModelObject:
    """Adapter around a class. `constructor` makes networks; `gradient` is preceded by `forward` where there is one."""

    cls: type
    constructor: Binding
    name: str
    gradient_method: Method
    forward: Method | None = None
    cost: Method | None = None
    update: Method | None = None
    widths: tuple[int, ...] | None = None
    depths: tuple[int, int | None] = (1, None)
    samples: Samples = "batch"
    targets: Targets = "one_hot"
    layouts: tuple[Layout, ...] = LAYOUTS
    outputs: tuple[int, int | None] = (1, None)
    reading: str = ""
    reader: Reader = field(default_factory=Reader)
    _offer: Offer | None = None
    _places: dict[tuple[int, Layout], dict[str, Place]] = field(default_factory=dict)
    _gradients: dict[tuple[int, Layout], dict[str, Place]] = field(default_factory=dict)

    @property
    def offer(self) -> Offer:
        """What was found out, put together once."""
        if self._offer is None:
            self._offer = self._offered()
        return self._offer

    def _offered(self) -> Offer:
        """Fixed activations and cost, and perhaps sizes."""
        methods = [f for _, f in inspect.getmembers(self.cls, inspect.isfunction)]
        return Offer(
            self.name,
            NAME,
            layouts=self.layouts,
            told_activations=False,
            told_cost=False,
            takes_l2="l2" in self.constructor.takes or any("lambd" in m.binding.takes for m in self._methods),
            declares_cost=self.cost is not None,
            declares_output=self.forward is not None,
            depths=self.depths,
            outputs=self.outputs,
            widths=self.widths,
            batch=self.samples == "batch",
            labels=self.targets == "labels",
            activations=mentioned(methods, ACTIVATION_WORDS),
            costs=mentioned(methods, COST_WORDS),
            notes=tuple(self._notes()),
            scripts=by_depth(self.depths, self._script),
        )

    def _script(self, depth: int) -> str | None:
        """The calls as text, as in `Offer.scripts`; None where the small network of this depth does not run."""
        try:
            with seeded():
                return self._script_at(self.trial_case(depth), self.layouts[0])
        except Exception:  # whatever the subject's code raises at this depth
            return None

    def _script_at(self, case: Case, layout: Layout) -> str | None:
        words = {**expressions(self.samples, self.targets), "rate": RATE}
        net, places = self.prepared(case, layout)
        made = network(self.cls.__name__, self.constructor, net, places, words)
        setup = ["net = made(subject, W, b)"]
        if not self.reading.startswith("recovered"):
            self.learn(case.architecture.depth, layout)
        call = self.call(case, layout)
        a, t = next(self._each(call))
        values = self._values(net, call, a, t)
        if self.forward is not None:
            setup.append(f"r = {self.forward.text(words)}")
            r = values["forward result"]
            words |= {k: place for k in ("AL", "cache") if (place := place_of(values[k], r, "r")) is not None}
        found = self._gradient_lines(net, places, call, values, words)
        if found is None:
            return None
        parts = [helpers(self.samples, self.targets) + made, definitions("gradient", [*setup, *found], self.samples)]
        if self.cost is None:
            if self.forward is None or self.samples != "batch":
                return None
            lines = [*setup, f"return {words['AL']}"]
            return "\n".join([*parts, definitions("output", lines, "batch", "subject, W, b, x")])
        value = self.cost(net, values)
        loss = place_of(loss_in(value, self.cost.returned), value, "v")
        if loss is None:
            return None
        cost = [*setup, f"v = {self.cost.text(words)}", f"return {loss}"]
        return "\n".join([*parts, definitions("cost", cost, self.samples)])

    def _gradient_lines(
        self, net: Any, places: Mapping[str, Place], call: Call, values: Mapping[str, Any], words: Mapping[str, str]
    ) -> list[str] | None:
        """Statements that call the backward method and return what it gave, stored or changed."""
        case, layout = call.case, call.layout
        line = f"g = {self.gradient_method.text(words)}"
        if self.reading.startswith("recovered"):
            adjustable = self._set_rate(net, ETAS[0])
            applied = [self.update.text(words)] if self.update else []
            return update(net, places, words, [line, *applied], ETAS[0] if adjustable else 1.0)
        result = self.gradient_method(net, values)
        if self.reading == "returned":
            self.reader.learn(result, case, layout)
            texts = self.reader.texts(result, case, layout, "g")
        else:
            stored = self._gradients[case.architecture.depth, layout]
            texts = {n: attribute(net, p, "net") for n, p in stored.items()}
        return [line, listed(list(texts), texts)] if texts else None

    def _notes(self) -> Iterator[str]:
        names = ", ".join(dict.fromkeys(m.name for m in self._methods))
        yield f"checked: {self.cls.__name__} with {names}; gradients {self.reading}"
        if self.samples != "batch":
            yield "one sample a call"

    @property
    def _methods(self) -> tuple[Method, ...]:
        return tuple(m for m in (self.forward, self.gradient_method, self.update, self.cost) if m is not None)

    def call(self, point: Point, layout: Layout) -> Call:
        """The samples, and a network that holds the case's parameters."""
        call = Call(point, layout, {})
        net, places = self.prepared(call.case, layout)
        call.arrays.update(handed_samples(call.case, layout, self.samples, self.targets))
        if not self.reading.startswith("recovered"):
            call.arrays.update({n: get(net, p) for n, p in places.items()})
        call.rest["net"] = net
        return call

    def value(self, call: Call) -> Array:
        """The loss, added up over the samples where it takes one a call."""
        assert self.cost is not None, "only asked for where the cost is declared"
        total = np.zeros(())
        for a, t in self._each(call):
            net = self._net(call)
            values = self._values(net, call, a, t)
            loss = loss_in(self.cost(net, values), self.cost.returned)
            require_precision([values.get("AL")], call.case.dtype)
            require_precision([loss], call.case.dtype)
            total = total + scalar(loss)
        return total

    def output(self, call: Call) -> Array:
        """The outputs of the forward pass."""
        outputs = []
        for a, t in self._each(call):
            net = self._net(call)
            outputs.append(self._values(net, call, a, t)["AL"])
        require_precision(outputs, call.case.dtype)
        return (
            np.asarray(outputs[0]) if self.samples == "batch" else np.hstack([np.reshape(a, (-1, 1)) for a in outputs])
        )

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """Forward, backward, and the gradients from where they are left; an update is measured at a finite rate."""
        self._require_learnt(call)
        if not self.reading.startswith("recovered"):
            each = list(self._each(call))
            return add_up(lambda s: self._pulled(call, *each[s]), len(each))
        total = self.step(call, ETAS[0])
        sizes = {n: float(np.max(np.abs(a), initial=0.0)) for n, a in call.case.parameters.items()}
        call.rest["error"] = rounding_of_step(total, sizes, call.case.dtype)
        return total.gradient

    def require_plain_descent(self, depth: int, layout: Layout) -> None:
        """Raise SubjectError where the update is that of an optimiser, from which no gradient can be read."""
        case = self.trial_case(depth, 5 if self.samples == "batch" else 1)

        def step(rate: float, repeat: int, factor: float) -> Step:
            return self.step(self.call(magnified(case, factor, self.targets == "labels"), layout), rate, repeat)

        def fresh_after(displacement: Mapping[str, Array]) -> Step:
            moved = gradient_to_trusted(displacement, layout)
            at = case.at({n: a - moved.get(n, 0.0) for n, a in case.parameters.items()})
            return self.step(self.call(at, layout), ETAS[0])

        require_plain(step, fresh_after, ("W1",) if self.targets == "labels" else None)

    def step(self, call: Call, rate: float, repeat: int = 1) -> Step:
        """What `repeat` updates on one network change, sample by sample and added up."""
        total: dict[str, Array] = {}
        adjustable = False
        for a, t in self._each(call):
            net, places = self.prepared(call.case, call.layout)
            adjustable = self._set_rate(net, rate)
            before = {n: np.array(get(net, p)) for n, p in places.items()}
            for _ in range(repeat):
                self._run(net, call, a, t, rate)
            after = {n: np.asarray(get(net, p)) for n, p in places.items()}
            grown = next((n for n, a in after.items() if a.shape != before[n].shape), None)
            if grown is not None:
                msg = f"its update turns {grown} of shape {before[grown].shape} into one of {after[grown].shape}"
                raise Malformed("shape", grown, msg)
            change = {n: before[n] - a for n, a in after.items()}
            total = {n: total.get(n, 0.0) + c for n, c in change.items()}
        return Step(total, rate if adjustable else 1.0, adjustable)

    def _set_rate(self, net: Any, rate: float) -> bool:
        """Whether the rate can be chosen: an argument of the methods, or an attribute of the network."""
        if any("rate" in m.binding.takes for m in (self.gradient_method, self.update) if m is not None):
            return True
        own = next(((h, n) for h, n, _ in numbers_in(net) if n.lower().strip("_") in RATES), None)
        if own is not None:
            setattr(own[0], own[1], rate)
        return own is not None

    def _run(self, net: Any, call: Call, a: Any, t: Any, rate: float) -> Any:
        values = {**self._values(net, call, a, t), "rate": rate}
        call.between()
        result = self.gradient_method(net, values)
        if self.update is not None and self.reading.startswith("recovered"):
            self.update(net, {**values, "gradients": result})
        return result

    def _pulled(self, call: Call, a: Any, t: Any) -> Mapping[str, Any]:
        net = self._net(call)
        result = self._run(net, call, a, t, 0.0)
        if self.reading == "returned":
            found = self.reader.read(result, call.case, call.layout)
            require_precision(found.values(), call.case.dtype)
            return found
        places = self._gradients[call.case.architecture.depth, call.layout]
        shapes = subject_shapes(call.case.architecture, call.layout)
        stored = {n: as_subtracted(get(net, p), shapes[n]) for n, p in places.items()}
        require_precision(stored.values(), call.case.dtype)
        return stored

    def _values(self, net: Any, call: Call, a: Any, t: Any) -> dict[str, Any]:
        """Everything that a method may ask for; the forward pass has run on this network."""
        case = call.case
        values = {
            "X": a,
            "Y": t,
            "lambd": case.architecture.regularisation.strength,
            "rate": 0.0,
            "depth": case.architecture.depth,
            "samples": case.samples if self.samples == "batch" else 1,
            "sizes": list(case.architecture.widths),
            "one": 1,
        }
        if self.forward is None:
            return values
        result = self.forward(net, values)
        output = output_in(
            result, self.forward.returned, case.architecture.widths[-1], values["samples"], case.architecture.depth
        )
        cache = result
        if isinstance(result, (tuple, list)) and len(result) == 2:
            cache = result[1] if result[0] is output else result[0]
        whole = result if isinstance(result, Mapping) else output
        return {**values, "AL": output, "cache": cache, "result": whole, "forward result": result}

    def _each(self, call: Call) -> Iterator[tuple[Any, Any]]:
        x, y = call.arrays["X"], call.arrays["Y"]
        yield from [(x, y)] if self.samples == "batch" else zip(x, y, strict=True)

    def _net(self, call: Call) -> Any:
        """The observed network for the first evaluation, a new one after that: gradients may accumulate on purpose."""
        return call.rest.pop("net") if "net" in call.rest else self.prepared(call.case, call.layout)[0]

    def made(self, case: Case) -> Any:
        """A new network of the case's sizes, or of its own."""
        widths = list(self.widths or case.architecture.widths)
        sizes: dict[str, Any] = {"input": widths[0], "labels": widths[-1], "sizes": widths, "hiddens": widths[1:-1]}
        hidden = widths[min(1, len(widths) - 1)]
        strength = case.architecture.regularisation.strength
        net = self.constructor(
            {**sizes, "hidden": hidden, "rate": ETAS[0], "l2": strength, "dtype": np.dtype(case.dtype).type}
        )
        if case.dtype == "float64":
            widen(net)
        return net

    def prepared(self, case: Case, layout: Layout) -> tuple[Any, dict[str, Place]]:
        """A network that holds the case's parameters, and where they are."""
        net = self.made(case)
        depth = case.architecture.depth
        if (depth, layout) not in self._places:
            distinct = case if self.widths else small_case(depth, self._most_outputs)
            self._places[depth, layout] = placed(self.made(distinct), subject_shapes(distinct.architecture, layout))
        places = self._places[depth, layout]
        weights, biases = parameters_to_subject(case, layout)
        values = {f"W{k}": w for k, w in enumerate(weights, 1)} | {f"b{k}": b for k, b in enumerate(biases or [], 1)}
        for name, place in places.items():
            held = get(net, place)
            if np.shape(held) != values[name].shape:
                raise Malformed(
                    "shape", name, f"its {'.'.join(place)} has shape {np.shape(held)}, not {values[name].shape}"
                )
            np.copyto(held, values[name])
        return net, places

    @property
    def _most_outputs(self) -> int:
        return 1 if self.outputs[1] == 1 else 2

    def _require_learnt(self, call: Call) -> None:
        known = (call.case.architecture.depth, call.layout)
        if self.reading == "returned" and not self.reader.knows(call.case, call.layout):
            self.learn(known[0], known[1])
        if self.reading.startswith("stored") and known not in self._gradients:
            self.learn(known[0], known[1])

    def learn(self, depth: int, layout: Layout) -> bool:
        """Find out where the gradients are, on a small network of this depth; whether their shapes are right there."""
        case = self.trial_case(depth)
        call = self.call(case, layout)
        net, places = self.prepared(case, layout)
        before = {n: np.array(get(net, p)) for n, p in places.items()}
        held = [get(net, p) for p in places.values()]
        a, t = next(self._each(call))
        saved, self.update = self.update, None
        try:
            result = self._run(net, call, a, t, ETAS[0])
        finally:
            self.update = saved
        if any(not np.array_equal(before[n], np.asarray(get(net, p))) for n, p in places.items()):
            self.reading = "recovered from its update of the weights"
            return True
        self.reader.returned = self.gradient_method.returned
        reading = self.reader.learn(result, case, layout, held)
        if reading is not None and (reading.complete or self.reading in ("", "returned")):
            self.reading = "returned"
            return reading.complete
        return self._stored(net, places, depth, layout, case)

    def _stored(self, net: Any, places: Mapping[str, Place], depth: int, layout: Layout, case: Case) -> bool:
        found = {n: find_gradient(net, p) for n, p in places.items()}
        missing = [n for n, p in found.items() if p is None]
        if not missing:
            gradients = {n: p for n, p in found.items() if p is not None}
            self._gradients[depth, layout] = gradients
            self.reading = "stored on the object"
            shapes = subject_shapes(case.architecture, layout)
            return all(np.shape(as_subtracted(get(net, p), shapes[n])) == shapes[n] for n, p in gradients.items())
        if self.update is not None:
            self.reading = "recovered from its update of the weights"
            return True
        raise Malformed(
            "missing", "gradients", f"no gradients of {', '.join(missing)} were returned, stored or applied"
        )

    def trial_case(self, depth: int, samples: int = 5) -> Case:
        """A small network of distinct widths, or of the file's own."""
        case = small_case(depth, self._most_outputs, self.widths, samples)
        if self.targets == "labels":
            n = case.architecture.widths[-1]
            case = replace(case, targets=np.eye(n)[:, np.arange(samples) % n])
        return case
