"""Broken promises about state: arguments written to, results that share memory, calls that differ when repeated.

Everything is compared byte by byte; only where bytes differ may two results of one call still agree to a few roundings
(a threaded matrix product). Each effect is reported at its root: an argument that was written to also changes the next
call with it, but that is not reported twice. It must not judge the values themselves.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.errors import FATAL, SubjectError
from gradcheck.networks import Case, OperationCase, Point
from gradcheck.numerics import Array
from gradcheck.subjects import arrangements
from gradcheck.subjects.claims import read_claim
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Adapter, Call, Effect, Malformed

_ROUNDINGS = 16  # what another order of summation may change in the last digits, in units of the dtype's epsilon
_ROUNDING_SAFETY = 1e3  # between what numbers moved in the last place do to a result, and what counts as another result
_JITTERS = 3
_COTANGENTS = ("dout", "cotangent")  # how the names of what the pullback is handed begin
_STEP, _GROSS = 1e-5, 1e-2  # of `_ignores_point`: a finite difference good to ten digits must disagree by a percent

Leaves = dict[str, Any]
Frozen = dict[str, tuple[str, tuple[int, ...], bytes]]


def observe(adapter: Adapter, point: Point, other: Point, layout: Layout) -> list[Effect]:
    """Every effect that evaluations at `point` and at `other` show.

    The points may have different shapes; one in the shapes of `point` is made here.
    Raises Malformed where the results cannot be read.
    """
    observer = _Observer(adapter, layout)
    effects = observer.mutation(point)
    effects += observer.aliasing(point)
    repeated = observer.repetition(point) or observer.interleaving(point, other)
    alike = companion(point)
    if not effects and not repeated:
        repeated = (
            observer.same_arguments(point)
            or observer.frozen(point, other)
            or observer.interleaving(point, alike)
            or observer.forward_between(point, alike)
            or observer.forward_between(point, other)
        )
    if not any(effect.kind == "accumulation" for effect in repeated):
        effects += observer.overwriting(point, other)
    if not effects and not repeated:
        effects += observer.writing(point) or observer.memory_order(point, alike)
    return list(dict.fromkeys(effects + repeated))


def companion(point: Point) -> Point:
    """Other numbers in the same shapes, near enough to be as harmless; targets stay as they are."""
    moved = point.at({n: 0.75 * a + 0.0625 for n, a in point.arguments.items()})
    return replace(moved, inputs=0.75 * moved.inputs + 0.0625) if isinstance(moved, Case) else moved


class _Observer:
    """The experiments, each on fresh arguments."""

    def __init__(self, adapter: Adapter, layout: Layout) -> None:
        self._adapter, self._layout, self._offer = adapter, layout, adapter.offer

    def mutation(self, point: Point) -> list[Effect]:
        """Arguments whose bytes, shape or length differ after the forward pass or after the gradient."""
        effects = []
        if self._has_value():
            effects += [Effect("mutation", f"{n} (by the forward pass)") for n in self._written(point, self._value)]
        known = {e.what.removesuffix(" (by the forward pass)") for e in effects}
        effects += [Effect("mutation", n) for n in self._written(point, self._gradient) if n not in known]
        return effects

    def aliasing(self, point: Point) -> list[Effect]:
        """Results that share memory with an argument or with one another.

        A cotangent handed on (``return dout``) is none: it belongs to the backward pass, which is done with it, and jax,
        autograd and torch hand it on too.
        """
        single = point if self._offer.batch else first_sample(point)
        call = self._call(single)
        handed = {n: a for n, a in leaves(call.arrays) if not n.startswith(_COTANGENTS)}
        results = dict(leaves(self._gradient(call, single)))
        passed_on = [a for n, a in leaves(call.arrays) if n.startswith(_COTANGENTS)]
        pairs = [(n, a) for n, g in results.items() for a, h in handed.items() if shares(g, h)]
        effects = [Effect("aliasing", f"the gradient of {n} shares memory with the argument {a}") for n, a in pairs]
        names = list(results)
        names = [n for n in names if not any(shares(results[n], d) for d in passed_on)]
        twins = [(n, k) for i, n in enumerate(names) for k in names[i + 1 :] if shares(results[n], results[k])]
        return effects + [Effect("aliasing", f"the gradients of {n} and {k} share memory") for n, k in twins]

    def repetition(self, point: Point) -> list[Effect]:
        """The same call three times, each with fresh arguments."""
        first, second, third = (self._results(point) for _ in range(3))
        changed = [n for n in first if not same(first[n], second.get(n)) or not same(first[n], third.get(n))]
        if changed and all(_grows(first[n], second.get(n), third.get(n)) for n in changed):
            return [Effect("accumulation", f"the {n} grows by the same amount at each call") for n in changed]
        return [Effect("nondeterminism", f"the {n} differs when the same call is repeated") for n in changed]

    def interleaving(self, point: Point, other: Point) -> list[Effect]:
        """A call at another point in between must change nothing."""
        before = self._results(point)
        self._results(other)
        after = self._results(point)
        changed = [n for n in before if not same(before[n], after.get(n))]
        return [Effect("stale_state", f"the {n} differs after a call at another point") for n in changed]

    def same_arguments(self, point: Point) -> list[Effect]:
        """The same call twice with the very same arguments (and the same object, where the convention has one)."""
        call = self._call(point)
        first = frozen_copy(self._gradient(call, point))
        second = frozen_copy(self._gradient(call, point))
        changed = [n for n in first if not same(first[n], second.get(n))]
        if changed and all(_doubles(first[n], second.get(n)) for n in changed):
            return [Effect("accumulation", f"the gradient of {n} is doubled by a second call") for n in changed]
        return [
            Effect("stale_state", f"the gradient of {n} differs at a second call on the same object") for n in changed
        ]

    def overwriting(self, point: Point, other: Point) -> list[Effect]:
        """The result of an earlier call must outlive a later one."""
        batch = self._offer.batch
        point, other = (p if batch else first_sample(p) for p in (point, other))
        results = dict(leaves(self._gradient(self._call(point), point)))
        before = freeze(results)
        self._gradients(other)
        after = freeze(results)
        what = "the gradient of {} is overwritten by the next call"
        return [Effect("aliasing", what.format(n)) for n in before if before[n] != after[n]]

    def frozen(self, point: Point, other: Point) -> list[Effect]:
        """The very same gradient at two points, while the cost has different slopes there."""
        if not isinstance(point, Case) or not self._offer.declares_cost or not isinstance(other, Case):
            return []
        first, second = self._gradients(point), self._gradients(other)
        if set(first) != set(second) or not all(freeze(first)[n] == freeze(second)[n] for n in first):
            return []
        slopes = [self._slope(p) for p in (point, other)]
        if not abs(slopes[0] - slopes[1]) > _GROSS * max(abs(s) for s in slopes):
            return []
        return [Effect("stale_state", "the gradient at a second point is exactly that at the first one")]

    def forward_between(self, point: Point, other: Point) -> list[Effect]:
        """Forward at `point`, forward at `other`, backward at `point`: the cache must still be that of `point`."""
        if not self._has_value():
            return []
        before = self._gradients(point)
        call = self._call(point)
        call.rest["between"] = lambda: self._value(self._call(other), other)
        self._value(self._call(other), other)
        what = (
            "the gradient of {} is another one after a forward pass at other values: it rests on the last forward pass"
        )
        try:
            after = frozen_copy(self._gradient(call, point))
        except SubjectError as error:
            if error.kind in FATAL:
                raise
            self._gradients(point)  # without another forward pass in between it must still run
            why = "the gradient raises after a forward pass at other values: it rests on the last forward pass"
            return [Effect("stale_state", f"{why} ({error.message})")]
        return [Effect("stale_state", what.format(n)) for n in before if not same(before[n], after.get(n))]

    def writing(self, point: Point) -> list[Effect]:
        """A write that numpy refuses on a read-only array, and that changes it somewhere: at smaller or larger numbers."""
        call = self._call(point)
        call.rest["arranged"] = True
        arrangements.rearrange(call.arrays, arrangements.read_only, arrangements.names_of(call.arrays))
        try:
            if self._has_value():
                self._value(call, point)
            self._gradient(call, point)
        except SubjectError as error:
            if "read-only" not in error.message or "buffer source" in error.message:
                return []
            return self._written_somewhere(point, error.message)
        return []

    def _written_somewhere(self, point: Point, message: str) -> list[Effect]:
        for factor in (-1.0, 100.0, 0.01):
            try:
                found = self.mutation(_scaled(point, factor))
            except SubjectError:
                continue
            if found:
                return [Effect("mutation", f"{e.what} (where its numbers are others; {message})") for e in found]
        return []

    def memory_order(self, point: Point, alike: Point) -> list[Effect]:
        """What shows at other numbers too: at one point the order of a sum may decide on which side of a kink it lies."""
        for look in (self.arrangement, self.stride_zero):
            found = look(point)
            if found:
                return found if look(alike) else []
        return []

    def arrangement(self, point: Point) -> list[Effect]:
        """The same numbers in another order of memory must give the same answer."""
        plain = self._results(point)
        for words, how in arrangements.ARRANGEMENTS.items():
            names = arrangements.names_of(self._call(point).arrays)
            changed = self._changed(point, plain, how, names)
            if changed:
                culprits = [n for n in names if self._changed(point, plain, how, [n])] or names
                return [
                    Effect("memory_order", f"the {n} is another one when {', '.join(culprits)} is {words}")
                    for n in changed
                ]
        return []

    def stride_zero(self, point: Point) -> list[Effect]:
        """Equal rows must give the same answer whether each has memory of its own or all share one."""
        for name in arrangements.names_of(self._call(point).arrays):
            plain = self._arranged(point, arrangements.repeated, [name])
            if plain is None or not all(np.isfinite(a).all() for a in plain.values()):
                continue
            found = self._arranged(point, arrangements.broadcast, [name])
            changed = self._unlike(point, plain, found, arrangements.repeated, [name])
            if changed:
                what = f"the {{}} is another one when {name} is a broadcast array, whose rows share memory"
                return [Effect("memory_order", what.format(n)) for n in changed]
        return []

    def _changed(self, point: Point, plain: Leaves, how: arrangements.Rearrange, names: list[str]) -> list[str]:
        return self._unlike(point, plain, self._arranged(point, how, names), None, names)

    def _unlike(
        self, point: Point, plain: Leaves, found: Leaves | None, base: arrangements.Rearrange | None, names: list[str]
    ) -> list[str]:
        """Results that differ by more than numbers moved in the last place make them differ."""
        if found is None:
            return []
        changed = [n for n in plain if not same(plain[n], found.get(n))]
        if not changed:
            return []
        spread = self._spread(point, plain, base, names)
        sums = self._longest(point)
        return [n for n in changed if not _within(plain[n], found.get(n), spread.get(n, np.inf), sums)]

    def _longest(self, point: Point) -> int:
        """The longest axis of what is handed over: no sum has more terms, but for those over several axes."""
        return max((k for _, a in leaves(self._call(point).arrays) for k in np.shape(a)), default=1)

    def _spread(
        self, point: Point, plain: Leaves, base: arrangements.Rearrange | None, names: list[str]
    ) -> dict[str, float]:
        """Per result, the largest change that two units in the last place of every argument bring about."""
        generator = np.random.default_rng(0)
        spread = dict.fromkeys(plain, 0.0)
        for _ in range(_JITTERS):
            moved = self._arranged(point, lambda a: arrangements.jittered(base(a) if base else a, generator), names)
            for n in plain:
                known = moved is not None and n in moved and moved[n].shape == plain[n].shape
                change = float(np.max(np.abs(moved[n] - plain[n]), initial=0.0)) if known and moved else np.inf
                spread[n] = max(spread[n], np.inf if np.isnan(change) else change)
        return spread

    def _arranged(self, point: Point, how: arrangements.Rearrange, names: list[str]) -> Leaves | None:
        """The results with some arguments rearranged; None where the subject refuses them."""
        try:
            calls = [self._call(point) for _ in range(2)]
            for call in calls:
                call.rest["arranged"] = True
                arrangements.rearrange(call.arrays, how, names)
            value = {"value": np.array(self._value(calls[0], point))} if self._has_value() else {}
            gradient = frozen_copy(self._gradient(calls[1], point))
        except (SubjectError, Malformed):
            return None
        return {**value, **{f"gradient of {n}": g for n, g in gradient.items()}}

    def _slope(self, case: Case) -> float:
        direction = read_claim(self._gradients(case), self._call(case)).gradient
        length = float(np.sqrt(sum(np.sum(g**2) for g in direction.values()))) or 1.0
        step = _STEP if case.dtype == "float64" else 1e-2
        ends = [
            case.at({n: a + s * step / length * direction.get(n, np.zeros(())) for n, a in case.arguments.items()})
            for s in (1.0, -1.0)
        ]
        high, low = (float(self._value(self._call(end), end)) for end in ends)
        return (high - low) / (2 * step)

    def _written(self, point: Point, run: Callable[[Call, Point], Any]) -> list[str]:
        call = self._call(point)
        before = freeze(dict(leaves(call.now())))
        run(call, point)
        after = freeze(dict(leaves(call.now())))
        return [n for n in {**before, **after} if before.get(n) != after.get(n)]

    def _call(self, point: Point) -> Call:
        with subject_code():
            return self._adapter.call(point, self._layout)

    def _value(self, call: Call, point: Point) -> Array:
        with subject_code():
            return self._adapter.value(call)

    def _gradient(self, call: Call, point: Point) -> Mapping[str, Any]:
        with subject_code():
            dtype = "float32" if point.dtype == "bfloat16" else point.dtype  # numpy has no bfloat16
            return self._adapter.gradient(call, np.array(point.cotangent, dtype=dtype))

    def _gradients(self, point: Point) -> Leaves:
        return frozen_copy(self._gradient(self._call(point), point))

    def _results(self, point: Point) -> Leaves:
        value = {"value": np.array(self._value(self._call(point), point))} if self._has_value() else {}
        return {**value, **{f"gradient of {n}": g for n, g in self._gradients(point).items()}}

    def _has_value(self) -> bool:
        return self._offer.kind == "operation" or self._offer.declares_cost


def first_sample(point: Point) -> Point:
    """The same network case with its first sample only."""
    if not isinstance(point, Case):
        return point
    return replace(point, inputs=point.inputs[:, :1], targets=point.targets[:, :1])


def _scaled(point: Point, factor: float) -> Point:
    """The same point with its numbers and its cotangent multiplied, targets aside."""
    scaled = point.at({n: factor * a for n, a in point.arguments.items()})
    if isinstance(scaled, OperationCase):
        return replace(scaled, cotangent=factor * scaled.cotangent)
    return replace(scaled, inputs=factor * scaled.inputs) if isinstance(scaled, Case) else scaled


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Everything in nested lists and dicts by readable name: ``weights[1]``, ``parameters['W1']``, ``x``."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{name}[{key!r}]" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from leaves(item, f"{name}[{index}]")
    else:
        yield name, value


def freeze(values: Mapping[str, Any]) -> Frozen:
    """The dtype, shape and bytes of each value, to be compared with later ones."""
    return {n: _bytes(a) for n, a in values.items()}


def frozen_copy(raw: Mapping[str, Any]) -> Leaves:
    """A result as independent arrays; Malformed where a part of it is no array of numbers."""
    copies: Leaves = {}
    for name, value in raw.items():
        array = np.array(value, subok=False)
        if array.dtype.kind not in "fiubc":
            raise Malformed("type", name, f"the gradient of {name} is no array of numbers")
        copies[name] = array
    return copies


def shares(a: Any, b: Any) -> bool:
    """Whether two values are arrays with memory in common (interleaved views without a common component are not)."""
    return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and bool(np.shares_memory(a, b))


def same(a: Array, b: Array | None) -> bool:
    """Equal bytes, or equal to a few roundings."""
    if b is None or a.shape != b.shape or a.dtype != b.dtype:
        return False
    return a.tobytes() == b.tobytes() or _close(a, b)


def _within(a: Array, b: Array | None, spread: float, sums: int = 1) -> bool:
    """Whether two results differ by no more than rounding can: that of the case itself, and a few digits of float32.

    sums: the most terms of one sum. Two orders of n equal terms differ by up to 2 γ_n of their sum (Higham 2002, §4.2), which
    numbers moved in the last place do not show; four layers of that are granted.
    """
    if b is None or a.shape != b.shape:
        return False
    if not (np.isfinite(a).all() and np.isfinite(spread)):
        return True
    size = float(np.max(np.abs(a), initial=0.0))
    coarse = [float(np.finfo(t).eps) for t in (np.dtype(np.float32), a.dtype) if t.kind in "fc"]
    single = (64 * max(coarse) + 8 * sums * coarse[-1]) * size
    return bool(np.max(np.abs(a - b), initial=0.0) <= _ROUNDING_SAFETY * spread + single)


def _close(a: Array, b: Array) -> bool:
    if a.dtype.kind != "f" or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return False
    return bool(np.max(np.abs(a - b)) <= _ROUNDINGS * np.finfo(a.dtype).eps * np.max(np.abs(a)))


def _grows(first: Array, second: Array | None, third: Array | None) -> bool:
    """Whether three results are equally far apart, as those of an accumulator are."""
    if second is None or third is None or not first.shape == second.shape == third.shape:
        return False
    scale = float(np.max(np.abs(third)))
    return bool(np.max(np.abs((third - second) - (second - first))) <= 1e-6 * scale and np.any(second != first))


def _doubles(first: Array, second: Array | None) -> bool:
    return (
        second is not None and first.shape == second.shape and bool(np.allclose(second, 2 * first, rtol=1e-5, atol=0))
    )


def _bytes(value: Any) -> tuple[str, tuple[int, ...], bytes]:
    if not isinstance(value, np.ndarray):
        return type(value).__name__, (), repr(value).encode() if isinstance(value, (int, float, str)) else b""
    return str(value.dtype), value.shape, value.tobytes()
