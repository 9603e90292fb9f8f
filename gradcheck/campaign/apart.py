"""The operations of a file after the first: each on a subject that has just been loaded, here or in one of several processes.

So an operation is judged the same whoever runs it, and one that takes its process down costs the others nothing. Outcomes are
asked for in the order of the file; this process lends a hand where it would have to wait.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from gradcheck.campaign import oracle_cache
from gradcheck.campaign.elsewhere import Post
from gradcheck.campaign.opening import Limits, Target, opened
from gradcheck.campaign.operations import verify_one
from gradcheck.campaign.outcome import Options, Outcome
from gradcheck.isolation.crew import Crew, ProcessDied
from gradcheck.networks import Vocabulary
from gradcheck.report import Report, SubjectInfo, from_json
from gradcheck.report.selection import Selection
from gradcheck.subjects import Layout, SubjectConfiguration


@dataclass(slots=True)
class Apart:
    """Whoever verifies the later operations; `begin` them all, then ask for each `outcome` in turn."""

    post: Post
    options: Options
    crew: Crew | None = None
    _flights: "dict[str, Future[Any]]" = field(default_factory=dict)

    def begin(self, names: Sequence[str]) -> None:
        """Start them in the other processes, where there are any."""
        if self.crew is not None:
            told = _packed_options(self.options)
            subject = self.post.packed()
            self._flights = {n: self.crew.submit(run_operation, subject, n, told) for n in names}

    def outcome(self, name: str) -> Outcome:
        """The outcome of one; raises what verifying it raised."""
        future = self._flights.pop(name, None)
        if future is None or future.cancel():  # not begun elsewhere
            return self._here(name)
        self._lend_a_hand(future)
        try:
            return _unpacked(future.result())
        except (ProcessDied, BrokenExecutor):
            return self._here(name)

    def _lend_a_hand(self, awaited: "Future[Any]") -> None:
        for name, later in self._flights.items():
            if awaited.done():
                return
            if later.cancel():
                self._flights[name] = _finished(lambda n=name: pack(self._here(n)))  # type: ignore[misc]

    def _here(self, name: str) -> Outcome:
        with opened(self.post.target, self.post.said, self.post.limits) as subject:
            return verify_one(subject, name, self.options, self.post.said.layer)


@contextlib.contextmanager
def apart_of(post: Post, options: Options) -> Iterator[Apart | None]:
    """Who verifies the later operations of a file, in `options.jobs` processes, this one among them; None in memory."""
    if post.target.path is None:
        yield None
        return
    if options.jobs == 1:
        yield Apart(post, options)
        return
    with Crew(options.jobs - 1) as crew:
        try:
            yield Apart(post, options, crew)
        finally:
            crew.kill()  # what is under way is of no use any more


def run_operation(subject: dict[str, Any], name: str, options: dict[str, Any]) -> dict[str, Any]:
    """What runs in the other process: load, verify one operation, answer in plain values."""
    oracle_cache.install()
    said, limits = SubjectConfiguration(**subject["said"]), Limits(**subject["limits"])
    post = Post(Target(*subject["target"]), said, limits, Vocabulary())
    told = Options(**{**options, "selection": Selection(*map(tuple, options["selection"]))})
    return pack(Apart(post, told)._here(name))


def pack(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain values; figures and scripts come later."""
    nobody = SubjectInfo("", None, None, None)
    report = Report("pass", nobody, {}, outcome.tally, outcome.power, (), outcome.findings, outcome.notes)
    rest = {"agreement": float(outcome.agreement), "ignored": dict(outcome.ignored), "ended": outcome.ended}
    return {"report": report.to_json(), "layouts": {n: asdict(k) for n, k in outcome.layouts.items()}, "rest": rest}


def _unpacked(data: dict[str, Any]) -> Outcome:
    report = from_json(data["report"])
    layouts = {n: Layout(**k) for n, k in data["layouts"].items()}
    outcome = Outcome(report.findings, report.tally, report.power, report.notes, layouts=layouts)
    return replace(outcome, **data["rest"])


def _packed_options(o: Options) -> dict[str, Any]:
    return {
        "max_examples": o.max_examples,
        "seed": o.seed,
        "budget": o.budget,
        "audit": o.audit,
        "selection": [list(o.selection.select), list(o.selection.ignore)],
        "adaptive": o.adaptive,
        "jobs": o.jobs,
    }


def _finished(run: Callable[[], Any]) -> "Future[Any]":
    """A future with what a call came to."""
    future: Future[Any] = Future()
    try:
        future.set_result(run())
    except Exception as error:
        future.set_exception(error)
    return future
