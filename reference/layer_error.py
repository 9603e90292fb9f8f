"""Backpropagation as two steps of a layer's error, in the letters of J. Purcell, Backpropagation, 2021.

    letter     meaning                                                             here
    L          a layer (sections 2, 3) and the output layer (section 4)            layer, L; layer 0 is the input
    W^L        weights; w_ij^L is the jth weight of the ith neuron                 W[layer], shape (n_L, n_{L-1})
    b^L        biases                                                              b[layer], shape (n_L,)
    z^L        weighted sums, W^L a^{L-1} + b^L                                    z[layer], shape (n_L,)
    a^L        activations (outputs), σ(z^L); a^0 = x                              a[layer], shape (n_L,)
    σ, σ′      activation function and its derivative                              sigma, a list of names, one a layer
    λ          the network loss, of one sample x with target y                     lam, a name
    δ^L        the error ∂λ/∂z^L                                                   delta[layer], shape (n_L,)

    output       δ^L = ∂λ/∂a^L ⊙ σ′(z^L)                     `output_error`
    (7)          δ^{L-1} = (W^Lᵀ δ^L) ⊙ σ′(z^{L-1})          `previous_layer_error`
    (3), (4)     ∂λ/∂w_ij^L = δ_i^L a_j^{L-1},  ∂λ/∂b_i^L = δ_i^L     `weight_and_bias_rates`

The note leaves its section "Terms" empty and fixes no loss: squared error, absolute error (each a sum over the outputs,
no ½) and binary cross-entropy are offered by name.

Corrected: "the vector consisting of the activation function σ applied to each of the weighted sums": its derivative
    σ′.
Corrected: (7) has no left-hand side: it is δ^{L-1}.
Corrected: "Σ_i indicates summation and i ranges over all possible values": j does, over the neurons of layer L, and i
    stays fixed.
Corrected: "the rate of change of the jth weight of the ith neuron in layer L with respect to the loss": of the loss
    with respect to that weight.
Corrected: for the output layer's error "we need to know how to differentiate the loss function with respect to each
    of the output values": this gives ∂λ/∂a^L, still to be multiplied by σ′(z^L) to make the error ∂λ/∂z^L.
Corrected: "we will need to also know the outputs for those layers": the outputs a for the weights' rates (3), but the
    weighted sums z for σ′(z) in (7).
Corrected: "layer L" is any layer and the output layer too: here L is the output layer, `layer` any.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def sigmoid(z: Vector) -> Vector:
    """1 / (1 + e^-z), with no exponential of a positive number."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def sigmoid_prime(z: Vector) -> Vector:
    """σ(1 - σ), where 1 - σ(z) is σ(-z) without the cancellation."""
    return sigmoid(z) * sigmoid(-z)


def slope(negative: float) -> Callable[[Vector], Vector]:
    """σ′ of a function with slope 1 above 0 and another slope below."""
    return lambda z: np.where(z > 0, 1.0, negative)


# name → (σ, σ′). tanh′ is 1 - tanh², by way of tanh(z) = 2 sigmoid(2z) - 1.
ACTIVATION_FUNCTIONS: dict[str, tuple[Callable[[Vector], Vector], Callable[[Vector], Vector]]] = {
    "sigmoid": (sigmoid, sigmoid_prime),
    "tanh": (np.tanh, lambda z: 4 * sigmoid_prime(2 * z)),
    "relu": (lambda z: np.maximum(z, 0), slope(0.0)),
    "leaky_relu(0.01)": (lambda z: np.where(z > 0, z, 0.01 * z), slope(0.01)),
    "softplus": (lambda z: np.logaddexp(0, z), sigmoid),
    "identity": (lambda z: z, np.ones_like),
}


def binary_cross_entropy(a: Vector, y: Vector) -> float:
    """-Σ y ln a + (1 - y) ln(1 - a)."""
    return -float(np.sum(y * np.log(a) + (1 - y) * np.log1p(-a)))


# name → (λ, ∂λ/∂a)
LOSSES: dict[str, tuple[Callable[[Vector, Vector], float], Callable[[Vector, Vector], Vector]]] = {
    "mse": (lambda a, y: float(np.sum((a - y) ** 2)), lambda a, y: 2 * (a - y)),
    "mae": (lambda a, y: float(np.sum(np.abs(a - y))), lambda a, y: np.sign(a - y)),
    "bce": (binary_cross_entropy, lambda a, y: (a - y) / (a * (1 - a))),
}


def weighted_sums_and_activations(
    W: Sequence[Matrix], b: Sequence[Vector], x: Vector, sigma: Sequence[str]
) -> tuple[dict[int, Vector], dict[int, Vector]]:
    """z of layers 1 … L, and a of layers 0 … L."""
    z: dict[int, Vector] = {}
    a = {0: x}
    for layer, (weights, biases, name) in enumerate(zip(W, b, sigma, strict=True), start=1):
        z[layer] = weights @ a[layer - 1] + biases
        a[layer] = ACTIVATION_FUNCTIONS[name][0](z[layer])
    return z, a


def loss(W: Sequence[Matrix], b: Sequence[Vector], x: Vector, y: Vector, sigma: Sequence[str], lam: str) -> float:
    """λ of one sample."""
    z, a = weighted_sums_and_activations(W, b, x, sigma)
    L = len(W)
    if (sigma[-1], lam) == ("sigmoid", "bce"):
        return float(np.sum(np.logaddexp(0, z[L]) - y * z[L]))  # the same, and finite where a rounds to 0 or 1
    return LOSSES[lam][0](a[L], y)


def output_error(z: Vector, y: Vector, sigma: str, lam: str) -> Vector:
    """δ^L = ∂λ/∂a^L ⊙ σ′(z^L)."""
    activation, activation_prime = ACTIVATION_FUNCTIONS[sigma]
    _, loss_rate = LOSSES[lam]
    a = activation(z)
    if (sigma, lam) == ("sigmoid", "bce"):
        return a - y  # a(1 - a) in the loss rate's denominator is σ′(z), and cancels
    return loss_rate(a, y) * activation_prime(z)


def previous_layer_error(W: Matrix, delta: Vector, z_prev: Vector, sigma_prev: str) -> Vector:
    """(7): δ^{L-1} = (W^Lᵀ δ^L) ⊙ σ′(z^{L-1})."""
    _, sigma_prime = ACTIVATION_FUNCTIONS[sigma_prev]
    return (W.T @ delta) * sigma_prime(z_prev)


def weight_and_bias_rates(delta: Vector, a_prev: Vector) -> tuple[Matrix, Vector]:
    """(3): ∂λ/∂w_ij^L = δ_i^L a_j^{L-1}, and (4): ∂λ/∂b_i^L = δ_i^L · 1."""
    dW = np.outer(delta, a_prev)
    db = delta
    return dW, db


def backprop(
    W: Sequence[Matrix], b: Sequence[Vector], x: Vector, y: Vector, sigma: Sequence[str], lam: str
) -> tuple[list[Matrix], list[Vector]]:
    """The rates of change of λ with respect to all weights and to all biases, layers 1 … L."""
    z, a = weighted_sums_and_activations(W, b, x, sigma)
    L = len(W)
    delta = {L: output_error(z[L], y, sigma[-1], lam)}
    for layer in range(L, 1, -1):
        delta[layer - 1] = previous_layer_error(W[layer - 1], delta[layer], z[layer - 1], sigma[layer - 2])
    rates = [weight_and_bias_rates(delta[layer], a[layer - 1]) for layer in range(1, L + 1)]
    return [dW for dW, _ in rates], [db for _, db in rates]
