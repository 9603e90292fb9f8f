"""Contract read_only_refused: clips the input in place, which writes the same bytes until a number is large."""

import numpy as np


def sigmoid_forward(x):
    np.clip(x, -40, 40, out=x)
    out = 1 / (1 + np.exp(-x))
    return out, out


def sigmoid_backward(dout, cache):
    return dout * cache * (1 - cache)
