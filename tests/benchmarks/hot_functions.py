"""The functions that a campaign spends its time in, each by itself: `python -m pytest tests/benchmarks/hot_functions.py`.

Not collected in the default run: a time is no test. Needs pytest-benchmark; compare two versions in one run of each, by the
minimum (`--benchmark-autosave`, `--benchmark-compare`).
"""

import random

import numpy as np
import pytest

from gradcheck.checks import examine
from gradcheck.checks.comparison import compare
from gradcheck.checks.screening import screen
from gradcheck.networks import cost, forward
from gradcheck.numerics import Estimate
from gradcheck.oracles.autodiff import value_and_gradient
from gradcheck.oracles.error_analysis import rounding_bounds
from gradcheck.oracles.trusted import trusted_estimate
from gradcheck.strategies import decoded
from gradcheck.strategies.encoded import length
from tests.benchmarks.speed import recognition
from tests.benchmarks.subjects import subject_named

SUBJECT = subject_named("row-major")
REPERTOIRE = recognition(SUBJECT).repertoire
_R = random.Random(0)
CODES = [_R.randbytes(length(REPERTOIRE)) for _ in range(60)]
CASES = [decoded(code, REPERTOIRE) for code in CODES]
EXPECTED = [trusted_estimate(case, False) for case in CASES]
NOISE = [rounding_bounds(case).value for case in CASES]


def over(work, *columns):
    """A function of no arguments that does the work at all sixty cases."""
    return lambda: [work(*row) for row in zip(*columns, strict=True)]


def screened(case, expected, noise):
    """As the ladder does it where no kink is near."""
    return screen(SUBJECT.subject, case, SUBJECT.layout, expected.value, (cost(case), noise))


HOT = {
    "draw a case": over(lambda code: decoded(code, REPERTOIRE), CODES),
    "subject: value and claim": over(lambda c: SUBJECT.subject.vjp(c, SUBJECT.layout)[1](np.ones(())), CASES),
    "trusted forward pass": over(forward, CASES),
    "jax.grad": over(value_and_gradient, CASES),
    "rounding bounds": over(rounding_bounds, CASES),
    "compare": over(lambda e: compare(Estimate(e.value, e.error, "claim"), e), EXPECTED),
    "screen": over(screened, CASES, EXPECTED, NOISE),
    "examine": over(lambda c: examine(SUBJECT.subject, c, SUBJECT.layout), CASES),
}


@pytest.mark.parametrize("name", HOT)
def test_hot(benchmark, name):
    """Sixty cases of the campaign's repertoire, widths up to 64."""
    benchmark.pedantic(HOT[name], rounds=5, warmup_rounds=1)
