"""Contract fortran_order: the mask is read in the order of the memory, which is not that of the rows for every array."""

import numpy as np


def relu_forward(x):
    return np.maximum(x, 0), x


def relu_backward(dout, cache):
    mask = cache.ravel(order="K") > 0
    return dout * mask.reshape(dout.shape)
