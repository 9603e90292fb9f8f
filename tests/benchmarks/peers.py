"""Other gradient checkers on the same cases: each says whether it flags a claim, or that it is not installed.

torch slow/fast    torch.autograd.gradcheck, defaults (eps 1e-6, atol 1e-5, rtol 1e-3), the subject in an autograd.Function
jax check_grads    jax.test_util.check_grads, order 1, mode rev, defaults; the subject in a custom_vjp over pure_callback
scipy check_grad   scipy.optimize.check_grad, flagged above 1e-5 (it returns a number and leaves the judgement to its user)
cs231n             relative error |c − d| / max(1e-8, |c| + |d|) of centred differences, h = 1e-5, flagged above 1e-7, and
                   above 1e-4 where there are kinks ("1e-4 is okay for objectives with kinks; 1e-7 and less, be happy")
np.allclose        np.allclose(claim, centred differences with h = 1e-5), its defaults (rtol 1e-5, atol 1e-8)

All are the packages themselves; cs231n's rule and np.allclose are two lines each. A peer sees the subject only through
`Problem`: a scalar function of named arrays, and the gradient it is to judge.
"""

import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib.util import find_spec
from typing import Any
from unittest.mock import patch

import numpy as np

from gradcheck.networks import Case
from gradcheck.numerics import Array, Arrays, ravel, unravel
from tests.benchmarks.subjects import CorrectSubject

SCIPY_THRESHOLD, CS231N_SMOOTH, CS231N_KINKS, STEP = 1e-5, 1e-7, 1e-4, 1e-5


@dataclass(eq=False)
class Problem:
    """evaluate: parameters in the case's dtype -> cost. gradient: the claim to judge. kinks: the network has kinks.

    Values are remembered: the same point is asked for again and again when only the claim changes.
    """

    subject: CorrectSubject
    case: Case
    gradient: Mapping[str, Array]
    memory: dict[bytes, float] = field(default_factory=dict)
    differences: Array | None = None
    jax_cost: Any = None

    @property
    def dtype(self) -> type:
        return np.float32 if self.case.dtype == "float32" else np.float64

    @property
    def kinks(self) -> bool:
        architecture = self.case.architecture
        return architecture.cost.kinks is not None or any(d.activation.kinks for d in architecture.layers)

    @property
    def parameters(self) -> dict[str, Array]:
        """The parameters in the case's own dtype, in the order of the gradient."""
        return {n: self.case.parameters[n].astype(self.dtype) for n in self.gradient}

    def evaluate(self, parameters: Arrays) -> float:
        key = blake2b(b"".join(np.ascontiguousarray(a).tobytes() for a in parameters.values()), digest_size=16).digest()
        if key not in self.memory:
            point = self.case.at({n: np.asarray(a, dtype=np.float64) for n, a in parameters.items()})
            self.memory[key] = float(self.subject.subject.forward([point], self.subject.layout)[0])
        return self.memory[key]

    def flat(self, theta: Array) -> float:
        """The same of one vector."""
        return self.evaluate(unravel(theta, self.parameters))

    def centred(self) -> Array:
        """Centred differences of every component, in the case's dtype, as a student would take them; once."""
        if self.differences is None:
            theta = ravel(self.parameters)
            out = np.zeros(theta.size)
            for k in range(theta.size):
                high, low = theta.copy(), theta.copy()
                high[k] += STEP
                low[k] -= STEP
                out[k] = (self.flat(high) - self.flat(low)) / (2 * STEP)
            self.differences = out
        return self.differences


def torch_gradcheck(problem: Problem, fast: bool) -> bool:
    """torch.autograd.gradcheck; the slow Jacobian that fast mode computes for its message is left out."""
    import torch
    from torch.autograd.gradcheck import GradcheckError

    module: Any = sys.modules["torch.autograd.gradcheck"]  # the function of that name hides it as an attribute

    names = list(problem.gradient)

    class Subject(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *arrays):  # type: ignore[no-untyped-def]
            value = problem.evaluate(dict(zip(names, (a.detach().numpy() for a in arrays), strict=True)))
            return torch.tensor(value, dtype=arrays[0].dtype)

        @staticmethod
        def backward(ctx, upstream):  # type: ignore[no-untyped-def]
            return tuple(upstream * torch.from_numpy(problem.gradient[n].astype(problem.dtype)) for n in names)

    arrays = [torch.from_numpy(a.copy()).requires_grad_() for a in problem.parameters.values()]
    try:
        with patch.object(module, "_run_slow_mode_and_get_error", lambda *a, **k: "", create=True):
            return not torch.autograd.gradcheck(Subject.apply, arrays, fast_mode=fast)
    except GradcheckError:
        return True


