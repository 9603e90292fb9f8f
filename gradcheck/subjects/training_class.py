"""A class whose training method applies gradient descent, as an adapter: one step is run, and its gradient read off the update.

Which class and which methods those are is for `training` to find out.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.networks import Case, Point
from gradcheck.numerics import Array
from gradcheck.subjects.binding import bind, meaning_of
from gradcheck.subjects.class_scripts import RATE, network, update
from gradcheck.subjects.failures import seeded, subject_code
from gradcheck.subjects.layer_trial import ETAS, RATES
from gradcheck.subjects.layout import (
    Layout,
    parameters_to_subject,
    samples_to_subject,
    subject_shapes,
)
from gradcheck.subjects.loop_objects import Given, constructor_of, made
from gradcheck.subjects.loop_words import MEANING, OF_CONSTRUCTOR
from gradcheck.subjects.model_calls import LAYOUTS
from gradcheck.subjects.placement import fixed_widths, placed, widen
from gradcheck.subjects.protocol import Call, Malformed, Offer
from gradcheck.subjects.sample_order import moved, one_after_another, samples_of
from gradcheck.subjects.script_text import by_depth, definitions, expressions
from gradcheck.subjects.source import ACTIVATION_WORDS, mentioned
from gradcheck.subjects.spellings import Place, get, numbers_in
from gradcheck.subjects.trial import magnified, small_case
from gradcheck.subjects.updates import Step, require_plain, rounding_of_step

NAME = "training"


@dataclass(slots=True, eq=False)
class Training:
    """Adapter around the class; train, output_method: names of its methods. single: it updates after each sample."""

    network: type
    train: str
    name: str
    depth: int
    output_method: str | None = None
    widths: tuple[int, ...] | None = None
    layouts: tuple[Layout, ...] = LAYOUTS
    single: bool = False
    turned: bool = False
    _places: dict[tuple[int, Layout], dict[str, Place]] = field(default_factory=dict)

    @property
    def offer(self) -> Offer:
        """Everything is fixed by the file."""
        widths = self.widths
        deep = bool(bind(self.network, OF_CONSTRUCTOR).takes & {"sizes", "hiddens"})
        methods = [f for _, f in inspect.getmembers(self.network, inspect.isfunction)]
        one = ", one sample a call" if self.single else ""
        return Offer(
            self.name,
            NAME,
            layouts=self.layouts,
            told_activations=False,
            told_cost=False,
            takes_l2=False,
            declares_cost=False,
            declares_output=self.output_method is not None,
            depths=(1, None) if deep and widths is None else (self.depth, self.depth),
            outputs=(widths[-1], widths[-1]) if widths else (1, None),
            activations=mentioned(methods, ACTIVATION_WORDS),
            widths=widths,
            batch=not self.single,
            notes=(
                f"checked: {self.network.__name__}.{self.train}; gradients recovered from its update of the weights{one}",
            ),
            scripts=by_depth((1, None) if deep and widths is None else (self.depth, self.depth), self._script),
        )

    def _script(self, depth: int) -> str | None:
        """The calls as text, as in `Offer.scripts`, where there is an output that the cost can be recognised by."""
        constructor = constructor_of(self.network)
        if self.output_method is None or self.single or constructor.takes & {"X", "y"}:
            return None
        case, layout = small_case(depth, 2, self.widths), self.layouts[0]
        with seeded():
            net, places = self._prepared(case, layout)
        words = {**expressions("batch", "one_hot"), "y": "y", "rate": RATE, "X too": "x", "y too": "y"}
        method = bind(getattr(net, self.train), MEANING)
        known = [(h, n, m) for h, n, v in numbers_in(net) if (m := _number(n, v)) is not None and m not in method.takes]
        if any(h is not net for h, _, _ in known):
            return None
        numbers = [(n, m) for _, n, m in known]
        setup = ["net = made(subject, W, b)"]
        setup += [f"net.{n} = {words[m]}" for n, m in numbers if m != "rate"]
        adjustable = "rate" in method.takes or any(m == "rate" for _, m in numbers)
        calls = [method.text(f"net.{self.train}", words)]
        gradient = update(net, places, words, calls, ETAS[0] if adjustable else 1.0)
        output = [*setup, f"return net.{self.output_method}(x)" + (".T" if self.turned else "")]
        parts = [
            network(self.network.__name__, constructor, net, places, words),
            definitions("gradient", [*setup, *gradient], "batch"),
            definitions("output", output, "batch", "subject, W, b, x"),
        ]
        return "\n".join(parts)

    def fit_sizes(self) -> bool:
        """Whether it can be made at this depth; sizes that the file fixes are kept as they are."""
        asked = (*(6, 4, 3, 2)[: self.depth], 2)
        found = fixed_widths(self._made(asked, small_case(self.depth, 2, asked), LAYOUTS[0]))
        if found is not None and found != asked:
            self.widths, self.depth = found, len(found) - 1
        return found is not None

    def _given(self, case: Case, layout: Layout, rate: float) -> Given:
        x, y = (samples_to_subject(a, layout, case.dtype) for a in (case.inputs, case.targets))
        return Given(x, y, case.samples, case.architecture.widths, rate)

    def _made(self, widths: tuple[int, ...], case: Case, layout: Layout) -> Any:
        """A new network of these sizes, or of its own."""
        net = made(self.network, {**self._given(case, layout, ETAS[0]).values, "rate": ETAS[0]})
        widen(net)
        return net

    def call(self, point: Point, layout: Layout) -> Call:
        """The samples; the network is made anew for every evaluation, because training writes to it."""
        call = Call(point, layout, {})
        given = self._given(call.case, layout, ETAS[0])
        call.arrays.update(X=given.x, y=given.y)
        return call

    def value(self, call: Call) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def output(self, call: Call) -> Array:
        """The outputs of the network, as the layout has samples."""
        assert self.output_method is not None, "only asked for where there is one"
        columns = []
        for case in self._cases(call.case):
            net, _ = self._prepared(case, call.layout)
            x = self._given(case, call.layout, ETAS[0]).x
            columns.append(np.asarray(getattr(net, self.output_method)(x)))
        if not self.single:
            return columns[0].T if self.turned else columns[0]
        joined = np.hstack([c.reshape(call.case.architecture.widths[-1], 1) for c in columns])
        return joined.T if call.layout.samples == "rows" else joined

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """The step divided by a finite rate, at which an error of the order of the rate (weights that are updated before the
        recursion uses them) stands out; the rounding of the weights is part of the claim's error."""
        step = self.step(call.case, call.layout, ETAS[0])
        sizes = {n: float(np.max(np.abs(a), initial=0.0)) for n, a in call.case.parameters.items()}
        call.rest["error"] = rounding_of_step(step, sizes, call.case.dtype)
        return step.gradient

    def runs(self, layout: Layout, failures: list[SubjectError | Malformed]) -> bool:
        """Whether a step runs in a layout and moves every parameter."""
        case = small_case(self.depth, 2, self.widths)
        try:
            with subject_code():
                change = self.step(case, layout, ETAS[0]).displacement
        except (SubjectError, Malformed) as error:
            failures.append(error)
            return False
        still = [n for n, d in change.items() if not np.any(d)]
        if still:
            failures.append(SubjectError("contract", f"one step does not move {', '.join(still)}"))
        return not still

    def learn(self, layout: Layout, outputs: Sequence[str]) -> None:
        """Find out whether samples are taken one after another, and which of these methods gives the outputs.

        Raises SubjectError where the update is that of an optimiser.
        """
        case = small_case(self.depth, 2, self.widths)
        self.single = one_after_another(lambda c: self.step(c, layout, ETAS[0]), case, layout)
        self.output_method = next((m for m in outputs if self._gives_outputs(m, case, layout)), None)
        case = small_case(self.depth, 2, self.widths, samples=1 if self.single else 5)

        def step(rate: float, repeat: int, factor: float) -> Step:
            return self.step(magnified(case, factor, labels=False), layout, rate, repeat)

        require_plain(step, lambda displacement: self.step(moved(case, displacement, layout), layout, ETAS[0]))

    def _gives_outputs(self, method: str, case: Case, layout: Layout) -> bool:
        """Whether a method gives them, and whether they come with samples where the inputs have them."""
        n, m = case.architecture.widths[-1], case.samples
        expected = (m, n) if layout.samples == "rows" else (n, m)
        self.output_method, self.turned = method, False
        try:
            with subject_code():
                value = self.output(self.call(case, layout))
        except (SubjectError, Malformed):
            return False
        self.turned = value.shape == expected[::-1] and m != n
        flat = value.ndim == 1 and n == 1 and value.size == m
        return value.dtype.kind == "f" and (value.shape in (expected, expected[::-1]) or flat)

    def step(self, case: Case, layout: Layout, rate: float, repeat: int = 1) -> Step:
        """What `repeat` steps change, sample by sample and added up where it takes them so."""
        total: dict[str, Array] = {}
        adjustable = False
        for one in self._cases(case):
            net, places = self._prepared(one, layout)
            method = bind(getattr(net, self.train), MEANING)
            adjustable = self._set_numbers(net, method.takes, rate, repeat, one.samples) or "rate" in method.takes
            before = {n: np.array(get(net, p)) for n, p in places.items()}
            counted = "one" in method.takes or self._counts(net)
            for _ in range(1 if counted else repeat):
                method({**self._given(one, layout, rate).values, "one": repeat})
            change = {n: before[n] - np.asarray(get(net, p)) for n, p in places.items()}
            total = {n: total.get(n, 0.0) + d for n, d in change.items()}
        return Step(total, rate if adjustable else 1.0, adjustable)

    def _counts(self, net: Any) -> bool:
        return any(_number(n, v) == "one" for _, n, v in numbers_in(net))

    def _set_numbers(self, net: Any, taken: frozenset[str], rate: float, repeat: int, samples: int) -> bool:
        """Give the object's own rate, passes and batch their values; whether it has a rate of its own."""
        values = {"rate": rate, "one": repeat, "batch": samples, "shuffle": False}
        adjustable = False
        for holder, name, value in list(numbers_in(net)):
            meaning = _number(name, value)
            if meaning in values and meaning not in taken:
                setattr(holder, name, values[meaning])
                adjustable |= meaning == "rate"
        return adjustable

    def _cases(self, case: Case) -> list[Case]:
        return [samples_of(case, [s]) for s in range(case.samples)] if self.single else [case]

    def _prepared(self, case: Case, layout: Layout) -> tuple[Any, dict[str, Place]]:
        """A network that holds the case's parameters, and where they are: found once, on widths that are all different."""
        depth = case.architecture.depth
        if (depth, layout) not in self._places:
            distinct = small_case(depth, 2, self.widths)
            net = self._made(distinct.architecture.widths, distinct, layout)
            self._places[depth, layout] = placed(net, subject_shapes(distinct.architecture, layout))
        places = self._places[depth, layout]
        net = self._made(case.architecture.widths, case, layout)
        weights, biases = parameters_to_subject(case, layout)
        values = {f"W{k}": w for k, w in enumerate(weights, 1)} | {f"b{k}": b for k, b in enumerate(biases or [], 1)}
        for name, place in places.items():
            held = get(net, place)
            if np.shape(held) != values[name].shape:
                msg = f"its {'.'.join(place)} has shape {np.shape(held)}, not {values[name].shape}"
                raise Malformed("shape", name, msg)
            np.copyto(held, values[name])
        return net, places


def _number(name: str, value: Any) -> str | None:
    """What a number (or a switch) of the object means."""
    if not isinstance(value, (int, float)):
        return None
    passes = tuple(n for n in MEANING["one"] if n != "n")
    words = {"rate": RATES, "one": passes, "batch": MEANING["batch"], "shuffle": MEANING["shuffle"]}
    meaning = meaning_of(name, words)
    return meaning if meaning in ("rate", None) or isinstance(value, int) else None
