"""From a wrong claim to a set of explanations: each reproduces the claim, within rounding, on every case that was tried.

First cases are drawn around the counterexample (other widths, numbers of samples, λ, activations); then every fault of the
catalogue is tried, alone and in pairs; then the next case is chosen so that it splits what is left. Where nothing survives,
the place comes from residual peeling and the evidence from measurements that know no catalogue. Never a wrong name.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.checks.localisation import Place
from gradcheck.errors import SubjectError
from gradcheck.faults.backprop import backprop
from gradcheck.faults.evidence import Witnesses, measured
from gradcheck.faults.fault import Fault, Planting
from gradcheck.faults.matching import Claims, Known, know, reproduces, synthesise
from gradcheck.faults.places import input_places, places_of
from gradcheck.faults.sampling import draw_case, draw_near, repertoire_of
from gradcheck.faults.search import Candidates, several, singles
from gradcheck.networks import Case
from gradcheck.networks.repertoire import Repertoire
from gradcheck.networks.sampling import sample_case
from gradcheck.numerics import Arrays

FRESH = 4
"""An explanation stands only if it reproduces a claim that it makes wrong on so many fresh cases."""
_DRAWS = 24
_FIRST = 6
_ROUNDS = 4
_CHOICES = 6
_WIDER = 40
_REFUSALS = 2
_ALIKE = 12
"""Networks at which faults that survive together are compared before they are called the same program."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One fault that reproduces the claim; layer None: in every layer where it can stand."""

    fault: str
    title: str
    equation: str
    layer: int | None
    hint: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake and the explanations that survive for it.

    places: where it shows at the counterexample, topmost layer first. layers: all layers where it stands there.
    """

    places: tuple[Place, ...]
    layers: tuple[int, ...]
    explanations: tuple[Explanation, ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is known about a wrong claim.

    places: equation and layer at the counterexample, the topmost first. mistakes: one entry a mistake, each with its set of
    explanations; empty when nothing in the catalogue reproduces the claim. evidence: sentences. cases, fresh: how many
    the explanations were tried on, and how many of them were drawn after the mistake was seen.
    """

    places: tuple[Place, ...]
    mistakes: tuple[Mistake, ...] = ()
    evidence: tuple[str, ...] = ()
    cases: int = 0
    fresh: int = 0

    @property
    def explanations(self) -> tuple[Explanation, ...]:
        """Those of all mistakes, one after the other."""
        return tuple(e for mistake in self.mistakes for e in mistake.explanations)

    @property
    def named(self) -> bool:
        """Whether every mistake has a name."""
        return bool(self.mistakes)


def diagnose(
    case: Case,
    claims: Claims,
    *,
    repertoire: Repertoire | None = None,
    seed: int = 0,
) -> Diagnosis:
    """What is wrong with a subject whose gradient is wrong at `case`.

    claims: asks the subject, case -> gradient in the trusted layout, or None. repertoire: what the subject can be asked
    (default: networks like that of the case). The same seed gives the same diagnosis.
    """
    return _Diagnoser(case, claims, repertoire or repertoire_of(case), np.random.default_rng([seed, 41])).run()


