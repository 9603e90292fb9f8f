"""One step of a training loop as an adapter: given samples and parameters, run, and its gradient read off the update.

Which loop that is, and at which sizes it runs, is for `training_script` to find out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.networks import Case, Point
from gradcheck.numerics import Array
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.layer_trial import ETAS
from gradcheck.subjects.layout import (
    Layout,
    parameters_to_subject,
    samples_to_subject,
    subject_shapes,
)
from gradcheck.subjects.loop_objects import Given
from gradcheck.subjects.loop_space import Data, space_of
from gradcheck.subjects.loop_watch import Watch
from gradcheck.subjects.model_calls import LAYOUTS, labels_of, one_class
from gradcheck.subjects.placement import placed
from gradcheck.subjects.protocol import Call, Malformed, Offer
from gradcheck.subjects.sample_order import moved, one_after_another, samples_of
from gradcheck.subjects.spellings import Place, get
from gradcheck.subjects.training_loops import Loop, Space, state
from gradcheck.subjects.trial import magnified, small_case
from gradcheck.subjects.updates import Step, require_plain, rounding_of_step

NAME = "training_script"


@dataclass(slots=True, eq=False)
class TrainingScript:
    """Adapter around one loop of a file. given: arguments of its function that are the parameters, by name."""

    loop: Loop
    members: Mapping[str, Any]
    data: Data
    name: str
    widths: tuple[int, ...] | None
    depth: int
    outputs: tuple[int, int | None] = (1, None)
    given: Mapping[str, str] = field(default_factory=dict)
    layouts: tuple[Layout, ...] = LAYOUTS
    shows_output: bool = True
    counts_classes: bool = False
    single: bool = False
    _places: dict[Layout, dict[str, Place]] = field(default_factory=dict)

    @property
    def offer(self) -> Offer:
        """Everything is fixed by the file."""
        return Offer(
            self.name,
            NAME,
            layouts=self.layouts,
            told_activations=False,
            told_cost=False,
            takes_l2=False,
            declares_cost=False,
            declares_output=self.shows_output,
            depths=(self.depth, self.depth),
            outputs=self.outputs,
            widths=self.widths,
            batch=not self.single,
            labels=self.data.labels,
            notes=(
                f"{self.loop.where}: run one step at a time, gradients recovered from its update"
                + (", one sample a step" if self.single else ""),
            ),
        )

    def call(self, point: Point, layout: Layout) -> Call:
        """The samples; the loop's space is made anew for every evaluation, because a step writes to it."""
        call = Call(point, layout, {})
        x, y = self._samples(call.case, layout)
        call.arrays.update(X=x, y=y)
        return call

    def _samples(self, case: Case, layout: Layout) -> tuple[Array, Array]:
        x = samples_to_subject(case.inputs, layout, case.dtype)
        return x, labels_of(case.targets) if self.data.labels else samples_to_subject(case.targets, layout, case.dtype)

    def value(self, call: Call) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def output(self, call: Call) -> Array:
        """What the loop compares with its targets, at the moment when it first does."""
        columns = []
        for case in self._cases(call.case):
            seen = self.ran(case, call.layout, ETAS[0])[0].seen
            if seen is None:
                shape = (case.samples, case.architecture.widths[-1])
                raise Malformed("missing", "output", f"no outputs of shape {shape} meet {self.data.y} in the loop")
            n, m = case.architecture.widths[-1], case.samples
            value = seen[1].T if seen[1].shape == (m, n) and (call.layout.samples == "rows" or n != m) else seen[1]
            columns.append(value.reshape(n, m))
        joined = np.hstack(columns)
        return joined.T if call.layout.samples == "rows" else joined

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """The step divided by the rate; the rounding of the weights is part of the claim's error."""
        step = self.step(call.case, call.layout, ETAS[0])
        sizes = {n: float(np.max(np.abs(a), initial=0.0)) for n, a in call.case.parameters.items()}
        call.rest["error"] = rounding_of_step(step, sizes, call.case.dtype)
        return step.gradient

    def step(self, case: Case, layout: Layout, rate: float, repeat: int = 1) -> Step:
        """What the loop changes in `repeat` steps, sample by sample where it goes over samples."""
        total: dict[str, Array] = {}
        for one in self._cases(case):
            change = self.ran(one, layout, rate, repeat)[1]
            total = {n: total.get(n, 0.0) + c for n, c in change.items()}
        adjustable = self.data.rate is not None
        return Step(total, rate if adjustable else 1.0, adjustable)

    def ran(self, case: Case, layout: Layout, rate: float, repeat: int = 1) -> tuple[Watch, dict[str, Array]]:
        """What the last step compared with the targets, and how far each parameter moved."""
        values = _by_name(case, layout)
        if self.counts_classes and not np.all(case.targets.any(axis=1)):
            raise SubjectError(
                "unsupported", "it counts the classes among its labels: cases without all of them are left out"
            )
        space = self.prepared(case, layout, rate)
        held = state(space, self.loop.updated)
        places = self.places(layout)
        for n, place in places.items():
            if np.shape(get(held, place)) != values[n].shape:
                shape = np.shape(get(held, place))
                raise Malformed("shape", n, f"its {'.'.join(place)} has shape {shape}, not {values[n].shape}")
            np.copyto(get(held, place), values[n])
        shape = (case.samples, case.architecture.widths[-1])
        watch = Watch(shape)
        for _ in range(repeat):
            watch = self.loop.step(space, self.data.x, self.data.y, shape)
        held = state(space, self.loop.updated)
        return watch, {n: values[n] - np.asarray(get(held, place)) for n, place in places.items()}

    def places(self, layout: Layout) -> dict[str, Place]:
        """Where each parameter is, found once on a network whose widths are all different."""
        if layout not in self._places:
            case = self._trial(5)
            held = state(self.prepared(case, layout, ETAS[0]), self.loop.updated)
            shapes = subject_shapes(case.architecture, layout)
            given = {n: (p,) for p, n in self.given.items()}
            self._places[layout] = dict(given) if set(given) == set(shapes) else placed(held, shapes)
        return self._places[layout]

    def prepared(self, case: Case, layout: Layout, rate: float) -> Space:
        """Everything that the loop starts from, with the case's samples; arrays are copies."""
        x, y = self._samples(case, layout)
        values = _by_name(case, layout)
        own = {p: values[n] for p, n in self.given.items() if n in values}
        return space_of(
            self.loop, self.members, self.data, Given(x, y, case.samples, case.architecture.widths, rate, own)
        )

    def runs(self, layout: Layout, reasons: dict[str, None]) -> bool:
        """Whether a step runs in a layout and moves every parameter; whether an output was seen is kept."""
        case = self._trial(5)
        try:
            with subject_code():
                watch, change = self.ran(next(iter(self._cases(case))), layout, ETAS[0])
        except (SubjectError, Malformed) as error:
            reasons[error.problem.message if isinstance(error, Malformed) else error.message] = None
            return False
        still = [n for n, d in change.items() if not np.any(d)]
        if still:
            reasons[f"one step does not move {', '.join(still)}"] = None
            return False
        self.shows_output = watch.seen is not None
        return True

    def learn(self, layout: Layout) -> None:
        """Find out whether it takes one sample after another. Raises SubjectError where its update is an optimiser's."""
        self.single = one_after_another(lambda c: self.step(c, layout, ETAS[0]), self._trial(5), layout)
        if self.data.labels and self.widths is None:
            self._count_classes(layout)
        self._require_plain_descent(layout)

    def _count_classes(self, layout: Layout) -> None:
        """Find out whether the number of outputs is that of the classes among the labels: then two of them are checked."""
        case = self._trial(5)
        alike = one_class(case)
        try:
            with subject_code():
                self.ran(alike, layout, ETAS[0])
        except (SubjectError, Malformed):
            self.counts_classes, self.outputs = True, (2, 2)

    def _cases(self, case: Case) -> list[Case]:
        if not self.single:
            return [case]
        return [samples_of(case, [s]) for s in range(case.samples)]

    def _trial(self, samples: int) -> Case:
        case = small_case(self.depth, self.outputs[1] or 2, self.widths, samples)
        n = case.architecture.widths[-1]
        return replace(case, targets=np.eye(n)[:, np.arange(samples) % n]) if self.data.labels else case

    def _require_plain_descent(self, layout: Layout) -> None:
        """Raise SubjectError where the update is that of an optimiser."""
        case = self._trial(1 if self.single else 5)

        def step(rate: float, repeat: int, factor: float) -> Step:
            return self.step(magnified(case, factor, self.data.labels), layout, rate, repeat)

        def fresh_after(displacement: Mapping[str, Array]) -> Step:
            return self.step(moved(case, displacement, layout), layout, ETAS[0])

        require_plain(step, fresh_after, ("W1",) if self.data.labels else None)


def _by_name(case: Case, layout: Layout) -> dict[str, Array]:
    weights, biases = parameters_to_subject(case, layout)
    return {f"W{k}": w for k, w in enumerate(weights, 1)} | {f"b{k}": b for k, b in enumerate(biases or [], 1)}
