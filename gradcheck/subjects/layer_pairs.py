"""Any layer as a pair of functions: which trusted layers its signature could be, and how it is called as each of them.

    y, cache = conv_forward(x, w, b, stride=2, pad=1)        dx, dw, db = conv_backward(dout, cache)

Settings come by name or in one dict (``conv_param``); gradients come in the order of the arguments, by the names in the return
statement (``dx, dw``), or in a dict. Whether the forward pass is that of the layer is for the campaign to find out.
"""

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from gradcheck.networks import OperationCase
from gradcheck.networks.layers import COMMON, LAYERS, Dice, Layer
from gradcheck.numerics import Array
from gradcheck.subjects.binding import Binding, bind, meaning_of
from gradcheck.subjects.protocol import Call, Malformed
from gradcheck.subjects.source import constants, tree_of

OTHER = {"mode": ("mode",), "train": ("train", "training", "is_training", "is_train")}
MODES = {"max_pool": "max", "average_pool": "average"}
IN_OPTIONS = {"mean": "running_mean", "variance": "running_var", "size": "pool_size"}


@dataclass(frozen=True, slots=True)
class LayerPair:
    """A pair of functions, and how its forward pass is called as each layer that it could be."""

    bindings: Mapping[str, Binding]
    backward: Callable[..., Any]

    @property
    def candidates(self) -> dict[str, list[str]]:
        """Layer -> what its forward pass takes, by meaning; the likeliest layer first."""
        return {name: sorted(b.takes | _in_options(b, LAYERS[name])) for name, b in self.bindings.items()}

    def arrays(self, case: OperationCase) -> dict[str, Array]:
        """Everything handed over as an array: arguments, masks, targets, and the cotangent."""
        arrays = {n: np.array(a, dtype=case.dtype) for n, a in case.arguments.items()}
        fixed = {n: np.array(a) for n, a in case.fixed.items() if isinstance(a, np.ndarray)}
        floats = {n: a.astype(case.dtype) if a.dtype.kind == "f" else a for n, a in fixed.items()}
        return {**arrays, **floats, "dout": np.array(case.cotangent, dtype=case.dtype)}

    def forward(self, call: Call) -> tuple[Any, Any]:
        """Output and cache (the arguments where it returns none)."""
        binding = self.bindings[call.operation.fixed["layer"]]
        values = self._values(call)
        result = binding({m: values[m] for m in binding.takes})
        if isinstance(result, tuple) and len(result) > 1:
            return result[0], result[1] if len(result) == 2 else result[1:]
        return result, values[next(iter(call.operation.arguments))]

    def gradient(self, call: Call, cotangent: Array) -> dict[str, Any]:
        """Forward, then backward of the cotangent; gradients by argument."""
        call.hand_over("dout", cotangent)
        saved = self.forward(call)[1]
        return self._read(self._run_backward(call, saved), call.operation)

    def _run_backward(self, call: Call, saved: Any) -> Any:
        required = [p for p in inspect.signature(self.backward).parameters.values() if p.default is p.empty]
        values = {**self._values(call), "cache": saved}
        layer = LAYERS[call.operation.fixed["layer"]]
        rest = [meaning_of(p.name, spellings(layer)) or "cache" for p in required[1:]]
        if len(required) == 2:
            rest = ["cache"]
        given = inspect.signature(self.backward).parameters
        kind = {"mode": values["mode"]} if "mode" in given and layer.name in MODES and "mode" not in rest else {}
        return self.backward(call.arrays["dout"], *[values.get(m, saved) for m in rest], **kind)

    def _values(self, call: Call) -> dict[str, Any]:
        fixed = call.operation.fixed
        values = {**{n: v for n, v in fixed.items() if n != "layer"}, **call.arrays}
        evaluates = fixed["layer"] == "batchnorm_eval"
        mode = {"mode": MODES.get(fixed["layer"], "test" if evaluates else "train"), "train": not evaluates}
        told = spellings(LAYERS[fixed["layer"]])
        options = {k: v for n, v in values.items() for k in (n, *told.get(n, ()))}
        options |= {**{k: values[n] for n, k in IN_OPTIONS.items() if n in values}, **mode}
        if "size" in values:
            options["pool_height"] = options["pool_width"] = values["size"]
        return {**mode, **values, "options": options}

    def _read(self, result: Any, case: OperationCase) -> dict[str, Any]:
        layer = LAYERS[case.fixed["layer"]]
        binding = self.bindings[layer.name]
        order = [m for m in [*binding.positional, *binding.keywords.values()] if m in case.arguments]
        if isinstance(result, Mapping):
            named = {meaning_of(str(k).lstrip("d").lstrip("_"), spellings(layer)): v for k, v in result.items()}
            return {str(m): v for m, v in named.items() if m in case.arguments}
        several = list(result) if isinstance(result, (tuple, list)) else [result]
        names = _returned(self.backward, layer.name)
        if names is not None and len(names) == len(several) and set(names) <= set(order):
            order = names
        if len(several) != len(order):
            msg = f"expected ({', '.join('d' + n for n in order)}); got {len(several)} values"
            raise Malformed("count", "gradients", msg)
        return dict(zip(order, several, strict=True))


