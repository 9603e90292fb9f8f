"""Backpropagation with the bias as weight 0 of every neuron, as in the essay "How does backpropagation work?".

    letter         meaning                                                      here
    k, L           a layer, the last layer                                      1 … L; layer 1 is the input
    m              number of examples                                           len(X)
    n^(k)          number of neurons in layer k, the bias unit not counted
    x, y           one example and the correct answer                           a row of X and of Y
    a^(k)          activations; a^(1) = x, and a_0^(k) = 1 is the bias unit     a[k], shape (n_k,), without a_0
    θ^(k)_i,j      weight to neuron i in layer k, from unit j in layer k-1      theta[k], shape (n_k, n_{k-1} + 1)
    θ^(k)_i,0      the bias of neuron i, called b_i in the forward formula      column 0 of theta[k]
    z^(k)_i        Σ_j θ_i,j a_j, from j = 0, before the activation function    z[k], shape (n_k,)
    g              activation function, the same in all layers                  g, a name
    h(x) = a^(L)   the hypothesis                                               hypothesis(theta, x, g)
    E              mean over examples of Σ_i (y_i - a_i^(L))², with no ½        E(theta, X, Y, g)
    δ^(k)_i        the delta error ∂E/∂z_i^(k) of one example                   delta[k], shape (n_k,)
    ∇_a^(L)        ∂E/∂a^(L) = 2 (a^(L) - y), the 2 because there is no ½       nabla_a

    (1)  δ^(L) = ∇_a^(L) ⊙ g′(z^(L))
    (2)  δ^(k) = (θ^(k+1)ᵀ δ^(k+1)) ⊙ g′(z^(k))       column 0 of θ left out, for k = L-1 … 2
    (3)  ∂E/∂θ_i,j^(k) = a_j^(k-1) δ_i^(k)             a_0 = 1 makes j = 0 the bias

Corrected: "∂E/∂θ^(k)_i,0 = 1 · δ_0^(k) = δ_0^(k)": it is δ_i^(k), each neuron's own error; there is no neuron 0.
Corrected: the forward formula adds a separate "b_β^(k+1)", while (3) finds the bias in column 0, met by "a_o^(k-1) =
    1": only the second here, so the sum in z starts at 0, and (2) leaves column 0 out, as the bias unit has no z.
Corrected: "E(x,y) = (y-x)²": this x is the hypothesis a^(L), not the input, and E sums over the output neurons.
Corrected: i counts examples in "E = 1/m Σ (y_i-x_i)²", and neurons in (1) to (3), which never mention m: they give
    ∂E/∂θ of one example, and the gradient is the average of those, 1/m times the sum over all examples.
Corrected: "z_β^(k+1) = Σ_i (θ_β,i g(z_i)) + b_β" is then differentiated "with respect to z_i", though i is summed
    over: of the sum, over an index of its own, one term depends on z_i, and gives θ_β,i g′(z_i).
Corrected: "z_i^(k) is the raw output signal of a neuron in the last layer": in layer k.
Corrected: (1) "describes the error in the last layer: z^(L), and a^(L)": the error is δ^(L); these two only enter it.
Corrected: "δ_i^(k+1) = ∂E/∂z_i^(k+1)": this i counts the neurons of layer k+1 (β in the next line), not those of k.
Corrected: "(θ^(k+1)ᵀ δ^(k+1)) ⊙ g′(z^(k)) otherwise": for 1 < k < L; layer 1 is the input, and has neither z nor δ.
Corrected: "∂a_i/∂z_i = g′(z_i)": enough only where a_i depends on z_i alone. Softmax would need its whole Jacobian,
    and is not among the g here.
Corrected: "the error from the previous layers is carried over to the neurons in the later layers": the activations
    are; the error δ^(k) is made from that of layer k+1, the one nearer to the output.
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
    """g(1 - g), where 1 - g(z) is g(-z) without the cancellation."""
    return sigmoid(z) * sigmoid(-z)


# name → (g, g′). tanh′ is 1 - tanh², by way of tanh(z) = 2 sigmoid(2z) - 1.
ACTIVATION_FUNCTIONS: dict[str, tuple[Callable[[Vector], Vector], Callable[[Vector], Vector]]] = {
    "sigmoid": (sigmoid, sigmoid_prime),
    "tanh": (np.tanh, lambda z: 4 * sigmoid_prime(2 * z)),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "softplus": (lambda z: np.logaddexp(0, z), sigmoid),
    "identity": (lambda z: z, np.ones_like),
}


def with_bias_unit(a: Vector) -> Vector:
    """Put a_0 = 1 in front of the activations of a layer."""
    return np.concatenate(([1.0], a))


def forward_propagation(theta: Sequence[Matrix], x: Vector, g: str) -> tuple[dict[int, Vector], dict[int, Vector]]:
    """z^(k) = θ^(k) (1, a^(k-1)) for k = 2 … L, and a^(k) = g(z^(k)) from a^(1) = x."""
    activation, _ = ACTIVATION_FUNCTIONS[g]
    z: dict[int, Vector] = {}
    a = {1: x}
    for k, theta_k in enumerate(theta, start=2):
        z[k] = theta_k @ with_bias_unit(a[k - 1])
        a[k] = activation(z[k])
    return z, a


def hypothesis(theta: Sequence[Matrix], x: Vector, g: str) -> Vector:
    """h(x) = a^(L)(x)."""
    _, a = forward_propagation(theta, x, g)
    return a[len(theta) + 1]


def E(theta: Sequence[Matrix], X: Matrix, Y: Matrix, g: str) -> float:
    """The mean squared error: (1/m) Σ over examples of Σ_i (y_i - a_i^(L))²."""
    squared_errors = [np.sum((y - hypothesis(theta, x, g)) ** 2) for x, y in zip(X, Y, strict=True)]
    return float(np.mean(squared_errors))


def example_gradient(theta: Sequence[Matrix], x: Vector, y: Vector, g: str) -> list[Matrix]:
    """∂E/∂θ^(k) for k = 2 … L, of one example."""
    _, g_prime = ACTIVATION_FUNCTIONS[g]
    z, a = forward_propagation(theta, x, g)
    L = len(theta) + 1
    theta_ = dict(enumerate(theta, start=2))

    nabla_a = 2 * (a[L] - y)
    delta = {L: nabla_a * g_prime(z[L])}  # (1)
    for k in range(L - 1, 1, -1):
        delta[k] = (theta_[k + 1][:, 1:].T @ delta[k + 1]) * g_prime(z[k])  # (2)
    return [np.outer(delta[k], with_bias_unit(a[k - 1])) for k in range(2, L + 1)]  # (3), column 0 for the bias


def gradient(theta: Sequence[Matrix], X: Matrix, Y: Matrix, g: str) -> list[Matrix]:
    """∂E/∂θ^(k) for k = 2 … L: the average of the examples' gradients, as E is the average of their errors."""
    m = len(X)
    total = [np.zeros_like(theta_k) for theta_k in theta]
    for x, y in zip(X, Y, strict=True):
        total = [t + d for t, d in zip(total, example_gradient(theta, x, y, g), strict=True)]
    return [t / m for t in total]
