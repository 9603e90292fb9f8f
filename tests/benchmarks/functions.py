"""False alarms and missed faults of `check_vjp`: ``python -m tests.benchmarks.functions``.

Correct functions with hand-written pullbacks are checked at many examples without a reference, and at some with one: a finding
is a false alarm. One planted fault each (a transpose, a missing term, a wrong axis, a forgotten factor …) must be found.
"""

from tests.benchmarks.output import one_thread

one_thread()

import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

import gradcheck  # noqa: E402
from tests.benchmarks import output  # noqa: E402

rng = np.random.default_rng(0)
A = rng.normal(size=(3, 3)) + 3 * np.eye(3)
M = rng.normal(size=(4, 3))
V = rng.normal(size=5)
P = np.abs(V) + 0.5
Z = rng.normal(size=4) + 1j * rng.normal(size=4)
T = rng.normal(size=(2, 3, 4))


@dataclass(frozen=True)
class Function:
    """primal(xp) is the function in numpy or in jax.numpy; wrong differs from right by one mistake."""

    primal: Callable[[Any], Callable[..., Any]]
    right: Callable[..., Any]
    wrong: Callable[..., Any]
    arguments: list[Any]


def softmax(xp: Any, x: Any) -> Any:
    """Along the last axis."""
    e = xp.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x: Any) -> Any:
    """1 / (1 + e⁻ˣ)."""
    return 1 / (1 + np.exp(-x))


def layer_norm(xp: Any, x: Any) -> Any:
    """Along the last axis, without scale."""
    return (x - x.mean(-1, keepdims=True)) / xp.sqrt(x.var(-1, keepdims=True) + 1e-5)


def layer_norm_pullback(g: Any, x: Any, cross: float = 1.0) -> Any:
    """cross: 0 forgets the term of the variance."""
    s, h = np.sqrt(x.var(-1, keepdims=True) + 1e-5), layer_norm(np, x)
    return (g - g.mean(-1, keepdims=True) - cross * h * (g * h).mean(-1, keepdims=True)) / s


def softmax_pullback(g: Any, x: Any) -> Any:
    """s ⊙ (g − ⟨g, s⟩)."""
    s = softmax(np, x)
    return s * (g - (g * s).sum(-1, keepdims=True))


def solve_pullback(g: Any, A: Any, b: Any) -> Any:
    """−A⁻ᵀ g xᵀ and A⁻ᵀ g."""
    h = np.linalg.solve(A.T, g)
    return -np.outer(h, np.linalg.solve(A, b)), h


def scattered(g: Any, x: Any, order: Any) -> Any:
    """g put back where it came from."""
    out = np.zeros_like(x)
    out[order] = g
    return out


def inverse_t(A: Any) -> Any:
    """A⁻ᵀ."""
    return np.linalg.inv(A).T


