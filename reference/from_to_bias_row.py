"""Backpropagation with weights named (from, to) and the bias in row 0, as in the lecture notes BACKPROP.

    letter        meaning                                                         here
    l, L          a layer, the output layer                                       0 … L; layer 0 is the input
    x, y          one training pair                                               x, shape (n_0,), and y, shape (n_L,)
    w^l_ij        weight from unit i of layer l up to unit j of layer l+1         w[l], shape (n_l + 1, n_{l+1})
    w^l_0j        the weight from the bias unit                                   row 0 of w[l]
    a^l, a_0^l=1  activations, and the bias unit that every layer below L has     a[l], shape (n_l,), without a_0
    z_j^{l+1}     total weighted input of unit j, Σ_i a_i^l w_ij^l from i = 0     z[l + 1], shape (n_{l+1},)
    σ             the logistic function, σ′ = σ(1 - σ)                            sigma, sigma_prime
    C             Σ_i (a_i^L - y_i)², of one training pair, with no ½             C(w, x, y)
    MSE           the mean of C over n training pairs                             MSE(w, xs, ys), one pair a row
    δ_u^l         the error ∂C/∂z_u^l, u = 1 … n_l                                delta[l], shape (n_l,)

    first    δ^L = ∇_a C ⊙ σ′(z^L)
    second   δ_u^l = Σ_k w_uk^l δ_k^{l+1} σ′(z_u^l)
    third    ∂C/∂w_0j^l = δ_j^{l+1}
    fourth   ∂C/∂w_ij^l = a_i^l δ_j^{l+1}

Corrected: "δ^l = ((W^l)ᵀ δ^{l+1}) ⊙ σ′(z^l)": with w_ij from i to j, Σ_k w_uk δ_k is row u of W^l times δ^{l+1}, so
    W^l is not transposed. (It is going forward that transposes: z^{l+1} = (W^l)ᵀ a^l.)
Corrected: "I have switched the subscripts on w, so u comes first … This is the sense of the transpose": in w_uk the
    lower unit u comes first by definition; nothing was switched, and there is no transpose to make sense of.
Corrected: "∂z_k²/∂w_ij¹ is just a_i¹ when k=i": when k = j, the unit that w_ij leads to.
Corrected: "the last equation (when j=0) subsumes the third": when i = 0; j = 0 is no unit of layer l+1 that has a z.
Corrected: "sigma (or rather its derivative) is being applied here to all the elements z_u^L of the vector z^L": in
    the second equation, to the z_u^l of z^l.
Corrected: the second equation, read for every unit u that W^l has a row for: not for u = 0. The bias unit has no
    input, hence no z and no δ, and row 0 of W^l is left out.
Corrected: "three from layer 0 to layer 1, and two from layer 1 to layer 2": these two reach the two outputs from one
    unit, and leave none for the bias unit a_0^1 = 1, which the third equation needs in every layer below L.
Corrected: "C = Σ (σ(z_i²) - y_i)²": the 2 inside, as in w_ij¹, names the layer; only the one outside is a square.
Corrected: "i runs over the output-layer units (other than the bias unit)": over all of them; there is no bias unit in
    the output layer.
Corrected: "k running over all training pairs", and over units from the second equation on: here pairs are the rows of
    xs and ys, without a letter of their own.
Corrected: "one can imagine that there is only one training pair": at n = 1 only the factor 1/n disappears from MSE,
    so the 2 of ∇_a C = 2 (a - y) stays; for n pairs the gradient is 1/n times the sum of the pairs' gradients.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def sigma(z: Vector) -> Vector:
    """1 / (1 + e^-z), with no exponential of a positive number."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def sigma_prime(z: Vector) -> Vector:
    """σ(1 - σ), where 1 - σ(z) is σ(-z) without the cancellation."""
    return sigma(z) * sigma(-z)


def with_bias_unit(a: Vector) -> Vector:
    """Put a_0 = 1 in front of the activations of a layer."""
    return np.concatenate(([1.0], a))


def forward(w: Sequence[Matrix], x: Vector) -> tuple[dict[int, Vector], dict[int, Vector]]:
    """z_j^{l+1} = Σ_i a_i^l w_ij^l from i = 0, and a^{l+1} = σ(z^{l+1}), up from a^0 = x."""
    z: dict[int, Vector] = {}
    a = {0: x}
    for l, w_l in enumerate(w):
        z[l + 1] = with_bias_unit(a[l]) @ w_l
        a[l + 1] = sigma(z[l + 1])
    return z, a


def C(w: Sequence[Matrix], x: Vector, y: Vector) -> float:
    """Σ_i (a_i^L - y_i)² of one training pair."""
    _, a = forward(w, x)
    return float(np.sum((a[len(w)] - y) ** 2))


def MSE(w: Sequence[Matrix], xs: Matrix, ys: Matrix) -> float:
    """(1/n) Σ ‖a - y‖² over n training pairs."""
    return float(np.mean([C(w, x, y) for x, y in zip(xs, ys, strict=True)]))


def gradient(w: Sequence[Matrix], x: Vector, y: Vector) -> list[Matrix]:
    """∂C/∂w^l for l = 0 … L-1, of one training pair."""
    z, a = forward(w, x)
    L = len(w)
    delta = {L: 2 * (a[L] - y) * sigma_prime(z[L])}  # first
    for l in range(L - 1, 0, -1):
        delta[l] = (w[l][1:] @ delta[l + 1]) * sigma_prime(z[l])  # second
    bias_rows = [delta[l + 1] for l in range(L)]  # third
    other_rows = [np.outer(a[l], delta[l + 1]) for l in range(L)]  # fourth
    return [np.vstack(rows) for rows in zip(bias_rows, other_rows, strict=True)]


def MSE_gradient(w: Sequence[Matrix], xs: Matrix, ys: Matrix) -> list[Matrix]:
    """∂MSE/∂w^l for l = 0 … L-1: the mean of the pairs' gradients."""
    n = len(xs)
    total = [np.zeros_like(w_l) for w_l in w]
    for x, y in zip(xs, ys, strict=True):
        total = [t + d for t, d in zip(total, gradient(w, x, y), strict=True)]
    return [t / n for t in total]
