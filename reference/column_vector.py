"""Backpropagation on one column vector per sample, as in a question and two answers on Nielsen's chapter 2.

    letter        meaning                                                    here
    l, L          a layer, the last layer                                    1 … L; layer 0 is the input
    x             the input, itself a variable one may differentiate by      x, shape (n_0, 1)
    w^l_jk        weight from neuron k of layer l-1 to neuron j of layer l   w[l], shape (n_l, n_{l-1})
    b^l_j         bias of neuron j of layer l                                b[l], shape (n_l, 1)
    z^l, a^l      weighted input and activation: z = w a + b, a = σ(z)       z[l], a[l], shape (n_l, 1)
    σ             activation, one a layer                                    sigma, a list of names
    C             cost of one sample; y the target, ŷ = a^L                  C, a name
    δ^l           the error ∂C/∂z^l                                          delta[l], shape (n_l, 1)
    ∇             gradient of C                                              nabla_w, nabla_b, nabla_x

The text states neither a cost nor a batch: the cost is an argument, and there is one sample a call. Its question gives
(BP2) alone; the other three equations are those of the chapter that it asks about:

    (BP1)  δ^L = ∇_a C ∘ σ′(z^L)                    (BP3)  ∂C/∂b^l_j  = δ^l_j
    (BP2)  δ^l = ((w^{l+1})ᵀ δ^{l+1}) ∘ σ′(z^l)     (BP4)  ∂C/∂w^l_jk = a^{l-1}_k δ^l_j

"∘ σ′(z)" is written as a pullback, (z, v) → Jᵀv. It is v ∘ σ′(z) where σ acts on each neuron by itself, and the product
with the full Jacobian for softmax, where every activation depends on every weighted input.

Corrected: "pre-multiplying with the weight matrix to get the sum over next layer's weights": with its transpose.
Corrected: "the sum over the previous layer's weights": of the activations (backwards: of the errors), weighted by
    them.
Corrected: "There is no relation between taking the matrix transpose and 'moving the error backwards'": the transpose
    is the pullback of a → w a, the very sum over connected terms that the next sentence describes.
Corrected: the error is called the derivative "with respect to the activations and weights": δ is taken with respect
    to the weighted input z. (w^{l+1})ᵀ δ^{l+1} is the one with respect to a; the weights and biases get theirs from
    δ.
Corrected: the question moves from layer l+1 to l, the second answer from l to l-1: w^l always leads into layer l, so
    going back to layer l takes w^{l+1}.
Corrected: "simple terms such as ŷ - y": these are δ^L for a matched pair only (softmax with log-loss, sigmoid with
    bce) and no others; `softmax_log_loss_error` and `sigmoid_bce_error` derive them.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]
Matrix = NDArray[np.float64]


class Activation(NamedTuple):
    """σ, and its pullback: (z, ∂C/∂a) → ∂C/∂z."""

    sigma: Callable[[Column], Column]
    pullback: Callable[[Column, Column], Column]


class Cost(NamedTuple):
    """C as a function of (a^L, y), and its gradient ∇_a C."""

    C: Callable[[Column, Column], float]
    nabla_a: Callable[[Column, Column], Column]


class MatchedPair(NamedTuple):
    """A cost taken together with the last activation, as a function of (z^L, y), and the error δ^L."""

    C: Callable[[Column, Column], float]
    delta: Callable[[Column, Column], Column]


# Activations


def sigmoid(z: Column) -> Column:
    """1 / (1 + e^-z), with no exponential of a positive number."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def sigmoid_prime(z: Column) -> Column:
    """σ(1 - σ), where 1 - σ(z) is σ(-z) without the cancellation."""
    return sigmoid(z) * sigmoid(-z)


def tanh_prime(z: Column) -> Column:
    """1 - tanh², by way of tanh(z) = 2σ(2z) - 1, again without the cancellation."""
    return 4 * sigmoid_prime(2 * z)


def softmax(z: Column) -> Column:
    """e^z_j / Σ_k e^z_k, which does not change when all z shift together."""
    e = np.exp(z - z.max())
    a: Column = e / e.sum()
    return a


def softmax_pullback(z: Column, v: Column) -> Column:
    """Jᵀv for J_jk = ∂a_j/∂z_k = a_j (1[j = k] - a_k)."""
    a = softmax(z)
    return a * (v - np.sum(a * v))


ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation(sigmoid, lambda z, v: v * sigmoid_prime(z)),
    "tanh": Activation(np.tanh, lambda z, v: v * tanh_prime(z)),
    "relu": Activation(lambda z: np.maximum(z, 0), lambda z, v: v * (z > 0)),
    "identity": Activation(lambda z: z, lambda z, v: v),
    "softplus": Activation(lambda z: np.logaddexp(0, z), lambda z, v: v * sigmoid(z)),
    "softmax": Activation(softmax, softmax_pullback),
}

# Costs


def y_ln(y: Column, a: Column) -> Column:
    """y ln a, with 0 ln 0 = 0."""
    return y * np.log(np.where(y == 0, 1, a))


def y_over(y: Column, a: Column) -> Column:
    """y / a, its derivative, with 0 / 0 = 0."""
    return y / np.where(y == 0, 1, a)