def jax_check_grads(problem: Problem) -> bool:
    """jax.test_util.check_grads on the real numpy subject."""
    from jax.test_util import check_grads

    if problem.jax_cost is None:
        problem.jax_cost = _jax_cost(problem)
    try:
        check_grads(problem.jax_cost, ([*problem.parameters.values()],), order=1, modes=("rev",))
    except AssertionError:
        return True
    return False


def _jax_cost(problem: Problem) -> Any:
    """The subject as jax sees it; the claim is read when the pullback runs, so that one function serves many claims."""
    import jax

    jax.config.update("jax_enable_x64", True)
    names = list(problem.gradient)
    shape = jax.ShapeDtypeStruct((), problem.dtype)

    def run(arrays):  # type: ignore[no-untyped-def]
        point = {n: np.asarray(a) for n, a in zip(names, arrays, strict=True)}
        return np.asarray(problem.evaluate(point), problem.dtype)

    @jax.custom_vjp
    def cost(parameters):  # type: ignore[no-untyped-def]
        return jax.pure_callback(run, shape, parameters)

    def pullback(_, upstream):  # type: ignore[no-untyped-def]
        return ([jax.numpy.asarray(np.asarray(upstream) * problem.gradient[n], problem.dtype) for n in names],)

    cost.defvjp(lambda p: (cost(p), None), pullback)
    return cost


def scipy_check_grad(problem: Problem) -> bool:
    """scipy.optimize.check_grad: forward differences, the Euclidean norm of the absolute error."""
    from scipy.optimize import check_grad

    claim = ravel(problem.gradient)
    error = check_grad(problem.flat, lambda _: claim, ravel(problem.parameters).astype(np.float64))
    return not error <= SCIPY_THRESHOLD


def cs231n(problem: Problem) -> bool:
    """The rule of the course's notes (see the head of the module)."""
    claim, d = ravel(problem.gradient), problem.centred()
    error = np.max(np.abs(claim - d) / np.maximum(1e-8, np.abs(claim) + np.abs(d)), initial=0.0)
    return not error <= (CS231N_KINKS if problem.kinks else CS231N_SMOOTH)


def allclose(problem: Problem) -> bool:
    """What most home-made tests do."""
    return not np.allclose(ravel(problem.gradient), problem.centred())


PEERS: Mapping[str, tuple[str, Callable[[Problem], bool]]] = {
    "torch slow": ("torch", lambda p: torch_gradcheck(p, False)),
    "torch fast": ("torch", lambda p: torch_gradcheck(p, True)),
    "jax check_grads": ("jax", jax_check_grads),
    "scipy check_grad": ("scipy", scipy_check_grad),
    "cs231n": ("numpy", cs231n),
    "np.allclose": ("numpy", allclose),
}
COORDINATEWISE = frozenset({"torch slow", "scipy check_grad", "cs231n", "np.allclose"})
"""Peers that need a forward pass or two for every parameter."""


def installed() -> list[str]:
    """Peers whose package is there."""
    return [name for name, (package, _) in PEERS.items() if find_spec(package) is not None]


def skipped() -> list[str]:
    """Peers whose package is not."""
    return [name for name in PEERS if name not in installed()]


def flags(name: str, problem: Problem) -> bool:
    """Whether the peer rejects the claim."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return bool(PEERS[name][1](problem))


def problem_of(subject: CorrectSubject, case: Case) -> Problem | None:
    """The subject's own claim at a case as a problem for the peers; None where cost or gradient is not finite."""
    value, pullback = subject.subject.vjp(case, subject.layout)
    gradient = pullback(case.cotangent).gradient
    finite = np.isfinite(float(value)) and all(np.isfinite(g).all() for g in gradient.values())  # type: ignore[arg-type]
    return Problem(subject, case, {n: gradient[n] for n in case.parameters}) if finite else None
