"""Subjects in this process, cases for them, and a hand-written backprop with one fault planted in one layer."""

import numpy as np
import pytest

from gradcheck.networks import Architecture, Dense, Regularisation, activation_named, cost_named, forward
from gradcheck.networks.sampling import sample_case
from gradcheck.oracles.autodiff import activation_vjp, cost_vjp
from gradcheck.subjects import LocalSubject, detect, members_of


@pytest.fixture(scope="session")
def subject_of():
    """subject_of(pair or object) -> the subject."""
    return lambda thing: LocalSubject(detect(members_of(thing), "student"))


@pytest.fixture(scope="session")
def make_case():
    """make_case(*widths, hidden=…, output=…, cost=…, samples=…, seed=…, l2=…, …) -> a case."""

    def make(*widths, hidden="tanh", output="tanh", cost="mse", samples=3, seed=0, **options):
        names = [hidden] * (len(widths) - 2) + [output]
        layers = tuple(Dense(n, activation_named(f)) for n, f in zip(widths[1:], names, strict=True))
        more = {k: options.pop(k) for k in ("regime", "digits", "hard_targets") if k in options}
        decay = Regularisation(options.pop("l2", 0.0), options.pop("form", "lambda/2"))
        architecture = Architecture(widths[0], layers, cost_named(cost), regularisation=decay, **options)
        return sample_case(architecture, samples, np.random.default_rng(seed), **more)

    return make


def backprop(case, equation=None, layer=0):
    """The four equations; `equation` is wrong in `layer`, everything below goes on from there."""
    (z, a), A, m = forward(case), case.architecture, case.samples
    gradient, above = {}, cost_vjp(A.cost)(forward(case)[1][-1], case.targets, np.asarray(A.cost_scale(m)))
    for l in range(A.depth, 0, -1):
        delta = activation_vjp(A.layers[l - 1].activation)(z[l], above)
        if equation in ("BP1", "BP2") and l == layer:
            delta = delta * (1 + 0.5 * np.arange(1, delta.size + 1).reshape(delta.shape))
        dW, db = delta @ a[l - 1].T, delta.sum(axis=1, keepdims=True)
        wrong = {"BP3": ("b", 1.25), "BP4": ("W", 1.25), "first sample W": ("W", None), "first sample b": ("b", None)}
        which, factor = wrong.get(equation, ("", 1)) if l == layer else ("", 1)
        if which == "W":
            dW = dW * factor if factor else m * delta[:, :1] @ a[l - 1][:, :1].T
        if which == "b":
            db = db * factor if factor else m * delta[:, :1]
        decay = 2 * A.regularisation.factor(m) * (2 if equation == "regularisation" and l == layer else 1)
        gradient |= {f"W{l}": dW + decay * case.weight(l), f"b{l}": db}
        above = case.weight(l).T @ delta
    return gradient


@pytest.fixture(scope="session")
def planted():
    """`backprop`."""
    return backprop
