"""Trusted layers beyond the dense network, one registry."""

from collections.abc import Mapping

from gradcheck.networks.layers import affine, attention, conv1d, conv2d, normalisation, pointwise, pooling, recurrent
from gradcheck.networks.layers.layer import COMMON, Dice, Layer
from gradcheck.networks.layers.simple import SIMPLE

LAYERS: Mapping[str, Layer] = {
    layer.name: layer
    for layer in (
        affine.LAYER, conv1d.LAYER, conv2d.LAYER, pooling.MAX, pooling.AVERAGE, normalisation.BATCH, normalisation.BATCH_4D,
        normalisation.BATCH_EVAL, normalisation.LAYER, normalisation.RMS, recurrent.RNN, recurrent.LSTM, recurrent.GRU,
        attention.ATTENTION, attention.MULTI_HEAD, pointwise.SOFTMAX, pointwise.DROPOUT, pointwise.EMBEDDING,
        pointwise.RESIDUAL, pointwise.L2_NORMALISE, pointwise.CROSS_ENTROPY, pointwise.HINGE,
    )
}  # fmt: skip

DEFINITIONS: Mapping[str, Layer] = {**LAYERS, **SIMPLE}
"""Every definition that a layer object may be recognised as."""

__all__ = ["COMMON", "DEFINITIONS", "LAYERS", "Dice", "Layer"]
