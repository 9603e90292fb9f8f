"""Contract cotangent_mutated: the mask is written into the upstream gradient."""

import numpy as np


def relu_forward(x):
    return np.maximum(x, 0), x


def relu_backward(dout, cache):
    dx = dout
    dx[cache <= 0] = 0
    return dx
