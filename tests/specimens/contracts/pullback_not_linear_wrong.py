"""Contract pullback_not_linear: clips the upstream gradient."""

import numpy as np


def relu_forward(x):
    return np.maximum(x, 0), x


def relu_backward(dout, cache):
    return np.clip(dout, -1, 1) * (cache > 0)
