"""gradcheck: proves or refutes a hand-written backprop against finite differences and jax.grad over random networks."""

from typing import TYPE_CHECKING, Any

from gradcheck.api import ReplayResult, check_hvp, check_jvp, check_vjp, replay, verify, verify_many
from gradcheck.errors import GradcheckError, SubjectError, UsageError
from gradcheck.version import __version__

if TYPE_CHECKING:
    from gradcheck import strategies
    from gradcheck.networks import Activation, Cost
    from gradcheck.report import Report

__all__ = [
    "Activation",
    "Cost",
    "GradcheckError",
    "ReplayResult",
    "Report",
    "SubjectError",
    "UsageError",
    "__version__",
    "check_hvp",
    "check_jvp",
    "check_vjp",
    "replay",
    "strategies",
    "verify",
    "verify_many",
]

_LATE = {"Activation": "gradcheck.networks", "Cost": "gradcheck.networks", "Report": "gradcheck.report"}


def __getattr__(name: str) -> Any:
    """Names whose modules are heavy (numpy, hypothesis) are imported when they are first used."""
    import importlib

    if name == "strategies":
        return importlib.import_module("gradcheck.strategies")
    if name in _LATE:
        return getattr(importlib.import_module(_LATE[name]), name)
    msg = f"module 'gradcheck' has no attribute {name!r}"
    raise AttributeError(msg)
