"""What can be measured about a wrong gradient without any catalogue: sentences for the report.

r        effective derivative δ̂/v: the subject's own δ̂ over what came from above, v = Wᵀδ̂ or ∇C, at one sample and λ = 0
ratio    claim over right value, constant in a tensor or not
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.checks.localisation import Place
from gradcheck.faults.backprop import TRUSTED, Sweep, backprop, begin
from gradcheck.faults.expressions import FACTORS, LOCAL, Derivative
from gradcheck.faults.matching import Claims, Known
from gradcheck.faults.sampling import single_sample
from gradcheck.faults.support import where_wrong
from gradcheck.networks import Case, with_regularisation
from gradcheck.numerics import Array, Arrays

_SHOWN = 5
_CLOSE = 1e-6


@dataclass(frozen=True, slots=True)
class Witnesses:
    """What the measurements may use: cases with their claims, a way to ask for more, and the places found."""

    knowns: tuple[Known, ...]
    ask: Claims
    places: tuple[Place, ...]

    @property
    def wrong(self) -> list[Known]:
        """The cases that show the mistake."""
        return [k for k in self.knowns if k.informative]


@dataclass(frozen=True, slots=True)
class Point:
    """One unit of one sample: z, the effective derivative r and the right one, and the state it came from."""

    sweep: Sweep
    layer: int
    unit: int
    z: float
    r: float
    right: float


def measured(w: Witnesses) -> Iterator[str]:
    """All that can be said, the most telling first."""
    yield from which_wrong(w)
    yield from where_wrong(w.wrong)
    for place in w.places[:2]:
        if place.equation in ("BP1", "BP2") and place.layer is not None:
            yield from derivative_evidence(w, place)
    yield from ratio_evidence(w.wrong)
    yield from pattern_evidence(w.wrong)
    yield from decay_evidence(w)
    yield from batch_evidence(w)


def which_wrong(w: Witnesses) -> Iterator[str]:
    """The tensors that are wrong somewhere, and those that never are."""
    names = list(w.knowns[0].gradient)
    wrong = [n for n in names if any(not k.right.get(n, True) for k in w.knowns)]
    right = [n for n in names if n not in wrong]
    if wrong:
        always = f"; always right: {', '.join(right)}" if right else ""
        yield f"wrong on {len(w.wrong)} of {len(w.knowns)} cases: the gradients of {', '.join(wrong)}{always}"


# -- effective derivative ---------------------------------------------------------------------------------------------


def derivative_evidence(w: Witnesses, place: Place) -> Iterator[str]:
    """The curve of the effective derivative, and the function that it looks like."""
    assert place.layer is not None
    from_top = w.knowns[0].case.architecture.depth - place.layer
    points = [p for k in w.knowns for p in effective_points(k.case, w.ask, k.case.architecture.depth - from_top)]
    if len(points) < 4:
        return
    if all(abs(p.r - p.right) <= _CLOSE * (1 + abs(p.right)) for p in points):
        return
    yield f"effective derivative at layer {place.layer}, the subject's δ over what comes from above: {_curve(points)}"
    yield from _one_sided(points)
    yield from _looks_like(points)


def effective_points(case: Case, ask: Claims, layer: int) -> Iterator[Point]:
    """z and r of every unit of a layer, one sample at a time, where what comes from above is not small."""
    for k in range(min(case.samples, 3)):
        single = single_sample(case, k)
        claim = ask(single)
        if claim is None or not single.architecture.layers[layer - 1].activation.elementwise:
            continue
        s = begin(single)
        own, above = read_error(claim, s, layer), _from_above(claim, s, layer)
        if own is None or above is None:
            continue
        s.above[layer] = above
        right = s.prime(layer)
        for i in np.flatnonzero(np.abs(above[:, 0]) > 1e-3 * np.max(np.abs(above), initial=1e-300)):
            yield Point(s, layer, int(i), float(s.z[layer][i, 0]), float(own[i, 0] / above[i, 0]), float(right[i, 0]))


def read_error(claim: Arrays, s: Sweep, l: int) -> Array | None:
    """The subject's own δ of a layer at one sample: its db, or its dW projected on the activation below."""
    if f"b{l}" in claim:
        return np.asarray(claim[f"b{l}"])
    a = s.a[l - 1]
    if f"W{l}" not in claim or not np.any(a):
        return None
    return np.asarray(claim[f"W{l}"] @ a / float(np.vdot(a, a)))


