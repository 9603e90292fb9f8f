"""What the tests of the adapters share: random cases, finite differences of the trusted cost, the path to the files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcheck.networks import (
    Architecture,
    Case,
    Dense,
    OperationCase,
    Regularisation,
    activation_named,
    cost,
    cost_named,
)
from gradcheck.subjects import Layout, LocalSubject, detect, load, members_of

FILES = Path(__file__).parent / "files"


def make_case(
    *widths: int,
    activations: tuple[str, ...] = ("sigmoid",),
    loss: str = "mse",
    samples: int = 3,
    seed: int = 1,
    bias: bool = True,
    **rest: Any,
) -> Case:
    """A random case; the activations are repeated to the depth; targets are probabilities whose columns sum to one."""
    names = (activations * len(widths))[: len(widths) - 1]
    layers = tuple(Dense(n, activation_named(f)) for n, f in zip(widths[1:], names, strict=True))
    decay = Regularisation(rest.pop("l2", 0.0), rest.pop("form", "lambda/2"))
    architecture = Architecture(widths[0], layers, cost_named(loss), regularisation=decay, bias=bias, **rest)
    generator = np.random.default_rng(seed)
    parameters = {n: generator.normal(size=s) for n, s in architecture.shapes().items()}
    y = generator.uniform(0.1, 1.0, size=(widths[-1], samples))
    targets = y / y.sum(axis=0) if widths[-1] > 1 else y * 0.9
    return Case(architecture, parameters, generator.normal(size=(widths[0], samples)), targets)


def differences(case: Any, function: Callable[[Any], float] = cost, step: float = 1e-6) -> dict[str, Any]:
    """Central differences of a function of the case, by default of the trusted cost, by all of its arguments."""
    gradient = {}
    for name, a in case.arguments.items():
        gradient[name] = np.zeros(a.shape)
        for index in np.ndindex(a.shape):
            e = np.zeros(a.shape)
            e[index] = step
            high, low = (function(case.at({name: a + s * e})) for s in (1, -1))
            gradient[name][index] = (high - low) / (2 * step)
    return gradient


@pytest.fixture
def network_case() -> Callable[..., Case]:
    """`make_case`."""
    return make_case


@pytest.fixture
def finite_differences() -> Callable[..., dict[str, Any]]:
    """`differences`."""
    return differences


@pytest.fixture
def file() -> Callable[[str], str]:
    """The path of one of the files beside these tests."""
    return lambda name: str(FILES / f"{name}.py")


@pytest.fixture
def subject(file: Callable[[str], str]) -> Callable[..., LocalSubject]:
    """The subject in one of the files beside these tests, or around an object."""

    def make(thing: Any, *, of: str | None = None) -> LocalSubject:
        members: Mapping[str, Any] = load(file(thing), of) if isinstance(thing, str) else members_of(thing)
        return LocalSubject(detect(members, str(thing)))

    return make


@pytest.fixture
def agrees() -> Callable[..., None]:
    """Assert that value, gradient and effects of a correct subject are those of the trusted cost."""

    def check(subject: LocalSubject, case: Case, other: Case, layout: Layout | None = None) -> None:
        layout = layout or subject.offer.layouts[0]
        value, pullback = subject.vjp(case, layout)
        claim = pullback(np.ones(()))
        assert claim.problems == ()
        if subject.offer.declares_cost:
            assert value == pytest.approx(cost(case), rel=1e-12)
            assert subject.forward([case, other], layout)[1] == pytest.approx(cost(other), rel=1e-12)
        for name, expected in differences(case).items():
            np.testing.assert_allclose(claim.gradient[name], expected, rtol=1e-6, atol=1e-8)
        assert subject.effects(case, other, layout) == []

    return check


@pytest.fixture
def operation_case() -> Callable[..., OperationCase]:
    """A random case of an operation: affine, or an activation of 4 units; 3 samples."""

    def make(operation: str, fixed: Mapping[str, Any] | None = None, seed: int = 1) -> OperationCase:
        generator = np.random.default_rng(seed)
        shapes = {"x": (4, 3), "w": (5, 4), "b": (5, 1)} if operation == "affine" else {"x": (4, 3)}
        arguments = {n: generator.normal(size=s) for n, s in shapes.items()}
        cotangent = generator.normal(size=(5 if operation == "affine" else 4, 3))
        return OperationCase(operation, arguments, cotangent, dict(fixed or {}))

    return make
