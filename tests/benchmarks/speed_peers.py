"""The peers of the speed benchmark: each checks one architecture once, as its users would.

jax check_grads    jax.test_util.check_grads(order=1, modes="rev") of the network written in jax.numpy
… jitted           the same of the jitted network
… of the subject   the same of the numpy subject itself, in a custom_vjp over pure_callback
chex               chex.assert_numerical_grads of the network in jax.numpy
torch slow, fast   torch.autograd.gradcheck, the numpy subject in an autograd.Function
scipy check_grad   scipy.optimize.check_grad of the subject
cs231n loop        centred differences of every parameter of the subject, in a Python loop, and the largest relative error

What a peer concludes is not looked at here (see false_alarms and sensitivity); a rejection counts as a check done.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np

from gradcheck.networks import Case
from gradcheck.numerics import Arrays, ravel
from tests.benchmarks import peers
from tests.benchmarks.subjects import ROW_MAJOR, _module, subject_named


@dataclass(eq=False)
class Plain(peers.Problem):
    """A problem that calls the subject's functions directly, and remembers nothing."""

    def evaluate(self, parameters: Arrays) -> float:
        return float(reference().loss(*arguments_of(self.case, parameters), **told(self.case)))


def reference() -> ModuleType:
    """reference/row_major.py."""
    if not hasattr(reference, "module"):
        reference.module = _module(ROW_MAJOR)  # type: ignore[attr-defined]
    return reference.module  # type: ignore[attr-defined,no-any-return]


def arguments_of(case: Case, parameters: Arrays) -> tuple[Any, ...]:
    """weights, biases, x, y as the reference takes them: samples in rows, weights (from, to)."""
    layers = range(1, case.architecture.depth + 1)
    weights = [parameters[f"W{l}"].T for l in layers]
    return weights, [parameters[f"b{l}"].ravel() for l in layers], case.inputs.T, case.targets.T


def told(case: Case) -> dict[str, Any]:
    """The keywords of the reference."""
    a = case.architecture
    return {"activations": list(a.activation_names), "cost": a.cost.name, "l2": a.regularisation.strength}


def problem_of(case: Case) -> Plain:
    """The reference's own claim at a case, in the trusted layout."""
    dW, db = reference().backprop(*arguments_of(case, case.parameters), **told(case))
    gradient = {f"W{l}": g.T for l, g in enumerate(dW, start=1)} | {
        f"b{l}": g.reshape(-1, 1) for l, g in enumerate(db, start=1)
    }
    return Plain(subject_named("row-major"), case, {n: gradient[n] for n in case.parameters})


def network(case: Case) -> Callable[..., Any]:
    """The cost of the case's architecture in jax.numpy, a function of its parameters in order."""
    import jax

    from gradcheck.oracles.autodiff import xp_jax

    jax.config.update("jax_enable_x64", True)
    a = case.architecture

    def C(*parameters: Any) -> Any:
        p = dict(zip(case.parameters, parameters, strict=True))
        out = case.inputs
        for l, layer in enumerate(a.layers, start=1):
            out = layer.activation(p[f"W{l}"] @ out + p[f"b{l}"], xp_jax)
        decay = a.regularisation.factor(case.samples) * sum(jax.numpy.sum(p[n] ** 2) for n in p if n[0] == "W")
        return a.cost_scale(case.samples) * a.cost(out, case.targets, xp_jax) + decay

    return C


def check_grads(case: Case, jitted: bool = False) -> None:
    """jax.test_util.check_grads, its defaults."""
    import jax
    from jax.test_util import check_grads

    function = jax.jit(network(case)) if jitted else network(case)
    check_grads(function, tuple(case.parameters.values()), order=1, modes=("rev",))


def chex(case: Case) -> None:
    """chex.assert_numerical_grads, its defaults."""
    import chex

    chex.assert_numerical_grads(network(case), tuple(case.parameters.values()), order=1)


def cs231n_loop(case: Case) -> None:
    """The loop of the course's notes, written out."""
    problem = problem_of(case)
    d, claim = problem.centred(), ravel(problem.gradient)
    assert np.max(np.abs(claim - d) / np.maximum(1e-8, np.abs(claim) + np.abs(d))) <= 1e-4


TIMED: Mapping[str, tuple[str, Callable[[Case], Any], int]] = {
    "jax check_grads": ("jax", check_grads, 1),
    "jax check_grads, jitted": ("jax", lambda case: check_grads(case, jitted=True), 1),
    "jax check_grads of the subject": ("jax", lambda case: peers.jax_check_grads(problem_of(case)), 1),
    "chex": ("chex", chex, 1),
    "torch slow": ("torch", lambda case: peers.torch_gradcheck(problem_of(case), False), 1),
    "torch fast": ("torch", lambda case: peers.torch_gradcheck(problem_of(case), True), 4),
    "scipy check_grad": ("scipy", lambda case: peers.scipy_check_grad(problem_of(case)), 2),
    "cs231n loop": ("numpy", cs231n_loop, 2),
}
"""Name -> (package, check of one case, how many cases for each one of check_grads)."""


def installed() -> list[str]:
    """Peers whose package is there."""
    return [name for name, (package, _, _) in TIMED.items() if find_spec(package) is not None]


def skipped() -> list[str]:
    """Peers whose package is not."""
    return [name for name in TIMED if name not in installed()]


def check(name: str, case: Case) -> None:
    """One check of one case; a rejection is a check done."""
    try:
        TIMED[name][1](case)
    except AssertionError:
        return
