"""The child process behind bubblewrap (`bwrap`, Linux): nothing can be written, no network, and processes of its own.

It sees the file system read-only, with an empty /tmp of its own; only its own processes, all of which end with it, whatever
session they fled to; and no network. It still can read what its user can read. This module must not know subjects.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from gradcheck.errors import UsageError

_TMP_BYTES = 64 << 20
_SCRATCH = ("/tmp", "/var/tmp", "/dev/shm", "/run")
_SIGNALS = 64


def command(python: Sequence[str], readable: Sequence[str], cwd: str) -> list[str]:
    """The command line that runs `python` in a sandbox; `readable` are folders to be seen even below a scratch folder.

    Raises UsageError where there is no bwrap.
    """
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        msg = "--sandbox needs bubblewrap: there is no `bwrap` on the PATH; install it, or leave --sandbox out"
        raise UsageError(msg)
    arguments = [bwrap, "--unshare-pid", "--unshare-ipc", "--unshare-net", "--unshare-uts", "--die-with-parent"]
    arguments += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    for folder in _SCRATCH:
        if os.path.isdir(folder) and not os.path.islink(folder) and folder != "/dev/shm":
            arguments += ["--size", str(_TMP_BYTES), "--tmpfs", folder]
    for folder in _hidden([*readable, cwd, sys.prefix, sys.base_prefix, os.path.dirname(sys.executable)]):
        arguments += ["--ro-bind", folder, folder]
    return [*arguments, "--setenv", "TMPDIR", "/tmp", "--chdir", cwd, "--", *python]


def _hidden(folders: Sequence[str]) -> list[str]:
    """Those that an empty scratch folder would hide, outermost first, each once."""
    real = sorted({os.path.abspath(f) for f in folders if os.path.exists(f)})
    return [f for f in real if any(Path(f).is_relative_to(s) and f != s for s in _SCRATCH)]


def inner_pid(outer: int) -> int | None:
    """The process that runs in the sandbox, as it is numbered outside: bwrap starts its init, and that the command."""
    pid = outer
    for _ in range(2):
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        except OSError:
            return None
        if not children:
            return None
        pid = int(children[0])
    return pid


def exit_code(status: int) -> int:
    """bwrap ends with 128 + n where its command died of signal n: the code that the command would have had, −n."""
    return 128 - status if 128 < status <= 128 + _SIGNALS else status
