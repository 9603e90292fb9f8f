"""Which line computes the wrong tensor: from a record of the subject's lines and the right quantities at the same case.

The first line, in the order of execution, that leaves the wrong tensor behind is looked at. If it read everything that its
equation needs, in its right value, and nothing unknown, it is the line (sure). If one of the arrays it read is unknown, and
the equation holds given that array, then the array is what is wrong, and the first line that left *it* behind is looked at
in its stead. If the line read a right quantity of another place instead of the one it needs, it is the line only where it
chose between the two itself: the needed one lay at hand, and the other bears the name under which it was computed. An argument
that a caller may have mistaken, a value that is also right somewhere else, an index computed elsewhere: unsure.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gradcheck.faults.quantities import Kind, Quantities
from gradcheck.faults.record import Record, Step
from gradcheck.numerics import Array

Needs = tuple[frozenset[Kind], ...]
"""Of each group, one quantity has to be read."""
_HOPS = 4
_COMPREHENSIONS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
_DERIVATIVE = re.compile(r"prime|deriv|grad|slope|deactiv", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Blamed:
    """A step, whether nothing else fits, and why."""

    step: Step
    sure: bool
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Wrong:
    """A wrong tensor: its value and what it should be; `kind` is delta, above, prime, a, dW or db of a layer."""

    kind: str
    layer: int
    value: Array

    @property
    def quantity(self) -> Kind:
        """What it should be."""
        return self.kind, self.layer


def blame(record: Record, known: Quantities, wrong: Wrong) -> Blamed | None:
    """The line that computes a wrong tensor; None where no line is seen to leave it behind."""
    return _Inquest(record, known).blame(wrong)


class _Inquest:
    def __init__(self, record: Record, known: Quantities) -> None:
        self.record, self.known = record, known
        self.roles = [known.roles(v) for v in record.values]
        self.top = record.steps[-1].call if record.steps else 0
        self.forward_end = self._first_with(lambda n: ("a", known.sweep.L) in self.roles[n])

    def blame(self, wrong: Wrong) -> Blamed | None:
        """Follow the wrong tensor back."""
        seen: list[Step] = []
        while len(seen) < _HOPS:
            step = self._first(wrong.value)
            if step is None or step in seen:
                return Blamed(seen[-1], False, "it leaves the wrong tensor behind first") if seen else None
            if self.known.roles(wrong.value):
                return self._right_elsewhere(step, wrong)
            seen.append(step)
            doubtful = self._doubtful(step, wrong)
            if not doubtful:
                return self._judged(step, wrong)
            inner = self._inner(doubtful, wrong) if len(doubtful) == 1 else None
            if inner is None:
                return Blamed(
                    step, False, f"{_words(wrong)} is first seen here, computed from arrays that are not known"
                )
            wrong = inner
        return Blamed(seen[-1], False, "it leaves the wrong tensor behind first")

    def _first(self, value: Array) -> Step | None:
        index = self._first_with(lambda n: self.known.same(self.record.values[n], value))
        return self.record.steps[index] if index < len(self.record.steps) else None

    def _first_with(self, condition: object) -> int:
        assert callable(condition)
        numbers = {n for n in range(len(self.record.values)) if condition(n)}
        for k, step in enumerate(self.record.steps):
            if any(n in numbers for _, n in step.results):
                return k
        return len(self.record.steps)

    def _right_elsewhere(self, step: Step, wrong: Wrong) -> Blamed | None:
        roles = self.known.roles(wrong.value)
        if wrong.quantity in roles:  # a factor: which line it belongs to cannot be seen from values up to a factor
            return None
        if {kind for kind, _ in roles} == {"residual"}:
            return Blamed(step, False, f"a − y, which is {_words(wrong)} in the claim, is first seen here")
        return self._copied(wrong)

    def _copied(self, wrong: Wrong) -> Blamed | None:
        """The wrong tensor is a right one of another place: the first line that hands it on under another name."""
        for step in self.record.steps[self.forward_end + 1 :]:
            carried = [n for _, n in step.results if self.known.same(self.record.values[n], wrong.value)]
            read = [r for r, n in step.operands if self.known.same(self.record.values[n], wrong.value)]
            if carried and read and not {r for r, n in step.results if n in carried} & set(read):
                return Blamed(step, False, f"it hands on what is right elsewhere as {_words(wrong)}")
        return None

    # -- what a line read -------------------------------------------------------------------------------------------------

    def _doubtful(self, step: Step, wrong: Wrong) -> list[int]:
        """Arrays that the line read, or got from the calls it made, of which it is not known that they are right."""
        read = [n for _, n in step.operands if not self.roles[n] and not self._constant(n)]
        got = [n for c in step.calls for n in self._doubtful_results(self.record.steps[c], wrong.layer)]
        return [n for n in dict.fromkeys([*read, *got]) if not self.known.same(self.record.values[n], wrong.value)]

    def _constant(self, n: int) -> bool:
        value = self.record.values[n]
        return value.size == 1 and abs(float(value.ravel()[0])) in (0.0, 0.5, 1.0, 2.0)

    def _doubtful_results(self, end: Step, layer: int) -> list[int]:
        results = [n for name, n in end.results if name == "return"]
        return [n for n in results if not self._trustworthy(end, n, layer)]

    def _trustworthy(self, end: Step, n: int, layer: int) -> bool:
        """Whether what a call gave is what such a function gives: a derivative of its argument, an activation that the
        forward pass uses too, or a right quantity of the backward pass."""
        kinds = {kind for kind, _ in self.roles[n]}
        if kinds & {"prime", "above", "delta", "dW", "db"}:
            return True
        arguments = [self.record.values[k] for k in end.arguments]
        derivatives = (self.known.derivative(layer, z) for z in arguments)
        if any(d is not None and self.known.same(self.record.values[n], d) for d in derivatives):
            return True
        forward = any(s.file == end.file and s.line == end.line for s in self.record.steps[: self.forward_end + 1])
        return bool(kinds) and forward

    # -- one step back ----------------------------------------------------------------------------------------------------

    def _inner(self, doubtful: Sequence[int], wrong: Wrong) -> Wrong | None:
        """The unknown array as the wrong factor of an equation that holds given that factor."""
        l, value = wrong.layer, self.record.values[doubtful[0]]
        for kind, layer, product in self._products(wrong.kind, l, value):
            if product is not None and self.known.same(product, wrong.value) and not self._is((kind, layer), value):
                return Wrong(kind, layer, value)
        return None

    def _is(self, quantity: Kind, value: Array) -> bool:
        return quantity in self.known.roles(value)

    def _products(self, kind: str, l: int, value: Array) -> Iterator[tuple[str, int, Array | None]]:
        s = self.known.sweep
        if kind == "delta":
            yield "above", l, self.known.pulled(l, value)
            if value.size == s.above[l].size:
                yield "prime", l, s.above[l] * value.reshape(s.above[l].shape)
        if kind == "dW":
            if value.size == s.delta[l].size:
                yield "delta", l, value.reshape(-1, 1) @ s.a[l - 1].T
            if value.size == s.a[l - 1].size:
                yield "a", l - 1, s.delta[l] @ value.reshape(1, -1)

    # -- a line that read nothing unknown ---------------------------------------------------------------------------------

    def _judged(self, step: Step, wrong: Wrong) -> Blamed:
        needs = self._needs(wrong)
        read = {k for _, n in step.operands for k in self.roles[n]}
        missing = [group for group in needs if not group & read]
        if any(not [n for r, n in self.record.steps[c].results if r == "return"] for c in step.calls):
            return Blamed(step, False, f"{_words(wrong)} is first seen here; a call on the line gives no array")
        if step.names:
            return Blamed(
                step, False, f"{_words(wrong)} is first seen here; {', '.join(step.names)} comes from elsewhere"
            )
        if wrong.quantity in read or not missing:
            if self._mistaken(step, wrong):
                return Blamed(step, False, f"{_words(wrong)} is first seen here; it may be called with the wrong thing")
            return Blamed(step, True, f"all it reads is right, {_words(wrong)} as it leaves it is wrong")
        if self._chose(step, needs, missing):
            return Blamed(step, True, f"it leaves {_words(wrong)} wrong, and does not read {_missing(missing)}")
        return Blamed(step, False, f"{_words(wrong)} is first seen here")

    def _needs(self, wrong: Wrong) -> Needs:
        s, l = self.known.sweep, wrong.layer
        slopes = {("z", l), ("a", l), ("prime", l)}
        slope = frozenset(slopes | ({("above", l)} if self.known.same(s.above[l], s.delta[l]) else set()))
        at_output = l == s.L
        output = (
            frozenset({("above", l), ("a", l), ("residual", 0), ("delta", l)}),
            frozenset({("above", l), ("y", 0), ("residual", 0), ("delta", l)}),
        )
        recursion = (frozenset({("W", l + 1), ("above", l)}), frozenset({("delta", l + 1), ("above", l)}))
        above: Needs = output if at_output else recursion
        match wrong.kind:
            case "delta":
                return above if ("above", l) in slope else (*above, slope)
            case "above":
                return above
            case "prime":
                return (slope,)
            case "a":
                return (frozenset({("z", l), ("a", l)}),)
            case "db":
                return (frozenset({("delta", l)}),)
        return (frozenset({("delta", l)}), frozenset({("a", l - 1)}))

    def _mistaken(self, step: Step, wrong: Wrong) -> bool:
        """Whether the line may be right for what its caller meant: it gives what it should for an a where it was handed a z,
        for another activation or for another cost; or it calls a derivative what is an activation."""
        s, l = self.known.sweep, wrong.layer
        if self._misnamed(step, wrong):
            return True
        if step.call == self.top or wrong.kind not in ("delta", "prime", "above"):
            return False
        if l == s.L and any(self._would_be(wrong, above) for above in self.known.other_costs()):
            return True
        for name, n in step.operands:
            at = self.record.values[n]
            handed = at.size == s.z[l].size and not self._home(name, n, step)
            if handed and any(self._would_be(wrong, v) for v in self._meant(step, wrong, at.reshape(s.z[l].shape))):
                return True
        return self._passed_through(step, wrong)

    def _passed_through(self, step: Step, wrong: Wrong) -> bool:
        """Whether the function that called this one returns the same: it may have left out what it had to add."""
        index = self.record.steps.index(step)
        callers = [
            s for s in self.record.steps if index in s.calls and s.returned and s.function not in _COMPREHENSIONS
        ]
        return any(self.known.same(self.record.values[n], wrong.value) for s in callers for _, n in s.results)

    def _misnamed(self, step: Step, wrong: Wrong) -> bool:
        """Whether an activation stands where the line speaks of a derivative: another line may have taken it for one."""
        s, l = self.known.sweep, wrong.layer
        if wrong.kind not in ("delta", "prime") or not _DERIVATIVE.search(step.text):
            return False
        return self._would_be(wrong, s.a[l] if wrong.kind == "prime" else s.above[l] * s.a[l])

    def _meant(self, step: Step, wrong: Wrong, at: Array) -> Iterator[Array]:
        """What derivatives give at an array, times what comes from above or any other array that the line read."""
        read = [self.record.values[n] for _, n in step.operands]
        others = [self.known.sweep.above[wrong.layer], *(v.reshape(at.shape) for v in read if v.size == at.size)]
        for slope in self.known.slopes(at):
            yield from [slope] if wrong.kind == "prime" else (v * slope for v in others)
        if wrong.kind == "delta":
            yield from (pulled for v in others for pulled in self.known.pullbacks(at, v))

    def _would_be(self, wrong: Wrong, value: Array) -> bool:
        return self.known.same(wrong.value, value)

    def _chose(self, step: Step, needs: Needs, missing: Sequence[frozenset[Kind]]) -> bool:
        """Whether what is missing lay at hand, and what was read in its place bears the name it was computed under."""
        at_hand = {k for n in self._at_hand(step) for k in self.roles[n]}
        needed = frozenset().union(*needs)
        instead = [(name, n) for name, n in step.operands if self.roles[n] and not self.roles[n] & needed]
        homes = all(self._home(name, n, step) for name, n in instead)
        return bool(instead) and homes and all(group & at_hand for group in missing)

    def _at_hand(self, step: Step) -> list[int]:
        """What the function holds; of a comprehension, what has been computed so far."""
        if step.function not in _COMPREHENSIONS:
            return [n for _, n in step.held]
        before = self.record.steps[: self.record.steps.index(step)]
        return [n for s in before for r, n in s.results if r != "return"]

    def _home(self, name: str, n: int, step: Step) -> bool:
        """Whether a value is read under the name that it had first, by the function that got or made it."""
        if step.call != self.top and n in step.arguments and step.function not in _COMPREHENSIONS:
            return False
        for s in self.record.steps:
            names = [r for r, k in s.results if k == n and r != "return"]
            if names:
                return name in names
        return True


def _words(wrong: Wrong) -> str:
    words = {
        "delta": f"δ of layer {wrong.layer}",
        "above": f"∂C/∂a of layer {wrong.layer}",
        "prime": f"σ′ of layer {wrong.layer}",
        "a": f"the activation of layer {wrong.layer}",
        "db": f"db of layer {wrong.layer}",
        "dW": f"dW of layer {wrong.layer}",
    }
    return words[wrong.kind]


_LETTERS = {"delta": "δ", "prime": "σ′", "above": "∂C/∂a", "residual": "a − y", "y": "y"}


def _missing(groups: Sequence[frozenset[Kind]]) -> str:
    """``z of layer 1 (or a, or σ′)``: of each group the first that is no result of the others."""
    order = ("W", "delta", "z", "a", "y", "above", "prime", "residual")
    said = []
    for group in groups:
        kind, layer = min(group, key=lambda k: order.index(k[0]) if k[0] in order else len(order))
        said.append(f"{_LETTERS.get(kind, kind)} of layer {layer}" if kind != "y" else "y")
    return " and ".join(said)
