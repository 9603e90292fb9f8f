"""Which faults reproduce a claim on every case: one fault at one layer or at all, then two, layer by layer from the top.

mistake   what is wrong at one place: the faults that are still possible there (all of them give the claim), and the
          layers where they stand
states    one sweep a case, done down to layer l + 1 with the mistakes found so far
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, product

import numpy as np

from gradcheck.faults.backprop import TRUSTED, Equations, Sweep, step
from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.fault import Fault, Planting
from gradcheck.faults.matching import MISFIT, Known, layer_agrees, reproduces
from gradcheck.networks import Architecture
from gradcheck.numerics import Array

MOST_MISTAKES = 2
_COMBINATIONS = 60
_ERROR_SLOTS = frozenset({"cost_gradient", "recursion", "derivative"})
_BIAS_SLOTS = frozenset({"bias_gradient", "bias_decay", "bias_result"})
_WEIGHT_SLOTS = frozenset({"weight_gradient", "weight_decay", "weight_result"})


@dataclass(frozen=True, slots=True)
class Candidates:
    """The faults that are still possible at one place, and the layers where they stand."""

    faults: tuple[Fault, ...]
    layers: tuple[int, ...]

    def plantings(self, architecture: Architecture, fault: Fault | None = None) -> tuple[Planting, ...]:
        """One of the faults (default: the first) at these layers; at "every layer" where these are all of them."""
        chosen = fault or self.faults[0]
        possible = chosen.layers(architecture)
        if chosen.activation is not None or (set(self.layers) == set(possible) and len(possible) > 1):
            return (Planting(chosen),)
        return tuple(Planting(chosen, l) for l in self.layers)


def singles(knowns: Sequence[Known], faults: Mapping[str, Fault] = CATALOGUE) -> list[Planting]:
    """Every fault, at one layer or at all it can stand at, that gives the claim on every case."""
    ordered = most_telling(knowns)
    architecture = ordered[0].case.architecture
    top = max((int(n[1:]) for k in knowns for n, right in k.right.items() if not right), default=0)
    found = [p for p in _plantings(faults.values(), architecture, top) if all(reproduces(k, p) for k in ordered)]
    return [p for p in found if p.layer is not None or not any(q.fault is p.fault and q.layer for q in found)]


def most_telling(knowns: Sequence[Known]) -> list[Known]:
    """The cases with many wrong tensors and many samples first."""
    return sorted(knowns, key=lambda k: (-sum(not r for r in k.right.values()), -k.case.samples))


def _plantings(faults: Iterable[Fault], architecture: Architecture, top: int) -> Iterator[Planting]:
    """Every fault at every layer from `top` up, and at all; a fault of one activation only wherever that stands."""
    for fault in faults:
        if fault.activation is not None:
            yield Planting(fault)
            continue
        layers = fault.layers(architecture)
        if layers and max(layers) >= top:
            yield from (Planting(fault, l) for l in layers if l >= top)
            if len(layers) > 1:
                yield Planting(fault)


def several(knowns: Sequence[Known], faults: Mapping[str, Fault] = CATALOGUE) -> list[tuple[Candidates, ...]]:
    """Two mistakes that give the claim on every case: all ways that were found, those with the fewest mistakes only."""
    ordered = most_telling(knowns)
    search = _Layered(ordered, tuple(faults.values()))
    found = search.run()
    least = min(map(len, found), default=0)
    return [way for way in found if len(way) == least]


class _Layered:
    """The search from the top layer down; at each layer the right step, known mistakes again, then new ones."""

    def __init__(self, knowns: Sequence[Known], faults: tuple[Fault, ...]) -> None:
        self.knowns, self.faults = knowns, faults
        self.architecture = knowns[0].case.architecture

    def run(self) -> list[tuple[Candidates, ...]]:
        states = [k.trusted.fork() for k in self.knowns]
        return list(islice(self._descend(self.architecture.depth, states, ()), 8))

    def _descend(
        self, l: int, states: list[Sweep], mistakes: tuple[Candidates, ...]
    ) -> Iterator[tuple[Candidates, ...]]:
        if l == 0:
            if mistakes:
                yield mistakes
            return
        unchanged = self._advance(states, (), l)
        if unchanged is not None:
            yield from self._descend(l - 1, unchanged, mistakes)
            return
        for ways in self._strategies(l, states, mistakes):
            found = False
            for way in ways:
                advanced = self._advance(states, self._here(way, l), l)
                if advanced is not None:
                    for whole in self._descend(l - 1, advanced, way):
                        found = True
                        yield whole
            if found:
                return

    def _strategies(
        self, l: int, states: list[Sweep], mistakes: tuple[Candidates, ...]
    ) -> Iterator[list[tuple[Candidates, ...]]]:
        """What could be wrong at this layer, given what is wrong above, the simplest first; each way makes another δ."""
        yield self._again(l, states, mistakes)
        free = MOST_MISTAKES - len(mistakes)
        if free > 0:
            for base in ((), *((m,) for m in mistakes)):
                yield self._one_more(l, states, mistakes, base)
        if free > 1:
            yield from self._two_more(l, states, mistakes)

    def _again(self, l: int, states: list[Sweep], mistakes: tuple[Candidates, ...]) -> list[tuple[Candidates, ...]]:
        """The mistakes from above once more: one of them, then several, with the faults that fit here too."""
        for count in range(1, len(mistakes) + 1):
            for chosen in combinations(range(len(mistakes)), count):
                fitting = self._fitting(l, states, [mistakes[i] for i in chosen])
                if fitting:
                    updated = list(mistakes)
                    for i, faults in zip(chosen, fitting, strict=True):
                        updated[i] = Candidates(faults, (*mistakes[i].layers, l))
                    return [tuple(updated)]
        return []

    def _fitting(self, l: int, states: list[Sweep], chosen: Sequence[Candidates]) -> list[tuple[Fault, ...]]:
        """Per mistake, its faults that take part in a combination that gives this layer."""
        combos = islice(product(*(m.faults for m in chosen)), _COMBINATIONS)
        passing = [c for c in combos if self._gives(states, c, l)]
        return [tuple(dict.fromkeys(c[i] for c in passing)) for i in range(len(chosen))] if passing else []

    def _one_more(
        self, l: int, states: list[Sweep], mistakes: tuple[Candidates, ...], base: Sequence[Candidates]
    ) -> list[tuple[Candidates, ...]]:
        """One new fault here, beside a mistake from above or alone."""
        standing = tuple(m.faults[0] for m in base)
        found = [f for f in self._possible(l) if self._gives(states, (*standing, f), l)]
        kept = tuple(Candidates(m.faults, (*m.layers, l)) if m in base else m for m in mistakes)
        return [(*kept, Candidates(group, (l,))) for group in self._by_error(found, standing, states, l)]

    def _two_more(
        self, l: int, states: list[Sweep], mistakes: tuple[Candidates, ...]
    ) -> Iterator[list[tuple[Candidates, ...]]]:
        """Two new faults at one layer: δ and a gradient, two gradients, one gradient twice, or both factors of δ."""
        possible = self._possible(l)
        by = {name: [f for f in possible if f.slot in slots] for name, slots in
              (("error", _ERROR_SLOTS), ("bias", _BIAS_SLOTS), ("weight", _WEIGHT_SLOTS))}  # fmt: skip
        wrong = "".join(c for c in "WB" if not self._gives(states, (), l, c))
        pairs = [
            ((error, fixed[0][0]) if error else (fixed[0][0], fixed[1][0]))
            for error in ((None, *by["error"]) if wrong == "WB" else (None,))
            if (fixed := self._partly(states, (error,) if error else (), l, by)) and (error or len(fixed) == 2)
        ]
        yield [(*mistakes, *self._alternatives(l, states, pair)) for pair in self._distinct(pairs, states, l)]
        yield self._by_activation(l, states, mistakes, possible)
        if wrong == "WB":
            yield self._factors(l, states, mistakes, by["error"])
        else:
            yield self._within_one_gradient(l, states, mistakes, by, wrong)

    def _distinct(
        self, pairs: Sequence[tuple[Fault, ...]], states: list[Sweep], l: int
    ) -> list[tuple[Fault, ...]]:  # fmt: skip
        """One pair for each δ that pairs make."""
        kept: list[tuple[tuple[Fault, ...], list[Sweep]]] = []
        for pair in pairs:
            advanced = self._advance(states, pair, l)
            if advanced is not None and not any(_same_error(advanced, other, l) for _, other in kept):
                kept.append((pair, advanced))
        return [pair for pair, _ in kept[:4]]

    def _by_activation(
        self, l: int, states: list[Sweep], mistakes: tuple[Candidates, ...], possible: Sequence[Fault]
    ) -> list[tuple[Candidates, ...]]:
        """Two activations with wrong derivatives, each in the cases where it stands at this layer."""
        classes: dict[str, list[int]] = {}
        for i, known in enumerate(self.knowns):
            name = known.case.architecture.layers[l - 1].activation.name.partition("(")[0]
            classes.setdefault(name, []).append(i)
        wrong = {n: some for n, some in classes.items() if not self._part(some)._gives(_pick(states, some), (), l)}
        if len(wrong) != 2:
            return []
        sets = []
        for name, some in wrong.items():
            part, chosen = self._part(some), _pick(states, some)
            sets.append(tuple(f for f in possible if f.activation == name and part._gives(chosen, (f,), l)))
        return [(*mistakes, *(Candidates(s, (l,)) for s in sets))] if all(sets) else []

    def _part(self, some: Sequence[int]) -> "_Layered":
        return _Layered([self.knowns[i] for i in some], self.faults)

    def _partly(
        self, states: list[Sweep], standing: tuple[Fault, ...], l: int, by: Mapping[str, list[Fault]]
    ) -> list[list[Fault]]:
        """What repairs the bias gradient and what repairs the weight gradient, as far as each needs it; [] when it fails."""
        wrong = [c for c in ("weight", "bias") if not self._gives(states, standing, l, c[0].upper())]
        if len(wrong) + len(standing) > MOST_MISTAKES:
            return []
        repairs = [[f for f in by[c] if self._gives(states, (*standing, f), l, c[0].upper())] for c in wrong]
        return repairs if all(repairs) else []

    def _within_one_gradient(
        self, l: int, states: list[Sweep], mistakes: tuple[Candidates, ...], by: Mapping[str, list[Fault]], wrong: str
    ) -> list[tuple[Candidates, ...]]:
        """A gradient and its decay, both wrong at once: screened on one case with λ > 0."""
        c = "weight" if wrong == "W" else "bias"
        decays = [f for f in by[c] if f.slot.endswith("decay")]
        plain = [f for f in by[c] if f.slot.endswith("gradient")]
        results = [f for f in by[c] if f.slot.endswith("result")]
        screen = next(
            (
                i
                for i, k in enumerate(self.knowns)
                if k.trusted.decay and not k.right.get(f"{'b' if wrong == 'B' else 'W'}{l}", True)
            ),
            None,
        )
        if screen is None:
            return []
        known, s = self.knowns[screen], _stepped(states[screen], l)
        for one, other in (*_adding(known, s, l, wrong, plain, decays), *product(results, decays)):
            if self._gives([states[screen]], (one, other), l, wrong, [known]) and self._gives(
                states, (one, other), l, wrong
            ):
                return [(*mistakes, *self._alternatives(l, states, (one, other)))]
        return []

    def _factors(
        self, l: int, states: list[Sweep], mistakes: tuple[Candidates, ...], errors: Sequence[Fault]
    ) -> list[tuple[Candidates, ...]]:
        """What comes from above and the derivative, both wrong at once: screened on the most telling case."""
        first = [f for f in errors if f.slot != "derivative"]
        second = [f for f in errors if f.slot == "derivative" and f.activation is None]
        known, s = self.knowns[0], _stepped(states[0], l)
        for one, other in _multiplying(known, s, l, first, second):
            if self._gives(states, (one, other), l):
                return [(*mistakes, *self._alternatives(l, states, (one, other)))]
        return []

    def _alternatives(self, l: int, states: list[Sweep], pair: tuple[Fault, ...]) -> list[Candidates]:
        """For each of two faults, all that can take its place beside the other one."""
        found = []
        for i, fault in enumerate(pair):
            others = [(*pair[:i], f, *pair[i + 1 :]) for f in self._possible(l) if f is not fault]
            found.append(Candidates((fault, *(o[i] for o in others if self._gives(states, o, l))), (l,)))
        return found

    def _possible(self, l: int) -> list[Fault]:
        return [f for f in self.faults if any(l in f.layers(k.case.architecture) for k in self.knowns[:4])]

    def _by_error(
        self, faults: Sequence[Fault], standing: tuple[Fault, ...], states: list[Sweep], l: int
    ) -> list[tuple[Fault, ...]]:
        """Faults grouped by the δ they make: they differ below although they agree here."""
        groups: list[tuple[list[Sweep], list[Fault]]] = []
        for fault in faults:
            advanced = self._advance(states, (*standing, fault), l)
            if advanced is None:
                continue
            home = next((g for g in groups if _same_error(g[0], advanced, l)), None)
            if home is None:
                groups.append((advanced, [fault]))
            else:
                home[1].append(fault)
        return [tuple(members) for _, members in groups[:4]]

    def _here(self, way: tuple[Candidates, ...], l: int) -> tuple[Fault, ...]:
        return tuple(m.faults[0] for m in way if l in m.layers)

    def _gives(
        self,
        states: list[Sweep],
        faults: Sequence[Fault],
        l: int,
        letter: str = "",
        knowns: Sequence[Known] | None = None,
    ) -> bool:
        return self._advance(states, faults, l, letter, knowns) is not None

    def _advance(
        self,
        states: list[Sweep],
        faults: Sequence[Fault],
        l: int,
        letter: str = "",
        knowns: Sequence[Known] | None = None,
    ) -> list[Sweep] | None:
        """All sweeps one layer further with these faults in it; None at the first case that they do not give."""
        advanced = []
        for known, state in zip(knowns or self.knowns, states, strict=True):
            equations = _with(faults, known.case.architecture, l)
            s = state.fork()
            try:
                with np.errstate(all="ignore"):
                    step(s, equations, l)
                    agrees = _agrees(known, s, l, equations, letter)
            except MISFIT:
                return None
            if not agrees:
                return None
            advanced.append(s)
        return advanced


def _agrees(known: Known, s: Sweep, l: int, equations: Equations, letter: str) -> bool:
    if letter == "W":
        return known.agrees(f"W{l}", equations.weight_result(s, l))
    if letter == "B":
        return f"b{l}" not in known.claim or known.agrees(f"b{l}", equations.bias_result(s, l))
    return layer_agrees(known, s, l, equations)


def _with(faults: Sequence[Fault], architecture: Architecture, l: int) -> Equations:
    equations = TRUSTED
    for fault in faults:
        equations = Planting(fault, l).into(equations, architecture)
    return equations


def _same_error(ones: Sequence[Sweep], others: Sequence[Sweep], l: int) -> bool:
    return all(np.allclose(a.delta[l], b.delta[l], rtol=1e-9, atol=1e-300) for a, b in zip(ones, others, strict=True))


def _pick(states: Sequence[Sweep], some: Sequence[int]) -> list[Sweep]:
    return [states[i] for i in some]


def _stepped(state: Sweep, l: int) -> Sweep:
    """The sweep with the right step of one layer."""
    s = state.fork()
    with np.errstate(all="ignore"):
        step(s, TRUSTED, l)
    return s


def _value(fault: Fault, s: Sweep, l: int, right: Array) -> Array | None:
    """What a fault makes of the right value; None where it does not conform."""
    try:
        with np.errstate(all="ignore"):
            value = fault.edit(s, l, right)
    except MISFIT:
        return None
    return value if value.shape == right.shape else None


def _adding(
    known: Known, s: Sweep, l: int, letter: str, plain: Sequence[Fault], decays: Sequence[Fault]
) -> Iterator[tuple[Fault, Fault]]:
    """Pairs whose gradient and decay add up to the claim at one case."""
    name = f"b{l}" if letter == "B" else f"W{l}"
    gradient, decay = (
        (TRUSTED.weight_gradient(s, l), TRUSTED.weight_decay(s, l))
        if letter == "W"
        else (TRUSTED.bias_gradient(s, l), TRUSTED.bias_decay(s, l))
    )
    second = [(f, v) for f in decays if (v := _value(f, s, l, decay)) is not None]
    for one in plain:
        base = _value(one, s, l, gradient)
        if base is not None:
            yield from ((one, other) for other, v in second if known.agrees(name, base + v))


def _multiplying(
    known: Known, s: Sweep, l: int, first: Sequence[Fault], second: Sequence[Fault]
) -> Iterator[tuple[Fault, Fault]]:
    """Pairs of what comes from above and a derivative that give the claimed weight gradient at one case."""
    right, name = s.above[l], f"W{l}"
    decay = TRUSTED.weight_decay(s, l)
    for one in first:
        above = _value(one, s, l, right)
        if above is None:
            continue
        s.above[l] = above
        with np.errstate(all="ignore"):
            delta = TRUSTED.derivative(s, l)
        for other in second:
            value = _value(other, s, l, delta)
            with np.errstate(all="ignore"):
                fits = value is not None and known.agrees(name, value @ s.a[l - 1].T + decay)
            if fits:
                yield one, other
        s.above[l] = right
