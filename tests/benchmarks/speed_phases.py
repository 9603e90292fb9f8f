"""Where the time of a case goes: each phase by itself over the same cases, in CPU seconds a case."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from gradcheck.checks import examine, ladder
from gradcheck.checks.comparison import compare
from gradcheck.checks.screening import screen
from gradcheck.networks import Case, cost
from gradcheck.networks.repertoire import Repertoire
from gradcheck.networks.sampling import kink_distance
from gradcheck.numerics import Estimate
from gradcheck.oracles.error_analysis import rounding_bounds
from gradcheck.oracles.trusted import trusted_estimate
from gradcheck.strategies import decoded
from gradcheck.strategies.encoded import length
from tests.benchmarks import timing
from tests.benchmarks.speed_peers import arguments_of, reference, told
from tests.benchmarks.subjects import CorrectSubject, subject_named


def phases(cases: Sequence[Case], repertoire: Repertoire) -> dict[str, float]:
    """Phase -> CPU seconds a case; the floor first, the whole examination last. repertoire: that the cases are drawn from."""
    s = subject_named("row-major")
    claims = [s.subject.vjp(c, s.layout)[1](c.cotangent).gradient for c in cases]
    pairs = list(zip(cases, claims, strict=True))

    def mean(work: Callable[[Case, dict[str, np.ndarray]], object]) -> float:
        return timing.best_of(lambda: [work(c, dict(g)) for c, g in pairs]) / len(cases)

    codes = [np.random.default_rng(k).bytes(length(repertoire)) for k in range(len(cases))]
    return {
        "floor: forward and backward": mean(_floor),
        "drawing": timing.best_of(lambda: [decoded(code, repertoire) for code in codes]) / len(cases),
        "subject: value and claim": mean(lambda c, g: s.subject.vjp(c, s.layout)[1](c.cotangent)),
        "oracle: jax.grad": mean(lambda c, g: trusted_estimate(c, False)),
        "rounding bounds": mean(lambda c, g: rounding_bounds(c)),
        "differences, screened": mean(partial(_differences, s)),
        "comparison": mean(_comparison),
        "whole examination": mean(lambda c, g: examine(s.subject, c, s.layout)),
    }


def _floor(case: Case, claim: dict[str, np.ndarray]) -> None:
    arguments = arguments_of(case, case.parameters)
    reference().loss(*arguments, **told(case))
    reference().backprop(*arguments, **told(case))


def _differences(subject: CorrectSubject, case: Case, claim: dict[str, np.ndarray]) -> None:
    if kink_distance(case) > ladder.NEAR_KINK:
        screen(subject.subject, case, subject.layout, claim, (cost(case), 1e-15))


def _comparison(case: Case, claim: dict[str, np.ndarray]) -> None:
    bounds = {n: 1e-12 + 1e-12 * np.abs(g) for n, g in claim.items()}
    compare(Estimate(claim, bounds, "claim"), Estimate(claim, bounds, "jax.grad"))