def _from_above(claim: Arrays, s: Sweep, l: int) -> Array | None:
    if l == s.L:
        return TRUSTED.cost_gradient(s, l)
    own = read_error(claim, s, l + 1)
    return None if own is None else np.asarray(s.W(l + 1).T @ own)


def _curve(points: Sequence[Point]) -> str:
    ordered = sorted(points, key=lambda p: p.z)
    chosen = [ordered[round(i)] for i in np.linspace(0, len(ordered) - 1, min(_SHOWN, len(ordered)))]
    return "; ".join(f"at z = {p.z:.3g} it is {p.r:.4g} (right: {p.right:.4g})" for p in chosen)


def _one_sided(points: Sequence[Point]) -> Iterator[str]:
    wrong = [p for p in points if abs(p.r - p.right) > _CLOSE * (1 + abs(p.right))]
    for side, inside in (("negative", [p for p in points if p.z < 0]), ("positive", [p for p in points if p.z > 0])):
        if wrong and len(inside) < len(points) and all(p in inside for p in wrong):
            yield f"it is wrong only where z is {side} ({len(wrong)} of {len(inside)} units)"


def _looks_like(points: Sequence[Point]) -> Iterator[str]:
    values = np.array([p.r for p in points])
    for row in LOCAL:
        factor = np.array([_factor_at(row, p) for p in points])
        if not np.all(np.isfinite(factor)) or not np.any(factor):
            continue
        c = float(np.vdot(factor, values) / np.vdot(factor, factor))
        if c and np.all(np.abs(values - c * factor) <= _CLOSE * (np.abs(values) + abs(c))):
            times = "" if abs(c - 1) < 1e-6 else f"{c:.6g} times "
            yield f"on all {len(points)} units measured it is {times}{row.text}"
            return


def _factor_at(row: Derivative, p: Point) -> float:
    with np.errstate(all="ignore"):
        return float(np.broadcast_to(row.factor(p.sweep, p.layer), p.sweep.z[p.layer].shape)[p.unit, 0])


# -- ratios and patterns ----------------------------------------------------------------------------------------------


def ratio_evidence(wrong: Sequence[Known]) -> Iterator[str]:
    """A constant factor in a tensor, with or without its decay, as an expression in m, n and L where one fits."""
    for name in _names(wrong):
        for what, view in _VIEWS.items():
            pairs = [(k, *view(k, name)) for k in wrong if not k.right.get(name, True)]
            known = [(k, r) for k, claim, right in pairs if (r := constant_ratio(claim, right)) is not None]
            if len(known) >= 2 and len(known) == len(pairs):
                expression = _expression(known, int(name[1:]))
                yield f"the gradient of {name} is {expression} times the right one in every component{what}"
                break


def _whole(k: Known, name: str) -> tuple[Array, Array]:
    return k.claim[name], k.gradient[name]


def _without_decay(k: Known, name: str) -> tuple[Array, Array]:
    """Claim and right value less the right decay."""
    s, l = k.trusted, int(name[1:])
    decay = TRUSTED.weight_decay(s, l) if name[0] == "W" else TRUSTED.bias_decay(s, l)
    return k.claim[name] - decay, k.gradient[name] - decay


_VIEWS: Mapping[str, Callable[[Known, str], tuple[Array, Array]]] = {
    "": _whole,
    ", the decay set aside": _without_decay,
}


def constant_ratio(claim: Array, right: Array) -> float | None:
    """r with claim = r · right in every component; None where there is none, or where one component cannot tell."""
    if claim.shape != right.shape or claim.size < 2 or not np.any(right):
        return None
    r = float(np.vdot(right, claim) / np.vdot(right, right))
    return r if np.allclose(claim, r * right, rtol=1e-7, atol=1e-9 * float(np.max(np.abs(claim)))) else None


