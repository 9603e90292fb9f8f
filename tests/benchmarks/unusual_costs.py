"""Right gradients, by jax, of costs that are no plain sum over the samples: what laws of the cost must not call broken.

Each is a subject of the functional convention that no trusted definition fits. It must not know what is judged.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradcheck.subjects import LocalSubject, detect, members_of

Terms = Callable[[Any, Any, Sequence[Any]], Any]


def _fourth(a: Any, y: Any) -> Any:
    return jnp.sum((a - y) ** 4)


def _norm(z: Any) -> Any:
    return (z - z.mean(axis=1, keepdims=True)) / jnp.sqrt(z.var(axis=1, keepdims=True) + 1e-3)


def _mask(z: Any) -> Any:
    return z * jnp.asarray(np.random.default_rng(z.shape[1]).random(z.shape) < 0.8)


def _single(z: Any) -> Any:
    return z.astype(jnp.float32).astype(jnp.float64)


def _squares(weights: Sequence[Any]) -> Any:
    return sum(jnp.sum(W**2) for W in weights)


def _ordered(weights: Sequence[Any]) -> Any:
    return sum(jnp.sum(jnp.arange(1, W.shape[0] + 1)[:, None] * W**2) for W in weights)


def _distances(a: Any) -> Any:
    return jnp.sum(jnp.exp(-jnp.sum((a[:, :, None] - a[:, None, :]) ** 2, axis=0)))


def _same(z: Any) -> Any:
    return z


# name -> (what happens to z, the cost of (a, y, weights))
COSTS: Mapping[str, tuple[Callable[[Any], Any], Terms]] = {
    "sum": (_same, lambda a, y, w: _fourth(a, y)),
    "mean": (_same, lambda a, y, w: _fourth(a, y) / a.shape[1]),
    "root of a mean": (_same, lambda a, y, w: jnp.sqrt(_fourth(a, y) / a.shape[1])),
    "batchnorm": (_norm, lambda a, y, w: _fourth(a, y) / a.shape[1]),
    "dropout mask by place": (_mask, lambda a, y, w: _fourth(a, y) / a.shape[1]),
    "weights by place": (_same, lambda a, y, w: jnp.sum((a - y) ** 4 * 0.9 ** jnp.arange(a.shape[1]))),
    "distances in the batch": (_same, lambda a, y, w: _distances(a) + _fourth(a, y)),
    "a sum with decay": (_same, lambda a, y, w: _fourth(a, y) + 0.1 * _squares(w)),
    "decay over m squared": (_same, lambda a, y, w: _fourth(a, y) / a.shape[1] + 0.1 * _squares(w) / a.shape[1] ** 2),
    "decay that knows the units": (_same, lambda a, y, w: _fourth(a, y) / a.shape[1] + 0.1 * _ordered(w)),
    "a weak mixing": (_same, lambda a, y, w: _fourth(a, y) / a.shape[1] + 1e-5 * jnp.sum(a.mean(axis=1) ** 2)),
    "beside a large constant": (_same, lambda a, y, w: 1e6 + _fourth(a, y) + 1e-7 * jnp.sum(a.mean(axis=1) ** 2)),
    "a cast to float32": (_single, lambda a, y, w: _fourth(a, y) / a.shape[1]),
}


def subject_of(name: str) -> LocalSubject:
    """tanh layers behind one of `COSTS`, and jax's gradient of it."""
    between, cost = COSTS[name]

    def objective(weights: Any, biases: Any, x: Any, y: Any) -> Any:
        a = x
        for W, b in zip(weights, biases, strict=True):
            a = jnp.tanh(between(W @ a + b))
        return cost(a, y, weights)

    def loss(weights: Any, biases: Any, x: Any, y: Any) -> float:
        return float(objective(weights, biases, x, y))

    def backprop(weights: Any, biases: Any, x: Any, y: Any) -> Any:
        found = jax.grad(objective, argnums=(0, 1))(list(weights), list(biases), x, y)
        return tuple([np.array(g) for g in part] for part in found)

    jax.config.update("jax_enable_x64", True)
    return LocalSubject(detect(members_of((loss, backprop)), name))
