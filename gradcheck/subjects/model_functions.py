"""Convention `model_functions`: functions that know the whole network and give the loss and all gradients.

    loss, grads = f(params, X, y)                   one call; grads is a dict, a list or a tuple
    f(params, X, y), g(params, X, y)                the loss and the gradients apart
    out, cache = forward(X, params); grads = backward(y, cache)
    cost, cache = forward(X, y, params); grads = backward(X, y, cache)

The parameters come as a dict, a nested dict, a list of pairs or of dicts, one by one (W1, b1, W2, b2), or are globals of the
module. Which structure, which layout, and whether y holds labels or one-hot vectors, is found by running it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from gradcheck.errors import GradcheckError, SubjectError
from gradcheck.networks import Case
from gradcheck.numerics import Array
from gradcheck.subjects import whole_functions
from gradcheck.subjects.binding import signature_text
from gradcheck.subjects.failures import seeded, subject_code, subject_error
from gradcheck.subjects.gradient_names import is_number
from gradcheck.subjects.gradient_reading import Reader
from gradcheck.subjects.layout import Layout, subject_shapes
from gradcheck.subjects.match import Match, own_functions
from gradcheck.subjects.model_calls import (
    LAYOUTS,
    Samples,
    Targets,
    fits,
    has_number,
    output_limits,
    own_callables,
)
from gradcheck.subjects.model_plans import Plan, lost_numbers, plans
from gradcheck.subjects.parameter_structures import Structure, structures
from gradcheck.subjects.protocol import Malformed
from gradcheck.subjects.sample_order import samples_of
from gradcheck.subjects.source import constants, reachable
from gradcheck.subjects.trial import labelled_case, small_case
from gradcheck.subjects.whole_functions import ModelFunctions

NAME = whole_functions.NAME
TEMPLATE = '''\
def loss_and_gradients(params, X, y):
    """-> (loss, grads). params: {"W1": (from, to), "b1": (to,), ...}, or a list of pairs, of dicts ...; grads in the same
    structure, with keys such as "dW1" or "W1". X (m, n_0), y (m, n_L) or class labels (m,)."""
    error = (X @ params["W1"] + params["b1"] - y) / len(X)
    loss = 0.5 * len(X) * (error * error).sum()
    return loss, {"dW1": X.T @ error, "db1": error.sum(axis=0)}
'''
CALL = "loss, grads = loss_and_gradients(params, X, y)"
DEPTHS = (2, 1, 3)
_ANOTHER_STRUCTURE = ("KeyError", "TypeError", "AttributeError")
"""What the wrong structure raises, whatever the layout."""


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by functions of known arguments that, on a small network, return gradients of every parameter."""
    functions = dict(own_callables(members, own_functions(members)))
    near: list[str] = []
    alone: dict[str, bool] = {}
    for plan, globals_of in plans(functions, members):
        reasons: dict[str, str] = {}
        if plan.forward is None and plan.gradient.name not in alone:  # without a cost first: it may have several
            alone[plan.gradient.name] = tried(Plan(plan.gradient), globals_of, members, name, reasons) is not None
        hopeless = plan.forward is None and not alone[plan.gradient.name]
        adapter = None if hopeless else tried(plan, globals_of, members, name, reasons)
        if adapter is not None:
            return Match(NAME, adapter, found=tuple(p.name for p in plan.parts))
        text = signature_text(plan.gradient.name, plan.gradient.binding.function)
        near.append(f"{text}: {next(iter(reasons.values()), 'no way was found to run it')}")
    wanted = "a function of parameters, X and y that returns the loss and the gradients, such as f(params, X, y)"
    return Match(NAME, None, tuple(near[:3]) or (wanted,), tuple(line.partition("(")[0] for line in near[:3]))


def tried(
    plan: Plan, held: Mapping[str, str], members: Mapping[str, Any], name: str, reasons: dict[str, str]
) -> ModelFunctions | None:
    """An adapter of the plan in the first structure in which gradients are found; reasons: what went wrong elsewhere."""
    numbered = [int(t[1:]) for t in {*plan.takes, *held} if t[0] in "Wb" and t[1:].isdigit()]
    depths = (max(numbered),) if numbered else DEPTHS
    second: ModelFunctions | None = None
    candidates = list(_structures(plan, members))
    counted = lost_numbers(plan)
    for (samples, targets, outputs), depth, structure in product(_variants(), depths, candidates):
        shallow = structure.text == "W, b"
        if shallow and depth != 1 and 1 in depths:
            continue
        adapter = ModelFunctions(plan, name, structure, samples=samples, targets=targets, globals_of=held)
        adapter.outputs = output_limits(outputs, targets)
        adapter.depths = (depth, depth) if numbered or shallow else (1, None)
        adapter.counted = counted
        adapter.reader.returned = plan.gradient.returned
        good, runs = _layouts(adapter, depth, outputs, reasons)
        if good:
            if targets == "labels":
                adapter.counts_classes = counts_classes(adapter, labelled_case(depth, outputs), good[0])
                adapter.outputs = (2, 2) if adapter.counts_classes else adapter.outputs
            return replace(adapter, layouts=tuple(good), reader=Reader(plan.gradient.returned))
        if runs and second is None:
            second = replace(adapter, layouts=tuple(runs), reader=Reader(plan.gradient.returned))
    return second


