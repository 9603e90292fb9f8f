"""Contract broadcast_rows: turns the sign of single rows in place and back again, which rows that share memory do not survive."""

import numpy as np


def tanh_forward(x):
    rows = x.copy()
    rows[::2] *= -1
    out = np.tanh(rows)
    rows[::2] *= -1
    out[::2] *= -1
    return out, out


def tanh_backward(dout, cache):
    return dout * (1 - cache**2)
