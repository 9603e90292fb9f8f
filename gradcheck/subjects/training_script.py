"""Convention `training_script`: a loop in a script, or in a free function, that trains and exposes nothing.

    for i in range(60000):                         one step of the loop is run on random samples and weights:
        l1 = sigmoid(X @ w1); l2 = sigmoid(l1 @ w2)        gradient = (weights before - weights after) / learning rate
        ...
        w2 += l1.T @ d2; w1 += X.T @ d1

The text of the file shows the loop, what it updates, and which variable it compares with the targets; a learning rate may be a
variable. A loop over samples is run with one sample at a time.
"""

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.networks import Case, Point
from gradcheck.numerics import Array
from gradcheck.subjects.binding import bind
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.flat_calls import SYNONYMS as SIZES
from gradcheck.subjects.layer_trial import ETAS, RATES
from gradcheck.subjects.layout import (
    Layout,
    gradient_to_trusted,
    parameters_to_subject,
    samples_to_subject,
    subject_shapes,
)
from gradcheck.subjects.loading import TREE
from gradcheck.subjects.match import Match
from gradcheck.subjects.model_calls import LAYOUTS, WORDS
from gradcheck.subjects.placement import fixed_widths, is_bias, parameters_in, placed
from gradcheck.subjects.protocol import Call, Malformed, Offer
from gradcheck.subjects.spellings import get
from gradcheck.subjects.training import MEANINGS
from gradcheck.subjects.training_loops import Loop, loops_of, output_name, state
from gradcheck.subjects.trial import small_case
from gradcheck.subjects.updates import Step, require_plain, rounding_of_step

NAME = "training_script"
TEMPLATE = """\
import numpy as np

X = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = np.array([[1.0], [1.0], [0.0]])
w = np.ones((2, 1))
for _ in range(1000):
    a = 1 / (1 + np.exp(-X @ w))
    w += X.T @ ((y - a) * a * (1 - a))
"""
CALL = "for ...: a = f(X @ w1) ...; w1 += ... (a loop of a script, or of a function without a result)"
Copy = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """The names of X and y in the loop's space, and the learning rate's where it has one."""

    x: str
    y: str
    rate: str | None


@dataclass(slots=True, eq=False)
class TrainingScript:
    """Adapter around one loop of a file."""

    loop: Loop
    members: Mapping[str, Any]
    samples: Samples
    name: str
    widths: tuple[int, ...] | None
    depth: int
    layouts: tuple[Layout, ...] = LAYOUTS

    @property
    def single(self) -> bool:
        """Whether the loop goes over samples, so that it gets one at a time."""
        return self.loop.over_samples({self.samples.x, self.samples.y})

    @property
    def offer(self) -> Offer:
        """Everything is fixed by the file."""
        where = f"the loop in line {self.loop.line}" + (f" of {self.loop.function}" if self.loop.function else "")
        return Offer(
            self.name,
            NAME,
            layouts=self.layouts,
            told_activations=False,
            told_cost=False,
            takes_l2=False,
            declares_cost=False,
            declares_output=True,
            depths=(self.depth, self.depth),
            outputs=(self.widths[-1],) * 2 if self.widths else (1, None),
            widths=self.widths,
            batch=not self.single,
            notes=(
                f"{where} was run one step at a time: gradients recovered from its update"
                + (", one sample a step" if self.single else ""),
            ),
        )

    def call(self, point: Point, layout: Layout) -> Call:
        """The samples; the loop's space is made anew for every evaluation, because a step writes to it."""
        call = Call(point, layout, {})
        x, y = (samples_to_subject(a, layout, call.case.dtype) for a in (call.case.inputs, call.case.targets))
        call.arrays.update(X=x, y=y)
        return call

    def value(self, call: Call) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def output(self, call: Call) -> Array:
        """The variable that the loop compares with its targets, as one step leaves it."""
        columns = []
        for case in self._cases(call.case):
            space, _ = self.ran(case, call.layout, ETAS[0])
            shape = (case.samples, case.architecture.widths[-1])
            found = output_name(self.loop, space, shape, self.samples.y)
            if found is None:
                raise Malformed("missing", "output", f"no outputs of shape {shape} meet {self.samples.y} in the loop")
            value = np.asarray(space[found], dtype=np.float64)
            columns.append((value.T if call.layout.samples == "rows" else value).reshape(shape[1], shape[0]))
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
            before, change = self.ran(one, layout, rate, repeat)
            del before
            total = {n: total.get(n, 0.0) + c for n, c in change.items()}
        return Step(total, rate if self.samples.rate else 1.0, self.samples.rate is not None)

    def ran(self, case: Case, layout: Layout, rate: float, repeat: int = 1) -> tuple[dict[str, Any], dict[str, Array]]:
        """The loop's space after the steps, and how far each parameter moved."""
        space = self.prepared(case, layout, rate)
        held = state(space, self.loop.updated)
        places = placed(held, subject_shapes(case.architecture, layout))
        weights, biases = parameters_to_subject(case, layout)
        values = {f"W{k}": w for k, w in enumerate(weights, 1)} | {f"b{k}": b for k, b in enumerate(biases or [], 1)}
        for n, place in places.items():
            np.copyto(get(held, place), values[n])
        for _ in range(repeat):
            self.loop.step(space)
        change = {n: values[n] - np.asarray(get(space, place)) for n, place in places.items()}
        return space, change

    def prepared(self, case: Case, layout: Layout, rate: float) -> dict[str, Any]:
        """Everything that the loop starts from, with the case's samples; arrays are copies."""
        x, y = (samples_to_subject(a, layout, case.dtype) for a in (case.inputs, case.targets))
        return space_of(self.loop, self.members, self.samples, (x, y), case.architecture.widths, rate)

    def _cases(self, case: Case) -> list[Case]:
        if not self.single:
            return [case]
        columns = range(case.samples)
        return [replace(case, inputs=case.inputs[:, [s]], targets=case.targets[:, [s]]) for s in columns]

    def require_plain_descent(self, layout: Layout) -> None:
        """Raise SubjectError where the update is that of an optimiser."""
        case = small_case(self.depth, 2, self.widths, samples=1 if self.single else 5)

        def step(rate: float, repeat: int, factor: float) -> Step:
            return self.step(replace(case, targets=factor * case.targets), layout, rate, repeat)

        def fresh_after(displacement: Mapping[str, Array]) -> Step:
            moved = gradient_to_trusted(displacement, layout)
            return self.step(case.at({n: a - moved.get(n, 0.0) for n, a in case.parameters.items()}), layout, ETAS[0])

        require_plain(step, fresh_after)