def counts_classes(adapter: ModelFunctions, case: Case, layout: Layout) -> bool:
    """Whether the gradients of samples of one class and of the rest do not add up to that of all: it may count the classes."""
    groups = [np.flatnonzero(row) for row in case.targets]
    try:
        with subject_code():
            whole, *parts = (
                _flat_gradient(adapter, samples_of(case, list(g)), layout) for g in (range(case.samples), *groups)
            )
    except (SubjectError, Malformed):
        return True
    sums = (
        sum(parts, np.zeros(())),
        sum((len(g) / case.samples * p for g, p in zip(groups, parts, strict=True)), np.zeros(())),
    )
    return not any(np.allclose(whole, s, rtol=1e-9, atol=1e-12) for s in sums)


def _flat_gradient(adapter: ModelFunctions, case: Case, layout: Layout) -> Array:
    found = adapter.gradient(adapter.call(case, layout), np.ones(()))
    return np.concatenate([np.ravel(np.asarray(found[n], dtype=float)) for n in sorted(found)])


def _variants() -> Iterator[tuple[Samples, Targets, int]]:
    yield "batch", "one_hot", 2
    yield "batch", "labels", 2
    yield "batch", "one_hot", 1
    yield "column", "one_hot", 2
    yield "vector", "one_hot", 2
    yield "vector", "labels", 2
    yield "column", "one_hot", 1
    yield "batch", "labels", 1


def _structures(plan: Plan, members: Mapping[str, Any]) -> Iterator[Structure]:
    takes = plan.takes
    if "parameters" in takes:
        functions = [getattr(p.binding.function, "func", p.binding.function) for p in plan.parts]
        yield from structures(constants(reachable(functions)), members)
    elif "weights" in takes:
        yield Structure("weights, biases", lambda W, b: None)
        yield Structure("W, b", lambda W, b: None)
    else:
        yield Structure("W1, b1, W2, b2, ...", lambda W, b: None)


def _layouts(
    adapter: ModelFunctions, depth: int, outputs: int, reasons: dict[str, str]
) -> tuple[list[Layout], list[Layout]]:
    """The layouts in which gradients of all parameters are found in the right shapes, and those in which it merely runs."""
    good: list[Layout] = []
    runs: list[Layout] = []
    case = labelled_case(depth, outputs) if adapter.targets == "labels" else small_case(depth, outputs)
    for layout in LAYOUTS:
        try:
            with seeded():
                _require_parameters(adapter, case, layout)
                if adapter.plan.cost is not None:
                    _require_loss(adapter, case, layout)
                if adapter.plan.gives_output:
                    _require_output(adapter, case, layout)
                (good if adapter.learn(depth, layout) else runs).append(layout)
        except Malformed as error:
            reasons.setdefault(error.problem.message, error.problem.message)
        except GradcheckError as error:
            reasons.setdefault(str(error), str(error))
        except Exception as error:  # whatever the subject's code raises
            kind = f"{type(error).__name__}: {error}"
            if kind not in reasons:
                reasons[kind] = subject_error(error).message
            if type(error).__name__ in _ANOTHER_STRUCTURE or "unpack" in kind or "inhomogeneous" in kind:
                break
    return good, runs


def _require_parameters(adapter: ModelFunctions, case: Case, layout: Layout) -> None:
    """A function that names its parameters one by one takes just those of the layout."""
    named = {t for t in {*adapter.plan.takes, *adapter.globals_of} if t[0] in "Wb" and t[1:].isdigit()}
    has_biases = layout.bias != "none" and not layout.folded
    wanted = set(subject_shapes(case.architecture, layout))
    if named and named != wanted:
        raise Malformed("missing", "parameters", f"it takes {', '.join(sorted(named))}")
    lists = adapter.plan.takes & {"weights", "biases"}
    if "weights" in lists and ("biases" in lists) != has_biases:
        raise Malformed(
            "missing", "biases", "it takes weights and biases" if "biases" in lists else "it takes weights only"
        )


def _require_loss(adapter: ModelFunctions, case: Case, layout: Layout) -> None:
    part = adapter.plan.cost
    assert part is not None
    result = adapter._run(part, next(adapter._each(adapter.call(case, layout))))
    whole = part is adapter.plan.gradient
    single = is_number(result) or (isinstance(result, np.ndarray) and result.size == 1)
    if not (has_number(result) if whole or isinstance(result, (tuple, list)) else single):
        raise Malformed("type", "loss", f"{part.name} returned no loss")
    if whole and is_number(result):
        raise Malformed("missing", "gradients", f"{part.name} returned a loss alone")


def _require_output(adapter: ModelFunctions, case: Case, layout: Layout) -> None:
    output = next(adapter._each(adapter.call(case, layout)))["AL"]
    samples = case.samples if adapter.samples == "batch" else 1
    if not fits(np.asarray(output), case.architecture.widths[-1], samples):
        raise Malformed("shape", "output", "its forward pass returned no array of outputs")