class _Diagnoser:
    """One diagnosis: what is known so far, and how to learn more."""

    def __init__(self, case: Case, claims: Claims, repertoire: Repertoire, generator: np.random.Generator) -> None:
        self.case, self.ask, self.generator = case, claims, generator
        self.repertoire = replace(repertoire, depths=(case.architecture.depth, case.architecture.depth))
        self.depths = repertoire.depths
        self.knowns: list[Known] = []
        self.refusals: list[Case] = []

    def run(self) -> Diagnosis:
        first = self.claims(self.case)
        if first is not None:
            self.knowns.append(know(self.case, first, fresh=False))
        self._look_around()
        if not any(k.informative for k in self.knowns):
            return Diagnosis(tuple(input_places(self.case, self.claims)), evidence=self._nothing(first))
        ways = self._explained()
        if ways is not None:
            return self._named(ways)
        return self._unknown()

    def claims(self, case: Case) -> Arrays | None:
        """The subject's gradient, None where it fails."""
        try:
            return self.ask(case)
        except SubjectError:
            return None

    # -- cases ----------------------------------------------------------------------------------------------------

    def _look_around(self) -> None:
        """Draw until enough cases show the mistake."""
        for k in range(_DRAWS):
            self._learn(self._near(k))
            telling = sum(known.informative for known in self.knowns if known.fresh)
            if k + 1 >= _FIRST and telling >= FRESH:
                return

    def _near(self, k: int) -> Case:
        """Another case; where the subject refuses most of them, every other one has the widths of the counterexample."""
        if k % 2 and len(self.refusals) > len(self.knowns):
            samples = int(self.generator.integers(self.repertoire.samples[0], min(self.repertoire.samples[1], 5) + 1))
            return sample_case(self.case.architecture, samples, self.generator)
        return draw_near(self.case, self.repertoire, self.generator, k)

    def _learn(self, case: Case) -> Known | None:
        claim = self.claims(case)
        if claim is None or not all(np.all(np.isfinite(g)) for g in claim.values()):
            self.refusals.append(case)
            return None
        known = know(case, claim, fresh=True)
        self.knowns.append(known)
        return known

    # -- names ----------------------------------------------------------------------------------------------------

    def _explained(self) -> tuple[Candidates, ...] | None:
        """The mistakes that give every claim; None where nothing does."""
        found = singles(self.knowns)
        if found:
            return self._settled([(_candidates(p, self.case),) for p in found])
        return self._settled(several(self.knowns))

    def _settled(self, ways: list[tuple[Candidates, ...]]) -> tuple[Candidates, ...] | None:
        """One way with its sets, after cases that were chosen to split them; None where none is left or is proved."""
        expanded = [flat for way in ways for flat in _expanded(way)][:40]
        for _ in range(_ROUNDS):
            if len(expanded) < 2:
                break
            case = self._splitting(expanded)
            if case is None:
                break
            known = self._learn(case)
            expanded = [w for w in expanded if known is None or self._gives(w, known)]
        if expanded:
            self._look_wider()
        proved = self._refusing_alike([w for w in expanded if self._proved(w)])
        return _merged(proved) if proved else None

    def _refusing_alike(self, ways: list[tuple[Candidates, ...]]) -> list[tuple[Candidates, ...]]:
        """Those that give no gradient just where the subject gave none, where there are any: a crash is evidence too."""
        if len(ways) < 2 or len(self.refusals) < _REFUSALS:
            return ways
        alike = [w for w in ways if all(synthesise(c, _plantings(w, c)) is None for c in self.refusals)]
        return alike or ways

    def _look_wider(self) -> None:
        """Every output activation with every cost that the subject takes: a name must hold for all of them.

        Equally wide layers only where the mistake crashes otherwise.
        """
        heads = self.repertoire.heads
        order = self.generator.permutation(len(heads))[:_WIDER]
        for k, i in enumerate(order):
            family = replace(self.repertoire, heads=(heads[int(i)],))
            square = k % 2 == 1 or bool(self.refusals)
            self._learn(draw_case(family, self.generator, self.case.architecture.depth, square))

    def _splitting(self, ways: Sequence[tuple[Candidates, ...]]) -> Case | None:
        """The one of several random cases on which the ways differ most; None where they differ on none."""
        best, most = None, (1, False)
        for k in range(_CHOICES * (4 if self.refusals else 1)):  # where it refuses some, the cases that run are rare
            case = draw_near(self.case, self.repertoire, self.generator, k)
            kinds = self._kinds(case, ways)
            if sum(kinds) > 1 and kinds > most:
                best, most = case, kinds
        return best

    def _kinds(self, case: Case, ways: Sequence[tuple[Candidates, ...]]) -> tuple[int, bool]:
        """How many different gradients the ways give at a case, and whether some give none."""
        gradients = [synthesise(case, _plantings(w, case)) for w in ways]
        kinds: list[Arrays] = []
        for gradient in gradients:
            if gradient is not None and all(np.all(np.isfinite(g)) for g in gradient.values()):
                probe = know(case, gradient, fresh=True)
                if all(probe.tells_apart(gradient, other) for other in kinds):
                    kinds.append(gradient)
        return len(kinds), any(g is None for g in gradients)

    def _gives(self, way: tuple[Candidates, ...], known: Known) -> bool:
        plantings = _plantings(way, known.case)
        if len(plantings) == 1:
            return reproduces(known, plantings[0])
        gradient = synthesise(known.case, plantings)
        return gradient is not None and all(known.agrees(n, gradient[n]) for n in known.claim)

    def _proved(self, way: tuple[Candidates, ...]) -> bool:
        """Whether each mistake of the way matters on enough fresh cases, and the whole gives all of them."""
        if not all(self._gives(way, k) for k in self.knowns):
            return False
        for i in range(len(way)):
            rest = way[:i] + way[i + 1 :]
            if sum(self._matters(way, rest, k) for k in self.knowns if k.fresh) < FRESH and not self._more(way, rest):
                return False
        return True

    def _matters(self, way: tuple[Candidates, ...], rest: tuple[Candidates, ...], known: Known) -> bool:
        whole, less = (synthesise(known.case, _plantings(w, known.case)) for w in (way, rest))
        return whole is not None and less is not None and known.tells_apart(whole, less)

    def _more(self, way: tuple[Candidates, ...], rest: tuple[Candidates, ...]) -> bool:
        """Look for further fresh cases on which a mistake matters."""
        telling = sum(self._matters(way, rest, k) for k in self.knowns if k.fresh)
        for k in range(_DRAWS):
            known = self._learn(self._near(k))
            if known is not None and not self._gives(way, known):
                return False
            telling += known is not None and self._matters(way, rest, known)
            if telling >= FRESH:
                return True
        return False

    # -- words ----------------------------------------------------------------------------------------------------

    def _named(self, way: tuple[Candidates, ...]) -> Diagnosis:
        everywhere = self._stands_everywhere(way)
        mistakes = tuple(_mistake(m, self.case, everywhere=everywhere) for m in way)
        places = tuple(sorted({p for m in mistakes for p in m.places}, key=lambda p: (-(p.layer or 0), p.equation)))
        return self._diagnosis(places, mistakes, (self._proof(mistakes, way), *self._same_programs(way)))

    def _same_programs(self, way: tuple[Candidates, ...]) -> Iterator[str]:
        """Faults that cannot be told apart because nothing that the subject can be asked makes a difference to them."""
        for mistake in way:
            if len(mistake.faults) > 1 and not self._told_apart(mistake):
                names = " and ".join(f.name for f in mistake.faults)
                yield f"{names} are the same program here: they give the same gradient in all {_ALIKE} networks tried"

    def _told_apart(self, mistake: Candidates) -> bool:
        for k in range(_ALIKE):
            case = draw_near(self.case, self.repertoire, self.generator, k)
            gradients = [synthesise(case, mistake.plantings(case.architecture, f)) for f in mistake.faults]
            first = gradients[0]
            if any((g is None) != (first is None) for g in gradients):
                return True
            if first is not None and all(np.all(np.isfinite(g)) for g in first.values()):
                probe = know(case, first, fresh=True)
                if any(g is not None and probe.tells_apart(first, g) for g in gradients[1:]):
                    return True
        return False

    def _proof(self, mistakes: Sequence[Mistake], way: tuple[Candidates, ...]) -> str:
        largest, bound = self._farthest(way)
        count = sum(k.informative for k in self.knowns)
        titles = " and ".join(when(m) for m in mistakes)
        return (
            f"your gradient equals, to the last bits (max difference {largest:.0e}, bound {bound:.0e}, "
            f"on {len(self.knowns)} cases, {count} of which show the mistake), the one you get {titles}"
        )

    def _farthest(self, way: tuple[Candidates, ...]) -> tuple[float, float]:
        """The largest difference of claim and synthesised gradient, with the bound of that component's tensor."""
        pairs = [(0.0, 0.0)]
        for known in self.knowns:
            gradient = synthesise(known.case, _plantings(way, known.case))
            for name, value in gradient.items() if gradient is not None else ():
                claim = known.claim.get(name, value)
                pairs.append((float(np.max(np.abs(value - claim), initial=0.0)), known.tolerance(name, value)))
        return max(pairs)

    def _unknown(self) -> Diagnosis:
        places = self._places()
        witnesses = Witnesses(tuple(self.knowns), self.claims, places)
        return self._diagnosis(places, (), tuple(measured(witnesses)))

    def _diagnosis(
        self, places: tuple[Place, ...], mistakes: tuple[Mistake, ...], evidence: tuple[str, ...]
    ) -> Diagnosis:
        return Diagnosis(places, mistakes, evidence, len(self.knowns), sum(k.fresh for k in self.knowns))

    def _places(self) -> tuple[Place, ...]:
        """By residual peeling at the counterexample, or at the first case that shows the mistake."""
        cases = [self.case, *(k.case for k in self.knowns if k.informative and k.case is not self.case)]
        found = (places_of(case, self.claims) for case in cases[:6])
        return next((places for places in found if places), ())

    def _stands_everywhere(self, way: tuple[Candidates, ...]) -> bool:
        """Whether one mistake at the only layer it can have stands in all layers of deeper networks too."""
        depth = self.case.architecture.depth
        if len(way) != 1 or depth + 1 > self.depths[1]:
            return False
        fault = way[0].faults[0]
        if len(fault.layers(self.case.architecture)) != 1 or fault.sites == "output" or fault.activation:
            return False
        deeper = replace(self.repertoire, depths=(depth + 1, depth + 1))
        drawn = [draw_case(deeper, self.generator, depth + 1, square=k % 2 == 0) for k in range(4)]
        asked = [(c, self.claims(c)) for c in drawn]
        knowns = [know(c, g, fresh=True) for c, g in asked if g is not None]
        telling = [k for k in knowns if k.informative]
        return bool(telling) and all(reproduces(k, Planting(fault)) for k in telling)

    def _nothing(self, claim: Arrays | None) -> tuple[str, ...]:
        if claim is None and self.refusals:
            return (
                "the subject gave no gradient that could be read, at the counterexample and at most cases around it",
            )
        return (f"at {len(self.knowns)} cases the gradients of weights and biases are right",)


