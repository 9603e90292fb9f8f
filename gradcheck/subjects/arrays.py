"""Arrays of any library as numpy arrays, and back: numpy, torch, jax, the array API; Python's own numbers too.

A library is never imported here: what it needs comes from the array itself (`__array_namespace__`) or, for torch, from the
module that must be there when one of its tensors is. Real and complex floating-point numbers differentiate.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.numerics import Array

Builder = Callable[[Array], Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """How leaves of one library are made from numpy arrays; `name` for messages."""

    name: str
    build: Builder


def is_tensor(value: Any) -> bool:
    """Whether it is a torch tensor, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def kind_of(value: Any) -> Kind:
    """The library that an array, a tensor or a number belongs to."""
    if isinstance(value, (bool, int, float, complex)):
        return Kind("number", lambda a: a.item())
    if is_tensor(value):
        return Kind("torch", _torch_builder(value))
    if not isinstance(value, (np.ndarray, np.generic)) and hasattr(value, "__array_namespace__"):
        xp = value.__array_namespace__()
        narrow = {"dtype": value.dtype} if str(value.dtype) == "bfloat16" else {}
        return Kind(getattr(xp, "__name__", "array API"), lambda a: xp.asarray(a, **narrow))
    return Kind("numpy", lambda a: a)


def to_numpy(value: Any) -> Array:
    """Its numbers as a numpy array, sharing memory where the library allows that. Raises what the conversion raises."""
    if is_tensor(value):
        plain = value.detach().resolve_conj().resolve_neg().cpu()
        if str(plain.dtype) == "torch.bfloat16":
            plain = plain.float()
        numbers: Array = plain.numpy()
        return numbers
    if isinstance(value, np.ndarray) or not hasattr(value, "__dlpack__") or hasattr(value, "__array__"):
        return np.asarray(value)
    return np.from_dlpack(value)


def differentiable(value: Any) -> bool:
    """Whether it is a real or complex floating-point number or array: integers, booleans and anything else are constants."""
    if isinstance(value, (bool, int, str, bytes)) or value is None:
        return False
    if isinstance(value, (float, complex)):
        return True
    if is_tensor(value):
        return bool(value.is_floating_point() or value.is_complex())
    dtype = str(getattr(value, "dtype", "")).rpartition(".")[2]
    return dtype.startswith(("float", "bfloat", "complex")) and dtype != "float0" and hasattr(value, "shape")


def precision(value: Any) -> str:
    """Name of its real floating-point type: float16, bfloat16, float32 or float64."""
    if isinstance(value, (float, complex)):
        return "float64"
    dtype = str(value.dtype).rpartition(".")[2]
    return {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)


def _torch_builder(like: Any) -> Builder:
    torch = sys.modules["torch"]
    narrow = torch.bfloat16 if like.dtype == torch.bfloat16 else None

    def build(a: Array) -> Any:
        tensor = torch.from_numpy(a)
        return tensor if narrow is None or a.dtype != np.float32 else tensor.to(narrow)

    return build