def layer_pair(stem: str, forward: Callable[..., Any], backward: Callable[..., Any]) -> LayerPair | None:
    """The pair with every layer that its signature could be, those called so first; None where there is none."""
    plain = stem.lower()
    named = [n for n, layer in LAYERS.items() if plain == n or plain in layer.names]
    named += [n for n, layer in LAYERS.items() if n not in named and any(word in plain for word in layer.names)]
    others = [n for n in LAYERS if n not in named]
    found = {n: b for n in [*named, *others] if (b := _binding(forward, LAYERS[n])) is not None}
    return LayerPair(found, backward) if found and _takes_one(backward) else None


@cache
def settings_of(name: str) -> frozenset[str]:
    """The names of a layer's settings."""
    return frozenset(LAYERS[name].draw(Dice(np.random.default_rng(0)))[1])


def spellings(layer: Layer) -> dict[str, tuple[str, ...]]:
    """Meaning -> the names that it has in the signatures of this layer; the layer's own spellings come first."""
    meanings = [*layer.arguments, *settings_of(layer.name)]
    own = {m: layer.spellings[m] for m in meanings if m in layer.spellings}
    common = {m: COMMON.get(m, (m,)) for m in meanings if m not in own}
    return {**own, **common, "options": COMMON["options"], "cache": COMMON["cache"], **OTHER}


def _binding(forward: Callable[..., Any], layer: Layer) -> Binding | None:
    binding = bind(forward, spellings(layer))
    told = binding.takes | (settings_of(layer.name) if "options" in binding.takes else frozenset())
    needed = {*layer.arguments, *settings_of(layer.name)} - set(layer.optional)
    return None if binding.missing or not needed <= told or "cache" in binding.takes else binding


def _in_options(binding: Binding, layer: Layer) -> frozenset[str]:
    """The settings that a dict of settings is asked for: those whose names occur in the source; all where there is none."""
    if "options" not in binding.takes:
        return frozenset()
    keys = constants([binding.function])
    named = {m for k in keys if (m := meaning_of(k, spellings(layer))) is not None}
    named |= {m for m, k in IN_OPTIONS.items() if k in keys or (m == "size" and "pool_height" in keys)}
    return (settings_of(layer.name) & named) if keys else settings_of(layer.name)


def _takes_one(backward: Callable[..., Any]) -> bool:
    try:
        return len(inspect.signature(backward).parameters) >= 2
    except (TypeError, ValueError):
        return False


@cache
def _returned(backward: Callable[..., Any], name: str) -> list[str] | None:
    """The arguments whose gradients a return statement names, such as ``return dx, dw, db``."""
    layer = LAYERS[name]
    tree = tree_of(backward)
    returns = [n.value for n in ast.walk(tree) if isinstance(n, ast.Return)] if tree else []
    if len(returns) != 1 or not isinstance(returns[0], ast.Tuple):
        return None
    names = [e.id for e in returns[0].elts if isinstance(e, ast.Name)]
    meanings = [meaning_of(n[1:].lstrip("_"), spellings(layer)) for n in names if n.startswith("d")]
    known = [m for m in meanings if m is not None]
    return known if len(known) == len(returns[0].elts) == len(set(known)) else None
