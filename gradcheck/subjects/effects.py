"""Broken promises about state: arguments written to, results that share memory, calls that differ when repeated.

Everything is compared byte by byte; only where bytes differ may two results of one call still agree to a few roundings
(a threaded matrix product). Each effect is reported at its root: an argument that was written to also changes the next
call with it, but that is not reported twice. It must not judge the values themselves.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.networks import Case, Point
from gradcheck.numerics import Array
from gradcheck.subjects.claims import read_claim
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Adapter, Call, Effect, Malformed

_ROUNDINGS = 16  # what another order of summation may change in the last digits, in units of the dtype's epsilon
_STEP, _GROSS = 1e-5, 1e-2  # of `_ignores_point`: a finite difference good to ten digits must disagree by a percent

Leaves = dict[str, Any]
Frozen = dict[str, tuple[str, tuple[int, ...], bytes]]


def observe(adapter: Adapter, point: Point, other: Point, layout: Layout) -> list[Effect]:
    """Every effect that evaluations at `point` and at `other` show.

    Both points have the same shapes and differ in their numbers. Raises Malformed where the results cannot be read.
    """
    observer = _Observer(adapter, layout)
    effects = observer.mutation(point)
    effects += observer.aliasing(point)
    repeated = observer.repetition(point) or observer.interleaving(point, other)
    if not effects and not repeated:
        repeated = observer.same_arguments(point) or observer.frozen(point, other)
    if not any(effect.kind == "accumulation" for effect in repeated):
        effects += observer.overwriting(point, other)
    return list(dict.fromkeys(effects + repeated))


class _Observer:
    """The experiments, each on fresh arguments."""

    def __init__(self, adapter: Adapter, layout: Layout) -> None:
        self._adapter, self._layout = adapter, layout

    def mutation(self, point: Point) -> list[Effect]:
        """Arguments whose bytes, shape or length differ after the forward pass or after the gradient."""
        effects = []
        if self._has_value():
            effects += [Effect("mutation", f"{n} (by the forward pass)") for n in self._written(point, self._value)]
        known = {e.what.removesuffix(" (by the forward pass)") for e in effects}
        effects += [Effect("mutation", n) for n in self._written(point, self._gradient) if n not in known]
        return effects

    def aliasing(self, point: Point) -> list[Effect]:
        """Results that share memory with an argument or with one another."""
        single = point if self._adapter.offer.batch else first_sample(point)
        call = self._call(single)
        handed = dict(leaves(call.arrays))
        results = dict(leaves(self._gradient(call, single)))
        pairs = [(n, a) for n, g in results.items() for a, h in handed.items() if shares(g, h)]
        effects = [Effect("aliasing", f"the gradient of {n} shares memory with the argument {a}") for n, a in pairs]
        names = list(results)
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
        batch = self._adapter.offer.batch
        point, other = (p if batch else first_sample(p) for p in (point, other))
        results = dict(leaves(self._gradient(self._call(point), point)))
        before = freeze(results)
        self._gradients(other)
        after = freeze(results)
        what = "the gradient of {} is overwritten by the next call"
        return [Effect("aliasing", what.format(n)) for n in before if before[n] != after[n]]

    def frozen(self, point: Point, other: Point) -> list[Effect]:
        """The very same gradient at two points, while the cost has different slopes there."""
        if not isinstance(point, Case) or not self._adapter.offer.declares_cost or not isinstance(other, Case):
            return []
        first, second = self._gradients(point), self._gradients(other)
        if set(first) != set(second) or not all(freeze(first)[n] == freeze(second)[n] for n in first):
            return []
        slopes = [self._slope(p) for p in (point, other)]
        if not abs(slopes[0] - slopes[1]) > _GROSS * max(abs(s) for s in slopes):
            return []
        return [Effect("stale_state", "the gradient at a second point is exactly that at the first one")]

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
        return self._adapter.offer.kind == "operation" or self._adapter.offer.declares_cost


def first_sample(point: Point) -> Point:
    """The same network case with its first sample only."""
    if not isinstance(point, Case):
        return point
    return replace(point, inputs=point.inputs[:, :1], targets=point.targets[:, :1])


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
