"""A subject in this process whose calls end: an alarm raises in code that runs too long, and raises again if it is caught.

For mutants of trusted files, where a child process each would cost more than the mutants; needs the main thread of a process
that may be lost. Where the platform has no alarm, calls are not limited.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

from gradcheck.errors import SubjectError
from gradcheck.networks import Case, Point
from gradcheck.numerics import Array
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Claim, Effect, Offer, Pullback, Subject

LOST = 70
"""Exit code of a process whose subject caught the alarm again and again."""
_PATIENCE = 5
_WAITING = 10


class Limited:
    """`Subject` whose every call takes at most `seconds`."""

    def __init__(self, subject: Subject, seconds: float) -> None:
        self._subject, self._seconds = subject, seconds

    @property
    def offer(self) -> Offer:
        """That of the subject."""
        return self._subject.offer

    def forward(self, points: Sequence[Point], layout: Layout) -> list[Array]:
        """Primal values."""
        with time_limit(self._seconds):
            return self._subject.forward(points, layout)

    def output(self, case: Case, layout: Layout) -> Array:
        """Output activations."""
        with time_limit(self._seconds):
            return self._subject.output(case, layout)

    def cost_derivative(self, case: Case, a: Array, y: Array, layout: Layout) -> Array:
        """∂C/∂a."""
        with time_limit(self._seconds):
            return self._subject.cost_derivative(case, a, y, layout)

    def effects(self, point: Point, other: Point, layout: Layout) -> list[Effect]:
        """Effects."""
        with time_limit(self._seconds):
            return self._subject.effects(point, other, layout)

    def vjp(self, point: Point, layout: Layout) -> tuple[Array | None, Pullback]:
        """The value, and a pullback under the same limit."""
        with time_limit(self._seconds):
            value, pullback = self._subject.vjp(point, layout)

        def limited(cotangent: Array) -> Claim:
            with time_limit(self._seconds):
                return pullback(cotangent)

        return value, limited


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise SubjectError of kind "timeout" in code that computes longer; end the process if it goes on catching that.

    What counts is the time of this process, so that a busy machine makes no mutant late; what only waits has ten times as long.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    rings = 0

    def ring(number: int, frame: FrameType | None) -> None:
        nonlocal rings
        if frame is not None and frame.f_code.co_name == "gc_callback":
            return  # Python ignores what a callback of its collector raises, and prints it: the next ring comes soon
        rings += 1
        if rings > _PATIENCE:
            os._exit(LOST)
        raise SubjectError("timeout", f"a call took more than {seconds:g} s")

    timers = ((signal.ITIMER_PROF, signal.SIGPROF, seconds), (signal.ITIMER_REAL, signal.SIGALRM, _WAITING * seconds))
    before = [signal.signal(number, ring) for _, number, _ in timers]
    for timer, _, limit in timers:
        signal.setitimer(timer, limit, 0.5)
    try:
        yield
    finally:
        for (timer, number, _), handler in zip(timers, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)