def _expression(known: Sequence[tuple[Known, float]], layer: int) -> str:
    for row in FACTORS:
        if all(abs(row.value(k.trusted, layer) - r) <= 1e-6 * abs(r) for k, r in known):
            return row.text
    values = sorted({f"{r:.6g}" for _, r in known})
    return values[0] if len(values) == 1 else f"a factor that depends on the case ({', '.join(values[:4])})"


def pattern_evidence(wrong: Sequence[Known]) -> Iterator[str]:
    """What the claimed gradient is instead: zero, transposed, another layer's, of too low a rank."""
    for name in _names(wrong):
        at = [k for k in wrong if not k.right.get(name, True)]
        if len(at) < 2:
            continue
        fitting = (
            f"the gradient of {name} is {text}{what}"
            for what, view in _VIEWS.items()
            for text, test in _PATTERNS.items()
            if all(test(*view(k, name)) for k in at)
        )
        first = next(fitting, None)
        yield from [first] if first else _neighbour(at, name)


def _zero(g: Array, right: Array) -> bool:
    return not np.any(g)


def _transposed(g: Array, right: Array) -> bool:
    return g.shape[0] == g.shape[1] and g.size > 1 and np.allclose(g, right.T, rtol=1e-8)


def _constant(g: Array, right: Array) -> bool:
    return g.size > 1 and np.allclose(g, g.flat[0], rtol=1e-10)


def _rank_one(g: Array, right: Array) -> bool:
    return min(g.shape) > 1 and bool(np.linalg.matrix_rank(g) == 1 < np.linalg.matrix_rank(right))


def _opposite(g: Array, right: Array) -> bool:
    return np.allclose(np.abs(g), np.abs(right), rtol=1e-8)


def _single_precision(g: Array, right: Array) -> bool:
    exact = np.array_equal(right, right.astype(np.float32).astype(np.float64))
    return bool(np.any(g)) and not exact and np.array_equal(g, g.astype(np.float32).astype(np.float64))


_PATTERNS: Mapping[str, Callable[[Array, Array], bool]] = {
    "zero in every component": _zero,
    "the transpose of the right one": _transposed,
    "the same number in every component": _constant,
    "of rank 1, although there are several samples: sums were multiplied, or one sample alone": _rank_one,
    "right but for the signs of some components": _opposite,
    "made of float32 numbers": _single_precision,
}


def _neighbour(at: Sequence[Known], name: str) -> Iterator[str]:
    """Equal to the right gradient of another layer wherever the shapes allow it."""
    for other in at[0].gradient:
        if other == name or other[0] != name[0]:
            continue
        pairs = [(k.claim[name], k.gradient[other]) for k in at if k.claim[name].shape == k.gradient[other].shape]
        if len(pairs) > 1 and all(np.allclose(g, right, rtol=1e-8) for g, right in pairs):
            yield f"the gradient of {name} is that of {other}"


# -- regularisation and batch -----------------------------------------------------------------------------------------


def decay_evidence(w: Witnesses) -> Iterator[str]:
    """How the claim depends on λ, where the right one does."""
    cases = [k for k in w.wrong if k.trusted.decay][:4]
    found: dict[str, list[tuple[Known, Array, Array]]] = {}
    for k in cases:
        claim = w.ask(_undecayed(k.case))
        if claim is None:
            continue
        right = _difference(k.gradient, backprop(_undecayed(k.case)))
        for name in (n for n in right if n in claim and n in k.claim and claim[n].shape == k.claim[n].shape):
            found.setdefault(name, []).append((k, k.claim[name] - claim[name], right[name]))
    for name, rows in found.items():
        yield from _decay_sentence(name, rows)


