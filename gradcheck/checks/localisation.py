"""Where the backward pass goes wrong: equation and layer, each judged given the subject's own δ above it.

With one sample and λ = 0 the subject's δ can be read off its claim, db_l = δ_l and dW_l = δ_l a_{l−1}ᵀ. Walking down from the
output, every equation is compared with what it should give for the δ that the subject itself used above, so that one mistake
is not counted again in every layer below it (residual peeling). What shows only with several samples or with λ > 0 is told
apart first. It must not know names of faults.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.checks.comparison import compare
from gradcheck.networks import Case, forward, with_regularisation
from gradcheck.numerics import Array, Arrays, Estimate
from gradcheck.oracles.autodiff import activation_vjp, cost_vjp, value_and_gradient
from gradcheck.oracles.error_analysis import rounding_bounds

Claims = Callable[[Case], Arrays | None]
"""Asks the subject for its gradient at a case; None when it cannot be had."""


@dataclass(frozen=True, slots=True)
class Place:
    """Equation and layer 1 … L; layer l holds the weights from l − 1 to l."""

    equation: str
    layer: int | None


def locate(case: Case, claims: Claims) -> tuple[Place, ...]:
    """The places, topmost layer first; empty when the claim is right or nothing can be said."""
    plain = replace(case, architecture=with_regularisation(case.architecture, 0.0))
    if case.architecture.regularisation.strength and _agrees(plain, claims):
        return tuple(Place("regularisation", l) for l in _wrong_layers(case, claims))
    for single in _single_samples(plain):
        places = tuple(peel(single, claims(single)))
        if places:
            return places
    return tuple(_batch_places(plain, claims))


def peel(case: Case, claim: Arrays | None) -> Iterator[Place]:
    """Residual peeling at a case with one sample and λ = 0."""
    if claim is None:
        return
    z, a = forward(case)
    bounds = rounding_bounds(case).gradient
    scale = case.architecture.cost_scale(1)
    with np.errstate(all="ignore"):
        above = cost_vjp(case.architecture.cost)(a[-1], case.targets, np.asarray(scale))
        for l in range(case.architecture.depth, 0, -1):
            delta = activation_vjp(case.architecture.layers[l - 1].activation)(z[l], above)
            own, equations = _judge_layer(case, l, claim, delta, (a[l - 1], bounds))
            yield from (Place(e, l) for e in equations)
            above = case.weight(l).T @ own


def _judge_layer(
    case: Case, l: int, claim: Arrays, delta: Array, known: tuple[Array, Arrays]
) -> tuple[Array, list[str]]:
    """The subject's own δ_l, and the equations of layer l that it breaks, given the δ it used above."""
    a, bounds = known
    recursion = "BP1" if l == case.architecture.depth else "BP2"
    dW, db = claim.get(f"W{l}"), claim.get(f"b{l}")
    slack_b = _slack(bounds.get(f"b{l}"), delta, delta)
    slack_W = _slack(bounds[f"W{l}"], delta @ a.T, delta)
    b_right = db is None or _near(db, delta, slack_b)
    W_right = dW is None or _near(dW, delta @ a.T, slack_W)
    if b_right and W_right:
        return delta, []
    if b_right and db is not None:
        return delta, ["BP4"]
    if W_right:
        return delta, ["BP3"]
    if db is not None and dW is not None and _near(dW, db @ a.T, slack_W + 1e-9 * np.abs(db @ a.T).max()):
        return db, [recursion]
    from_weights = dW @ a / float(np.vdot(a, a)) if dW is not None and np.any(a) else delta
    if dW is not None and _near(dW, from_weights @ a.T, slack_W + 1e-9 * np.abs(dW).max()):
        return from_weights, [recursion] if db is None else [recursion, "BP3"]
    return (delta if db is None else db), [recursion, "BP4"] if db is not None else [recursion]


def _slack(bound: Array | None, expected: Array, delta: Array) -> Array:
    """Rounding of the trusted gradient, doubled for the claim, and relaxed for a δ that was itself read off a claim."""
    relative = 1e-10 * float(np.max(np.abs(expected), initial=0.0))
    return (0.0 if bound is None else 4 * bound) + relative + np.zeros_like(expected)


def _near(claimed: Array, expected: Array, slack: Array) -> bool:
    return claimed.shape == expected.shape and bool(np.all(np.abs(claimed - expected) <= slack))


def _single_samples(case: Case) -> Iterator[Case]:
    """The case one sample at a time, as far as the cost's scale allows to speak of one sample."""
    for k in range(min(case.samples, 4)):
        yield replace(case, inputs=case.inputs[:, k : k + 1].copy(), targets=case.targets[:, k : k + 1].copy())


def _comparison(case: Case, claims: Claims) -> list[str]:
    claim = claims(case)
    if claim is None:
        return []
    bounds = rounding_bounds(case).gradient
    trusted = rounding_bounds(case, "float64").gradient
    names = [n for n in case.parameters if n in claim]
    gradient = value_and_gradient(case)[1]
    return compare(
        Estimate({n: claim[n] for n in names}, bounds, "claim"),
        Estimate({n: gradient[n] for n in names}, trusted, "jax.grad"),
    ).wrong()


def _agrees(case: Case, claims: Claims) -> bool:
    return claims(case) is not None and not _comparison(case, claims)


def _wrong_layers(case: Case, claims: Claims) -> list[int]:
    return sorted({int(n[1:]) for n in _comparison(case, claims)}, reverse=True)


def _batch_places(case: Case, claims: Claims) -> Iterator[Place]:
    """Right for every single sample, wrong for several: the reduction over the batch, by the tensors that are wrong."""
    wrong = _comparison(case, claims)
    for l in sorted({int(n[1:]) for n in wrong}, reverse=True):
        both = f"W{l}" in wrong and f"b{l}" in wrong
        if both:
            yield Place("BP1" if l == case.architecture.depth else "BP2", l)
            return
        yield Place("BP4" if f"W{l}" in wrong else "BP3", l)
