"""Layers as named tuples, targets as class labels."""

from collections import namedtuple

import numpy as np

Layer = namedtuple("Layer", "weight bias")


def cross_entropy_loss(net, x, labels):
    for i, l in enumerate(net):
        x = x @ l.weight + l.bias
        if i < len(net) - 1:
            x = np.maximum(x, 0)
    x = x - x.max(1, keepdims=True)
    logp = x - np.log(np.exp(x).sum(1, keepdims=True))
    return -logp[np.arange(len(labels)), labels].mean()


def grad(net, x, labels):
    acts = [x]
    for i, l in enumerate(net):
        z = acts[-1] @ l.weight + l.bias
        acts.append(np.maximum(z, 0) if i < len(net) - 1 else z)
    z = acts[-1]
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    p[np.arange(len(labels)), labels] -= 1
    d = p / len(labels)
    out = []
    for i in reversed(range(len(net))):
        out.append(Layer(acts[i].T @ d, d.sum(0)))
        d = (d @ net[i].weight.T) * (acts[i] > 0)
    return tuple(reversed(out))
