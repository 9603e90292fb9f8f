"""The public functions: verify a subject, replay a report or a case, check a pair of functions.

Everything heavy is imported by `gradcheck.campaign`, which this module imports only when it is called.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gradcheck.errors import SubjectError, UsageError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from gradcheck.report import Report

Progress = Callable[[int, int], None]
DEFAULT_EXAMPLES = 200


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """outcome: fixed, still failing, or error (the subject could not be run); report: of this one case."""

    outcome: Literal["fixed", "still failing", "error"]
    report: "Report"
    message: str


def verify(
    target: Any,
    *,
    object: str | None = None,
    convention: str | None = None,
    weights: str | None = None,
    samples: str | None = None,
    bias: str | None = None,
    activations: Any = None,
    costs: Any = None,
    cost_scale: str | None = None,
    l2: str | None = None,
    dtype: str | None = None,
    layer: str | None = None,
    max_examples: int | None = None,
    seed: int | None = None,
    budget: float | None = None,
    in_process: bool | None = None,
    time_limit: float = 10.0,
    memory_limit: int | None = 2 * 2**30,
    progress: Progress | None = None,
    audit: bool = False,
    jobs: int | Literal["auto"] = 1,
    sandbox: bool = False,
    select: str | Sequence[str] | None = None,
    ignore: str | Sequence[str] | None = None,
) -> "Report":
    """Verify a hand-written backprop: a path (``file.py`` or ``file.py:Object``), module, class, object or (loss, backprop).

    activations, costs: names, functions written in jax.numpy, `gradcheck.Activation` / `gradcheck.Cost`, or
    ``file.py:name``. max_examples: exactly so many random cases; without it, as many as it takes to meet each activation, cost,
    depth and tensor with power (64 to 400; 200 for layers). budget: seconds after which no new case is begun. in_process: run
    a file in this process too (objects always do). time_limit: seconds a request; memory_limit: bytes. audit: compare the
    oracle with compiled jax.grad although its cached rules have been audited before. jobs: processes, or "auto"
    for one a core. sandbox: run the file behind bubblewrap (Linux), where it can write nothing. select, ignore: codes of
    findings or prefixes of them (GC4, GC402); the longest that fits decides. What is ignored is counted in a note, is no
    evidence, and does not end the run: other mistakes are still looked for. The same seed gives the same report (default 0),
    whatever the number of processes.

    Returns the report; what the subject does wrong, crashes included, is a finding in it. Raises UsageError for the
    caller's own mistakes.
    """
    # imported here: numpy, jax and hypothesis take half a second that `import gradcheck` must not cost
    from gradcheck.campaign import opening, session
    from gradcheck.campaign.outcome import Options
    from gradcheck.report.selection import selection

    adaptive = max_examples is None
    max_examples = DEFAULT_EXAMPLES if max_examples is None else max_examples
    _require_positive("max_examples", max_examples)
    _require_positive("time_limit", time_limit)
    _require_positive("budget", budget)
    vocabulary, activation_names, cost_names = opening.vocabulary_of(activations, costs)
    where = _target(target, object)
    said = session.configuration(
        {
            "object": where.object,
            "convention": convention,
            "weights": weights,
            "samples": samples,
            "bias": bias,
            "activations": activation_names,
            "costs": cost_names,
            "cost_scale": cost_scale,
            "l2": l2,
            "dtype": dtype,
            "layer": layer,
        },
        vocabulary,
    )
    chosen = selection(select, ignore)
    options = Options(
        max_examples,
        seed or 0,
        budget,
        progress,
        audit=audit,
        selection=chosen,
        jobs=processes(jobs),
        adaptive=adaptive,
    )
    return session.run(where, said, vocabulary, options, opening.Limits(time_limit, memory_limit, in_process, sandbox))


def verify_many(
    targets: Sequence[str | Path],
    *,
    jobs: int | Literal["auto"] = "auto",
    executor: "Executor | None" = None,
    **options: Any,
) -> "Iterator[Report]":
    """Verify several files at once; the reports come in the order of the files, and are those of `verify`.

    jobs: processes of this machine, or "auto" for one a core. executor: a concurrent.futures.Executor instead, such as
    ``client.get_executor()`` of Dask; the files must be where its workers run. options: as in `verify`, definitions by name.
    A subject that takes its process down with it is tried again in another one, and then is an error in its own report.

    Raises UsageError for the caller's own mistakes.
    """
    from gradcheck.campaign.many import spread
    from gradcheck.isolation.crew import Crew
    from gradcheck.subjects import check_path

    for target in targets:
        check_path(str(_target(target, options.get("object")).path))
    with contextlib.nullcontext(executor) if executor is not None else Crew(processes(jobs)) as pool:
        for pending in spread(verified, [(str(t), options) for t in targets], pool):
            yield pending.report()


def verified(target: str, options: dict[str, Any]) -> dict[str, Any]:
    """The report of `verify` in plain values: what another process runs for `verify_many`."""
    from gradcheck.campaign.many import pack

    return pack(verify(target, **options))


def processes(jobs: int | str | None) -> int:
    """How many processes `jobs` means; None is one. Raises UsageError."""
    if jobs == "auto":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if jobs is None or (isinstance(jobs, int) and not isinstance(jobs, bool) and jobs >= 1):
        return jobs or 1
    msg = f"jobs must be a number of processes, 1 or more, or 'auto'; got {jobs!r}"
    raise UsageError(msg)


def replay(
    source: Mapping[str, Any],
    target: Any = None,
    *,
    object: str | None = None,
    time_limit: float = 10.0,
    memory_limit: int | None = 2 * 2**30,
    in_process: bool | None = None,
) -> ReplayResult:
    """Run the counterexamples of a report (or one case, both as parsed JSON) again on the subject as it is now.

    target: the subject when it has moved, or when a bare case is replayed. Raises UsageError for what cannot be replayed.
    """
    from gradcheck.campaign.opening import Limits
    from gradcheck.campaign.replaying import replay_source

    where = None if target is None else _target(target, object)
    outcome, report, message = replay_source(source, where, Limits(time_limit, memory_limit, in_process))
    return ReplayResult(outcome, report, message)


def check_vjp(
    primal: Callable[..., Any],
    pullback: Callable[..., Any] | None = None,
    arguments: Any = None,
    *,
    reference: Callable[..., Any] | None = None,
    static: Mapping[str, Any] | None = None,
    complex_convention: Literal["jax", "torch", "conjugate"] | None = None,
    max_examples: int = 50,
    seed: int | None = None,
) -> "Report":
    """Check a hand-written pullback of any function of arrays against differences of its own primal.

    primal(*arguments, **static) -> a pytree of arrays or numbers. pullback(cotangent, *arguments, **static) -> the
    cotangents of all arguments, in order (one of them bare for one argument), each a pytree like its argument; where an
    argument holds no floating-point numbers (integers, booleans, None) anything may stand, or None. Pytrees are nested
    mappings, lists, tuples, namedtuples and dataclasses; leaves are arrays of numpy, torch, jax or the array API, or numbers.

    A subclass of torch.autograd.Function, or a function decorated with jax.custom_vjp or jax.custom_jvp, carries its pullback:
    check_vjp(MyFunction, arguments=[x, w]). For the decorated ones the undecorated function is the primal, and the reference
    too where jax can differentiate it. Its arguments are an example by position.

    arguments: an example (a sequence, or a mapping by name, of arguments in order: shapes, dtypes and scale are kept, and
    other numbers are drawn around it where the primal is finite), or a Hypothesis strategy of such. A function that is meant
    on a subset only (symmetric matrices) must map onto it itself: `(A + A.T) / 2`. The counterexample has the smallest
    arguments that the strategy has for it; of an example it has that shape, with numbers that are simple and keep their signs.
    reference: the same function in jax.numpy, which brings jax.grad in, with rounding bounds of its own.
    complex_convention: how complex cotangents and gradients are written: "jax" as ∂f/∂x − i ∂f/∂y, "torch" or "conjugate"
    as ∂f/∂x + i ∂f/∂y; None recognises which. Functions need not be holomorphic. Cotangents are Gaussian, never all ones;
    integer results get the cotangent None. At a kink any value between the one-sided derivatives is a convention.

    The pullback must answer for the arrays that it is handed, also after another call of primal: for a layer that keeps its
    cache, run its forward pass inside the pullback.

    Returns the report. Raises UsageError for the caller's own mistakes.
    """
    from gradcheck.campaign.functions import verify_pair

    _require_positive("max_examples", max_examples)
    return verify_pair(
        primal,
        pullback,
        arguments,
        reference,
        max_examples,
        seed or 0,
        static=static,
        complex_convention=complex_convention,
    )


def check_jvp(
    primal: Callable[..., Any],
    pushforward: Callable[..., Any],
    arguments: Any,
    *,
    reference: Callable[..., Any] | None = None,
    static: Mapping[str, Any] | None = None,
    max_examples: int = 50,
    seed: int | None = None,
) -> "Report":
    """Check a hand-written forward-mode derivative (a Jacobian-vector product) against differences of its own primal.

    primal(*arguments, **static) -> a pytree of arrays or numbers. pushforward(tangents, *arguments, **static) -> the tangent
    of the output, in the output's structure, or the pair (output, tangent) as jax.jvp returns it; tangents: one a argument in
    a tuple, bare for a single argument, None where an argument holds no floating-point numbers.

    arguments, reference, static: as in `check_vjp`. Each argument is moved alone and all are moved together, along Gaussian
    tangents. At a kink any value between the one-sided derivatives is a convention.

    Returns the report. Raises UsageError for the caller's own mistakes.
    """
    from gradcheck.campaign.forward_mode import verify_pushforward

    _require_positive("max_examples", max_examples)
    return verify_pushforward(primal, pushforward, arguments, reference, max_examples, seed or 0, static)


def check_hvp(
    cost: Callable[..., Any],
    product: Callable[..., Any],
    arguments: Any,
    *,
    gradient: Callable[..., Any] | None = None,
    reference: Callable[..., Any] | None = None,
    static: Mapping[str, Any] | None = None,
    max_examples: int = 50,
    seed: int | None = None,
) -> "Report":
    """Check a hand-written Hessian-vector product of a scalar cost.

    cost(*arguments, **static) -> a real number. product(vectors, *arguments, **static) -> H v, one array (pytree) an argument
    in its structure, bare for a single argument; vectors: likewise.
    gradient(*arguments, **static): the cost's gradient, in the same form; with it H v is judged as the derivative of the
    gradient along v, to a few parts in 1e11. Without it differences of differences of the cost judge, to a few parts in 1e7.
    reference: the cost in jax.numpy. The symmetry ⟨u, H v⟩ = ⟨v, H u⟩ is checked in any case.

    Returns the report. Raises UsageError for the caller's own mistakes, complex arguments among them.
    """
    from gradcheck.campaign.hessian_products import verify_hessian_product

    _require_positive("max_examples", max_examples)
    return verify_hessian_product(
        cost, product, arguments, gradient, reference, max_examples, seed or 0, static
    )  # fmt: skip


def _target(target: Any, object_name: str | None) -> Any:
    from gradcheck.campaign.opening import Target
    from gradcheck.subjects import split_target

    if not isinstance(target, (str, Path)):
        return Target(None, object_name, target)
    path, named = split_target(str(target))
    if named and object_name and named != object_name:
        msg = f"two objects were named: {named!r} in the path and {object_name!r}; name one"
        raise UsageError(msg)
    return Target(path, object_name or named)


def _require_positive(name: str, value: float | None) -> None:
    if value is not None and not value > 0:
        msg = f"{name} must be more than 0; got {value!r}"
        raise UsageError(msg)


__all__: Sequence[str] = [
    "ReplayResult",
    "SubjectError",
    "UsageError",
    "check_hvp",
    "check_jvp",
    "check_vjp",
    "replay",
    "verify",
    "verify_many",
]
