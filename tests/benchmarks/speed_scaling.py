"""One full check of a network with P parameters: `python -m tests.benchmarks.speed_scaling P` prints its figures as JSON.

A process each, so that peak memory is that of the one check. The floor is the subject's own forward and backward pass, bare.
"""

import json
import sys
from typing import Any

import numpy as np

from gradcheck.checks import examine
from gradcheck.networks import Architecture, Case, Dense, activation_named, cost_named
from gradcheck.numerics import size
from gradcheck.subjects.functional import Functional
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.local import LocalSubject
from tests.benchmarks import timing

SAMPLES = 8


class Tanh:
    """The least that a correct tanh network with mse can do: the floor is not raised by clumsiness."""

    def forward(self, weights: Any, biases: Any, x: Any) -> list[Any]:
        a = [x]
        for W, b in zip(weights, biases, strict=True):
            a.append(np.tanh(W @ a[-1] + b))
        return a

    def loss(self, weights: Any, biases: Any, x: Any, y: Any, *, activations: Any, cost: str, l2: float) -> float:
        penalty = l2 / 2 * sum(float(np.vdot(W, W)) for W in weights) if l2 else 0.0
        return float(np.sum((self.forward(weights, biases, x)[-1] - y) ** 2)) / x.shape[1] + penalty

    def backprop(self, weights: Any, biases: Any, x: Any, y: Any, *, activations: Any, cost: str, l2: float) -> Any:
        a, L = self.forward(weights, biases, x), len(weights)
        delta = 2 * (a[-1] - y) / x.shape[1] * (1 - a[-1] ** 2)
        dW, db = [0] * L, [0] * L
        for l in reversed(range(L)):
            dW[l] = delta @ a[l].T + l2 * weights[l] if l2 else delta @ a[l].T
            db[l] = delta.sum(axis=1, keepdims=True)
            delta = (weights[l].T @ delta) * (1 - a[l] ** 2)
        return dW, db


def network(parameters: int) -> Architecture:
    """Three layers n → n → n → n with 3 n² + 3 n ≈ `parameters`."""
    n = max(1, round((-3 + (9 + 12 * parameters) ** 0.5) / 6))
    return Architecture(n, (Dense(n, activation_named("tanh")),) * 3, cost_named("mse"))


def case_of(architecture: Architecture) -> Case:
    """Numbers of order one."""
    generator = np.random.default_rng(0)
    parameters = {
        n: generator.standard_normal(s) * (1 / np.sqrt(s[1]) if n[0] == "W" else 0.5)
        for n, s in architecture.shapes().items()
    }
    x, y = (generator.standard_normal((architecture.widths[k], SAMPLES)) for k in (0, -1))
    return Case(architecture, parameters, x, y)


def measure(parameters: int) -> dict[str, Any]:
    """CPU seconds of one check and of the floor, and the peak memory above what was there before the case, in P floats."""
    functions = Tanh()
    subject, layout = LocalSubject(Functional(functions.loss, functions.backprop, "tanh")), Layout()
    for _ in range(2):
        examine(subject, case_of(network(50)), layout)  # templates are traced and modules imported
    before = timing.resident()
    case = case_of(network(parameters))
    P = size(case.parameters)
    timing.forget_peak()
    rounds = 7 if P < 1e5 else 3 if P < 2e6 else 1
    found = examine(subject, case, layout)
    most = timing.peak()
    assert found.fault is None, found
    seconds = timing.best_of(lambda: examine(subject, case, layout), rounds)
    weights, biases = ([case.parameters[f"{k}{l}"] for l in (1, 2, 3)] for k in "Wb")
    told = {"activations": (), "cost": "mse", "l2": 0.0}

    def floor() -> None:
        functions.loss(weights, biases, case.inputs, case.targets, **told)
        functions.backprop(weights, biases, case.inputs, case.targets, **told)

    memory = None if before is None or most is None else (most - before) / (8 * P)
    least = timing.best_of(floor, rounds)
    return {"P": P, "seconds": seconds, "floor": least, "memory": memory, "silent": found.silent}


if __name__ == "__main__":
    print(json.dumps(measure(int(float(sys.argv[1])))))
