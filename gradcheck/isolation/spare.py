"""A child process that is started before it is needed: it comes up while this process is still importing what it needs itself.

`child` starts it, the next `Worker` with the same limits takes it, and where none did it is ended with the block. It holds
nothing but our own code and numpy: no code of a subject runs before a worker asks for it.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from gradcheck.isolation.process import ChildProcess

HANDLER = "gradcheck.isolation.handler"
MEMORY_LIMIT = 2 << 30
"""What `gradcheck.verify` grants where nobody says otherwise."""
_waiting: list[tuple[Any, ChildProcess]] = []


@contextlib.contextmanager
def child(memory_limit: int | None) -> Iterator[None]:
    """While the block lasts, a child with this limit is there to be taken; without one where none can be started."""
    if os.name != "posix" or _waiting:
        yield
        return
    with contextlib.suppress(OSError):
        _waiting.append((_key((), memory_limit, None), ChildProcess((), memory_limit, None, preload=HANDLER)))
    try:
        yield
    finally:
        while _waiting:
            _waiting.pop()[1].destroy()


def taken(python_path: Sequence[str], memory_limit: int | None, cwd: str | None) -> ChildProcess | None:
    """The waiting child, if it is like one that would be started now; it is the caller's from then on."""
    if not _waiting or _waiting[0][0] != _key(python_path, memory_limit, cwd):
        return None
    found = _waiting.pop()[1]
    if found.alive:
        return found
    found.destroy()
    return None


def _key(python_path: Sequence[str], memory_limit: int | None, cwd: str | None) -> Any:
    """Everything that a child inherits."""
    return tuple(python_path), memory_limit, cwd or os.getcwd(), list(sys.path), threading.get_ident(), os.getpid()