def _decay_sentence(name: str, rows: Sequence[tuple[Known, Array, Array]]) -> Iterator[str]:
    if all(_alike(got, right, k) for k, got, right in rows):
        return
    if all(_alike(got, 0 * right, k) for k, got, right in rows):
        yield f"the gradient of {name} does not depend on λ, although the cost does"
        return
    ratios = [(k, constant_ratio(got, right)) for k, got, right in rows]
    known = [(k, r) for k, r in ratios if r is not None]
    if known and len(known) == len(ratios):
        yield f"the decay of {name} is {_expression(known, int(name[1:]))} times that of the cost"
    elif all(not np.any(right) for _, _, right in rows):
        yield f"the gradient of {name} depends on λ, although the cost does not penalise it"
    else:
        yield f"the gradient of {name} depends on λ in another way than the cost: not by a multiple of W"


def _alike(one: Array, other: Array, k: Known) -> bool:
    return np.allclose(one, other, rtol=1e-7, atol=1e-9 * max(float(np.max(np.abs(g))) for g in k.claim.values()))


def _difference(u: Arrays, v: Arrays) -> dict[str, Array]:
    return {n: u[n] - v[n] for n in u}


def _undecayed(case: Case) -> Case:
    return replace(case, architecture=with_regularisation(case.architecture, 0.0))


def batch_evidence(w: Witnesses) -> Iterator[str]:
    """The claim for a batch against the claims for its samples alone (λ = 0), as a whole and tensor by tensor."""
    fitting: dict[str, list[set[str]]] = {}
    for k in [k for k in w.wrong if k.case.samples > 2][:3]:
        whole = w.ask(_undecayed(k.case))
        alone = [w.ask(single_sample(k.case, i)) for i in range(k.case.samples)]
        if whole is None or any(g is None for g in alone):
            return
        parts = [g for g in alone if g is not None]
        share = k.trusted.scale / k.case.architecture.cost_scale(1)
        for n in whole:
            fitting.setdefault(n, []).append(set(_batch_words(whole[n], [p[n] for p in parts], share)))
    said = {n: _most_likely(words) for n, words in fitting.items()}
    if len(set(said.values())) == 1:
        yield from (f"the gradient of a batch is {word}" for word in set(said.values()) if word)
    else:
        yield from (f"of a batch the gradient of {n} is {word}" for n, word in said.items() if word)


_SHARES: Mapping[str, Callable[[Sequence[Array], Array, float], Array]] = {
    "": lambda parts, total, share: share * total,
    "that of its last sample alone": lambda parts, total, share: share * parts[-1],
    "that of its last sample alone, unscaled": lambda parts, total, share: parts[-1],
    "that of its first sample alone": lambda parts, total, share: share * parts[0],
    "that of its first sample alone, unscaled": lambda parts, total, share: parts[0],
    "the plain sum over its samples": lambda parts, total, share: total,
    "the plain mean over its samples": lambda parts, total, share: total / len(parts),
    "divided by the number of samples twice": lambda parts, total, share: share * total / len(parts),
    "without its last sample": lambda parts, total, share: share * (total - parts[-1]),
    "without its first sample": lambda parts, total, share: share * (total - parts[0]),
}
"""What a gradient of a batch may be of those of its samples: (their gradients, the sum, the share of one) -> value."""
_MIXED = "no combination of those of its samples: samples are mixed before they are added up"


def _batch_words(whole: Array, parts: Sequence[Array], share: float) -> Iterator[str]:
    """All that fits at one case; a sample without a gradient makes several fit."""
    total = np.sum(parts, axis=0)
    for word, value in _SHARES.items():
        expected = value(parts, total, share)
        if whole.shape == expected.shape and np.allclose(whole, expected, rtol=1e-8, atol=1e-13):
            yield word


def _most_likely(fitting: Sequence[set[str]]) -> str:
    """The first word that fits at all cases; empty for the right combination, and where the cases do not agree."""
    common = set.intersection(*fitting)
    if not any(fitting):
        return _MIXED
    return next((word for word in _SHARES if word in common), "")


def _names(wrong: Sequence[Known]) -> list[str]:
    return [n for n in (wrong[0].gradient if wrong else ()) if any(not k.right.get(n, True) for k in wrong)]