COSTS: dict[str, Cost] = {
    "mse": Cost(
        lambda a, y: float(np.sum((a - y) ** 2)) / 2,
        lambda a, y: a - y,
    ),
    "bce": Cost(
        lambda a, y: -float(np.sum(y_ln(y, a) + y_ln(1 - y, 1 - a))),
        lambda a, y: y_over(1 - y, 1 - a) - y_over(y, a),
    ),
    "cross_entropy": Cost(
        lambda a, y: -float(np.sum(y_ln(y, a))),
        lambda a, y: -y_over(y, a),
    ),
}

# Matched pairs: the simple terms, derived


def softmax_log_loss_error(z: Column, y: Column) -> Column:
    """δ^L of softmax with log-loss.

    C = -Σ_j y_j ln ŷ_j    gives  ∂C/∂ŷ_j = -y_j / ŷ_j
    ŷ = softmax(z)         gives  ∂ŷ_j/∂z_k = ŷ_j (1[j = k] - ŷ_k)

    δ_k = Σ_j ∂C/∂ŷ_j ∂ŷ_j/∂z_k = Σ_j -y_j (1[j = k] - ŷ_k) = ŷ_k Σ_j y_j - y_k

    Every ŷ_j of the denominator has cancelled, and Σ_j y_j = 1 leaves ŷ - y.
    """
    y_hat = softmax(z)
    delta: Column = y_hat * y.sum() - y
    return delta


def softmax_log_loss(z: Column, y: Column) -> float:
    """-Σ_j y_j ln ŷ_j with ln ŷ_j = z_j - ln Σ_k e^z_k."""
    shifted = z - z.max()
    return float(np.sum(y * (np.log(np.sum(np.exp(shifted))) - shifted)))


def sigmoid_bce_error(z: Column, y: Column) -> Column:
    """δ^L of sigmoid with bce.

    C = -Σ_j y_j ln ŷ_j + (1 - y_j) ln(1 - ŷ_j)  gives  ∂C/∂ŷ_j = (ŷ_j - y_j) / (ŷ_j (1 - ŷ_j))
    ŷ = σ(z)                                     gives  σ′(z_j) = ŷ_j (1 - ŷ_j)

    The product is ŷ - y, whatever y sums to.
    """
    return sigmoid(z) - y


def sigmoid_bce(z: Column, y: Column) -> float:
    """The same cost with -ln σ(z) = softplus(z) - z and -ln(1 - σ(z)) = softplus(z)."""
    return float(np.sum(np.logaddexp(0, z) - y * z))


MATCHED_PAIRS: dict[tuple[str, str], MatchedPair] = {
    ("softmax", "cross_entropy"): MatchedPair(softmax_log_loss, softmax_log_loss_error),
    ("sigmoid", "bce"): MatchedPair(sigmoid_bce, sigmoid_bce_error),
}

# The network


def feedforward(
    w: Sequence[Matrix], b: Sequence[Column], x: Column, sigma: Sequence[str]
) -> tuple[dict[int, Column], dict[int, Column]]:
    """z^l = w^l a^{l-1} + b^l and a^l = σ(z^l) of every layer, from a^0 = x."""
    z: dict[int, Column] = {}
    a = {0: x}
    for l, (w_l, b_l, sigma_l) in enumerate(zip(w, b, sigma, strict=True), start=1):
        z[l] = w_l @ a[l - 1] + b_l
        a[l] = ACTIVATIONS[sigma_l].sigma(z[l])
    return z, a


def output_error(z: Column, y: Column, sigma: str, C: str) -> Column:
    """δ^L = ∇_a C ∘ σ′(z^L), or what this is known to collapse to."""
    if (sigma, C) in MATCHED_PAIRS:
        return MATCHED_PAIRS[sigma, C].delta(z, y)
    a = ACTIVATIONS[sigma].sigma(z)
    return ACTIVATIONS[sigma].pullback(z, COSTS[C].nabla_a(a, y))


def cost(w: Sequence[Matrix], b: Sequence[Column], x: Column, y: Column, sigma: Sequence[str], C: str) -> float:
    """C of one sample."""
    z, a = feedforward(w, b, x, sigma)
    L = len(w)
    if (sigma[-1], C) in MATCHED_PAIRS:
        return MATCHED_PAIRS[sigma[-1], C].C(z[L], y)
    return COSTS[C].C(a[L], y)


def backprop(
    w: Sequence[Matrix], b: Sequence[Column], x: Column, y: Column, sigma: Sequence[str], C: str
) -> tuple[list[Matrix], list[Column], Column]:
    """∂C/∂w^l and ∂C/∂b^l for l = 1 … L, and ∂C/∂x, each shaped like what it is taken with respect to."""
    z, a = feedforward(w, b, x, sigma)
    L = len(w)
    layers = range(1, L + 1)
    w_, sigma_ = dict(zip(layers, w, strict=True)), dict(zip(layers, sigma, strict=True))

    delta = {L: output_error(z[L], y, sigma_[L], C)}  # (BP1)
    for l in reversed(layers[:-1]):
        delta[l] = ACTIVATIONS[sigma_[l]].pullback(z[l], w_[l + 1].T @ delta[l + 1])  # (BP2)
    nabla_b = [delta[l] for l in layers]  # (BP3)
    nabla_w = [delta[l] @ a[l - 1].T for l in layers]  # (BP4)
    nabla_x = w_[1].T @ delta[1]  # the input has no σ to go back through
    return nabla_w, nabla_b, nabla_x
