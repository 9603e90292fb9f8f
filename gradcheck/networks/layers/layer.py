"""What a layer is: one definition against the namespace `xp`, its random cases, and the spellings people use for its names.

p     differentiable arguments by name
s     settings by name: integers, numbers, and arrays that are not differentiated (masks, indices, targets)
xp    array namespace: numpy or jax.numpy

The definition runs in numpy as it stands, and under `jax.grad` it is the oracle. It must not know subjects.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.numerics import Array

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dice:
    """Where a case's sizes, settings and numbers come from; `pinned` settings are those that the subject fixes itself.

    generator: of sizes, settings, masks and indices. numbers: of Gaussian numbers, None: `generator` too. Cases that share a
    generator's state and not the numbers have one structure, and the oracle traces each structure once.
    small: whether sizes stay at their lower limits, as in the first cases of a campaign.
    choose: (low, high) -> a size or the number of a setting, None: the generator's. least: sizes may go down to it, whatever
    their lower limits, which say where mistakes show best.
    """

    generator: np.random.Generator
    pinned: Settings = field(default_factory=dict)
    small: bool = False
    numbers: np.random.Generator | None = None
    choose: Callable[[int, int], int] | None = None
    least: int | None = None

    def size(self, low: int, high: int) -> int:
        """A size from low to high, both included."""
        return low if self.small else self._one_of(low if self.least is None else min(low, self.least), high)

    def setting(self, name: str, *options: Any) -> Any:
        """The pinned value, or one of the options, the simplest first."""
        return self.pinned[name] if name in self.pinned else options[self._one_of(0, len(options) - 1)]

    def _one_of(self, low: int, high: int) -> int:
        return self.choose(low, high) if self.choose else int(self.generator.integers(low, high + 1))

    def normal(self, *shape: int, scale: float = 1.0) -> Array:
        """Standard Gaussian numbers times a scale."""
        return (self.numbers or self.generator).standard_normal(shape) * scale

    def integers(self, high: int, *shape: int) -> Array:
        """Whole numbers 0 … high − 1."""
        return self.generator.integers(high, size=shape)


Definition = Callable[[Mapping[str, Any], Settings, Any], Any]
Draw = Callable[[Dice], tuple[dict[str, Array], dict[str, Any]]]
Canonical = Callable[[str, Any, Settings], Any]
ARRANGEMENTS = frozenset({"layout", "time_major", "weights", "gates"})
"""Settings that say how arrays are arranged, and not what is computed."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer.

    names: what its functions are usually called. arguments: the differentiable ones, in the customary order.
    define: (p, s, xp) -> output. draw: random arguments and settings that can expose a fault.
    spellings: usual names of arguments and settings, beyond those common to all layers. optional: arguments and settings
    that a forward pass may lack. unsaid: values that a setting may have where the forward pass does not take it.
    parts: named slices of the last axis of an argument, such as the gates of an LSTM. lazy: the settings of a customary test.
    canonical: (name, array, settings) -> the array of that argument ("": of the output) in the first arrangement of `unsaid`.
    """

    name: str
    names: tuple[str, ...]
    arguments: tuple[str, ...]
    define: Definition
    draw: Draw
    spellings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    unsaid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    parts: Callable[[str, tuple[int, ...]], dict[str, slice]] | None = None
    lazy: Settings = field(default_factory=dict)
    canonical: Canonical = lambda name, array, settings: array


def channels_first(a: Any, settings: Settings, xp: Any) -> Any:
    """An image batch as NCHW, whichever of "nchw" and "nhwc" `settings["layout"]` says that it is."""
    return xp.transpose(a, (0, 3, 1, 2)) if settings.get("layout") == "nhwc" else a


def as_laid_out(a: Any, settings: Settings, xp: Any) -> Any:
    """The inverse of `channels_first`."""
    return xp.transpose(a, (0, 2, 3, 1)) if settings.get("layout") == "nhwc" else a


LAYOUTS = ("nchw", "nhwc")


def image(name: str, array: Any, settings: Settings) -> Any:
    """`Layer.canonical` of layers whose images alone depend on the layout."""
    return channels_first(array, settings, np) if name in ("x", "") else array


COMMON: Mapping[str, tuple[str, ...]] = {
    "x": ("x", "X", "inputs", "input", "inp", "A_prev", "a_prev", "data", "z", "Z", "logits", "scores"),
    "w": ("w", "W", "weight", "weights", "kernel", "kernels", "filters"),
    "b": ("b", "bias", "biases"),
    "gamma": ("gamma", "scale", "g"),
    "beta": ("beta", "shift", "offset"),
    "eps": ("eps", "epsilon"),
    "stride": ("stride", "strides", "s"),
    "pad": ("pad", "padding", "p"),
    "dilation": ("dilation", "dilations", "d"),
    "groups": ("groups", "num_groups"),
    "targets": ("y", "Y", "targets", "target", "t", "labels"),
    "h0": ("h0", "h_0", "h_init", "prev_h", "initial_state", "a0"),
    "c0": ("c0", "c_0", "c_init", "prev_c"),
    "wx": ("wx", "Wx", "w_x", "w_ih", "W_xh", "Wxh", "U"),
    "wh": ("wh", "Wh", "w_h", "w_hh", "W_hh", "Whh"),
    "mask": ("mask",),
    "q": ("q", "Q", "query"),
    "k": ("k", "K", "key"),
    "v": ("v", "V", "value"),
    "options": ("conv_param", "pool_param", "bn_param", "ln_param", "dropout_param", "hparameters", "hparams", "params"),
    "dout": ("dout", "dy", "dY", "dA", "dZ", "dz", "grad_output", "grad_out", "upstream", "delta", "dh", "dS"),
    "cache": ("cache", "caches", "memory", "mem", "ctx", "saved"),
}  # fmt: skip
