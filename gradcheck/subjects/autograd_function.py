"""Subclasses of `torch.autograd.Function`, by `apply` and `torch.autograd.grad`.

Tensors differentiate, whatever else `apply` is given is constant. None from `backward` is zero, as for torch; what torch adds
up over broadcast axes is added up here. Source: PyTorch documentation, Extending torch.autograd.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcheck.subjects.arrays import differentiable, is_tensor
from gradcheck.subjects.rules import Rule, bound, require_example


def is_rule(function: Any) -> bool:
    """Whether it is such a class, or the `apply` of one."""
    return _class(function) is not None


def _class(function: Any) -> Any:
    torch = sys.modules.get("torch")
    owner = getattr(function, "__self__", function)
    found = torch is not None and isinstance(owner, type) and issubclass(owner, torch.autograd.Function)
    return owner if found else None


def rule(function: Any, arguments: Any) -> Rule:
    """Its primal and pullback. Raises UsageError."""
    cls = _class(function)
    require_example(arguments, f"torch.autograd.Function {cls.__name__}")
    given = list(arguments) if isinstance(arguments, (list, tuple)) else [arguments]
    tensors = [sys.modules["torch"].from_numpy(a) if isinstance(a, np.ndarray) else a for a in given]
    apply, free = bound(cls.apply, tensors, lambda _, a: not is_tensor(a))
    return Rule(cls.__name__, _primal(apply), _pullback(apply), free, "torch")


def _primal(apply: Callable[..., Any]) -> Callable[..., Any]:
    def primal(*tensors: Any) -> Any:
        clones = [t.clone() for t in tensors]
        result = apply(*clones)
        outputs = _several(result)
        for tensor, clone in zip(tensors, clones, strict=True):
            if not any(o is clone for o in outputs):  # written to, and not marked as dirty
                tensor.copy_(clone)
        return result if is_tensor(result) else list(outputs)

    return primal


def _pullback(apply: Callable[..., Any]) -> Callable[..., Any]:
    def pullback(cotangent: Any, *tensors: Any) -> list[Any]:
        torch = sys.modules["torch"]
        inputs = [t.detach().requires_grad_(differentiable(t)) for t in tensors]
        outputs = _several(apply(*[t.clone() for t in inputs]))
        pairs = [(o, g) for o, g in zip(outputs, _several(cotangent), strict=True) if g is not None and o.requires_grad]
        wanted = [t for t in inputs if t.requires_grad]
        found = [None] * len(wanted)
        if pairs:
            found = torch.autograd.grad([o for o, _ in pairs], wanted, [g for _, g in pairs], allow_unused=True)
        gradients = iter(torch.zeros_like(t) if g is None else g.clone() for t, g in zip(wanted, found, strict=True))
        return [next(gradients) if t.requires_grad else None for t in inputs]

    return pullback


def _several(result: Any) -> Sequence[Any]:
    return result if isinstance(result, (tuple, list)) else [result]


__all__: Sequence[str] = ["is_rule", "rule"]
