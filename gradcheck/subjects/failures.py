"""Turn what the subject's code raises into one sentence with the place in its own file.

It must not know conventions, nor processes: it is told only which files are gradcheck's.
"""

import contextlib
import random
import sysconfig
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gradcheck.errors import GradcheckError, SubjectError
from gradcheck.subjects.protocol import Malformed

OURS = str(Path(__file__).resolve().parent.parent)
LIBRARIES = (
    *{sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib")},
    str(Path(np.__file__).parent.parent),  # may be that of another environment, which this one sees
)
_LONGEST = 300


@contextlib.contextmanager
def subject_code() -> Iterator[None]:
    """Run the subject's code: same seeds each time, no warnings, and every exception of its own as a SubjectError."""
    try:
        with seeded():
            yield
    except (GradcheckError, Malformed, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise subject_error(error) from None


@contextlib.contextmanager
def seeded() -> Iterator[None]:
    """Run the subject's code with the same seeds each time and no warnings; its exceptions pass."""
    random.seed(0)
    np.random.seed(0)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def subject_error(error: BaseException) -> SubjectError:
    """The SubjectError for an exception: its kind, its first line, the place, and the traceback outside gradcheck."""
    frames = outside_frames(error)
    return SubjectError(_kind(error, frames), f"{summary(error)}{place(frames)}", details=details(error, frames))


def outside_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames of its traceback that are not gradcheck's own, outermost first."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f for f in frames if not f.filename.startswith((OURS, "<frozen "))]


def summary(error: BaseException) -> str:
    """``TypeError: unsupported operand`` on one line of bearable length."""
    if isinstance(error, SystemExit):
        return f"the subject called sys.exit({error.code!r:.50})"
    text = " ".join(str(error).split())
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def place(frames: list[traceback.FrameSummary]) -> str:
    """`` in file.py:12 (function backprop)`` for the innermost frame of the subject's own code, else nothing."""
    own = [f for f in frames if not f.filename.startswith(LIBRARIES)] or frames
    if not own:
        return ""
    inside = f" (function {own[-1].name})" if own[-1].name != "<module>" else ""
    return f" in {Path(own[-1].filename).name}:{own[-1].lineno}{inside}"


def details(error: BaseException, frames: list[traceback.FrameSummary]) -> str:
    """The traceback as Python prints it, restricted to those frames."""
    heading = ["Traceback (most recent call last):\n"] if frames else []
    lines = traceback.StackSummary.from_list(frames[:6] + frames[6:][-14:]).format()
    return "".join([*heading, *lines, *traceback.format_exception_only(type(error), error)])


def _kind(error: BaseException, frames: list[traceback.FrameSummary]) -> str:
    match error:
        case SystemExit():
            return "exit"
        case NotImplementedError():
            return "unsupported"
        case MemoryError():
            return "memory"
    return "exception" if frames else "contract"