def space_of(
    loop: Loop,
    members: Mapping[str, Any],
    samples: Samples,
    xy: tuple[Array, Array],
    widths: tuple[int, ...],
    rate: float,
) -> dict[str, Any]:
    """The names that the loop sees, after a function's statements before it, or those of a script that depend on X and y."""
    space = {n: _copied(v) for n, v in members.items()}
    named: dict[str, Any] = {samples.x: xy[0].copy(), samples.y: xy[1].copy()}
    named |= {samples.rate: rate} if samples.rate else {}
    if not loop.function:
        space.update(named)
        loop.rerun(space, (samples.x, samples.y), loop.updated | set(named))
        return space
    binding = bind(members[loop.function], _MEANINGS)
    sizes = {"input": widths[0], "labels": widths[-1], "sizes": list(widths), "hiddens": list(widths[1:-1])}
    values = {
        **sizes,
        "hidden": widths[min(1, len(widths) - 1)],
        "X": xy[0].copy(),
        "y": xy[1].copy(),
        "rate": rate,
        "one": 1,
    }
    signature = inspect.signature(members[loop.function])
    defaults = {n: p.default for n, p in signature.parameters.items() if p.default is not p.empty}
    space.update({**_copied(defaults), **{n: values[m] for n, m in binding.keywords.items() if m in values}})
    space.update({n: v for n, v in named.items() if n in (samples.x, samples.y) or n not in space})
    loop.prepare(space)
    space.update({samples.rate: rate} if samples.rate else {})
    return space


_MEANINGS = {
    **{m: SIZES[m] for m in ("input", "labels", "sizes", "hiddens")},
    "hidden": (
        *SIZES["hidden"],
        "hidden",
        "nn_hdim",
        "n_h",
        "hidden_nodes",
        "num_hidden_units",
        "hidden_neurons",
        "nhidden",
    ),
    "rate": MEANINGS["rate"],
    "one": (*MEANINGS["one"], "num_passes", "n_epoch", "steps", "max_iter", "iteration", "nb_epochs"),
    "X": tuple(dict.fromkeys((*MEANINGS["X"], *WORDS["X"]))),
    "y": tuple(dict.fromkeys((*MEANINGS["y"], *WORDS["Y"]))),
}


