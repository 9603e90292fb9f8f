"""What the ladder compares at one case, taken from a real run of `examine`: claim, jax oracle, own differences."""

from unittest.mock import patch

from gradcheck.checks import Examination, examine, ladder
from gradcheck.checks.ladder import Oracles
from gradcheck.networks import Case
from tests.benchmarks.subjects import CorrectSubject


def corners(subject: CorrectSubject, case: Case) -> tuple[Examination, Oracles | None]:
    """The examination and the three estimates that it judged; None where it ended before (not finite).

    The cheap screen is left out, so that the full differences are taken everywhere. Whatever `judge` is
    handed is what counts: copied from the call, so that no bound is computed in a second way here. The screening
    of clean cases is left out: it ends before.
    """
    seen: list[Oracles] = []
    judge = ladder.judge

    def recording(case: Case, oracles: Oracles, *rest: object, **more: object) -> Examination:
        seen.append(oracles)
        return judge(case, oracles, *rest, **more)  # type: ignore[arg-type]

    with patch.object(ladder, "judge", recording), patch.object(ladder, "screen", lambda *_: None):
        examination = examine(subject.subject, case, subject.layout)
    return examination, seen[-1] if seen else None
