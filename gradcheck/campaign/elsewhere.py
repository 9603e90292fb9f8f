"""One epoch of a file's cases in another process: what crosses, and the function that runs there.

Only plain values and arrays cross. A user's own activations and costs go by their ``file.py:name`` and are loaded there.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Any

import numpy as np

from gradcheck.campaign import epochs, oracle_cache
from gradcheck.campaign.effort import most
from gradcheck.campaign.epochs import Elsewhere, Epochs, InTurn, Judging, Spread, Visit, reloaded
from gradcheck.campaign.opening import Limits, Target, opened, vocabulary_of
from gradcheck.campaign.outcome import Options
from gradcheck.checks import Examination, Fault
from gradcheck.checks.comparison import Discrepancy
from gradcheck.errors import SubjectError
from gradcheck.isolation import wire
from gradcheck.isolation.crew import Crew
from gradcheck.networks import Case, Vocabulary
from gradcheck.subjects import Layout, SubjectConfiguration


@dataclass(frozen=True, slots=True)
class _Underway:
    """A future whose result is still packed."""

    future: "Future[list[Any]]"

    def cancel(self) -> bool:
        return self.future.cancel()

    def done(self) -> bool:
        return self.future.done()

    def result(self) -> list[Visit]:
        return [unpack_visit(v) for v in self.future.result()]


@dataclass(frozen=True, slots=True)
class Post:
    """Everything about the subject and its judging that another process must know."""

    target: Target
    said: SubjectConfiguration
    limits: Limits
    vocabulary: Vocabulary

    @property
    def crosses(self) -> bool:
        """Whether it can: a file, and definitions that can be loaded again."""
        own = self.vocabulary
        sources = [d.source for d in own.activations.values()] + [d.source for d in own.costs.values()]
        return self.target.path is not None and all(sources)

    def packed(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "target": [self.target.path, self.target.object],
            "said": asdict(self.said),
            "limits": asdict(self.limits),
            "activations": [d.source for d in self.vocabulary.activations.values()],
            "costs": [d.source for d in self.vocabulary.costs.values()],
        }

    def over(self, executor: Executor) -> Elsewhere:
        """Starts epochs in the executor."""
        subject = self.packed()

        def start(judging: Judging, cases: Sequence[Case]) -> _Underway:
            packed = [wire.pack_points([case]) for case in cases]
            return _Underway(executor.submit(run_epoch, subject, asdict(judging), packed))

        return start


@contextlib.contextmanager
def epochs_of(post: Post, options: Options) -> Iterator[Epochs | None]:
    """Who runs the epochs of a campaign: `options.jobs` processes, this one among them; None for a thing in memory."""
    if post.target.path is None or most(options) <= epochs.EPOCH:
        yield None
        return
    fresh = partial(opened, post.target, post.said, post.limits)
    if options.jobs == 1 or not post.crosses:
        yield InTurn(fresh)
        return
    with Crew(options.jobs - 1) as crew:
        try:
            yield Spread(fresh, post.over(crew), ahead=2 * options.jobs)
        finally:
            crew.kill()  # what is under way is of no use any more


def run_epoch(subject: dict[str, Any], judging: dict[str, Any], cases: list[Any]) -> list[Any]:
    """What runs in the other process: load, examine every case, answer in plain values."""
    oracle_cache.install()
    vocabulary = vocabulary_of(subject["activations"] or None, subject["costs"] or None)[0]
    points = [wire.unpack_points(c, vocabulary)[0] for c in cases]
    how = Judging(**{**judging, "layout": Layout(**judging["layout"])})
    said, limits = SubjectConfiguration(**subject["said"]), Limits(**subject["limits"])
    fresh = partial(opened, Target(*subject["target"]), said, limits)
    visits = reloaded(fresh, [p for p in points if isinstance(p, Case)], how)
    return [pack_visit(v) for v in visits]


def pack_visit(visit: Visit) -> dict[str, Any]:
    """An outcome as plain values: numpy's scalars become Python's, the fault its name."""
    if visit.error is not None:
        return {"error": [visit.error.kind, visit.error.message, visit.error.details]}
    found = visit.examination
    assert found is not None, "a visit is an examination or an error"
    data = {f.name: _plain(getattr(found, f.name)) for f in fields(Examination)}
    return {
        **data,
        "fault": found.fault and found.fault.name,
        "discrepancies": [_plain(asdict(d)) for d in found.discrepancies],
    }


def unpack_visit(data: Mapping[str, Any]) -> Visit:
    """The inverse of `pack_visit`."""
    if "error" in data:
        kind, message, details = data["error"]
        return Visit(None, SubjectError(kind, message, details=details))
    fault = Fault[data["fault"]] if data["fault"] else None
    discrepancies = tuple(Discrepancy(**d) for d in data["discrepancies"])
    return Visit(Examination(**{**data, "fault": fault, "discrepancies": discrepancies}))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple):
        return tuple(_plain(v) for v in value)
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return value
