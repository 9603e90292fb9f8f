"""Backpropagation for a whole batch at once, samples in rows, as most array code is written today.

    name             meaning                                                  shape
    m, L             number of samples, number of layers
    x, y             inputs and targets, one sample a row                     (m, n_0), (m, n_L)
    W[l]             weights from layer l to layer l+1, as in a W             (n_l, n_{l+1})
    b[l]             biases of layer l+1, added to every row                  (n_{l+1},)
    a[l], z[l]       a[0] = x, z[l] = a[l] W[l] + b[l], a[l+1] = σ(z[l])      (m, n_l), (m, n_{l+1})
    delta[l]         ∂loss/∂z[l], one sample a row, 1/m included              (m, n_{l+1})
    λ                l2, weight of the penalty (λ/2) Σ W², biases exempt

    output error     δ[L-1] = σ′ applied to (1/m) ∂C/∂a
    recursion        δ[l]   = σ′ applied to δ[l+1] W[l+1]ᵀ
    bias gradient    db[l]  = δ[l] summed over samples
    weight gradient  dW[l]  = a[l]ᵀ δ[l] + λ W[l]

loss = (1/m) Σ over samples of C(a, y) + (λ/2) Σ over layers of W². Here C is a sum over the outputs of one sample.

"σ′ applied to v" is a pullback, (z, v) → Jᵀv row by row: v σ′(z) for an elementwise σ, the full Jacobian for softmax,
so that softmax goes with any cost. At a kink the one-sided slope from below is taken, and sign(0) = 0 in mae.

Every quantity keeps the dtype it is given: float32 in, float32 throughout.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


class Activation(NamedTuple):
    """σ, and its pullback: (z, ∂loss/∂a) → ∂loss/∂z."""

    value: Callable[[Array], Array]
    pullback: Callable[[Array, Array], Array]


class Cost(NamedTuple):
    """C(a, y) summed over all samples, and ∂C/∂a."""

    value: Callable[[Array, Array], float]
    gradient: Callable[[Array, Array], Array]


# Activations


def sigmoid(z: Array) -> Array:
    """1 / (1 + e^-z), with no exponential of a positive number."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def sigmoid_prime(z: Array) -> Array:
    """s(1 - s), where 1 - s(z) is s(-z) without the cancellation."""
    return sigmoid(z) * sigmoid(-z)


def normal_cdf(z: Array) -> Array:
    """Φ(z) = ½ erfc(-z/√2), with no cancellation on the left."""
    erfc = np.vectorize(math.erfc, otypes=[np.float64])
    return np.asarray(0.5 * erfc(-z / math.sqrt(2)), dtype=z.dtype)


def gelu_prime(z: Array) -> Array:
    """Φ(z) + z φ(z)."""
    normal_density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return normal_cdf(z) + z * normal_density


def gelu_tanh(z: Array) -> Array:
    """½ z (1 + tanh u) = z s(2u) for the odd cubic u below."""
    return z * sigmoid(2 * gelu_cubic(z))


def gelu_tanh_prime(z: Array) -> Array:
    """s(2u) + z s′(2u) 2u′."""
    u, u_prime = gelu_cubic(z), math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z * z)
    return sigmoid(2 * u) + z * sigmoid_prime(2 * u) * 2 * u_prime


def gelu_cubic(z: Array) -> Array:
    """u = √(2/π) (z + 0.044715 z³)."""
    return math.sqrt(2 / math.pi) * (z + 0.044715 * z * z * z)


