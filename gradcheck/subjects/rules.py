"""Functions that carry a hand-written derivative in a framework: torch.autograd.Function, jax.custom_vjp and custom_jvp.

A rule becomes a primal and a pullback like any other pair; the framework itself calls the written code, so that its own
promises (None for zero, sums over broadcast axes, integers without a cotangent) hold. Neither framework is imported: where a
rule of one is handed over, it is there already.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gradcheck.errors import UsageError


@dataclass(frozen=True, slots=True)
class Rule:
    """A decorated function as a pair. Arguments that have no derivative by their nature are bound, not handed over.

    forward: what the rule's own forward pass gives, where that is other code than the primal. reference: a function that
    jax may differentiate itself.
    """

    name: str
    primal: Callable[..., Any]
    pullback: Callable[..., Any]
    arguments: Any
    convention: str
    forward: Callable[..., Any] | None = None
    reference: Callable[..., Any] | None = None


def bound(
    function: Callable[..., Any], arguments: Any, constant: Callable[[int, Any], bool]
) -> tuple[Callable[..., Any], list[Any]]:
    """The function of the arguments that are not constant, and these; arguments: a sequence, or one array alone."""
    given = list(arguments) if isinstance(arguments, (list, tuple)) else [arguments]
    fixed = {i: a for i, a in enumerate(given) if constant(i, a)}
    if not fixed:
        return function, given

    def inserted(*free: Any, **static: Any) -> Any:
        rest = iter(free)
        return function(*[fixed[i] if i in fixed else next(rest) for i in range(len(given))], **static)

    return inserted, [a for i, a in enumerate(given) if i not in fixed]


def require_example(arguments: Any, what: str) -> None:
    """Raise UsageError for a strategy or a mapping: the places of the arguments must be known."""
    if hasattr(arguments, "example") and hasattr(arguments, "map"):
        msg = f"{what}: arguments must be an example here, such as [x, w]; got a Hypothesis strategy"
        raise UsageError(msg)
    if isinstance(arguments, dict):
        msg = f"{what} takes its arguments by position: give a sequence, such as [x, w]; got a mapping"
        raise UsageError(msg)


__all__: Sequence[str] = ["Rule", "bound", "require_example"]
