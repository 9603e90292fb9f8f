"""Functions that are a whole network as an adapter: given parameters in the file's own structure, run, and their result read.

Which functions those are, and in which structure and layout they are called, is for `model_functions` to find out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.networks import Point
from gradcheck.numerics import Array
from gradcheck.subjects.failures import seeded
from gradcheck.subjects.function_scripts import function_script
from gradcheck.subjects.gradient_names import is_number
from gradcheck.subjects.gradient_reading import Reader
from gradcheck.subjects.layout import Layout, parameters_to_subject, subject_shapes
from gradcheck.subjects.model_calls import (
    LAYOUTS,
    Samples,
    Targets,
    handed_samples,
    loss_in,
    output_in,
    require_every_class,
    require_precision,
)
from gradcheck.subjects.model_plans import Part, Plan
from gradcheck.subjects.parameter_structures import Structure
from gradcheck.subjects.protocol import Call, Malformed, Offer, scalar
from gradcheck.subjects.samples import add_up
from gradcheck.subjects.script_text import by_depth
from gradcheck.subjects.source import ACTIVATION_WORDS, COST_WORDS, mentioned
from gradcheck.subjects.trial import labelled_case, small_case

NAME = "model_functions"


@dataclass(slots=True, eq=False)
class ModelFunctions:
    """Adapter around the functions of a plan; `globals_of`: names of module globals by parameter.

    counted: names that lost data would have given the number of samples. counts_classes: labels must hold every class.
    """

    plan: Plan
    name: str
    structure: Structure
    depths: tuple[int, int | None] = (1, None)
    samples: Samples = "batch"
    targets: Targets = "one_hot"
    layouts: tuple[Layout, ...] = LAYOUTS
    outputs: tuple[int, int | None] = (1, None)
    globals_of: Mapping[str, str] = field(default_factory=dict)
    counted: tuple[str, ...] = ()
    counts_classes: bool = False
    reader: Reader = field(default_factory=Reader)
    _offer: Offer | None = None
    _results: list[Any] = field(default_factory=list)

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
            declares_output=self.plan.gives_output,
            depths=self.depths,
            outputs=self.outputs,
            batch=self.samples == "batch",
            labels=self.targets == "labels",
            activations=mentioned(functions, ACTIVATION_WORDS),
            costs=mentioned(functions, COST_WORDS),
            notes=tuple(self._notes()),
            scripts=by_depth(self.depths, self._script),
        )

    def _script(self, depth: int) -> str | None:
        """The calls as text, as in `Offer.scripts`; None where the small network of this depth does not run."""
        layout = self.layouts[0]
        outputs = 1 if self.outputs[1] == 1 else 2
        case = labelled_case(depth, outputs) if self.targets == "labels" else small_case(depth, outputs)
        try:
            with seeded():
                return function_script(self, case, layout)
        except Exception:  # whatever the subject's code raises at this depth
            return None

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
        if self.counts_classes:
            require_every_class(case)
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

    def values_of(self, call: Call) -> dict[str, Any]:
        """Everything that a function may ask for with the first samples, and what the forward pass returned."""
        values = next(self._each(call))
        forward = self.plan.forward
        return values if forward is None else {**values, "forward result": self._results[-1]}

    def run(self, part: Part, values: Mapping[str, Any]) -> Any:
        """One of the functions."""
        return self._run(part, values)

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
        self._results = [result]
        case = call.case
        named = {}
        if isinstance(result, (tuple, list)) and len(forward.returned) == len(result):
            named = {f"={n}": item for n, item in zip(forward.returned, result, strict=True) if n}
        if not self.plan.gives_output:
            rest = [item for item in result if not is_number(item)] if isinstance(result, (tuple, list)) else [result]
            return {"cache": rest[0] if len(rest) == 1 else tuple(rest), **named}
        m = case.samples if self.samples == "batch" else 1
        output = output_in(result, forward.returned, case.architecture.widths[-1], m, case.architecture.depth)
        found: dict[str, Any] = {
            "AL": output,
            "cache": result,
            "result": result if isinstance(result, Mapping) else output,
        }
        if isinstance(result, (tuple, list)) and len(result) == 2:
            found["cache"] = result[1] if result[0] is output else result[0] if result[1] is output else result
        return found | named

    def _run(self, part: Part, values: Mapping[str, Any]) -> Any:
        if not (self.globals_of or self.counted):
            return part.binding(values)
        space = getattr(part.binding.function, "func", part.binding.function).__globals__
        before = {n: space[n] for n in self.globals_of.values()}
        space.update({own: values[n] for n, own in self.globals_of.items() if n in values})
        space.update(dict.fromkeys(self.counted, values["samples"] if self.samples == "batch" else 1))
        try:
            return part.binding(values)
        finally:
            space.update(before)
            for n in self.counted:
                space.pop(n, None)