def phi(x: Any) -> Any:
    """GELU by tanh: (value's factor, its derivative)."""
    c = np.sqrt(2 / np.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return t, (1 - t**2) * c * (1 + 3 * 0.044715 * x**2)


F = Function
FUNCTIONS = {
    "exp": F(lambda xp: xp.exp, lambda g, x: g * np.exp(x), lambda g, x: g * x, [V]),
    "log": F(lambda xp: xp.log, lambda g, x: g / x, lambda g, x: g / x**2, [P]),
    "sqrt": F(lambda xp: xp.sqrt, lambda g, x: g / (2 * np.sqrt(x)), lambda g, x: g / np.sqrt(x), [P]),
    "tanh": F(lambda xp: xp.tanh, lambda g, x: g * (1 - np.tanh(x) ** 2), lambda g, x: g * (1 - np.tanh(x)), [V]),
    "sigmoid": F(lambda xp: lambda x: 1 / (1 + xp.exp(-x)), lambda g, x: g * sigmoid(x) * (1 - sigmoid(x)),
                 lambda g, x: g * sigmoid(x), [V]),
    "softplus": F(lambda xp: lambda x: xp.logaddexp(x, 0.0), lambda g, x: g * sigmoid(x), lambda g, x: g * sigmoid(-x), [V]),
    "gelu": F(lambda xp: lambda x: 0.5 * x * (1 + xp.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
              lambda g, x: g * (0.5 * (1 + phi(x)[0]) + 0.5 * x * phi(x)[1]), lambda g, x: g * 0.5 * (1 + phi(x)[0]), [V]),
    "power": F(lambda xp: lambda x, y: x**y, lambda g, x, y: (g * y * x ** (y - 1), g * x**y * np.log(x)),
               lambda g, x, y: (g * y * x ** (y - 1), g * x**y), [P, V]),
    "arctan2": F(lambda xp: xp.arctan2, lambda g, y, x: (g * x / (x**2 + y**2), -g * y / (x**2 + y**2)),
                 lambda g, y, x: (g * x / (x**2 + y**2), g * y / (x**2 + y**2)), [P, P[::-1].copy()]),
    "relu": F(lambda xp: lambda x: xp.maximum(x, 0.0), lambda g, x: g * (x > 0), lambda g, x: g * (x > -0.5), [V]),
    "leaky": F(lambda xp: lambda x: xp.where(x > 0, x, 0.1 * x), lambda g, x: g * np.where(x > 0, 1, 0.1),
               lambda g, x: g * (x > 0), [V]),
    "softmax": F(lambda xp: lambda x: softmax(xp, x), softmax_pullback,
                 lambda g, x: g * softmax(np, x) * (1 - softmax(np, x)), [M]),
    "logsumexp": F(lambda xp: lambda x: xp.log(xp.exp(x).sum(-1)), lambda g, x: g[:, None] * softmax(np, x),
                   lambda g, x: g[:, None] * np.exp(x), [M]),
    "layer norm": F(lambda xp: lambda x: layer_norm(xp, x), layer_norm_pullback,
                    lambda g, x: layer_norm_pullback(g, x, 0.0), [M]),
    "norm": F(lambda xp: xp.linalg.norm, lambda g, x: g * x / np.linalg.norm(x), lambda g, x: 2 * g * x, [V]),
    "variance": F(lambda xp: xp.var, lambda g, x: 2 * g * (x - x.mean()) / x.size, lambda g, x: 2 * g * x / x.size, [P]),
    "product": F(lambda xp: xp.prod, lambda g, x: g * np.prod(x) / x, lambda g, x: g * np.prod(x) * x, [P]),
    "cumsum": F(lambda xp: xp.cumsum, lambda g, x: np.cumsum(g[::-1])[::-1], lambda g, x: np.cumsum(g), [V]),
    "sort": F(lambda xp: xp.sort, lambda g, x: scattered(g, x, np.argsort(x)), lambda g, x: g[np.argsort(x)], [V]),
    "maximum": F(lambda xp: xp.max, lambda g, x: g * (x == x.max()), lambda g, x: g * (x == x.min()), [V]),
    "matmul": F(lambda xp: xp.matmul, lambda g, a, b: (g @ b.T, a.T @ g), lambda g, a, b: (g @ b, a.T @ g), [A, A.T.copy()]),
    "outer": F(lambda xp: xp.outer, lambda g, a, b: (g @ b, g.T @ a), lambda g, a, b: (g.T @ b, g @ a), [V, V[::-1].copy()]),
    "broadcast": F(lambda xp: lambda a, b: a * b, lambda g, a, b: ((g * b).sum(0), (g * a).sum(1, keepdims=True)),
                   lambda g, a, b: ((g * b).sum(0), (g * a).mean(1, keepdims=True)), [V, A[:, :1].copy()]),
    "transpose": F(lambda xp: lambda t: xp.transpose(t, (1, 2, 0)), lambda g, t: g.transpose(2, 0, 1).copy(),
                   lambda g, t: g.reshape(t.shape).copy(), [T]),
    "einsum": F(lambda xp: lambda t, m: xp.einsum("ijk,kl->ijl", t, m),
                lambda g, t, m: (np.einsum("ijl,kl->ijk", g, m), np.einsum("ijk,ijl->kl", t, g)),
                lambda g, t, m: (np.einsum("ijl,kl->ijk", g, m), np.einsum("jk,jl->kl", t[0], g[0])), [T, M]),
    "solve": F(lambda xp: xp.linalg.solve, solve_pullback,
               lambda g, A, b: (solve_pullback(g, A, b)[0].T.copy(), solve_pullback(g, A, b)[1]), [A, V[:3].copy()]),
    "inverse": F(lambda xp: xp.linalg.inv, lambda g, A: -inverse_t(A) @ g @ inverse_t(A),
                 lambda g, A: -inverse_t(A).T @ g @ inverse_t(A).T, [A]),
    "log determinant": F(lambda xp: lambda A: xp.linalg.slogdet(A)[1], lambda g, A: g * inverse_t(A),
                         lambda g, A: g * inverse_t(A).T.copy(), [A]),
    "fft": F(lambda xp: xp.fft.fft, lambda g, z: np.fft.fft(g), lambda g, z: np.fft.ifft(g), [Z]),
    "modulus": F(lambda xp: xp.abs, lambda g, z: g * np.conj(z) / np.abs(z), lambda g, z: g * np.conj(z), [Z]),
}  # fmt: skip


def part(task: tuple[str, int, int, int]) -> tuple[str, str, str, str]:
    """(name, verdict alone, verdict with a reference, verdict of the wrong one)."""
    name, seed, alone, referred = task
    import jax.numpy as jnp

    f = FUNCTIONS[name]
    primal = f.primal(np)
    first = gradcheck.check_vjp(primal, f.right, f.arguments, max_examples=alone, seed=seed)
    second = "–"
    if referred:
        reference = f.primal(jnp)
        second = gradcheck.check_vjp(
            primal, f.right, f.arguments, reference=reference, max_examples=referred, seed=seed
        ).verdict
    wrong = gradcheck.check_vjp(primal, f.wrong, f.arguments, max_examples=alone, seed=seed)
    return name, first.verdict, second, wrong.verdict


def main() -> int:
    """Run, print, write; 1 when there is a false alarm or a missed fault."""
    arguments = output.parser(__doc__ or "").parse_args()
    alone, referred = (12, 3) if arguments.quick else (200, 20)
    every = 3 if arguments.quick else 1  # each reference is compiled, which takes most of the time
    tasks = [(n, arguments.seed, alone, 0 if k % every else referred) for k, n in enumerate(FUNCTIONS)]
    rows = list(output.spread(part, tasks, arguments.jobs))
    alarms = [n for n, a, b, _ in rows if a != "pass" or b not in ("pass", "–")]
    missed = [n for n, _, _, w in rows if w != "fail"]
    header = ("function", f"{alone} examples", f"{referred} with a reference", "planted fault")
    text = f"# Any function\n\n`{output.command('functions')}` ({output.versions()})\n\n{output.table(header, rows)}\n"
    figures = {
        "functions": len(rows),
        "examples": alone,
        "with_reference": referred,
        "alarms": alarms,
        "unfound": missed,
    }
    told = [f"false alarm: {n}" for n in alarms] + [f"planted fault not found: {n}" for n in missed]
    return output.finish("functions", arguments, text, figures, told)


if __name__ == "__main__":
    sys.exit(main())