def softmax(z: Array) -> Array:
    """e^z over its row sum, each row shifted by its largest entry."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    a: Array = e / e.sum(axis=1, keepdims=True)
    return a


def softmax_pullback(z: Array, v: Array) -> Array:
    """Jᵀv for J_jk = a_j (1[j = k] - a_k), row by row."""
    a = softmax(z)
    weighted_mean: Array = np.sum(a * v, axis=1, keepdims=True)
    return a * (v - weighted_mean)


def leaky_relu(slope: float) -> Activation:
    """z above 0, slope · z below."""
    return Activation(lambda z: np.where(z > 0, z, slope * z), lambda z, v: np.where(z > 0, v, slope * v))


def elu(alpha: float) -> Activation:
    """z above 0, α (e^z - 1) below."""
    return Activation(
        lambda z: np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0))),
        lambda z, v: np.where(z > 0, v, v * alpha * np.exp(np.minimum(z, 0))),
    )


ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation(sigmoid, lambda z, v: v * sigmoid_prime(z)),
    "tanh": Activation(np.tanh, lambda z, v: v * 4 * sigmoid_prime(2 * z)),  # tanh(z) = 2 s(2z) - 1
    "relu": Activation(lambda z: np.maximum(z, 0), lambda z, v: v * (z > 0)),
    "softplus": Activation(lambda z: np.logaddexp(0, z), lambda z, v: v * sigmoid(z)),
    "gelu": Activation(lambda z: z * normal_cdf(z), lambda z, v: v * gelu_prime(z)),
    "gelu_tanh": Activation(gelu_tanh, lambda z, v: v * gelu_tanh_prime(z)),
    "identity": Activation(lambda z: z, lambda z, v: v),
    "softmax": Activation(softmax, softmax_pullback),
}
ACTIVATIONS_WITH_A_PARAMETER: dict[str, Callable[[float], Activation]] = {"leaky_relu": leaky_relu, "elu": elu}


def activation(name: str) -> Activation:
    """Look up "tanh", or "leaky_relu(0.01)" with its parameter."""
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]
    family, parameter = name.removesuffix(")").split("(")
    return ACTIVATIONS_WITH_A_PARAMETER[family](float(parameter))


# Costs


def y_log(y: Array, a: Array) -> Array:
    """y ln a, with 0 ln 0 = 0."""
    return y * np.log(np.where(y == 0, 1, a))


def y_over(y: Array, a: Array) -> Array:
    """y / a, its derivative, with 0 / 0 = 0."""
    return y / np.where(y == 0, 1, a)


def log_sum_exp(z: Array) -> Array:
    """ln Σ e^z of each row, as a column."""
    largest: Array = z.max(axis=1, keepdims=True)
    total: Array = np.sum(np.exp(z - largest), axis=1, keepdims=True)
    return largest + np.log(total)


def margins(a: Array, y: Array) -> Array:
    """a_j - a_t + 1 for j ≠ t, the true class t being where the row of y is 1; 0 at t itself."""
    a_t: Array = np.sum(y * a, axis=1, keepdims=True)
    return (a - a_t + 1) * (1 - y)


def hinge_gradient(a: Array, y: Array) -> Array:
    """1 for each class inside the margin, and minus their number for the true class."""
    inside = (margins(a, y) > 0).astype(a.dtype)
    how_many: Array = np.sum(inside, axis=1, keepdims=True)
    return inside - y * how_many


COSTS: dict[str, Cost] = {
    "mse": Cost(
        lambda a, y: float(np.sum((a - y) ** 2) / 2),
        lambda a, y: a - y,
    ),
    "mae": Cost(
        lambda a, y: float(np.sum(np.abs(a - y))),
        lambda a, y: np.sign(a - y),
    ),
    "bce": Cost(
        lambda a, y: -float(np.sum(y_log(y, a) + y_log(1 - y, 1 - a))),
        lambda a, y: y_over(1 - y, 1 - a) - y_over(y, a),
    ),
    "bce_logits": Cost(
        lambda a, y: float(np.sum(np.logaddexp(0, a) - y * a)),
        lambda a, y: sigmoid(a) - y,
    ),
    "cross_entropy": Cost(
        lambda a, y: -float(np.sum(y_log(y, a))),
        lambda a, y: -y_over(y, a),
    ),
    "cross_entropy_logits": Cost(
        lambda a, y: float(np.sum(y * (log_sum_exp(a) - a))),
        lambda a, y: softmax(a) * np.sum(y, axis=1, keepdims=True) - y,
    ),
    "hinge": Cost(
        lambda a, y: float(np.sum(np.maximum(margins(a, y), 0))),
        hinge_gradient,
    ),
}
COST_ON_LOGITS = {("sigmoid", "bce"): "bce_logits", ("softmax", "cross_entropy"): "cross_entropy_logits"}


def resolve(activations: Sequence[str], cost: str) -> tuple[list[Activation], Cost]:
    """Look the names up. A last activation that the cost would take the logarithm of is moved into the cost."""
    if (activations[-1], cost) in COST_ON_LOGITS:
        cost, activations = COST_ON_LOGITS[activations[-1], cost], [*activations[:-1], "identity"]
    return [activation(name) for name in activations], COSTS[cost]


# The network


def forward(
    weights: Sequence[Array], biases: Sequence[Array], x: Array, sigma: Sequence[Activation]
) -> tuple[list[Array], list[Array]]:
    """The weighted inputs z of every layer, and the activations a, of which a[0] is x."""
    z: list[Array] = []
    a = [x]
    for W, b, sigma_l in zip(weights, biases, sigma, strict=True):
        z.append(a[-1] @ W + b)
        a.append(sigma_l.value(z[-1]))
    return z, a


def loss(
    weights: Sequence[Array],
    biases: Sequence[Array],
    x: Array,
    y: Array,
    *,
    activations: Sequence[str],
    cost: str,
    l2: float,
) -> float:
    """Mean cost of the samples, plus (λ/2) Σ W²."""
    sigma, C = resolve(activations, cost)
    _, a = forward(weights, biases, x, sigma)
    penalty = l2 / 2 * sum(float(np.sum(W * W)) for W in weights)
    return C.value(a[-1], y) / len(x) + penalty


def backprop(
    weights: Sequence[Array],
    biases: Sequence[Array],
    x: Array,
    y: Array,
    *,
    activations: Sequence[str],
    cost: str,
    l2: float,
) -> tuple[list[Array], list[Array]]:
    """Gradients of the loss, shaped like the weights and like the biases."""
    sigma, C = resolve(activations, cost)
    z, a = forward(weights, biases, x, sigma)
    m, L = len(x), len(weights)
    delta = {L - 1: sigma[-1].pullback(z[-1], C.gradient(a[-1], y) / m)}  # output error
    for k in range(L - 2, -1, -1):
        delta[k] = sigma[k].pullback(z[k], delta[k + 1] @ weights[k + 1].T)  # recursion
    d_biases = [np.sum(delta[k], axis=0) for k in range(L)]  # bias gradient
    d_weights = [a[k].T @ delta[k] + l2 * weights[k] for k in range(L)]  # weight gradient
    return d_weights, d_biases
