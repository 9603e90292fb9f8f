"""What a child process may use: memory, files, descriptors, and no longer life than its parent.

Each limit is applied by the child to itself and is skipped where the platform lacks it. This module must not know
subjects, and is no wall against an attacker: it keeps an accident from costing more than the subject's own process.
"""

import contextlib
import ctypes
import fcntl
import os
import resource
import select
import signal
import sys
import threading
from typing import Final

MAX_DESCRIPTORS: Final = 256
MAX_FILE_BYTES: Final = 64 << 20
_PR_SET_PDEATHSIG: Final = 1


def limit_files() -> None:
    """No core dumps, no file over 64 MiB, at most 256 descriptors."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, MAX_FILE_BYTES)
    _lower(resource.RLIMIT_NOFILE, MAX_DESCRIPTORS)


def limit_memory(allowance: int) -> None:
    """Allow `allowance` bytes of address space beyond those in use now; call it once numpy is imported.

    numpy and its BLAS reserve far more address space than they touch, hence the measured start.
    """
    in_use = _address_space()
    if in_use is not None:
        _lower(resource.RLIMIT_AS, in_use + allowance)


def _lower(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    with contextlib.suppress(ValueError, OSError):  # macOS refuses some
        resource.setrlimit(which, (value, value))


def _address_space() -> int | None:
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[0]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return None


def out_of_reach(descriptor: int) -> int:
    """Move a descriptor to a high number, closed on exec, where stray `close` and `closerange` calls miss it."""
    try:
        high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, MAX_DESCRIPTORS - 16)
    except OSError:  # the inherited limit is lower than that
        os.set_inheritable(descriptor, False)
        return descriptor
    os.close(descriptor)
    return high


def die_with_thread() -> None:
    """Ask Linux to kill this process when the *thread* that started it ends; right only for a main thread."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def die_with_writer(descriptor: int) -> None:
    """Kill this process and its group once nobody holds the writing end of the pipe `descriptor` any more."""
    threading.Thread(target=_await_hang_up, args=(descriptor,), name="gradcheck-orphan-watch", daemon=True).start()


def _await_hang_up(descriptor: int) -> None:
    poller = select.poll()
    poller.register(descriptor, 0)  # hang-up and error are reported unasked
    poller.poll()
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)
