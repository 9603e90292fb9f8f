"""What went wrong inside the child, in one sentence and the subject's own traceback.

Runs in the child, next to hostile objects: whatever their `__str__` does, the description stays short and comes back.
This module must not know how requests arrive or how descriptions leave.
"""

import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, TypedDict

from gradcheck.errors import GradcheckError, SubjectError

LOST_CHANNEL: Final = 121  # exit code of a child that can no longer talk to its parent
KINDS: Final = frozenset(
    {"load", "exception", "timeout", "memory", "crash", "exit", "contract", "protocol", "unsupported", "unrecognised"}
)

_MAX_MESSAGE: Final = 3000
_MAX_DETAILS: Final = 8 << 10
_MAX_FRAMES: Final = 12
_OURS: Final = str(Path(__file__).parent.parent) + "/"


class Failure(TypedDict):
    """A `SubjectError` on its way to the parent."""

    kind: str
    message: str
    details: str


def describe(error: BaseException, activity: str, *, loading: bool) -> Failure:
    """The failure that `error` is; `activity` says what the subject was asked, such as "while answering 'forward'"."""
    try:
        return _describe(error, activity, loading)
    except MemoryError:
        error.__traceback__ = None  # frees what its frames hold
        return failure("memory", f"{activity} the subject ran out of memory")
    except BaseException:  # raised by the subject's own exception class
        return failure("exception", f"{activity} the subject raised an exception that cannot be described")


def failure(kind: str, message: str, details: str = "") -> Failure:
    """A failure with its texts cut to a bearable length."""
    return Failure(kind=kind, message=_clip(message, _MAX_MESSAGE), details=_clip(details, _MAX_DETAILS))


def _describe(error: BaseException, activity: str, loading: bool) -> Failure:
    usual = "load" if loading else "exception"
    match error:
        case SubjectError():
            return failure(error.kind if error.kind in KINDS else usual, error.message, error.details)
        case GradcheckError():
            return failure(usual, str(error))
        case SystemExit():
            return failure("exit", f"{activity} the subject called sys.exit({error.code!r:.50})", _details(error))
        case KeyboardInterrupt():
            return failure("exit", f"{activity} the subject raised KeyboardInterrupt", _details(error))
        case MemoryError():
            reason = f": {error}" if str(error) else ""
            return failure("memory", f"{activity} the subject ran out of memory{reason}", _details(error))
    summary = _first_line(error)
    return failure(usual, f"{activity} the subject raised {summary}{_place(error)}", _details(error))


def _first_line(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {_clip(text, 300)}" if text else type(error).__name__


def _place(error: BaseException) -> str:
    frames = _subject_frames(error.__traceback__)
    if not frames:
        return ""
    last = frames[-1]
    return f" ({Path(last.filename).name}, line {last.lineno}, in {last.name})"


def _details(error: BaseException) -> str:
    frames = _subject_frames(error.__traceback__)
    if not frames and not isinstance(error, SyntaxError):  # raised by our adapter, which is then to be seen
        frames = _some(_frames(error.__traceback__))
    heading = ["Traceback (most recent call last):\n"] if frames else []
    lines = traceback.StackSummary.from_list(frames).format()
    return "".join([*heading, *lines, *traceback.format_exception_only(type(error), error)])


def _subject_frames(trace: TracebackType | None) -> list[traceback.FrameSummary]:
    return _some(frame for frame in _frames(trace) if not _is_ours(frame.filename))


def _frames(trace: TracebackType | None) -> Iterator[traceback.FrameSummary]:
    while trace is not None:
        code = trace.tb_frame.f_code
        yield traceback.FrameSummary(code.co_filename, trace.tb_lineno, code.co_name, lookup_line=False)
        trace = trace.tb_next


def _some(frames: Iterable[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    """The first and the last few: a recursion leaves a million of them."""
    stream = iter(frames)
    return [*islice(stream, _MAX_FRAMES // 2), *deque(stream, maxlen=_MAX_FRAMES)]


def _is_ours(filename: str) -> bool:
    return filename.startswith((_OURS, "<frozen ")) or filename == "<string>"


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length // 2]} … {text[-length // 2 :]}"
