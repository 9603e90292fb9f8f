"""Check a (primal, pullback) pair: any function of float arrays, in this process."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import Phase, given, seed, settings

from gradcheck.campaign.operations import verify_function
from gradcheck.campaign.session import report_of
from gradcheck.campaign.verification import Options, quiet_settings
from gradcheck.checks.operations import Trusted
from gradcheck.errors import UsageError
from gradcheck.networks import OperationCase
from gradcheck.numerics import Array, Estimate
from gradcheck.oracles.autodiff import function_vjp
from gradcheck.report import Report, SubjectInfo
from gradcheck.subjects import Layout, LocalSubject, SubjectConfiguration
from gradcheck.subjects.pair import Pair


def verify_pair(
    primal: Callable[..., Any],
    pullback: Callable[..., Any],
    arguments: Any,
    reference: Callable[..., Any] | None,
    max_examples: int,
    seed_: int,
) -> Report:
    """The report of a pair; see `gradcheck.check_vjp`."""
    started = time.monotonic()
    examples = example_arguments(arguments, max_examples, seed_)
    names = list(examples[0])
    name = getattr(primal, "__name__", "function")
    pair = Pair(primal, pullback, names, name)
    generator = np.random.default_rng([seed_, 3])

    def draw(_: np.random.Generator, k: int) -> OperationCase:
        values = examples[k % len(examples)]
        if k >= len(examples):
            values = {n: a + generator.standard_normal(a.shape) * _spread(a) for n, a in values.items()}
        output = np.asarray(primal(*[a.copy() for a in values.values()]), dtype=float)
        return OperationCase(f"vjp of {name}", values, generator.standard_normal(output.shape), {})

    def trusted(case: OperationCase) -> Trusted | None:
        if reference is None:
            return None
        value, gradient = function_vjp(lambda **a: reference(*a.values()), case.arguments, case.cotangent)
        error = {
            n: np.full(g.shape, 1e-12 * float(np.max(np.abs(g), initial=0.0)) + 1e-300) for n, g in gradient.items()
        }
        slack = np.full(value.shape, 1e-12 * float(np.max(np.abs(value), initial=0.0)))
        return Trusted(value, slack, Estimate(gradient, error, "jax.grad"))

    options = Options(max_examples, seed_)
    outcome = verify_function(LocalSubject(pair), Layout(), draw, trusted, options)
    info = SubjectInfo(f"<{name}>", None, "vjp", None)
    return report_of(info, outcome, None, options, time.monotonic() - started, (SubjectConfiguration(), ()))


def example_arguments(arguments: Any, count: int, seed_: int) -> list[dict[str, Array]]:
    """Named float64 arrays: of the given example, or as many as are wanted from a strategy. Raises UsageError."""
    if hasattr(arguments, "example") and hasattr(arguments, "map"):
        return [_named(a) for a in _drawn(arguments, count, seed_)]
    return [_named(arguments)]


def _drawn(strategy: Any, count: int, seed_: int) -> list[Any]:
    found: list[Any] = []

    @seed(seed_)
    @settings(quiet_settings(), max_examples=count, phases=[Phase.generate])
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found


def _named(arguments: Any) -> dict[str, Array]:
    if isinstance(arguments, Mapping):
        pairs = list(arguments.items())
    elif isinstance(arguments, Sequence) and not isinstance(arguments, str):
        pairs = [(f"argument {k}", a) for k, a in enumerate(arguments)]
    else:
        pairs = [("argument 0", arguments)]
    named = {}
    for name, value in pairs:
        array = np.asarray(value)
        if array.dtype.kind not in "fiu":
            msg = f"{name} must be an array of real numbers; got {type(value).__name__}: {value!r:.60}"
            raise UsageError(msg)
        named[str(name)] = array.astype(np.float64)
    if not named:
        msg = "arguments is empty: give at least one example array"
        raise UsageError(msg)
    return named


def _spread(a: Array) -> float:
    return 0.5 * float(np.sqrt(np.mean(a**2))) if a.size and np.any(a) else 0.5
