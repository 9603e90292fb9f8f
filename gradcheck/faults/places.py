"""Where an unnamed mistake is: residual peeling at λ = 0, and the part of the gradient that depends on λ by itself."""

from collections import Counter
from dataclasses import replace

import numpy as np

from gradcheck.checks.localisation import Place, locate, peel
from gradcheck.faults.backprop import TRUSTED, sweep
from gradcheck.faults.matching import Claims, know
from gradcheck.faults.sampling import single_sample
from gradcheck.networks import Case, with_regularisation
from gradcheck.numerics import Arrays


def places_of(case: Case, claims: Claims) -> tuple[Place, ...]:
    """Equation and layer of every mistake that shows at a case, topmost layer first."""
    plain = replace(case, architecture=with_regularisation(case.architecture, 0.0))
    found = [
        *(_peeled(plain, claims) or locate(plain, claims)),
        *decay_places(case, plain, claims),
        *input_places(case, claims),
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda p: -(p.layer or 0)))


def _peeled(plain: Case, claims: Claims) -> tuple[Place, ...]:
    """What most single samples say; a dead unit or a zero activation misleads one of them, not all."""
    singles = [single_sample(plain, k) for k in range(min(plain.samples, 5))]
    said = Counter(p for s in singles if (p := tuple(peel(s, claims(s)))))
    return max(said, key=lambda p: (said[p], -len(p)), default=())


def decay_places(case: Case, plain: Case, claims: Claims) -> list[Place]:
    """Layers whose gradient depends on λ in another way than the cost does."""
    if not case.architecture.regularisation.strength:
        return []
    with_decay, without = claims(case), claims(plain)
    if with_decay is None or without is None:
        return []
    s, known = sweep(case), know(case, with_decay, fresh=False)
    wrong = set()
    for l in range(1, s.L + 1):
        for name, slope in ((f"W{l}", TRUSTED.weight_decay(s, l)), (f"b{l}", TRUSTED.bias_decay(s, l))):
            if name in with_decay and name in without and with_decay[name].shape == without[name].shape:
                difference = with_decay[name] - without[name] - slope
                if np.any(np.abs(difference) > 4 * known.tolerance(name, known.gradient[name])):
                    wrong.add(l)
    return [Place("regularisation", l) for l in sorted(wrong, reverse=True)]


def input_places(case: Case, claims: Claims) -> list[Place]:
    """The gradient with respect to the input, W¹ᵀδ¹ of the subject's own δ¹: "layer 0" of the recursion."""
    claim = claims(case)
    if claim is None or "x" not in claim:
        return []
    known = know(case, claim, fresh=False)
    if not all(known.right.values()):
        return []
    s = known.trusted
    expected = s.W(1).T @ s.delta[1]
    return [] if _close(claim, expected) else [Place("BP2", 0)]


def _close(claim: Arrays, expected: object) -> bool:
    given, right = np.asarray(claim["x"]), np.asarray(expected)
    largest = float(np.max(np.abs(right), initial=0.0))
    return given.shape == right.shape and bool(np.all(np.abs(given - right) <= 1e-9 * max(largest, 1e-300)))
