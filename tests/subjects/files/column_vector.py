"""A correct subject with one column vector a call and the gradient by the input; tanh and half a squared error."""

import numpy as np


def feedforward(w, b, x):
    """All activations, the input first."""
    a = [x]
    for w_l, b_l in zip(w, b, strict=True):
        a.append(np.tanh(w_l @ a[-1] + b_l))
    return a


def cost(w, b, x, y, sigma, C):
    """Half the squared error of one sample."""
    assert set(sigma) == {"tanh"}
    assert C == "mse"
    assert x.shape[1] == y.shape[1] == 1
    return 0.5 * np.sum((feedforward(w, b, x)[-1] - y) ** 2)


def backprop(w, b, x, y, sigma, C):
    """(nabla_w, nabla_b, nabla_x)."""
    a = feedforward(w, b, x)
    error = a[-1] - y
    nabla_w, nabla_b = [], []
    for k in reversed(range(len(w))):
        delta = error * (1 - a[k + 1] ** 2)
        nabla_w.insert(0, delta @ a[k].T)
        nabla_b.insert(0, delta)
        error = w[k].T @ delta
    return nabla_w, nabla_b, error