def _copied(value: Any) -> Any:
    """A copy of arrays, and of lists and dicts of them; anything else is the same object."""
    if isinstance(value, np.ndarray):
        return value.astype(np.float64) if value.dtype.kind == "f" else value.copy()
    if isinstance(value, dict):
        return {k: _copied(v) for k, v in value.items()}
    return [_copied(v) for v in value] if isinstance(value, list) else value


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by a loop that updates parameters and compares an output with targets."""
    path = members.get("__file__")
    lacks: list[str] = []
    for loop in loops_of(Path(path), members.get(TREE)) if path else ():
        where = f"the loop in line {loop.line}"
        try:
            with subject_code():
                adapter = _tried(loop, members, name)
        except (SubjectError, Malformed) as error:
            lacks.append(f"{where}: {error.problem.message if isinstance(error, Malformed) else error.message}")
            continue
        if isinstance(adapter, TrainingScript):
            return Match(NAME, adapter, found=(where,))
        lacks.append(f"{where}: {adapter}")
    wanted = "a loop that updates weights from X and y"
    return Match(NAME, None, tuple(lacks[:3]) or (wanted,), tuple(line.partition(":")[0] for line in lacks[:3]))


def _tried(loop: Loop, members: Mapping[str, Any], name: str) -> TrainingScript | str:
    samples = _samples(loop, members)
    if samples is None:
        return "which arrays are X and y cannot be told from their names"
    shapes = [_shapes(loop, members, samples, widths) for widths in ((6, 4, 2), (5, 3, 4))]
    if shapes[0] is None:
        return "it updates nothing that is a parameter by its name"
    found, free = shapes[0], shapes[0] != shapes[1]
    depth = len(found) - 1
    adapter = TrainingScript(loop, members, samples, name, None if free else found, depth)
    reasons: dict[str, None] = {}
    good = [layout for layout in LAYOUTS if _runs(adapter, layout, reasons)]
    if not good:
        return next(iter(sorted(reasons, key=lambda r: r.startswith("it holds no"))), "no layout could be run")
    adapter.layouts = tuple(good)
    adapter.require_plain_descent(good[0])
    return adapter


def _runs(adapter: TrainingScript, layout: Layout, reasons: dict[str, None]) -> bool:
    """Whether a step runs, moves every parameter, and leaves an output."""
    case = small_case(adapter.depth, 2, adapter.widths)
    try:
        with subject_code():
            adapter.output(adapter.call(case, layout))
            step = adapter.step(case, layout, ETAS[0])
    except (SubjectError, Malformed) as error:
        reasons[error.problem.message if isinstance(error, Malformed) else error.message] = None
        return False
    still = [n for n, d in step.displacement.items() if not np.any(d)]
    if still:
        reasons[f"one step does not move {', '.join(still)}"] = None
    return not still


def _samples(loop: Loop, members: Mapping[str, Any]) -> Samples | None:
    """The names of X and y: of the function's arguments, else of the script's arrays."""
    if loop.function:
        binding = bind(members[loop.function], _MEANINGS) if callable(members.get(loop.function)) else None
        by_meaning = {m: n for n, m in reversed(list(binding.keywords.items()))} if binding else {}
        if binding is not None and binding.missing:
            return None
        x, y = by_meaning.get("X"), by_meaning.get("y")
        if x and y:
            return Samples(x, y, _rate(loop, members) or by_meaning.get("rate"))
    arrays = {n: v for n, v in members.items() if isinstance(v, np.ndarray) and v.ndim == 2 and n not in loop.updated}
    x, y = (next((n for n in words if n in arrays), None) for words in (_MEANINGS["X"], _MEANINGS["y"]))
    if x is None or y is None or x == y:
        return None
    return Samples(x, y, _rate(loop, members))


def _rate(loop: Loop, members: Mapping[str, Any]) -> str | None:
    used = {n.id for n in _walk(loop) if hasattr(n, "id")}
    numbers = {n for n in used if isinstance(members.get(n), (int, float)) and n.lower() in RATES}
    return next(iter(sorted(numbers)), None)


def _walk(loop: Loop) -> list[Any]:
    return list(ast.walk(loop.loop))


def _shapes(
    loop: Loop, members: Mapping[str, Any], samples: Samples, widths: tuple[int, ...]
) -> tuple[int, ...] | None:
    """The widths of the network that the loop updates when these are asked for; None where its arrays do not chain."""
    xy = (np.ones((5, widths[0])), np.ones((5, widths[-1])))
    try:
        with subject_code():
            held = state(space_of(loop, members, samples, xy, widths, ETAS[0]), loop.updated)
    except (SubjectError, Malformed):
        return None
    found = fixed_widths(held)
    matrices = [a.shape for p, a in parameters_in(held) if a.ndim == 2 and not is_bias(p)]
    return (
        found
        if found and (len(matrices) < 2 or any(a[1] == b[0] or a[0] == b[1] for a, b in pairwise(matrices)))
        else None
    )
