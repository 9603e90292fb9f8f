"""The two families of errors that gradcheck reports to people; anything else that is raised is a defect of gradcheck.

This module knows nothing of networks, processes or reports.
"""

from collections.abc import Mapping

FATAL = frozenset({"timeout", "crash", "exit", "memory", "protocol", "load"})
"""Kinds of SubjectError after which the subject is not asked again."""


class GradcheckError(Exception):
    """Base of the errors whose message is meant for the person who called gradcheck."""


class UsageError(GradcheckError):
    """The caller's mistake: an unknown option, a missing file, a configuration that contradicts itself (exit code 2)."""


class SubjectError(GradcheckError):
    """The subject could not be loaded, crashed, hung, or broke the contract of its convention.

    `kind` is one of ``load``, ``exception``, ``unsupported`` (it raised NotImplementedError), ``timeout``, ``memory``,
    ``crash``, ``exit``, ``contract``, ``unrecognised`` (it runs, and is no network that is known) or ``protocol``;
    `details` holds the subject's own traceback or the tail of its output.
    """

    def __init__(self, kind: str, message: str, *, details: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.details = details

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_subject_error, (self.kind, self.message, self.details)


class OracleError(Exception):
    """The transcribed derivative and compiled `jax.grad` disagree: a defect of gradcheck, never of the subject (exit 3).

    evidence: the case, both derivatives and the rules that were used, in plain JSON types.
    """

    def __init__(self, message: str, evidence: Mapping[str, object] | None = None) -> None:
        super().__init__(message, evidence)
        self.message, self.evidence = message, evidence

    def __str__(self) -> str:
        return self.message


class Defect(Exception):
    """An exception of gradcheck's own that was raised in another process: its class, its message, and its traceback."""

    def __init__(self, name: str, message: str, trace: str = "") -> None:
        super().__init__(name, message, trace)
        self.name, self.message, self.trace = name, message, trace

    def __str__(self) -> str:
        return self.message


def _rebuild_subject_error(kind: str, message: str, details: str) -> SubjectError:
    return SubjectError(kind, message, details=details)
