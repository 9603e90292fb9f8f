"""Hypothesis as this project runs it: no database, no deadline, and draws that depend on the seed alone."""

import contextlib
import random
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, find, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

BLOCK = 2000
"""Cases that Hypothesis draws without a repetition: it remembers each, 10 kB a case, and forgets them after so many."""

T = TypeVar("T")


def draw(strategy: st.SearchStrategy[T], count: int, seed_: int, take: Callable[[T], None]) -> None:
    """Hand `count` values, or all that there are, to `take`; what it raises, a BaseException at best, ends the drawing."""
    for block, start in enumerate(range(0, count, BLOCK)):

        @seed(seed_ if not block else int(np.random.SeedSequence([seed_ % 2**64, block]).generate_state(1)[0]))
        @settings(quiet_settings(), max_examples=min(BLOCK, count - start), phases=[Phase.generate])
        @given(strategy)
        def drawn(value: T) -> None:
            take(value)

        with from_the_seed_alone():
            drawn()


def smallest(strategy: st.SearchStrategy[T], condition: Callable[[T], bool], seed_: int, examples: int) -> T | None:
    """The smallest value that meets a condition, which is looked for among so many; None where there was none."""
    try:
        with from_the_seed_alone():
            return find(
                strategy,
                condition,
                settings=settings(quiet_settings(), max_examples=examples, phases=(Phase.generate, Phase.shrink)),
                random=random.Random(seed_),
            )
    except NoSuchExample:
        return None
    except Exception as error:  # Hypothesis calls a condition whose answer changes with time flaky
        if type(error).__module__.startswith("hypothesis"):
            return None
        raise


def quiet_settings() -> settings:
    """No database, no deadline, no output: the caller's own Hypothesis settings and profile have no say here."""
    return settings(
        database=None,
        deadline=None,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        derandomize=False,
        report_multiple_bugs=False,
    )


@contextlib.contextmanager
def from_the_seed_alone() -> Iterator[None]:
    """While it lasts, Hypothesis draws no constants that it has read in the caller's modules.

    Since 6.131 it collects the constants of all local modules that happen to be loaded, and draws one in twenty numbers from
    them: the same seed gave other cases in another program, or after an import. There is no setting for it; a version of
    Hypothesis without this function draws from the seed alone anyway.
    """
    from hypothesis.internal.conjecture import providers  # private: nothing else in gradcheck may know it

    collect = getattr(providers, "_get_local_constants", None)
    kept = getattr(providers, "CONSTANTS_CACHE", None)
    if collect is None or kept is None:
        yield
        return
    from hypothesis.internal.constants_ast import Constants

    nothing = Constants()
    providers._get_local_constants = lambda: nothing
    kept.cache.clear()
    try:
        yield
    finally:
        providers._get_local_constants = collect
        kept.cache.clear()