def when(mistake: Mistake) -> str:
    """``when σ′(z) is left out in the recursion, in layer 2``: the layer where it stands in one only."""
    first = mistake.explanations[0]
    title = first.title.replace("in ", "when, in ", 1) if first.title.startswith("in ") else f"when {first.title}"
    return title if first.layer is None else f"{title}, in layer {first.layer}"


def _candidates(planting: Planting, case: Case) -> Candidates:
    return Candidates((planting.fault,), planting.layers(case.architecture) or (1,))


def _plantings(way: Sequence[Candidates], case: Case) -> tuple[Planting, ...]:
    return tuple(p for m in way for p in m.plantings(case.architecture))


def _expanded(way: tuple[Candidates, ...]) -> Iterator[tuple[Candidates, ...]]:
    """One way for each fault of each set, the others at their first."""
    yield tuple(replace(m, faults=m.faults[:1]) for m in way)
    for i, mistake in enumerate(way):
        for fault in mistake.faults[1:]:
            yield tuple(
                replace(m, faults=(fault,)) if k == i else replace(m, faults=m.faults[:1]) for k, m in enumerate(way)
            )


def _merged(ways: Sequence[tuple[Candidates, ...]]) -> tuple[Candidates, ...]:
    """Ways that stand at the same layers in one, with the set of faults for each mistake."""
    first = ways[0]
    alike = [w for w in ways if [m.layers for m in w] == [m.layers for m in first]]
    others = [w for w in ways if len(w) == 1 and len(first) == 1 and w not in alike]
    merged = tuple(
        Candidates(tuple(dict.fromkeys(f for w in alike for f in w[i].faults)), m.layers) for i, m in enumerate(first)
    )
    extra: tuple[Fault, ...] = tuple(f for w in others for f in w[0].faults)
    return (
        (Candidates(tuple(dict.fromkeys((*merged[0].faults, *extra))), merged[0].layers),)
        if len(merged) == 1
        else merged
    )


def _mistake(candidates: Candidates, case: Case, *, everywhere: bool) -> Mistake:
    depth = case.architecture.depth
    first = candidates.faults[0]
    standing = set(candidates.layers) & set(first.layers(case.architecture)) or set(candidates.layers)
    layers = sorted(_showing(first, standing, case) or standing, reverse=True)
    places = tuple(Place(first.place(l, depth), l) for l in layers)
    one = layers[0] if len(standing) == 1 and not everywhere and first.activation is None else None
    explanations = tuple(
        Explanation(f.name, f.title, f.place(layers[0], depth), one, f.hint) for f in candidates.faults
    )
    return Mistake(places, tuple(sorted(standing)), explanations)


def _showing(fault: Fault, layers: set[int], case: Case) -> set[int]:
    """The layers at which a fault alone changes the gradient of this case."""
    right = know(case, backprop(case), fresh=False)
    alone = {l: synthesise(case, (Planting(fault, l),)) for l in layers}
    return {l for l, g in alone.items() if g is None or right.tells_apart(g, right.gradient)}
