"""Contract upstream_ignored: right behind a sum alone, whose gradient is 1."""

import numpy as np


def relu_forward(x):
    return np.maximum(x, 0), x


def relu_backward(dout, cache):
    return dout * (cache > 0)
