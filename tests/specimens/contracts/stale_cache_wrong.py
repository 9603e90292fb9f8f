"""Contract stale_cache: the way back reads what the last forward pass has left, whosever it was."""

import numpy as np

LAST = {}


def relu_forward(x):
    LAST["x"] = x
    return np.maximum(x, 0), x


def relu_backward(dout, cache):
    x = LAST["x"]
    return dout * (x > 0)
